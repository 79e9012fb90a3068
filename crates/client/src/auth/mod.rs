//! Who the user is, and how that is told: Basic, or a Bearer token fetched for what is to be done.

mod authenticator;
mod challenge;
mod config_file;
mod credential_helper;
mod credentials;
mod docker_logins;
mod scope;
mod token;

pub(crate) use authenticator::{Authenticator, Challenged};
pub use config_file::DockerConfigError;
pub use credential_helper::CredentialHelperError;
pub use credentials::{Credentials, KnownCredentials};
pub use docker_logins::{DockerLogins, Kept};
pub use scope::Scope;

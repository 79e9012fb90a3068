//! Who the user is, and how that is told: Basic, or a Bearer token fetched for what is to be done.

mod authenticator;
mod challenge;
mod credentials;
mod scope;
mod token;

pub(crate) use authenticator::{Authenticator, Challenged};
pub use credentials::{Credentials, DockerConfigError, KnownCredentials};
pub use scope::Scope;

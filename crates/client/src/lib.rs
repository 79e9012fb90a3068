//! A client of registries (OCI Distribution 1.1), and the ways images take: registry, OCI layout, tar, `docker save`.
//!
//! - [`Client`] is the connection to any number of registries; [`Repository`] is one repository and
//!   everything that can be asked of it or put into it.
//! - [`Source`] and [`Destination`] are where images come from and go to; [`Transfer`] copies between them,
//!   each blob once, several at a time, with bounded memory, everything checked by digest and size.
//! - [`management`] is the management API, and [`DockerLogins`] where logins are kept.
//! - [`Progress`] hears what goes on; nothing here prints.

mod address;
mod archive;
mod auth;
mod connection;
mod docker_save;
mod error;
mod layout;
pub mod management;
mod names;
mod options;
mod progress;
mod registry;
mod secret;
mod source;
mod transfer;
mod verify;

pub use address::{AddressError, HostName, ImageAddress};
pub use archive::{LayoutArchive, LayoutArchiveWriter, open_archive};
pub use auth::{
    CredentialHelperError, Credentials, DockerConfigError, DockerLogins, Kept, KnownCredentials,
    Scope,
};
pub use connection::Client;
pub use docker_save::DockerSave;
pub use error::{ApiError, Error, Refusal};
pub use layout::{LayoutFolder, LayoutFolderWriter};
pub use options::{ClientOptions, Retries};
pub use progress::{Event, Progress, Silent};
pub use registry::{
    FetchedManifest, Names, Placed, Registry, RegistryDestination, RegistrySource, Repository,
};
pub use secret::Secret;
pub use source::{BlobSource, BlobStream, Destination, Role, Root, Source};
pub use transfer::{PlatformChoice, PlatformError, Summary, Transfer, choose};
pub use verify::{verified, verified_bytes};

/// The largest manifest or index read or written, in bytes: what every registry must take
/// (distribution-spec, "Pushing Manifests").
pub const MAX_MANIFEST: usize = 4 << 20;

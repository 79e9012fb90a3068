//! A registry and a repository in it: what can be asked of them and put into them.

mod blob;
mod destination;
mod direct;
mod direct_session;
mod download;
mod fallback;
mod listing;
mod manifest;
mod push_blob;
mod push_manifest;
mod referrers;
mod session;
mod source;
mod upload;

use std::sync::Arc;

use http::{Method, Uri};
use wharf_oci::{Digest, RepositoryName};

pub use destination::RegistryDestination;
use direct::DirectUploads;
pub use listing::Names;
pub use manifest::FetchedManifest;
pub(crate) use manifest::plain_descriptor;
pub use push_blob::Placed;
pub use source::RegistrySource;

use crate::connection::{Call, Client, Origin};
use crate::{Error, HostName, Scope};

/// A registry. Cloning it is cheap.
#[derive(Clone)]
pub struct Registry {
    client: Client,
    host: HostName,
    origin: Origin,
    direct: Arc<DirectUploads>,
}

/// A repository of a registry. Cloning it is cheap.
#[derive(Clone)]
pub struct Repository {
    registry: Registry,
    name: RepositoryName,
}

impl Registry {
    pub(crate) fn new(client: Client, host: HostName) -> Self {
        let origin = client.origin(&host);
        Self { client, host, origin, direct: Arc::default() }
    }

    /// The host.
    pub fn host(&self) -> &HostName {
        &self.host
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// A repository there. Nothing is sent yet.
    pub fn repository(&self, name: &RepositoryName) -> Repository {
        Repository { registry: self.clone(), name: name.clone() }
    }

    /// Asks whether the registry speaks the specification (distribution-spec, "Determining Support").
    ///
    /// # Errors
    /// When it does not, or wants other credentials.
    pub async fn ping(&self) -> Result<(), Error> {
        let call = self.call(Method::GET, "/v2/", Vec::new())?;
        let reply = self.client.call(call).await?;
        if reply.status.is_success() { Ok(()) } else { Err(reply.refusal().await) }
    }

    fn call(&self, method: Method, path: &str, scopes: Vec<Scope>) -> Result<Call, Error> {
        Ok(Call::new(method, self.origin.uri(path)?, self.origin.clone(), scopes))
    }
}

impl Repository {
    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The name.
    pub fn name(&self) -> &RepositoryName {
        &self.name
    }

    /// The repository for messages: `HOST/NAME`.
    pub fn place(&self) -> String {
        format!("{}/{}", self.registry.host, self.name)
    }

    fn client(&self) -> &Client {
        &self.registry.client
    }

    /// A request for reading `/v2/<name>/<path>`.
    fn reading(&self, method: Method, path: &str) -> Result<Call, Error> {
        self.call(method, path, Scope::pull(&self.name))
    }

    /// A request for writing `/v2/<name>/<path>`.
    fn writing(&self, method: Method, path: &str) -> Result<Call, Error> {
        self.call(method, path, Scope::push(&self.name))
    }

    fn call(&self, method: Method, path: &str, scope: Scope) -> Result<Call, Error> {
        self.registry.call(method, &format!("/v2/{}/{path}", self.name), vec![scope])
    }

    /// A request for writing to an address that the registry gave.
    fn writing_at(&self, method: Method, uri: Uri) -> Call {
        let scopes = vec![Scope::push(&self.name)];
        Call::new(method, uri, self.registry.origin.clone(), scopes)
    }

    fn not_found(&self, what: impl std::fmt::Display) -> Error {
        Error::NotFound { what: what.to_string(), place: self.place() }
    }

    fn blob_not_found(&self, digest: &Digest) -> Error {
        self.not_found(format_args!("blob {digest}"))
    }
}

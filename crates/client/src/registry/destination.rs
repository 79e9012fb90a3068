//! A repository as the destination of images.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Mutex;
use wharf_oci::{Descriptor, RepositoryName};

use super::{Placed, Repository};
use crate::source::{BlobSource, Destination, Role};
use crate::{Error, Progress};

/// A repository that images are pushed to.
pub struct RegistryDestination {
    repository: Repository,
    mount: Option<RepositoryName>,
    /// Held while the list of referrers under a tag is read, changed and written.
    referrers: Mutex<()>,
}

impl RegistryDestination {
    /// Pushes to `repository`.
    pub fn new(repository: Repository) -> Self {
        Self { repository, mount: None, referrers: Mutex::new(()) }
    }

    /// Lets the registry take blobs from another of its repositories, where it can.
    #[must_use]
    pub fn mounting_from(mut self, repository: RepositoryName) -> Self {
        self.mount = Some(repository).filter(|from| from != self.repository.name());
        self
    }
}

#[async_trait]
impl Destination for RegistryDestination {
    async fn put_blob(
        &self,
        blob: &Descriptor,
        from: &dyn BlobSource,
        progress: &Arc<dyn Progress>,
    ) -> Result<Placed, Error> {
        self.repository.push_blob(blob, from, self.mount.as_ref(), progress).await
    }

    async fn put_manifest(
        &self,
        manifest: &Descriptor,
        bytes: Bytes,
        role: Role<'_>,
    ) -> Result<(), Error> {
        let tags = match role {
            Role::Root(tags) => tags,
            Role::Child => &[],
        };
        let unlisted = self.repository.put_unlisted(manifest, bytes, tags).await?;
        let Some((subject, referrer)) = unlisted else { return Ok(()) };
        let _guard = self.referrers.lock().await;
        self.repository.add_to_fallback(&subject, referrer).await
    }

    async fn finish(&self) -> Result<(), Error> {
        Ok(())
    }
}

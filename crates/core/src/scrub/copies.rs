//! Where the content of a damaged object may lie a second time: a list of places, of which each names the copies that it knows. None of them is
//! believed: what a copy gives is hashed while it is read, and thrown away where it is not what its digest says.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use wharf_oci::Digest;

use crate::StoreError;
use crate::blobs::{Blobs, Content, ObjectKey, ReadError};
use crate::metadata::Integrity;
use crate::old_store::OldStore;

/// What may be a copy.
pub struct FoundCopy {
    /// Where it is, in words: for findings, events and the log.
    pub place: String,
    /// Its size in bytes.
    pub size: u64,
    /// Begins to read it.
    pub content: BoxFuture<'static, Result<Content, ReadError>>,
}

/// A place where copies may lie.
#[async_trait]
pub trait CopySource: Send + Sync + 'static {
    /// What may be copies of this content, but for the object that is `damaged`, if it is one; the likeliest first, and few. A place that does
    /// not answer is left out until the next time.
    async fn copies(
        &self,
        of: &Digest,
        damaged: Option<&ObjectKey>,
    ) -> Result<Vec<FoundCopy>, StoreError>;
}

/// The other objects that are in the store still: of a push or a repair that did not end, condemned and not deleted yet, or in quarantine and
/// put right since; of a manifest, one that was pushed as a blob.
pub struct OtherObjects {
    /// All objects that can be read.
    pub blobs: Arc<dyn Blobs>,
    /// Which there may be.
    pub integrity: Arc<dyn Integrity>,
}

#[async_trait]
impl CopySource for OtherObjects {
    async fn copies(
        &self,
        of: &Digest,
        damaged: Option<&ObjectKey>,
    ) -> Result<Vec<FoundCopy>, StoreError> {
        let mut found = Vec::new();
        for key in self.integrity.objects_of(*of).await? {
            if Some(&key) == damaged {
                continue;
            }
            let Some(size) = self.blobs.head(&key).await? else { continue };
            let blobs = Arc::clone(&self.blobs);
            found.push(FoundCopy {
                place: format!("the object {key}"),
                size,
                content: async move { blobs.read(&key, None).await }.boxed(),
            });
        }
        Ok(found)
    }
}

/// What lies in the store of the registry that was adopted, behind a damaged object of the same digest in Wharf's own.
pub struct AdoptedCopies(pub Arc<dyn OldStore>);

#[async_trait]
impl CopySource for AdoptedCopies {
    async fn copies(
        &self,
        of: &Digest,
        _: Option<&ObjectKey>,
    ) -> Result<Vec<FoundCopy>, StoreError> {
        let digest = *of;
        let Some(size) = self.0.head(&digest).await? else { return Ok(Vec::new()) };
        let store = Arc::clone(&self.0);
        let content = async move { store.read(&digest, None).await }.boxed();
        Ok(vec![FoundCopy { place: "the adopted store".into(), size, content }])
    }
}

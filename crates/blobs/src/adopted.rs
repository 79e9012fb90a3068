//! A store with another registry's behind it: what was adopted is read where it lies; what is pushed goes into Wharf's own.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::blobs::{
    Blobs, ByteStream, Chunks, Content, Deletion, MappedReads, ObjectKey, ReadError, StageError,
    Staged,
};
use wharf_core::delivery::{SignedUrl, SignedUrls};
use wharf_core::old_store::OldStore;
use wharf_core::{StoreError, UploadId};
use wharf_oci::ByteRange;

/// Both stores. Of a key that is simply the digest, the object is the one in Wharf's own store or, where there is none, the
/// other registry's; keys with an incarnation are Wharf's alone, so that a new push after a deletion is never confused
/// with what lay there before.
pub struct AdoptedBlobs {
    own: Arc<dyn Blobs>,
    mapped: Option<Arc<dyn MappedReads>>,
    old: Arc<dyn OldStore>,
    deletes_old: bool,
}

impl AdoptedBlobs {
    /// `own`, the same as mapped pages where it can, and `old` behind it, from which nothing is deleted.
    pub const fn new(
        own: Arc<dyn Blobs>,
        mapped: Option<Arc<dyn MappedReads>>,
        old: Arc<dyn OldStore>,
    ) -> Self {
        Self { own, mapped, old, deletes_old: false }
    }

    /// The same, and whether what is deleted goes from the other registry's store too. Only where that registry serves
    /// nothing any more, and none of its repositories was left out: Wharf knows nothing of what those need.
    #[must_use]
    pub fn deleting_old(self, deletes_old: bool) -> Self {
        Self { deletes_old, ..self }
    }

    /// What was read, or where it is not there, the other registry's.
    async fn or_old(
        &self,
        read: Result<Content, ReadError>,
        key: &ObjectKey,
        range: Option<ByteRange>,
    ) -> Result<Content, ReadError> {
        match read {
            Err(ReadError::NotFound) if key.incarnation == 0 => {
                self.old.read(&key.digest, range).await
            }
            read => read,
        }
    }
}

#[async_trait]
impl Blobs for AdoptedBlobs {
    async fn head(&self, key: &ObjectKey) -> Result<Option<u64>, StoreError> {
        match self.own.head(key).await? {
            None if key.incarnation == 0 => self.old.head(&key.digest).await,
            found => Ok(found),
        }
    }

    async fn read(&self, key: &ObjectKey, range: Option<ByteRange>) -> Result<Content, ReadError> {
        self.or_old(self.own.read(key, range).await, key, range).await
    }

    async fn stage(&self, upload: &UploadId) -> Result<Staged, StageError> {
        self.own.stage(upload).await
    }

    async fn append(
        &self,
        upload: &UploadId,
        staged: &Staged,
        chunks: Chunks<'_>,
    ) -> Result<Staged, StageError> {
        self.own.append(upload, staged, chunks).await
    }

    async fn read_staged(
        &self,
        upload: &UploadId,
        staged: &Staged,
    ) -> Result<ByteStream, StageError> {
        self.own.read_staged(upload, staged).await
    }

    /// Into Wharf's own store, whatever lies in the other: its bytes may never have been hashed here.
    async fn finish(
        &self,
        upload: &UploadId,
        staged: &Staged,
        key: &ObjectKey,
    ) -> Result<(), StageError> {
        self.own.finish(upload, staged, key).await
    }

    async fn roll_back(
        &self,
        upload: &UploadId,
        before: &Staged,
        after: &Staged,
    ) -> Result<(), StoreError> {
        self.own.roll_back(upload, before, after).await
    }

    async fn discard(&self, upload: &UploadId, staged: &Staged) -> Result<(), StageError> {
        self.own.discard(upload, staged).await
    }

    /// Where the other registry's stays, it is there as before it was adopted: no repository holds it.
    async fn delete_all(&self, keys: &[ObjectKey]) -> Deletion {
        let mut deletion = self.own.delete_all(keys).await;
        if self.deletes_old {
            let gone = std::mem::take(&mut deletion.gone);
            for key in gone {
                let deleted = match key.incarnation {
                    0 => self.old.delete(&key.digest).await,
                    _ => Ok(()),
                };
                deletion.add(key, deleted);
            }
        }
        deletion
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.own.check().await
    }
}

#[async_trait]
impl MappedReads for AdoptedBlobs {
    async fn read_mapped(
        &self,
        key: &ObjectKey,
        range: Option<ByteRange>,
    ) -> Result<Content, ReadError> {
        let read = match &self.mapped {
            Some(mapped) => mapped.read_mapped(key, range).await,
            None => self.own.read(key, range).await,
        };
        self.or_old(read, key, range).await
    }
}

/// Signed URLs of both stores. Each costs a look into Wharf's own, for what lies in either.
pub struct AdoptedUrls {
    /// Wharf's own store.
    pub own: Arc<dyn Blobs>,
    /// Its URLs.
    pub own_urls: Arc<dyn SignedUrls>,
    /// Those of the other registry's store.
    pub old_urls: Arc<dyn SignedUrls>,
}

#[async_trait]
impl SignedUrls for AdoptedUrls {
    async fn sign_get(&self, key: &ObjectKey, life: Duration) -> Result<SignedUrl, StoreError> {
        let lies_here = key.incarnation > 0 || self.own.head(key).await?.is_some();
        let urls = if lies_here { &self.own_urls } else { &self.old_urls };
        urls.sign_get(key, life).await
    }
}

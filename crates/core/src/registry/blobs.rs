//! Blobs: finding, reading and removing what a repository holds.

use wharf_oci::{ByteRange, Digest, RepositoryName};

use crate::blobs::{Content, ObjectKey, ReadError};
use crate::cache::{Key, Lookup};
use crate::metadata::{RemoveBlob, RemoveOutcome};
use crate::operation::{DeleteBlob, PullBlob};
use crate::permissions::Permitted;
use crate::registry::Registry;
use crate::registry::record::{decode_blob, encode_blob};
use crate::{Error, Missing, Need, StoreError};

impl Registry {
    /// The size in bytes of a blob that the repository holds.
    ///
    /// # Errors
    /// [`Missing::Blob`].
    pub async fn blob_size(&self, operation: &Permitted<PullBlob>) -> Result<u64, Error> {
        let key = self.held(&operation.repository, operation.digest).await?;
        self.parts.blobs.head(&key).await?.ok_or_else(|| lost(&key).into())
    }

    /// Reads a blob that the repository holds, or a part of it; as mapped pages where `mapped` allows it
    /// and the store can.
    ///
    /// # Errors
    /// [`Missing::Blob`] outside; inside, [`ReadError::Unsatisfiable`] for a range without bytes.
    pub async fn read_blob(
        &self,
        operation: &Permitted<PullBlob>,
        range: Option<ByteRange>,
        mapped: bool,
    ) -> Result<Result<Content, ReadError>, Error> {
        let key = self.held(&operation.repository, operation.digest).await?;
        let read = match &self.parts.mapped {
            Some(store) if mapped => store.read_mapped(&key, range).await,
            _ => self.parts.blobs.read(&key, range).await,
        };
        match read {
            Err(ReadError::NotFound) => Err(lost(&key).into()),
            Err(ReadError::Store(fault)) => Err(fault.into()),
            other => Ok(other),
        }
    }

    /// Removes a blob from a repository, unless a manifest there needs it.
    ///
    /// # Errors
    /// [`Missing::Blob`], [`Error::Needed`], or when deleting is switched off.
    pub async fn delete_blob(&self, operation: &Permitted<DeleteBlob>) -> Result<(), Error> {
        self.allow_delete()?;
        let DeleteBlob { repository, digest } = &**operation;
        let removal = RemoveBlob { repository: repository.clone(), digest: *digest };
        let outcome = self.parts.metadata.remove_blob(removal).await;
        // Whatever came of it: a reply that was lost may have been that of a removal.
        self.parts.cache.invalidate(repository).await;
        match outcome? {
            RemoveOutcome::Removed => Ok(()),
            RemoveOutcome::NotHeld => Err(Missing::Blob(repository.clone(), *digest).into()),
            RemoveOutcome::Needed(manifest) => {
                Err(Error::Needed(Box::new(Need { blob: *digest, manifest })))
            }
        }
    }

    /// Where the repository's blob lies: from the cache, else from the metadata.
    pub(super) async fn held(
        &self,
        repository: &RepositoryName,
        digest: Digest,
    ) -> Result<ObjectKey, Error> {
        let key = Key::Blob(repository.clone(), digest);
        let ticket = match self.parts.cache.get(key).await {
            Lookup::Hit(record) => {
                if let Some(key) = decode_blob(digest, &record) {
                    return Ok(key);
                }
                None
            }
            Lookup::Miss(ticket) => Some(ticket),
        };
        let found = self.parts.metadata.find_blob(repository.clone(), digest).await?;
        let key = found.ok_or_else(|| Missing::Blob(repository.clone(), digest))?;
        if let Some(ticket) = ticket {
            self.parts.cache.put(ticket, encode_blob(&key), self.rules.cache_life).await;
        }
        Ok(key)
    }
}

/// The repository holds the blob but the store does not: the one thing that must never be.
fn lost(key: &ObjectKey) -> StoreError {
    StoreError::Corrupt(format!(
        "the object {key} is not in the store although a repository holds it"
    ))
}

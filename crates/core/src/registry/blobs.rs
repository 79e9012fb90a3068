//! Blobs: finding, reading and removing what a repository holds.

use std::time::Duration;

use wharf_oci::{ByteRange, Digest, RepositoryName};

use crate::blobs::{Content, ObjectKey, ReadError};
use crate::cache::{Key, Kind, Lookup, Ticket};
use crate::delivery::SignedUrl;
use crate::metadata::{self, FoundBlob, RemoveBlob, RemoveOutcome};
use crate::operation::{DeleteBlob, KeepBlob, PullBlob};
use crate::permissions::Permitted;
use crate::registry::record::{decode_blob, encode_blob};
use crate::registry::{ABSENCE_LIFE, Registry};
use crate::{Error, Missing, Need, StoreError};

/// A blob that a repository holds and that who asked may read: where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBlob {
    key: ObjectKey,
    size: u64,
    needed: bool,
}

impl HeldBlob {
    /// Where the object lies in the store.
    pub const fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// Its size in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Whether a manifest of the repository needed it when it was looked up. Else it may be swept at any time, and who is about to push what
    /// needs it has it kept ([`Registry::keep_blob`]).
    pub const fn is_needed(&self) -> bool {
        self.needed
    }
}

/// What a look-up in the metadata and the store gives: shared by all who wait for it.
pub(super) type BlobRead = Result<Option<HeldBlob>, StoreError>;

fn decode_held(digest: Digest, record: &[u8]) -> Option<HeldBlob> {
    let (key, size, needed) = decode_blob(digest, record)?;
    Some(HeldBlob { key, size, needed })
}

impl Registry {
    /// Finds a blob that the repository holds: by the cache, else by the metadata and the store.
    ///
    /// # Errors
    /// [`Missing::Blob`].
    pub async fn find_blob(&self, operation: &Permitted<PullBlob>) -> Result<HeldBlob, Error> {
        let PullBlob { repository, digest } = &**operation;
        let key = Key::Blob(repository.clone(), *digest);
        let missing = || Error::from(Missing::Blob(repository.clone(), *digest));
        let ticket = match self.parts.cache.get(key.clone()).await {
            Lookup::Hit(record) => {
                if let Some(held) = decode_held(*digest, &record) {
                    return Ok(held);
                }
                None
            }
            Lookup::Absent => return Err(missing()),
            Lookup::Miss(ticket) => Some(ticket),
        };
        let found = match ticket {
            Some(ticket) => {
                let flight = (key.clone(), ticket.version, ticket.shared);
                self.blob_reads.join(flight, self.read_held(operation, Some(ticket))).await
            }
            None => self.read_held(operation, None).await,
        };
        match found {
            Err(StoreError::Unavailable(reason)) => {
                let known = self.parts.cache.last_known(key).await;
                match known.and_then(|record| decode_held(*digest, &record)) {
                    Some(held) => Ok(held),
                    None => self.last_known_blob(repository, *digest, reason).await,
                }
            }
            found => found?.ok_or_else(missing),
        }
    }

    /// Looks a blob up in the metadata and the store, and puts what is found, or that there is nothing, into the cache.
    async fn read_held(&self, operation: &PullBlob, ticket: Option<Ticket>) -> BlobRead {
        let PullBlob { repository, digest } = operation;
        let found = match self.parts.metadata.find_blob(repository.clone(), *digest).await? {
            Some(FoundBlob { key, needed }) => {
                let size = self.parts.blobs.head(&key).await?.ok_or_else(|| lost(&key))?;
                Some(HeldBlob { key, size, needed })
            }
            None => None,
        };
        // That a blob is needed is believed for as long, and what pushers are told rests on that.
        let life = self.rules.cache_life.min(self.rules.grace / 4);
        let cache = &self.parts.cache;
        match (ticket, &found) {
            (Some(ticket), Some(HeldBlob { key, size, needed })) => {
                cache.put(ticket, encode_blob(key, *size, *needed), life).await;
            }
            (Some(ticket), None) => cache.put_absence(ticket, life.min(ABSENCE_LIFE)).await,
            (None, _) => {}
        }
        Ok(found)
    }

    /// Finds a blob by what was known last, while the metadata are away for `reason`.
    async fn last_known_blob(
        &self,
        repository: &RepositoryName,
        digest: Digest,
        reason: String,
    ) -> Result<HeldBlob, Error> {
        let away = Err(StoreError::Unavailable(reason.clone()));
        let asked = self.or_last_known(away, |copy| copy.last_blob(repository.clone(), digest));
        let key = asked.await?;
        // One that is gone from the store was removed since.
        let size = self.parts.blobs.head(&key).await?.ok_or(StoreError::Unavailable(reason))?;
        // Nothing can be pushed, so nobody has it kept.
        Ok(HeldBlob { key, size, needed: true })
    }

    /// Whether the repository holds a blob, and goes on doing so for who is about to push what needs it: for three quarters of the grace,
    /// unless somebody deletes it by hand. Asked of the database, and worth asking where the blob is not [needed](HeldBlob::is_needed) yet.
    ///
    /// # Errors
    /// A store's fault; but while the database is away nothing can be pushed, and what was found stays found.
    pub async fn keep_blob(&self, operation: &Permitted<KeepBlob>) -> Result<bool, Error> {
        match self.keep(&operation.repository, operation.digest).await {
            Err(StoreError::Unavailable(_)) => Ok(true),
            kept => Ok(kept?),
        }
    }

    /// The same, where the database must answer.
    pub(super) async fn keep(
        &self,
        repository: &RepositoryName,
        digest: Digest,
    ) -> Result<bool, StoreError> {
        let (repository, grace) = (repository.clone(), self.rules.grace);
        self.parts.metadata.keep_blob(metadata::KeepBlob { repository, digest, grace }).await
    }

    /// Reads a blob, or a part of it; as mapped pages where `mapped` allows it and the store can.
    ///
    /// # Errors
    /// Outside, a store's fault; inside, [`ReadError::Unsatisfiable`] for a range without bytes.
    pub async fn read_blob(
        &self,
        blob: &HeldBlob,
        range: Option<ByteRange>,
        mapped: bool,
    ) -> Result<Result<Content, ReadError>, Error> {
        let read = match &self.parts.mapped {
            Some(store) if mapped => store.read_mapped(&blob.key, range).await,
            _ => self.parts.blobs.read(&blob.key, range).await,
        };
        match read {
            Err(ReadError::NotFound) => Err(lost(&blob.key).into()),
            Err(ReadError::Store(fault)) => Err(fault.into()),
            other => Ok(other),
        }
    }

    /// A URL at which the store, or a CDN before it, gives the blob to whoever has it for `life`. `None` where
    /// neither does so.
    ///
    /// # Errors
    /// A store's fault only.
    pub async fn sign_blob(
        &self,
        blob: &HeldBlob,
        life: Duration,
    ) -> Result<Option<SignedUrl>, Error> {
        match &self.parts.signed {
            Some(signed) => Ok(Some(signed.sign_get(&blob.key, life).await?)),
            None => Ok(None),
        }
    }

    /// Removes a blob from a repository, unless a manifest there needs it.
    ///
    /// # Errors
    /// [`Missing::Blob`], [`Error::Needed`], or when deleting is switched off.
    pub async fn delete_blob(&self, operation: &Permitted<DeleteBlob>) -> Result<(), Error> {
        self.allow_delete()?;
        let DeleteBlob { repository, digest } = &**operation;
        let by = operation.actor();
        let removal = RemoveBlob { repository: repository.clone(), digest: *digest, by };
        let outcome = self.parts.metadata.remove_blob(removal).await;
        let outcome = self.invalidated(repository, Kind::Blob, outcome).await?;
        match outcome {
            RemoveOutcome::Removed => Ok(()),
            RemoveOutcome::NotHeld => Err(Missing::Blob(repository.clone(), *digest).into()),
            RemoveOutcome::Needed(manifest) => {
                Err(Error::Needed(Box::new(Need { blob: *digest, manifest })))
            }
        }
    }
}

/// The repository holds the blob but the store does not: the one thing that must never be.
fn lost(key: &ObjectKey) -> StoreError {
    StoreError::Corrupt(format!(
        "the object {key} is not in the store although a repository holds it"
    ))
}

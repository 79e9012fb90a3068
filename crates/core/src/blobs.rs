//! The seam to the object store: content under keys, and the staging of uploads.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use wharf_oci::{ByteRange, Digest};

use crate::{StoreError, UploadId};

/// Where an object lies: its digest and, where an earlier object of that digest was being deleted, a
/// number that no key of the digest ever had. Never made from a client's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    /// The digest of the object's content.
    pub digest: Digest,
    /// 0 for the key that is simply the digest.
    pub incarnation: u32,
}

impl ObjectKey {
    /// The key that is simply the digest.
    pub const fn canonical(digest: Digest) -> Self {
        Self { digest, incarnation: 0 }
    }

    /// The key whose path this is; `None` for any other text.
    pub fn of_path(path: &str) -> Option<Self> {
        let (algorithm, rest) = path.split_once('/')?;
        let (_, name) = rest.rsplit_once('/')?;
        let (hex, incarnation) = match name.split_once('.') {
            Some((hex, number)) => (hex, number.parse().ok()?),
            None => (name, 0),
        };
        let key = Self { digest: format!("{algorithm}:{hex}").parse().ok()?, incarnation };
        (key.to_string() == path).then_some(key)
    }
}

/// `sha256/ab/cd/abcd…`, with `.N` behind it for an incarnation: the path under which stores keep it.
impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = self.digest.hex();
        write!(formatter, "{}/{}/{}/{hex}", self.digest.algorithm(), &hex[..2], &hex[2..4])?;
        if self.incarnation > 0 {
            write!(formatter, ".{}", self.incarnation)?;
        }
        Ok(())
    }
}

/// How far an upload's bytes have come into the store. Kept in the metadata between two requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staged {
    /// How many bytes are durably staged.
    pub offset: u64,
    /// What the store needs to go on, in its own form; empty for stores that need nothing.
    pub parts: Vec<u8>,
}

/// Bytes from the store, in pieces of at most a few MiB.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>> + Send>>;

/// Bytes on their way to the store. It ends where the bytes end, for whichever reason.
pub type Chunks<'a> = Pin<Box<dyn Stream<Item = Bytes> + Send + 'a>>;

/// A part of an object, or all of it.
pub struct Content {
    /// The size of the whole object in bytes.
    pub size: u64,
    /// Which bytes of it follow.
    pub range: Range<u64>,
    /// The bytes.
    pub stream: ByteStream,
}

/// Why a read gave no bytes.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such object.
    #[error("there is no such object")]
    NotFound,
    /// The object has no byte of the range.
    #[error("the object has {size} bytes, none of them in the range")]
    Unsatisfiable {
        /// The size of the object in bytes.
        size: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why bytes were not staged or put in place.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// What was staged is not there (any more).
    #[error("the upload has no staged bytes")]
    NotFound,
    /// The store failed; the staged bytes are as they were before.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of deletes.
#[derive(Debug, Default)]
pub struct Deletion {
    /// These are gone.
    pub gone: Vec<ObjectKey>,
    /// Why the others may be there still; one of the reasons.
    pub fault: Option<StoreError>,
}

impl Deletion {
    /// Counts one in.
    pub fn add(&mut self, key: ObjectKey, result: Result<(), StoreError>) {
        match result {
            Ok(()) => self.gone.push(key),
            Err(fault) => self.fault = Some(fault),
        }
    }
}

/// The object store.
///
/// What it acknowledges is durable. Objects are immutable: no method changes one that is there.
#[async_trait]
pub trait Blobs: Send + Sync + 'static {
    /// The size of an object in bytes; `None` where there is none.
    async fn head(&self, key: &ObjectKey) -> Result<Option<u64>, StoreError>;

    /// Reads an object, or the part of it that `range` covers.
    async fn read(&self, key: &ObjectKey, range: Option<ByteRange>) -> Result<Content, ReadError>;

    /// Makes room for an upload.
    async fn stage(&self, upload: &UploadId) -> Result<Staged, StageError>;

    /// Appends `chunks` at `staged.offset`, forgetting whatever lies past it, until they end. Returns
    /// how far the upload is now; all of it is durable. The caller sees to it that nothing else works on
    /// the upload meanwhile.
    async fn append(
        &self,
        upload: &UploadId,
        staged: &Staged,
        chunks: Chunks<'_>,
    ) -> Result<Staged, StageError>;

    /// Reads what is staged, from its beginning.
    async fn read_staged(
        &self,
        upload: &UploadId,
        staged: &Staged,
    ) -> Result<ByteStream, StageError>;

    /// Puts exactly what is staged in place under `key`, durably and at once. An object that is there
    /// already stays, and what is staged is dropped. Asked twice, it answers the same.
    async fn finish(
        &self,
        upload: &UploadId,
        staged: &Staged,
        key: &ObjectKey,
    ) -> Result<(), StageError>;

    /// Forgets what an append that began at `before` has staged and nobody will record, so that it does not take room: the upload goes on
    /// from `before`. A store may leave that to the next append.
    async fn roll_back(
        &self,
        upload: &UploadId,
        before: &Staged,
        after: &Staged,
    ) -> Result<(), StoreError>;

    /// Drops what is staged, if anything is.
    async fn discard(&self, upload: &UploadId, staged: &Staged) -> Result<(), StageError>;

    /// Deletes objects, those that are there, as fast as the store can. A crash of its machine may bring back what a store of files
    /// has deleted: the caller does not rely on more than that it tried.
    async fn delete_all(&self, keys: &[ObjectKey]) -> Deletion;

    /// Whether the store can be read and written now: what `/readyz` asks.
    async fn check(&self) -> Result<(), StoreError>;
}

/// A store whose objects can be read as mapped pages, which a socket takes without another copy.
///
/// The pages must be read by the kernel alone (a plain socket's `writev`), where a failing disk is an
/// error of the write. Code that reads them itself, as TLS does, would die of a signal instead.
#[async_trait]
pub trait MappedReads: Send + Sync + 'static {
    /// As [`Blobs::read`], with pieces that are mapped pages.
    async fn read_mapped(
        &self,
        key: &ObjectKey,
        range: Option<ByteRange>,
    ) -> Result<Content, ReadError>;
}

/// A store in which a broken request can leave something that no upload's row names.
///
/// Whoever asks compares with the metadata: what is staged for an upload that is known there is in use, however
/// old it is.
#[async_trait]
pub trait Leftovers: Send + Sync + 'static {
    /// Up to `limit` uploads for which something has been staged for longer than `age`, or of an unknown age.
    async fn staged_before(&self, age: Duration, limit: usize)
    -> Result<Vec<UploadId>, StoreError>;

    /// Drops all that is staged for an upload.
    async fn drop_leftovers(&self, upload: &UploadId) -> Result<(), StoreError>;
}

/// An object, as a list of the store shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// Its key.
    pub key: ObjectKey,
    /// Its size in bytes.
    pub size: u64,
    /// When it was put there, or staged where putting it in place is only a rename; by the store's clock.
    pub modified: SystemTime,
}

/// A page of the objects in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredPage {
    /// The objects, in the order of their digests.
    pub objects: Vec<StoredObject>,
    /// How many things lie among them that are no objects. They are left alone.
    pub unknown: u64,
    /// Up to which digest, that one with all its incarnations, nothing else is there; all there is, without it.
    pub up_to: Option<Digest>,
}

/// A store whose objects can be listed. What is staged is none of them.
#[async_trait]
pub trait StoredObjects: Send + Sync + 'static {
    /// The objects of the digests behind `after`: about `limit` of them, and whole digests always. What is put in place or deleted meanwhile
    /// is in it or not.
    async fn list_objects(
        &self,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<StoredPage, StoreError>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_its_path_and_from_no_other_text() {
        let digest = Digest::from_hash(wharf_oci::Algorithm::Sha256, &[0xab; 32]).unwrap();
        for incarnation in [0, 1, 4_294_967_295] {
            let key = ObjectKey { digest, incarnation };
            assert_eq!(ObjectKey::of_path(&key.to_string()), Some(key));
        }
        let path = ObjectKey::canonical(digest).to_string();
        let hex = digest.hex();
        for other in [
            String::new(),
            hex.clone(),
            format!("{path}.0"),
            format!("{path}.01"),
            format!("{path}.+1"),
            format!("{path}.x"),
            format!("{path}/"),
            format!("sha256/ab/ac/{hex}"),
            format!("sha256/ab/cd/ef/{hex}"),
            format!("sha512/ab/ab/{hex}"),
            path.to_uppercase(),
        ] {
            assert_eq!(ObjectKey::of_path(&other), None, "{other}");
        }
    }
}

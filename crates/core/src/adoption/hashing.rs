//! Hashing a blob where it lies, no faster than asked, from wherever it was left.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, sleep_until};
use wharf_oci::{ByteRange, Digest, Hasher};

use super::fault::Fault;
use crate::StoreError;
use crate::blobs::{Blobs, ByteStream, ObjectKey, ReadError};
use crate::clock::Timestamp;
use crate::metadata::Hashing;

/// How fast bytes are read.
pub(crate) struct Pace {
    bytes_per_second: u64,
    /// Before then the next ones do not count.
    next: Instant,
}

impl Pace {
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), next: Instant::now() }
    }

    /// Waits as long as these bytes take. What was not used of the time before is gone.
    pub(crate) async fn take(&mut self, bytes: u64) {
        let time = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        self.next = self.next.max(Instant::now()) + time;
        sleep_until(self.next).await;
    }
}

/// A blob that is read and hashed.
pub(crate) struct BlobHash {
    key: ObjectKey,
    begun: Timestamp,
    size: u64,
    offset: u64,
    hasher: Hasher,
    stream: ByteStream,
}

impl BlobHash {
    /// Begins, or goes on from where `left` says, if that is of this blob. `None` where there is none.
    pub(crate) async fn begin(
        blobs: &dyn Blobs,
        key: ObjectKey,
        now: Timestamp,
        left: Option<Hashing>,
    ) -> Result<Option<Self>, Fault> {
        let Some(size) = blobs.head(&key).await? else { return Ok(None) };
        let left = left.filter(|left| left.digest == key.digest && left.offset <= size);
        let resumed = left.and_then(|left| {
            Hasher::resume(&left.state).map(|hasher| (left.begun, left.offset, hasher))
        });
        let new = || (now, 0, Hasher::new(key.digest.algorithm()));
        let (begun, offset, hasher) = resumed.unwrap_or_else(new);
        let stream: ByteStream = if offset == size {
            Box::pin(futures_util::stream::empty())
        } else {
            match blobs.read(&key, Some(ByteRange::From(offset))).await {
                Ok(content) => content.stream,
                Err(ReadError::NotFound) => return Ok(None),
                Err(ReadError::Store(error)) => return Err(error.into()),
                Err(error) => return Err(Fault::Bad(error.to_string())),
            }
        };
        Ok(Some(Self { key, begun, size, offset, hasher, stream }))
    }

    /// How many bytes the object has.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// When the hash was begun, by the database's clock.
    pub(crate) const fn begun(&self) -> Timestamp {
        self.begun
    }

    /// Hashes the next piece. Returns how long it was; `None` at the end.
    pub(crate) async fn step(&mut self, pace: &mut Pace) -> Result<Option<u64>, Fault> {
        let Some(piece) = self.stream.next().await else { return Ok(None) };
        let piece = piece.map_err(Fault::from)?;
        let length = piece.len() as u64;
        pace.take(length).await;
        let mut hasher = self.hasher.clone();
        let hashed = tokio::task::spawn_blocking(move || {
            hasher.update(&piece);
            hasher
        });
        self.hasher = hashed
            .await
            .map_err(|_| StoreError::Unavailable("the thread that hashed ended early".into()))?;
        self.offset += length;
        Ok(Some(length))
    }

    /// Where it stands, to go on from there.
    pub(crate) fn left(&self) -> Hashing {
        let (digest, begun, offset) = (self.key.digest, self.begun, self.offset);
        Hashing { digest, begun, offset, state: self.hasher.state() }
    }

    /// The digest of all the bytes, which must have been read.
    pub(crate) fn finish(self) -> Result<Digest, Fault> {
        if self.offset != self.size {
            let Self { size, offset, .. } = self;
            return Err(Fault::Bad(format!("it ended after {offset} of {size} bytes")));
        }
        Ok(self.hasher.finish())
    }
}

//! The bytes of blobs, read and hashed no faster than asked: of all that are in use, or of those in quarantine, of which copies are looked for first.

use super::TurnEnd;
use super::way::Way;
use crate::StoreError;
use crate::adoption::fault::Fault;
use crate::adoption::hashing::{BlobHash, Pace};
use crate::metadata::{CheckedBlob, Damage, FaultKind, Pass};

/// How many blobs are asked for at once.
const PAGE: usize = 500;

/// What the bytes of an object are.
enum Bytes {
    Sound,
    Damaged(Damage),
    /// The store works, and does not give them.
    Unreadable(String),
    /// The turn is over before they are all read.
    Unknown,
}

impl Way<'_> {
    pub(super) async fn contents(&mut self) -> Result<TurnEnd, StoreError> {
        let mut pace = Pace::new(self.scrubber.rules.bytes_per_second);
        loop {
            let after = self.state.place.digest;
            let page = match self.pass {
                Pass::Quarantined => self.integrity().quarantined_blobs(after, PAGE).await?,
                _ => self.integrity().held_blobs(after, None, PAGE).await?,
            };
            if page.is_empty() {
                return Ok(TurnEnd::Whole);
            }
            for blob in page {
                if blob.is_quarantined == (self.pass == Pass::Quarantined)
                    && !self.examine(&blob, &mut pace).await?
                {
                    return Ok(TurnEnd::Part);
                }
                self.state.place.digest = Some(blob.key.digest);
                if self.rest().await? {
                    return Ok(TurnEnd::Part);
                }
            }
        }
    }

    /// Reads a blob and says what it is. `false` when the turn was over before.
    async fn examine(&mut self, blob: &CheckedBlob, pace: &mut Pace) -> Result<bool, StoreError> {
        let left = self.state.place.hashing.as_ref();
        let is_begun = left.is_some_and(|left| left.digest == blob.key.digest);
        self.state.place.is_doubted &= is_begun;
        if blob.is_quarantined && !is_begun && self.repair(blob).await? {
            self.looked_at(1);
            return Ok(true);
        }
        let bytes = match self.read(blob, pace).await {
            Ok(bytes) => bytes,
            Err(Fault::Bad(reason)) => Bytes::Unreadable(reason),
            Err(Fault::Store(fault)) => match self.blobs().check().await {
                Ok(()) => Bytes::Unreadable(fault.to_string()),
                Err(_) => return Err(fault),
            },
        };
        match bytes {
            Bytes::Unknown => return Ok(false),
            Bytes::Sound if blob.is_flagged => self.sound(blob.key).await?,
            Bytes::Sound => {}
            Bytes::Damaged(damage) => self.damaged(blob.key, damage).await?,
            Bytes::Unreadable(reason) => {
                tracing::warn!(object = %blob.key, reason, "an object cannot be read");
                let is_new = self.integrity().note_unreadable(blob.key, reason).await?;
                self.found(FaultKind::Unreadable, u64::from(is_new));
            }
        }
        self.state.place.hashing = None;
        self.state.place.is_doubted = false;
        self.looked_at(1);
        Ok(true)
    }

    /// A digest that is wrong is believed when it was found twice: the fault may be of the way from the store.
    async fn read(&mut self, blob: &CheckedBlob, pace: &mut Pace) -> Result<Bytes, Fault> {
        loop {
            let left = self.state.place.hashing.take();
            let begun = BlobHash::begin(self.blobs(), blob.key, self.state.begun_at, left).await?;
            let Some(mut hash) = begun else { return Ok(Bytes::Damaged(Damage::Missing)) };
            let found = hash.size();
            if let Some(expected) = blob.size.filter(|expected| *expected != found) {
                return Ok(Bytes::Damaged(Damage::WrongSize { expected, found }));
            }
            while let Some(length) = hash.step(pace).await? {
                self.state.bytes += length;
                self.done.bytes += length;
                self.state.place.hashing = Some(hash.left());
                if self.rest().await.map_err(Fault::Store)? {
                    return Ok(Bytes::Unknown);
                }
            }
            let found = hash.finish()?;
            if found == blob.key.digest {
                return Ok(Bytes::Sound);
            }
            if self.state.place.is_doubted {
                return Ok(Bytes::Damaged(Damage::WrongDigest(found)));
            }
            self.state.place.is_doubted = true;
            self.state.place.hashing = None;
        }
    }
}

//! The bytes of blobs, read and hashed no faster than asked: of all that are in use, or of those in quarantine, of which copies are looked for first.

use super::TurnEnd;
use super::objects::{SUSPICIOUS, wrong_store};
use super::way::Way;
use crate::StoreError;
use crate::adoption::fault::Fault;
use crate::adoption::hashing::{BlobHash, Pace};
use crate::blobs::ObjectKey;
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
    /// So it is, as the database does not answer.
    Away(StoreError),
}

/// What came of looking at a blob.
#[derive(PartialEq, Eq)]
enum Look {
    /// All that is to be done about it is done.
    Done,
    /// Its object is not there, and was until now.
    Missing,
    /// The turn is over before it is read.
    Part,
}

impl Way<'_> {
    /// Objects that are missing are taken out of use when another one is met behind them, or at the end: where one after the other is not there,
    /// it is the store that is missing, as in `objects.rs`.
    pub(super) async fn contents(&mut self) -> Result<TurnEnd, StoreError> {
        let mut pace = Pace::new(self.scrubber.rules.bytes_per_second);
        let (mut after, mut missing) = (self.state.place.digest, Vec::new());
        loop {
            let page = match self.pass {
                Pass::Quarantined => self.integrity().quarantined_blobs(after, PAGE).await?,
                _ => self.integrity().held_blobs(after, None, PAGE).await?,
            };
            if page.is_empty() {
                self.lost(&mut missing).await?;
                return Ok(TurnEnd::Whole);
            }
            for blob in page {
                if blob.is_quarantined == (self.pass == Pass::Quarantined) {
                    let look = self.examine(&blob, &mut pace).await?;
                    if look == Look::Missing {
                        missing.push(blob.key);
                    } else {
                        self.lost(&mut missing).await?;
                        self.state.place.digest = after;
                    }
                    if missing.len() >= SUSPICIOUS {
                        return Err(wrong_store(missing.len()));
                    }
                    if look == Look::Part {
                        return Ok(TurnEnd::Part);
                    }
                }
                after = Some(blob.key.digest);
                if missing.is_empty() {
                    self.state.place.digest = after;
                    if self.rest().await? {
                        return Ok(TurnEnd::Part);
                    }
                }
            }
        }
    }

    /// Takes out of use what is missing.
    async fn lost(&mut self, missing: &mut Vec<ObjectKey>) -> Result<(), StoreError> {
        for key in missing.drain(..) {
            self.damaged(key, Damage::Missing).await?;
        }
        Ok(())
    }

    /// Reads a blob and says what it is.
    async fn examine(&mut self, blob: &CheckedBlob, pace: &mut Pace) -> Result<Look, StoreError> {
        let left = self.state.place.hashing.as_ref();
        let is_begun = left.is_some_and(|left| left.digest == blob.key.digest);
        self.state.place.is_doubted &= is_begun;
        if blob.is_quarantined && !is_begun && self.repair(blob).await? {
            self.looked_at(1);
            return Ok(Look::Done);
        }
        let bytes = match self.read(blob, pace).await {
            Ok(bytes) => bytes,
            Err(Fault::Bad(reason)) => Bytes::Unreadable(reason),
            Err(Fault::Store(fault)) => match self.blobs().check().await {
                Ok(()) => Bytes::Unreadable(fault.to_string()),
                Err(_) => return Err(fault),
            },
        };
        let mut look = Look::Done;
        match bytes {
            Bytes::Unknown => return Ok(Look::Part),
            Bytes::Away(fault) => return Err(fault),
            Bytes::Sound if blob.is_flagged => self.sound(blob.key).await?,
            Bytes::Sound => {}
            Bytes::Damaged(Damage::Missing) if !blob.is_quarantined => look = Look::Missing,
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
        Ok(look)
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
                match self.rest().await {
                    Ok(false) => {}
                    Ok(true) => return Ok(Bytes::Unknown),
                    Err(fault) => return Ok(Bytes::Away(fault)),
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

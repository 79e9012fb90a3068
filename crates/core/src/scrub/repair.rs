//! Repairs of blobs: the content of a quarantined object, from wherever it lies a second time, copied to the next key of the blob. It goes the way of
//! a push, so that pushers, collectors and other scrubs meet nothing new: staged as an upload and hashed meanwhile, a key reserved, put in
//! place, made the current one. No key that was ever used is written to.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};
use wharf_oci::Hasher;

use super::copies::FoundCopy;
use super::way::Way;
use crate::adoption::hashing::Pace;
use crate::blobs::{Content, ObjectKey, StageError, Staged};
use crate::intake::{Intake, Source, SourceError};
use crate::metadata::{CheckedBlob, FinishRepair, ReserveBlob, ReserveOutcome, StartRepair};
use crate::{Error, StoreError, UploadId};

/// Why a copy did not become the blob's object.
enum Failure {
    /// It is no copy, or could not be read: another one may do.
    NoCopy(String),
    /// The blob needs no repair any more, or cannot have one now.
    NotNow(&'static str),
    /// The stores failed.
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(fault: StoreError) -> Self {
        match fault {
            StoreError::Closed(_) => Self::NotNow("nothing may be written now"),
            fault => Self::Store(fault),
        }
    }
}

impl From<StageError> for Failure {
    fn from(error: StageError) -> Self {
        match error {
            StageError::NotFound => Self::NotNow("what was staged is gone"),
            StageError::Store(fault) => Self::Store(fault),
        }
    }
}

impl Way<'_> {
    /// Repairs a blob whose object is in quarantine, if a copy is found. Returns whether it did.
    pub(super) async fn repair(&mut self, blob: &CheckedBlob) -> Result<bool, StoreError> {
        if !self.repairs {
            return Ok(false);
        }
        let digest = blob.key.digest;
        let copies = self.find_copies(blob).await;
        let (until, count) = (Instant::now() + self.scrubber.rules.repair, copies.len());
        for (number, copy) in copies.into_iter().enumerate() {
            // Its part of what the others before it have left.
            let left = u32::try_from(count - number).unwrap_or(u32::MAX);
            let within = until.saturating_duration_since(Instant::now()) / left;
            let place = copy.place.clone();
            match self.copy(&blob.key, copy, within).await {
                Ok(key) => {
                    tracing::info!(object = %key, place, "a damaged blob is repaired from a copy");
                    self.done.repaired_blobs += 1;
                    self.forget_cached(digest).await?;
                    return Ok(true);
                }
                Err(Failure::NoCopy(reason)) => {
                    tracing::warn!(%digest, place, reason, "a damaged blob has no copy there");
                }
                Err(Failure::NotNow(reason)) => {
                    tracing::info!(%digest, reason, "a damaged blob is not repaired");
                    return Ok(false);
                }
                Err(Failure::Store(fault @ StoreError::Full(_))) => {
                    // What can be read is looked at all the same.
                    tracing::warn!(%digest, place, %fault, "nothing is repaired in this turn");
                    self.repairs = false;
                    return Ok(false);
                }
                Err(Failure::Store(fault)) => return Err(fault),
            }
        }
        Ok(false)
    }

    /// What may be copies, from all places that answer, as far as their size is right.
    async fn find_copies(&self, blob: &CheckedBlob) -> Vec<FoundCopy> {
        let mut found = Vec::new();
        for source in &self.scrubber.copies {
            match source.copies(&blob.key.digest, Some(&blob.key)).await {
                Ok(copies) => found.extend(copies),
                Err(fault) => {
                    let digest = blob.key.digest;
                    tracing::warn!(%digest, %fault, "no copy was looked for in one place");
                }
            }
        }
        found.retain(|copy| blob.size.is_none_or(|size| size == copy.size));
        found
    }

    /// Makes a copy the blob's object, if it can be read so fast. Returns its key.
    async fn copy(
        &mut self,
        damaged: &ObjectKey,
        copy: FoundCopy,
        within: Duration,
    ) -> Result<ObjectKey, Failure> {
        let registry = &self.scrubber.registry;
        let stores = registry.stores();
        let id = UploadId::random(&*stores.random);
        let mut staged = stores.blobs.stage(&id).await?;
        let start = StartRepair {
            id,
            damaged: *damaged,
            staged: staged.clone(),
            lifetime: registry.rules().upload_lifetime,
        };
        let copied = match self.integrity().start_repair(start).await {
            Ok(true) => self.copy_as(id, &mut staged, damaged, copy, within).await,
            Ok(false) => Err(Failure::NotNow("it needs no repair any more")),
            Err(fault) => Err(fault.into()),
        };
        if copied.is_err() {
            self.drop_upload(id, &staged).await;
        }
        copied
    }

    /// The same as an upload that has begun. What is staged is kept up to date, so that all of it is dropped where this fails.
    async fn copy_as(
        &mut self,
        id: UploadId,
        staged: &mut Staged,
        damaged: &ObjectKey,
        copy: FoundCopy,
        within: Duration,
    ) -> Result<ObjectKey, Failure> {
        let source = copy.place.clone();
        self.stage_copy(id, staged, damaged, copy, within).await?;
        let stores = self.scrubber.registry.stores();
        let time_limit = self.scrubber.registry.rules().move_time_limit;
        let reservation = ReserveBlob { id, digest: damaged.digest, time_limit };
        let key = match stores.metadata.reserve_blob(reservation).await? {
            ReserveOutcome::Reserved(key) if key != *damaged => key,
            ReserveOutcome::Reserved(_) => {
                return Err(Failure::NotNow("its object was found to be sound"));
            }
            ReserveOutcome::NoUpload => return Err(Failure::NotNow("its upload has expired")),
        };
        if self.blobs().head(&key).await?.is_some() {
            // It was never hashed here, and would stay. Its key is taken now, and the next repair gets another one.
            return Err(Failure::NotNow("an object that no row explains lies at the next key"));
        }
        self.blobs().finish(&id, staged, &key).await?;
        let finish = FinishRepair { id, damaged: *damaged, key, source };
        match self.integrity().finish_repair(finish).await? {
            true => Ok(key),
            false => Err(Failure::NotNow("it needs no repair any more")),
        }
    }

    /// Stages a copy, hashing it on its way.
    async fn stage_copy(
        &mut self,
        id: UploadId,
        staged: &mut Staged,
        damaged: &ObjectKey,
        copy: FoundCopy,
        within: Duration,
    ) -> Result<(), Failure> {
        let (size, until) = (copy.size, Instant::now() + within);
        let content = match timeout_at(until, copy.content).await {
            Ok(content) => content.map_err(|error| Failure::NoCopy(error.to_string()))?,
            Err(_) => return Err(Failure::NoCopy(format!("it did not begin within {within:?}"))),
        };
        if content.size != size || content.range != (0..size) {
            return Err(Failure::NoCopy("its size changed while it was read".into()));
        }
        let hasher = Hasher::new(damaged.digest.algorithm());
        let mut intake = Intake::new(self.paced(id, content, until), hasher);
        let appended = {
            let pieces = Box::pin(intake.pieces());
            self.blobs().append(&id, staged, pieces).await
        };
        *staged = appended?;
        let (hasher, fault) = intake.finish().await.map_err(|error| match error {
            Error::Store(fault) => Failure::Store(fault),
            other => Failure::NoCopy(other.to_string()),
        })?;
        self.state.bytes += staged.offset;
        self.done.bytes += staged.offset;
        let found = hasher.finish();
        match fault {
            _ if found == damaged.digest && staged.offset == size => Ok(()),
            None => Err(Failure::NoCopy(format!("its bytes are {found}"))),
            Some(SourceError::TooSlow) => {
                let came = staged.offset;
                Err(Failure::NoCopy(format!("{came} of {size} bytes came within {within:?}")))
            }
            Some(_) => {
                let reason = format!("it ended after {} of {size} bytes", staged.offset);
                Err(Failure::NoCopy(reason))
            }
        }
    }

    /// The bytes of a copy, while the upload is kept alive: no faster than asked, unless they would not all come in time, and no longer.
    fn paced(&self, id: UploadId, content: Content, until: Instant) -> Source<'static> {
        let asked = self.scrubber.rules.bytes_per_second;
        let half = until.saturating_duration_since(Instant::now()).as_secs() / 2;
        let pace = Pace::new(asked.max(content.size / half.max(1)));
        let lifetime = self.scrubber.registry.rules().upload_lifetime;
        let metadata = self.scrubber.registry.stores().metadata.clone();
        let start = (content.stream, pace, Instant::now());
        Box::pin(stream::unfold(start, move |(mut stream, mut pace, mut touched)| {
            let metadata = metadata.clone();
            async move {
                // Where it is the other store that is slow, a piece is there each time.
                let piece = match timeout_at(until, stream.next()).await {
                    Ok(Some(_)) if Instant::now() >= until => {
                        return Some((Err(SourceError::TooSlow), (stream, pace, touched)));
                    }
                    Err(_) => return Some((Err(SourceError::TooSlow), (stream, pace, touched))),
                    Ok(None) => return None,
                    Ok(Some(Ok(piece))) => piece,
                    Ok(Some(Err(fault))) => {
                        tracing::warn!(%fault, "a copy cannot be read on");
                        return Some((Err(SourceError::Broken), (stream, pace, touched)));
                    }
                };
                pace.take(piece.len() as u64).await;
                if touched.elapsed() > lifetime / 4 {
                    touched = Instant::now();
                    // An upload that expires is found out about when its key is reserved.
                    let _ = metadata.touch_upload(id, lifetime).await;
                }
                Some((Ok(piece), (stream, pace, touched)))
            }
        }))
    }

    /// Drops what was staged; what fails here is ended when the upload expires.
    async fn drop_upload(&self, id: UploadId, staged: &Staged) {
        let stores = self.scrubber.registry.stores();
        if let Err(error) = stores.blobs.discard(&id, staged).await {
            tracing::warn!(upload = %id, %error, "what was staged for a repair stays until it expires");
        } else if let Err(error) = stores.metadata.cancel_upload(id).await {
            tracing::warn!(upload = %id, %error, "a repair's upload stays until it expires");
        }
    }
}

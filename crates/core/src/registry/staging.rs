//! The bytes of an upload on their way in: hashed, staged, recorded as far as they came, or dropped.

use std::pin::Pin;

use futures_util::StreamExt;
use wharf_oci::{ContentRange, ErrorCode, HashState, Hasher, RepositoryName};

use crate::blobs::StageError;
use crate::intake::{Intake, Source, SourceError};
use crate::metadata::{Progress, Upload};
use crate::registry::Registry;
use crate::{Error, Missing, StoreError};

impl Registry {
    /// Takes a chunk in. A chunk that breaks off is recorded as far as it came; one that is not what its
    /// range says is forgotten.
    pub(super) async fn take_in_chunk(
        &self,
        repository: &RepositoryName,
        before: &Upload,
        range: Option<ContentRange>,
        announced: Option<u64>,
        source: Source<'_>,
    ) -> Result<Upload, Error> {
        let offset = before.staged.offset;
        if range.is_some_and(|range| range.first != offset) {
            return Err(Error::WrongOffset { offset });
        }
        self.fits(offset, announced)?;
        if let Some(announced) = announced.filter(|bytes| *bytes > 0)
            && let Err(fault) = self.hold_announced(before, announced).await
        {
            return Err(self.refused(before, fault).await);
        }
        let mut upload = before.clone();
        let fault = match self.take_in(repository, &mut upload, announced, source).await {
            Ok(fault) => fault,
            Err(Error::Store(fault @ StoreError::OverQuota(_))) => {
                return Err(self.refused(&upload, fault).await);
            }
            Err(Error::Store(fault @ StoreError::Full(_))) => {
                // What was staged would only keep the disk full.
                self.drop_upload(&upload).await;
                return Err(fault.into());
            }
            Err(error) => {
                self.roll_back(before, &upload).await;
                return Err(error);
            }
        };
        let came = upload.staged.offset - offset;
        match fault {
            Some(SourceError::Broken | SourceError::TooSlow) if came > 0 => {
                let progress = progress(before, &upload, self.rules.upload_lifetime);
                if !self.parts.metadata.record_progress(progress).await? {
                    self.roll_back(before, &upload).await;
                }
            }
            Some(_) => self.roll_back(before, &upload).await,
            None => {}
        }
        if let Some(fault) = fault {
            return Err(fault.into());
        }
        if let Some(range) = range.filter(|range| range.length() != came) {
            self.roll_back(before, &upload).await;
            let message = format!("the chunk's Content-Range is {range} but {came} bytes came");
            return Err(Error::invalid(ErrorCode::SizeInvalid, message));
        }
        Ok(upload)
    }

    /// That what is announced behind `offset` makes no larger blob than one may be.
    pub(super) fn fits(&self, offset: u64, announced: Option<u64>) -> Result<(), Error> {
        let limit = self.rules.max_blob_size;
        let is_too_large = announced.is_some_and(|bytes| bytes > limit.saturating_sub(offset));
        if is_too_large { Err(SourceError::TooLong { limit }.into()) } else { Ok(()) }
    }

    /// Streams bytes into the store while hashing them. The upload is as far as they were staged also where this fails; nothing is
    /// recorded.
    pub(super) async fn take_in(
        &self,
        repository: &RepositoryName,
        upload: &mut Upload,
        announced: Option<u64>,
        source: Source<'_>,
    ) -> Result<Option<SourceError>, Error> {
        let left = self.rules.max_blob_size.saturating_sub(upload.staged.offset);
        let mut source = bounded(source, left, self.rules.max_blob_size).peekable();
        if upload.staged.offset > 0 && Pin::new(&mut source).peek().await.is_none() {
            // Nothing to add. What is staged may even be in place already, by a request that failed right after.
            return Ok(None);
        }
        let held = announced.map(|announced| upload.staged.offset.saturating_add(announced));
        let (source, no_room) = self.gated(upload, announced, Box::pin(source));
        let mut intake = Intake::new(source, resume(&upload.hash)?);
        let appended = {
            let pieces = Box::pin(intake.pieces());
            self.parts.blobs.append(&upload.id, &upload.staged, pieces).await
        };
        if matches!(appended, Err(StageError::NotFound)) {
            // A request that ended this upload got as far as moving its bytes: the client begins anew.
            self.drop_upload(upload).await;
            return Err(Missing::Upload(repository.clone(), upload.id).into());
        }
        upload.staged = appended.map_err(stage_error)?;
        let (hasher, fault) = intake.finish().await?;
        upload.hash = hasher.state();
        if let Some(fault) = no_room.take() {
            return Err(fault.into());
        }
        if held != Some(upload.staged.offset) {
            self.hold_staged(upload).await?;
        }
        Ok(fault)
    }

    /// Forgets what was staged behind what is recorded; what fails here is for the collector of leftovers.
    pub(super) async fn roll_back(&self, before: &Upload, after: &Upload) {
        if after.staged == before.staged {
            return;
        }
        let rolled_back = self.parts.blobs.roll_back(&after.id, &before.staged, &after.staged);
        if let Err(error) = rolled_back.await {
            tracing::warn!(upload = %after.id, %error, "what was staged in vain stays for now");
        }
        if let Err(error) = self.hold_staged(before).await {
            tracing::warn!(upload = %after.id, %error, "it is charged with what was staged for now");
        }
    }

    pub(super) async fn record(
        &self,
        repository: &RepositoryName,
        before: &Upload,
        after: &Upload,
    ) -> Result<(), Error> {
        let progress = progress(before, after, self.rules.upload_lifetime);
        if self.parts.metadata.record_progress(progress).await? {
            Ok(())
        } else {
            Err(Missing::Upload(repository.clone(), after.id).into())
        }
    }

    /// Drops an upload that cannot become a blob; what fails here is ended when the upload expires.
    pub(super) async fn drop_upload(&self, upload: &Upload) {
        if let Err(error) = self.end(upload).await {
            tracing::warn!(upload = %upload.id, %error, "a failed upload stays until it expires");
        }
    }

    /// Ends an upload: its bytes, then its row. A row without bytes is found again when it expires; bytes
    /// without a row would never be.
    pub(super) async fn end(&self, upload: &Upload) -> Result<(), Error> {
        self.parts.blobs.discard(&upload.id, &upload.staged).await.map_err(stage_error)?;
        self.parts.metadata.cancel_upload(upload.id).await?;
        Ok(())
    }
}

fn progress(before: &Upload, after: &Upload, lifetime: std::time::Duration) -> Progress {
    Progress {
        id: after.id,
        from_offset: before.staged.offset,
        staged: after.staged.clone(),
        hash: after.hash.clone(),
        lifetime,
    }
}

pub(super) fn resume(state: &HashState) -> Result<Hasher, Error> {
    let corrupt = || StoreError::Corrupt("an upload's hash state cannot be read".into());
    Hasher::resume(state).ok_or_else(|| corrupt().into())
}

pub(super) fn stage_error(error: StageError) -> Error {
    match error {
        StageError::NotFound => {
            StoreError::Corrupt("an upload's staged bytes are gone".into()).into()
        }
        StageError::Store(fault) => fault.into(),
    }
}

/// Ends `source` with a fault when more than `left` bytes come.
pub(super) fn bounded(source: Source<'_>, mut left: u64, limit: u64) -> Source<'_> {
    Box::pin(source.map(move |frame| {
        let frame = frame?;
        left = left.checked_sub(frame.len() as u64).ok_or(SourceError::TooLong { limit })?;
        Ok(frame)
    }))
}

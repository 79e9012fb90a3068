//! Uploads: from the first byte to a blob that the repository holds.

use wharf_oci::{Algorithm, ContentRange, Digest, ErrorCode, HashState, Hasher, RepositoryName};

use futures_util::StreamExt;

use crate::blobs::{ObjectKey, StageError, Staged};
use crate::intake::{Intake, Source, SourceError};
use crate::metadata::{
    FinishOutcome, FinishUpload as Finish, MountBlob as Mount, Progress, ReserveBlob,
    ReserveOutcome, StartUpload as Start, Upload,
};
use crate::operation::{
    AppendUpload, CancelUpload, FinishUpload, GetUpload, MountBlob, Requirement, StartUpload,
};
use crate::permissions::{Permitted, Principal};
use crate::registry::Registry;
use crate::{Error, Missing, StoreError, UploadId};

/// How many repositories are looked at for one that a mount without `from` may read.
const MOUNT_SOURCES: usize = 16;

/// An upload, as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadState {
    /// Its name.
    pub id: UploadId,
    /// How many bytes it has.
    pub offset: u64,
}

/// What became of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mounted {
    /// The repository holds the blob now.
    Mounted,
    /// No source may be read, so the client uploads it.
    Upload(UploadState),
}

impl Registry {
    /// Begins an upload whose bytes will be hashed by `algorithm`.
    ///
    /// # Errors
    /// A store's fault only.
    pub async fn start_upload(
        &self,
        operation: &Permitted<StartUpload>,
        algorithm: Algorithm,
    ) -> Result<UploadState, Error> {
        self.start(&operation.repository, operation.principal(), algorithm).await
    }

    /// Adds a blob that another repository holds, or begins an upload of it.
    ///
    /// # Errors
    /// A store's fault only: a source that is not there or may not be read is no error.
    pub async fn mount_blob(&self, operation: &Permitted<MountBlob>) -> Result<Mounted, Error> {
        let MountBlob { repository, digest, from } = &**operation;
        let sources = match from {
            Some(from) => vec![from.clone()],
            None => self.parts.metadata.find_holders(*digest, MOUNT_SOURCES).await?,
        };
        for from in sources {
            let pull = Requirement::Repository(&from, crate::operation::Action::Pull);
            if !self.parts.permissions.allows(operation.principal(), pull).await? {
                continue;
            }
            let mount = Mount { repository: repository.clone(), digest: *digest, from };
            if self.parts.metadata.mount_blob(mount).await? {
                return Ok(Mounted::Mounted);
            }
        }
        let upload = self.start(repository, operation.principal(), digest.algorithm()).await?;
        Ok(Mounted::Upload(upload))
    }

    /// Pushes a whole blob in one request. Nothing is left behind when it fails.
    ///
    /// # Errors
    /// As [`Registry::finish_upload`].
    pub async fn push_blob(
        &self,
        operation: &Permitted<StartUpload>,
        digest: Digest,
        source: Source<'_>,
    ) -> Result<(), Error> {
        let StartUpload { repository } = &**operation;
        let started = self.start(repository, operation.principal(), digest.algorithm()).await?;
        let _working = self.in_flight.begin(started.id)?;
        let upload = self.find(repository, started.id, operation.principal()).await?;
        let upload = match self.take_in(upload.clone(), source).await {
            Ok((upload, None)) => upload,
            Ok((upload, Some(fault))) => {
                self.drop_upload(&upload).await;
                return Err(fault.into());
            }
            Err(error) => {
                self.drop_upload(&upload).await;
                return Err(error);
            }
        };
        self.put_in_place(repository, &upload, digest).await
    }

    /// How far an upload is.
    ///
    /// # Errors
    /// [`Missing::Upload`].
    pub async fn get_upload(&self, operation: &Permitted<GetUpload>) -> Result<UploadState, Error> {
        let upload =
            self.find(&operation.repository, operation.upload, operation.principal()).await?;
        Ok(UploadState { id: upload.id, offset: upload.staged.offset })
    }

    /// Adds bytes to an upload. When they break off, those that came are kept.
    ///
    /// # Errors
    /// [`Missing::Upload`]; [`Error::WrongOffset`] when `range` does not begin where the upload ends; and
    /// when the bytes are not as many as `range` says, after which the upload is as it was.
    pub async fn append_upload(
        &self,
        operation: &Permitted<AppendUpload>,
        range: Option<ContentRange>,
        source: Source<'_>,
    ) -> Result<UploadState, Error> {
        let _working = self.in_flight.begin(operation.upload)?;
        let before =
            self.find(&operation.repository, operation.upload, operation.principal()).await?;
        let upload = self.take_in_chunk(before.clone(), range, source).await?;
        if upload.staged.offset > before.staged.offset {
            self.record(&operation.repository, &before, &upload).await?;
        }
        Ok(UploadState { id: upload.id, offset: upload.staged.offset })
    }

    /// Adds the last bytes, if any, and turns the upload into a blob that the repository holds. Asked again
    /// after it was done, it answers the same.
    ///
    /// # Errors
    /// As [`Registry::append_upload`], and [`ErrorCode::DigestInvalid`] when the content is not what
    /// `digest` names, after which the upload is gone.
    pub async fn finish_upload(
        &self,
        operation: &Permitted<FinishUpload>,
        range: Option<ContentRange>,
        source: Source<'_>,
    ) -> Result<(), Error> {
        let FinishUpload { repository, upload, digest } = &**operation;
        let _working = self.in_flight.begin(*upload)?;
        let before = match self.find(repository, *upload, operation.principal()).await {
            Err(Error::NotFound(missing)) => {
                // A client that lost our reply asks again. What it may push and the repository holds is no news.
                let held = self.parts.metadata.find_blob(repository.clone(), *digest).await?;
                return if held.is_some() { Ok(()) } else { Err(missing.into()) };
            }
            other => other?,
        };
        let upload = self.take_in_chunk(before, range, source).await?;
        self.put_in_place(repository, &upload, *digest).await
    }

    /// Ends an upload without a blob.
    ///
    /// # Errors
    /// [`Missing::Upload`].
    pub async fn cancel_upload(&self, operation: &Permitted<CancelUpload>) -> Result<(), Error> {
        let _working = self.in_flight.begin(operation.upload)?;
        let upload =
            self.find(&operation.repository, operation.upload, operation.principal()).await?;
        self.parts.metadata.cancel_upload(upload.id).await?;
        self.discard(&upload).await;
        Ok(())
    }

    /// Ends up to `limit` uploads that have expired, and returns how many. Background work.
    ///
    /// # Errors
    /// A store's fault only.
    pub async fn end_expired_uploads(&self, limit: usize) -> Result<usize, Error> {
        let mut ended = 0;
        for upload in self.parts.metadata.expired_uploads(limit).await? {
            let Ok(_working) = self.in_flight.begin(upload.id) else { continue };
            // Bytes first: a row without bytes is found again, bytes without a row are not.
            self.parts.blobs.discard(&upload.id, &upload.staged).await.map_err(stage_error)?;
            self.parts.metadata.cancel_upload(upload.id).await?;
            ended += 1;
        }
        Ok(ended)
    }

    async fn start(
        &self,
        repository: &RepositoryName,
        principal: &Principal,
        algorithm: Algorithm,
    ) -> Result<UploadState, Error> {
        let id = UploadId::random(&*self.parts.random);
        let staged = self.parts.blobs.stage(&id).await.map_err(stage_error)?;
        let start = Start {
            id,
            repository: repository.clone(),
            principal: principal.to_string(),
            staged: staged.clone(),
            hash: Hasher::new(algorithm).state(),
            lifetime: self.rules.upload_lifetime,
        };
        if let Err(fault) = self.parts.metadata.start_upload(start).await {
            let _ = self.parts.blobs.discard(&id, &staged).await;
            return Err(fault.into());
        }
        Ok(UploadState { id, offset: staged.offset })
    }

    async fn find(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        principal: &Principal,
    ) -> Result<Upload, Error> {
        let found = self.parts.metadata.find_upload(repository.clone(), id).await?;
        found
            .filter(|upload| upload.principal == principal.to_string())
            .ok_or_else(|| Missing::Upload(repository.clone(), id).into())
    }

    /// Takes a chunk in. A chunk that breaks off is recorded as far as it came; one that is not what its
    /// range says is forgotten.
    async fn take_in_chunk(
        &self,
        before: Upload,
        range: Option<ContentRange>,
        source: Source<'_>,
    ) -> Result<Upload, Error> {
        let offset = before.staged.offset;
        if range.is_some_and(|range| range.first != offset) {
            return Err(Error::WrongOffset { offset });
        }
        let (upload, fault) = match self.take_in(before.clone(), source).await {
            Err(Error::Store(StoreError::Full(reason))) => {
                // What was staged would only keep the disk full.
                self.drop_upload(&before).await;
                return Err(StoreError::Full(reason).into());
            }
            other => other?,
        };
        let came = upload.staged.offset - offset;
        match fault {
            Some(fault @ SourceError::TooLong { .. }) => return Err(fault.into()),
            Some(fault) => {
                if came > 0 {
                    let progress = progress(&before, &upload, self.rules.upload_lifetime);
                    self.parts.metadata.record_progress(progress).await?;
                }
                return Err(fault.into());
            }
            None => {}
        }
        if let Some(range) = range.filter(|range| range.length() != came) {
            let message = format!("the chunk's Content-Range is {range} but {came} bytes came");
            return Err(Error::invalid(ErrorCode::SizeInvalid, message));
        }
        Ok(upload)
    }

    /// Streams bytes into the store while hashing them.
    async fn take_in(
        &self,
        mut upload: Upload,
        source: Source<'_>,
    ) -> Result<(Upload, Option<SourceError>), Error> {
        let left = self.rules.max_blob_size.saturating_sub(upload.staged.offset);
        let source = bounded(source, left, self.rules.max_blob_size);
        let mut intake = Intake::new(source, resume(&upload.hash)?);
        let appended = {
            let pieces = Box::pin(intake.pieces());
            self.parts.blobs.append(&upload.id, &upload.staged, pieces).await
        };
        upload.staged = appended.map_err(stage_error)?;
        let (hasher, fault) = intake.finish().await?;
        upload.hash = hasher.state();
        Ok((upload, fault))
    }

    async fn record(
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

    /// Verifies what is staged and makes it the repository's, by the two steps of a reservation.
    async fn put_in_place(
        &self,
        repository: &RepositoryName,
        upload: &Upload,
        digest: Digest,
    ) -> Result<(), Error> {
        let found = self.staged_digest(upload, digest.algorithm()).await?;
        if found != digest {
            self.drop_upload(upload).await;
            let message = format!("the content is {found}, not {digest}; the upload was dropped");
            return Err(Error::invalid(ErrorCode::DigestInvalid, message));
        }
        let lost = || Error::from(Missing::Upload(repository.clone(), upload.id));
        let time_limit = self.rules.move_time_limit;
        let reservation = ReserveBlob { id: upload.id, digest, time_limit };
        let key = match self.parts.metadata.reserve_blob(reservation).await? {
            ReserveOutcome::Reserved(key) => key,
            ReserveOutcome::NoUpload => return Err(lost()),
        };
        self.finish_object(upload, &key).await.map_err(|error| error.unwrap_or_else(lost))?;
        match self.parts.metadata.finish_upload(Finish { id: upload.id, key }).await? {
            FinishOutcome::Finished => Ok(()),
            FinishOutcome::Lost => Err(lost()),
        }
    }

    /// `Err(None)` when nothing is staged.
    async fn finish_object(&self, upload: &Upload, key: &ObjectKey) -> Result<(), Option<Error>> {
        match self.parts.blobs.finish(&upload.id, &upload.staged, key).await {
            Ok(()) => Ok(()),
            Err(StageError::NotFound) => Err(None),
            Err(error) => Err(Some(stage_error(error))),
        }
    }

    /// The digest of what is staged: the running hash, or the bytes read again where another algorithm is asked for.
    async fn staged_digest(&self, upload: &Upload, algorithm: Algorithm) -> Result<Digest, Error> {
        let hasher = resume(&upload.hash)?;
        if hasher.algorithm() == algorithm {
            return Ok(hasher.finish());
        }
        let bytes =
            self.parts.blobs.read_staged(&upload.id, &upload.staged).await.map_err(stage_error)?;
        let source = Box::pin(bytes.map(|piece| piece.map_err(|_| SourceError::Broken)));
        let mut intake = Intake::new(source, Hasher::new(algorithm));
        {
            let mut pieces = Box::pin(intake.pieces());
            while pieces.next().await.is_some() {}
        }
        match intake.finish().await? {
            (hasher, None) => Ok(hasher.finish()),
            _ => {
                Err(StoreError::Unavailable("the staged bytes could not be read again".into())
                    .into())
            }
        }
    }

    /// Drops an upload that cannot become a blob; what fails here is ended when the upload expires.
    async fn drop_upload(&self, upload: &Upload) {
        self.discard(upload).await;
        if let Err(fault) = self.parts.metadata.cancel_upload(upload.id).await {
            tracing::warn!(upload = %upload.id, %fault, "a failed upload stays until it expires");
        }
    }

    async fn discard(&self, upload: &Upload) {
        let discarded = self.parts.blobs.discard(&upload.id, &Staged::clone(&upload.staged)).await;
        if let Err(fault) = discarded {
            tracing::warn!(upload = %upload.id, %fault, "staged bytes stay behind");
        }
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

fn resume(state: &HashState) -> Result<Hasher, Error> {
    let corrupt = || StoreError::Corrupt("an upload's hash state cannot be read".into());
    Hasher::resume(state).ok_or_else(|| corrupt().into())
}

fn stage_error(error: StageError) -> Error {
    match error {
        StageError::NotFound => {
            StoreError::Corrupt("an upload's staged bytes are gone".into()).into()
        }
        StageError::Store(fault) => fault.into(),
    }
}

/// Ends `source` with a fault when more than `left` bytes come.
fn bounded(source: Source<'_>, mut left: u64, limit: u64) -> Source<'_> {
    Box::pin(source.map(move |frame| {
        let frame = frame?;
        left = left.checked_sub(frame.len() as u64).ok_or(SourceError::TooLong { limit })?;
        Ok(frame)
    }))
}

//! Uploads: begun or mounted, appended to, finished, cancelled, ended when they expire.

use wharf_oci::{Algorithm, ContentRange, Digest, Hasher, RepositoryName};

use crate::cache::Kind;
use crate::intake::Source;
use crate::metadata::{MountBlob as Mount, StartUpload as Start, Upload};
use crate::operation::{
    AppendUpload, CancelUpload, FinishUpload, GetUpload, MountBlob, StartUpload,
};
use crate::permissions::{Permitted, Principal, Sources};
use crate::registry::Registry;
use crate::registry::direct::not_hashed;
use crate::registry::staging::stage_error;
use crate::{Error, Missing, StoreError, UploadId};

/// How many uploads one transaction looks for, where leftovers are collected.
const LEFTOVERS_AT_ONCE: usize = 200;

/// An upload, as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadState {
    /// Its name.
    pub id: UploadId,
    /// How many bytes it has.
    pub offset: u64,
}

impl UploadState {
    const fn of(upload: &Upload) -> Self {
        Self { id: upload.id, offset: upload.staged.offset }
    }
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
        let id = UploadId::random(&*self.parts.random);
        let principal = operation.principal();
        let upload = self.start(id, &operation.repository, principal, algorithm, None).await?;
        Ok(UploadState::of(&upload))
    }

    /// Adds a blob that another repository holds, or begins an upload of it.
    ///
    /// # Errors
    /// A store's fault only: a source that is not there or may not be read is no error.
    pub async fn mount_blob(&self, operation: &Permitted<MountBlob>) -> Result<Mounted, Error> {
        let MountBlob { repository, digest, .. } = &**operation;
        let sources = self.parts.permissions.sources(operation.caller());
        if self.mount(operation, sources).await? {
            return Ok(Mounted::Mounted);
        }
        let id = UploadId::random(&*self.parts.random);
        let principal = operation.principal();
        let upload = self.start(id, repository, principal, digest.algorithm(), None).await?;
        Ok(Mounted::Upload(UploadState::of(&upload)))
    }

    /// Adds a blob that its pusher could pull elsewhere, so that it need not be sent: what `HEAD` of a blob does for
    /// who may push. Returns whether the repository holds it now. Where there is no access control only a mount
    /// does so.
    ///
    /// # Errors
    /// A store's fault only.
    pub async fn share_blob(&self, operation: &Permitted<MountBlob>) -> Result<bool, Error> {
        match self.parts.permissions.sources(operation.caller()) {
            Sources::Any => Ok(false),
            // Who only asks is told that it is not there, and why it may not be sent, or has no room, when it is sent.
            sources => match self.mount(operation, sources).await {
                Err(Error::Store(StoreError::Closed(_) | StoreError::OverQuota(_))) => Ok(false),
                mounted => mounted,
            },
        }
    }

    async fn mount(&self, operation: &MountBlob, sources: Sources) -> Result<bool, Error> {
        let MountBlob { repository, digest, from } = operation.clone();
        let mount = Mount { repository, digest, from, sources };
        let mounted = self.parts.metadata.mount_blob(mount).await;
        if matches!(mounted, Ok(false)) {
            return Ok(false);
        }
        Ok(self.invalidated(&operation.repository, Kind::Blob, mounted).await?)
    }

    /// Pushes a whole blob in one request, of so many bytes where that is known. Nothing is left behind when it fails.
    ///
    /// # Errors
    /// As [`Registry::finish_upload`].
    pub async fn push_blob(
        &self,
        operation: &Permitted<StartUpload>,
        digest: Digest,
        announced: Option<u64>,
        source: Source<'_>,
    ) -> Result<(), Error> {
        let StartUpload { repository } = &**operation;
        self.fits(0, announced)?;
        let id = UploadId::random(&*self.parts.random);
        let _working = self.in_flight.begin(id)?;
        let (principal, algorithm) = (operation.principal(), digest.algorithm());
        let mut upload = self.start(id, repository, principal, algorithm, announced).await?;
        let pushed = match self.take_in(repository, &mut upload, announced, source).await {
            Ok(None) => self.put_in_place(repository, &upload, digest).await,
            Ok(Some(fault)) => Err(fault.into()),
            Err(error) => Err(error),
        };
        if pushed.is_err() {
            self.drop_upload(&upload).await;
        }
        pushed
    }

    /// How far an upload is.
    ///
    /// # Errors
    /// [`Missing::Upload`].
    pub async fn get_upload(&self, operation: &Permitted<GetUpload>) -> Result<UploadState, Error> {
        let upload =
            self.find(&operation.repository, operation.upload, operation.principal()).await?;
        Ok(UploadState::of(&upload))
    }

    /// Adds bytes to an upload, so many where that is known. When they break off, those that came are kept.
    ///
    /// # Errors
    /// [`Missing::Upload`]; [`Error::WrongOffset`] when `range` does not begin where the upload ends; and
    /// when the bytes are not as many as `range` says, after which the upload is as it was.
    pub async fn append_upload(
        &self,
        operation: &Permitted<AppendUpload>,
        range: Option<ContentRange>,
        announced: Option<u64>,
        source: Source<'_>,
    ) -> Result<UploadState, Error> {
        let _working = self.in_flight.begin(operation.upload)?;
        let before =
            self.resume(&operation.repository, operation.upload, operation.principal()).await?;
        let upload =
            self.take_in_chunk(&operation.repository, &before, range, announced, source).await?;
        if upload.staged.offset > before.staged.offset
            && let Err(error) = self.record(&operation.repository, &before, &upload).await
        {
            if matches!(error, Error::NotFound(_)) {
                self.roll_back(&before, &upload).await;
            }
            return Err(error);
        }
        Ok(UploadState::of(&upload))
    }

    /// Adds the last bytes, if any, and turns the upload into a blob that the repository holds. Asked again
    /// after it was done, it answers the same.
    ///
    /// # Errors
    /// As [`Registry::append_upload`], and `DIGEST_INVALID` when the content is not what
    /// `digest` names, after which the upload is gone.
    pub async fn finish_upload(
        &self,
        operation: &Permitted<FinishUpload>,
        range: Option<ContentRange>,
        announced: Option<u64>,
        source: Source<'_>,
    ) -> Result<(), Error> {
        let FinishUpload { repository, upload, digest } = &**operation;
        let _working = self.in_flight.begin(*upload)?;
        let before = match self.resume(repository, *upload, operation.principal()).await {
            Err(Error::NotFound(missing)) => {
                return self.ended_before(repository, *digest, missing).await;
            }
            other => other?,
        };
        let upload = self.take_in_chunk(repository, &before, range, announced, source).await?;
        let placed = self.put_in_place(repository, &upload, *digest).await;
        if matches!(placed, Err(Error::NotFound(_))) {
            // It has expired, or was ended, by who knows of what was recorded.
            self.roll_back(&before, &upload).await;
        }
        placed
    }

    /// Ends an upload without a blob.
    ///
    /// # Errors
    /// [`Missing::Upload`].
    pub async fn cancel_upload(&self, operation: &Permitted<CancelUpload>) -> Result<(), Error> {
        let _working = self.in_flight.claim(operation.upload)?;
        let upload =
            self.find(&operation.repository, operation.upload, operation.principal()).await?;
        self.end(&upload).await
    }

    /// Ends up to `limit` uploads that have expired, and returns how many. Background work.
    ///
    /// # Errors
    /// A store's fault only.
    pub async fn end_expired_uploads(&self, limit: usize) -> Result<usize, Error> {
        let mut ended = 0;
        for upload in self.parts.metadata.expired_uploads(limit).await? {
            let Ok(_working) = self.in_flight.claim(upload.id) else { continue };
            match self.end(&upload).await {
                Ok(()) => ended += 1,
                // One that resists must not keep the others.
                Err(error) => {
                    tracing::warn!(upload = %upload.id, %error, "an expired upload stays")
                }
            }
        }
        Ok(ended)
    }

    /// Drops what is staged for uploads that are no more, up to `limit` of them, and returns how many. Background
    /// work: what a broken request or a dead node left behind is not urgent.
    ///
    /// # Errors
    /// A store's fault only.
    pub async fn collect_leftovers(&self, limit: usize) -> Result<usize, Error> {
        let Some(store) = &self.parts.leftovers else { return Ok(0) };
        // Long after the last request that could still be at work on an upload whose row is gone.
        let age = self.rules.upload_lifetime + self.rules.move_time_limit;
        let staged = store.staged_before(age, limit).await?;
        let mut dropped = 0;
        for some in staged.chunks(LEFTOVERS_AT_ONCE) {
            let known = self.parts.metadata.known_uploads(some.to_vec()).await?;
            for upload in some.iter().filter(|upload| !known.contains(upload)) {
                store.drop_leftovers(upload).await?;
                dropped += 1;
            }
        }
        Ok(dropped)
    }

    /// Begins an upload of so many bytes, where that is known.
    async fn start(
        &self,
        id: UploadId,
        repository: &RepositoryName,
        principal: &Principal,
        algorithm: Algorithm,
        announced: Option<u64>,
    ) -> Result<Upload, Error> {
        let staged = self.parts.blobs.stage(&id).await.map_err(stage_error)?;
        let principal = principal.to_string();
        let hash = Hasher::new(algorithm).state();
        let upload = Upload { id, principal, staged, hash, is_limited: false };
        self.record_start(repository, upload, announced).await
    }

    /// Records an upload for which room was made in the store, and holds room in quotas for what is announced. Where that is not known, who has no room at
    /// all is told before anything is sent.
    pub(super) async fn record_start(
        &self,
        repository: &RepositoryName,
        upload: Upload,
        announced: Option<u64>,
    ) -> Result<Upload, Error> {
        let id = upload.id;
        let start = Start {
            id,
            repository: repository.clone(),
            principal: upload.principal.clone(),
            staged: upload.staged.clone(),
            hash: upload.hash.clone(),
            lifetime: self.rules.upload_lifetime,
            announced,
        };
        match self.parts.metadata.start_upload(start).await {
            Ok(is_limited) => Ok(Upload { is_limited, ..upload }),
            Err(fault) => {
                let _ = self.parts.blobs.discard(&id, &upload.staged).await;
                Err(fault.into())
            }
        }
    }

    /// The answer to who ends an upload that is gone: another request, or this one before its reply was lost, may
    /// have ended it. What its client may push and the repository holds is no news.
    pub(super) async fn ended_before(
        &self,
        repository: &RepositoryName,
        digest: Digest,
        missing: Missing,
    ) -> Result<(), Error> {
        if !self.keep(repository, digest).await? {
            return Err(missing.into());
        }
        // Whoever ended it may have gone before it told the caches.
        Ok(self.parts.cache.invalidate(repository, Kind::Blob).await?)
    }

    /// An upload of the standard protocol. A direct one is not known here.
    async fn find(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        principal: &Principal,
    ) -> Result<Upload, Error> {
        self.standard(repository, self.find_any(repository, id, principal).await?)
    }

    /// The same, to go on with it.
    async fn resume(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        principal: &Principal,
    ) -> Result<Upload, Error> {
        self.standard(repository, self.resume_any(repository, id, principal).await?)
    }

    fn standard(&self, repository: &RepositoryName, found: Upload) -> Result<Upload, Error> {
        // Also where direct uploads are not offered any more.
        if self.plan_of(&found).is_some() || found.hash == not_hashed() {
            return Err(Missing::Upload(repository.clone(), found.id).into());
        }
        Ok(found)
    }

    pub(super) async fn find_any(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        principal: &Principal,
    ) -> Result<Upload, Error> {
        let found = self.parts.metadata.find_upload(repository.clone(), id).await?;
        of_principal(found, repository, id, principal)
    }

    /// The same, to go on with it: refused where nothing may be written now.
    pub(super) async fn resume_any(
        &self,
        repository: &RepositoryName,
        id: UploadId,
        principal: &Principal,
    ) -> Result<Upload, Error> {
        let found = self.parts.metadata.resume_upload(repository.clone(), id).await?;
        of_principal(found, repository, id, principal)
    }
}

fn of_principal(
    found: Option<Upload>,
    repository: &RepositoryName,
    id: UploadId,
    principal: &Principal,
) -> Result<Upload, Error> {
    found
        .filter(|upload| upload.principal == principal.to_string())
        .ok_or_else(|| Missing::Upload(repository.clone(), id).into())
}

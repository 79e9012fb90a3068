//! From staged bytes to a blob that the repository holds: verified, then put in place between two transactions.

use futures_util::StreamExt;
use wharf_oci::{Algorithm, Digest, ErrorCode, Hasher, RepositoryName};

use crate::blobs::{ObjectKey, StageError};
use crate::cache::Kind;
use crate::intake::{Intake, SourceError};
use crate::metadata::{FinishOutcome, FinishUpload as Finish, ReserveBlob, ReserveOutcome, Upload};
use crate::registry::Registry;
use crate::registry::direct::not_hashed;
use crate::registry::staging::{resume, stage_error};
use crate::{Error, Missing, StoreError};

impl Registry {
    /// Verifies what is staged and makes it the repository's, by the two steps of a reservation.
    pub(super) async fn put_in_place(
        &self,
        repository: &RepositoryName,
        upload: &Upload,
        digest: Digest,
    ) -> Result<(), Error> {
        let found = self.staged_digest(repository, upload, digest.algorithm()).await?;
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
        let finish = Finish { id: upload.id, key, size: upload.staged.offset };
        let outcome = self.parts.metadata.finish_upload(finish).await;
        match self.invalidated(repository, Kind::Blob, outcome).await? {
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

    /// The digest of what is staged: the running hash, or the bytes read again where they did not pass here or
    /// another algorithm is asked for.
    async fn staged_digest(
        &self,
        repository: &RepositoryName,
        upload: &Upload,
        algorithm: Algorithm,
    ) -> Result<Digest, Error> {
        let direct = self.plan_of(upload).is_some();
        if !direct || upload.hash != not_hashed() {
            let hasher = resume(&upload.hash)?;
            if hasher.algorithm() == algorithm {
                return Ok(hasher.finish());
            }
        }
        let bytes = match self.parts.blobs.read_staged(&upload.id, &upload.staged).await {
            // Another node may just have put it in place; or it is not what was assembled any more.
            Err(StageError::NotFound) if direct => {
                return Err(Missing::Upload(repository.clone(), upload.id).into());
            }
            other => other.map_err(stage_error)?,
        };
        let source = Box::pin(bytes.map(|piece| piece.map_err(|_| SourceError::Broken)));
        let mut intake = Intake::new(source, Hasher::new(algorithm));
        {
            let mut pieces = Box::pin(intake.pieces());
            while pieces.next().await.is_some() {}
        }
        let (hasher, None) = intake.finish().await? else {
            let text = "the staged bytes could not be read again";
            return Err(StoreError::Unavailable(text.into()).into());
        };
        if direct {
            // Recorded before the bytes are moved: whoever goes on after a fault need not find them here.
            let read = Upload { hash: hasher.state(), ..upload.clone() };
            self.record(repository, upload, &read).await?;
        }
        Ok(hasher.finish())
    }
}

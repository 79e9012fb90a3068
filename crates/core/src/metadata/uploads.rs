//! Uploads: how far each is, and the two steps that turn one into a blob.

use std::time::Duration;

use async_trait::async_trait;
use wharf_oci::{Digest, HashState, RepositoryName};

use crate::blobs::{ObjectKey, Staged};
use crate::{StoreError, UploadId};

/// Begins an upload.
#[derive(Clone, Debug)]
pub struct StartUpload {
    /// Its name.
    pub id: UploadId,
    /// The repository it is bound to.
    pub repository: RepositoryName,
    /// The principal it is bound to.
    pub principal: String,
    /// What the store began with.
    pub staged: Staged,
    /// The hash of nothing, in the algorithm chosen.
    pub hash: HashState,
    /// How long it may go without progress.
    pub lifetime: Duration,
    /// How many bytes it will have, where that is known: it is charged with them, as by [`HoldUpload`], where a quota limits them. Else there must be
    /// room for one.
    pub announced: Option<u64>,
}

/// An upload as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its name.
    pub id: UploadId,
    /// The principal it is bound to.
    pub principal: String,
    /// How far the store has it.
    pub staged: Staged,
    /// The hash of those bytes.
    pub hash: HashState,
    /// Whether a quota limits the bytes of its repository or namespace.
    pub is_limited: bool,
}

/// Has an upload hold room for bytes that are about to come.
#[derive(Clone, Copy, Debug)]
pub struct HoldUpload {
    /// Which.
    pub id: UploadId,
    /// How many bytes it will have, those included that it has.
    pub bytes: u64,
}

/// Records that an upload has come further, if it still stands where the writer found it.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Which.
    pub id: UploadId,
    /// Where the writer found it.
    pub from_offset: u64,
    /// How far the store has it now.
    pub staged: Staged,
    /// The hash of those bytes.
    pub hash: HashState,
    /// How long it may go without further progress.
    pub lifetime: Duration,
}

/// Announces that an upload's object is about to be put in place.
#[derive(Clone, Debug)]
pub struct ReserveBlob {
    /// Which upload.
    pub id: UploadId,
    /// The digest of its content.
    pub digest: Digest,
    /// How long putting it in place may take.
    pub time_limit: Duration,
}

/// What became of [`ReserveBlob`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReserveOutcome {
    /// The object goes to this key.
    Reserved(ObjectKey),
    /// There is no such upload, or it has expired.
    NoUpload,
}

/// Ends an upload whose object is in place.
#[derive(Clone, Debug)]
pub struct FinishUpload {
    /// Which upload.
    pub id: UploadId,
    /// Where its object is.
    pub key: ObjectKey,
    /// How many bytes the object has: the last of them need not be recorded with the upload.
    pub size: u64,
}

/// What became of [`FinishUpload`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinishOutcome {
    /// The repository holds the blob; the upload is no more.
    Finished,
    /// The upload or its reservation has expired, or the object's key was condemned meanwhile: the client begins anew.
    Lost,
}

/// The uploads. An upload is found only under the repository it is bound to, and only until it expires
/// by the database's clock.
#[async_trait]
pub trait Uploads: Send + Sync + 'static {
    /// Begins an upload. Returns whether a quota limits the bytes of its repository or namespace.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`] where there is no room for it: it has not begun then.
    async fn start_upload(&self, start: StartUpload) -> Result<bool, StoreError>;

    /// Finds an upload.
    async fn find_upload(
        &self,
        repository: RepositoryName,
        id: UploadId,
    ) -> Result<Option<Upload>, StoreError>;

    /// Finds an upload that somebody is about to go on with.
    ///
    /// # Errors
    /// [`StoreError::Closed`] where it may not be gone on with now; it stays as it is.
    async fn resume_upload(
        &self,
        repository: RepositoryName,
        id: UploadId,
    ) -> Result<Option<Upload>, StoreError>;
    /// Charges an upload with so many bytes, before they come, instead of what it was charged with. They stay charged until it is
    /// finished, cancelled, or ended because it has expired. `false` when it is gone.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`] where they do not fit.
    async fn hold_upload(&self, hold: HoldUpload) -> Result<bool, StoreError>;

    /// Records progress. `false` when the upload is gone or stands elsewhere: what was appended does not count.
    async fn record_progress(&self, progress: Progress) -> Result<bool, StoreError>;

    /// Lets an upload live on for `lifetime` from now, however far it is. `false` when it is gone.
    async fn touch_upload(&self, id: UploadId, lifetime: Duration) -> Result<bool, StoreError>;

    /// Reserves a digest for an upload and says where its object goes: a key that no collector will delete.
    async fn reserve_blob(&self, reservation: ReserveBlob) -> Result<ReserveOutcome, StoreError>;

    /// Turns the reservation into a membership and forgets the upload, in one transaction.
    async fn finish_upload(&self, finish: FinishUpload) -> Result<FinishOutcome, StoreError>;

    /// Forgets an upload. `false` when there is none.
    async fn cancel_upload(&self, id: UploadId) -> Result<bool, StoreError>;

    /// Up to `limit` uploads that have expired and whose reservations, if any, have passed their deadline.
    async fn expired_uploads(&self, limit: usize) -> Result<Vec<Upload>, StoreError>;

    /// Which of these uploads there are, expired ones included.
    async fn known_uploads(&self, ids: Vec<UploadId>) -> Result<Vec<UploadId>, StoreError>;

    /// How many uploads there are: a gauge for operators.
    async fn count_uploads(&self) -> Result<u64, StoreError>;
}

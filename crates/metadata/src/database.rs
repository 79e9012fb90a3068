//! The traits of the core on any engine: each method hands one transaction to it.

mod accounts;
mod adoptions;
mod counts;
mod garbage;
mod history;
mod identities;
mod immutability;
mod integrity;
mod retention;
mod sessions;
mod trust;
mod usage;
mod write_modes;

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::blobs::ObjectKey;
use wharf_core::cache::{Epoch, Epochs};
use wharf_core::metadata::{
    ClaimedJob, CommitManifest, CommitOutcome, DeleteManifest, DeleteOutcome, DeleteTag, EventLog,
    FinishOutcome, FinishUpload, FoundBlob, HistoryPlace, HistoryWalk, HoldUpload, JobCount,
    JobOutcome, JobStatus, Jobs, KeepBlob, KeepEvents, LastKnown, Lease, ListReferrers,
    LoggedEvent, ManifestMetadata, Memberships, MountBlob, NewJob, Position, Progress, Referrer,
    RemoveBlob, RemoveOutcome, Repositories, ReserveBlob, ReserveOutcome, RollBackOutcome,
    RollBackTag, StartUpload, StoredManifest, Tags, Upload, Uploads,
};
use wharf_core::{StoreError, UploadId};
use wharf_oci::{Digest, Reference, RepositoryName, Tag};

use crate::engine::Engine;
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::transactions::{
    epoch, event_log, expiry, jobs, manifests, memberships, repositories, tags, uploads,
};

type Result<T> = std::result::Result<T, StoreError>;

/// Metadata on a database engine.
#[allow(private_bounds, reason = "engines are this crate's own")]
pub struct Database<E: Engine> {
    pub(crate) engine: E,
}

impl Database<Sqlite> {
    /// Metadata on SQLite.
    pub const fn on_sqlite(engine: Sqlite) -> Self {
        Self { engine }
    }
}

impl Database<Postgres> {
    /// Metadata on PostgreSQL.
    pub const fn on_postgres(engine: Postgres) -> Self {
        Self { engine }
    }
}

#[async_trait]
impl LastKnown for Database<Postgres> {
    async fn last_manifest(
        &self,
        repository: RepositoryName,
        reference: Reference,
    ) -> Option<StoredManifest> {
        self.engine.last_known(manifests::Find { repository, reference }).await?
    }

    async fn last_blob(&self, repository: RepositoryName, digest: Digest) -> Option<ObjectKey> {
        let found = self.engine.last_known(memberships::Find { repository, digest }).await?;
        found.map(|found| found.key)
    }

    async fn last_tags(
        &self,
        repository: RepositoryName,
        after: Option<String>,
        limit: usize,
    ) -> Option<Vec<Tag>> {
        self.engine.last_known(tags::List { repository, after, limit }).await?
    }

    async fn last_referrers(&self, query: ListReferrers) -> Option<Vec<Referrer>> {
        self.engine.last_known(query).await
    }

    async fn last_repositories(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Option<Vec<RepositoryName>> {
        self.engine.last_known(repositories::List { after, limit }).await
    }
}

#[async_trait]
impl<E: Engine> Epochs for Database<E> {
    async fn epoch(&self) -> Result<Epoch> {
        self.engine.read(epoch::Find).await
    }

    async fn advance_epoch(&self, from: i64) -> Result<()> {
        self.engine.write(epoch::Advance { from }).await
    }
}

#[async_trait]
impl<E: Engine> Repositories for Database<E> {
    async fn list_repositories(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<RepositoryName>> {
        self.engine.read(repositories::List { after, limit }).await
    }

    async fn check(&self) -> Result<()> {
        self.engine.read(repositories::Check).await?;
        self.engine.write(repositories::Check).await
    }
}

#[async_trait]
impl<E: Engine> Memberships for Database<E> {
    async fn find_blob(
        &self,
        repository: RepositoryName,
        digest: Digest,
    ) -> Result<Option<FoundBlob>> {
        self.engine.read(memberships::Find { repository, digest }).await
    }

    async fn keep_blob(&self, keep: KeepBlob) -> Result<bool> {
        self.engine.write(keep).await
    }

    async fn mount_blob(&self, mount: MountBlob) -> Result<bool> {
        self.engine.write(mount).await
    }

    async fn remove_blob(&self, removal: RemoveBlob) -> Result<RemoveOutcome> {
        self.engine.write(removal).await
    }
}

#[async_trait]
impl<E: Engine> Uploads for Database<E> {
    async fn start_upload(&self, start: StartUpload) -> Result<bool> {
        self.engine.write(start).await
    }

    async fn find_upload(
        &self,
        repository: RepositoryName,
        id: UploadId,
    ) -> Result<Option<Upload>> {
        self.engine.read(uploads::Find { repository, id }).await
    }

    async fn resume_upload(
        &self,
        repository: RepositoryName,
        id: UploadId,
    ) -> Result<Option<Upload>> {
        self.engine.read(uploads::Resume(uploads::Find { repository, id })).await
    }

    async fn hold_upload(&self, hold: HoldUpload) -> Result<bool> {
        self.engine.write(hold).await
    }

    async fn record_progress(&self, progress: Progress) -> Result<bool> {
        self.engine.write(progress).await
    }

    async fn touch_upload(&self, id: UploadId, lifetime: Duration) -> Result<bool> {
        self.engine.write(uploads::Touch { id, lifetime }).await
    }

    async fn reserve_blob(&self, reservation: ReserveBlob) -> Result<ReserveOutcome> {
        self.engine.write(reservation).await
    }

    async fn finish_upload(&self, finish: FinishUpload) -> Result<FinishOutcome> {
        self.engine.write(finish).await
    }

    async fn cancel_upload(&self, id: UploadId) -> Result<bool> {
        self.engine.write(uploads::Cancel(id)).await
    }

    async fn expired_uploads(&self, limit: usize) -> Result<Vec<Upload>> {
        self.engine.read(uploads::Expired { limit }).await
    }

    async fn known_uploads(&self, ids: Vec<UploadId>) -> Result<Vec<UploadId>> {
        self.engine.read(uploads::Known { ids }).await
    }

    async fn count_uploads(&self) -> Result<u64> {
        self.engine.read(uploads::Count).await
    }
}

#[async_trait]
impl<E: Engine> ManifestMetadata for Database<E> {
    async fn find_manifest(
        &self,
        repository: RepositoryName,
        reference: Reference,
    ) -> Result<Option<StoredManifest>> {
        self.engine.read(manifests::Find { repository, reference }).await
    }

    async fn commit_manifest(&self, commit: CommitManifest) -> Result<CommitOutcome> {
        self.engine.write(commit).await
    }

    async fn delete_manifest(&self, deletion: DeleteManifest) -> Result<DeleteOutcome> {
        self.engine.write(deletion).await
    }

    async fn list_referrers(&self, query: ListReferrers) -> Result<Vec<Referrer>> {
        self.engine.read(query).await
    }
}

#[async_trait]
impl<E: Engine> Tags for Database<E> {
    async fn list_tags(
        &self,
        repository: RepositoryName,
        after: Option<String>,
        limit: usize,
    ) -> Result<Option<Vec<Tag>>> {
        self.engine.read(tags::List { repository, after, limit }).await
    }

    async fn delete_tag(&self, deletion: DeleteTag) -> Result<DeleteOutcome> {
        self.engine.write(deletion).await
    }

    async fn roll_back_tag(&self, back: RollBackTag) -> Result<RollBackOutcome> {
        self.engine.write(back).await
    }
}

#[async_trait]
impl<E: Engine> Jobs for Database<E> {
    async fn enqueue_job(&self, job: NewJob) -> Result<bool> {
        self.engine.write(job).await
    }

    async fn claim_job(&self, kinds: Vec<String>, lease: Duration) -> Result<Option<ClaimedJob>> {
        self.engine.write(jobs::Claim { kinds, lease }).await
    }

    async fn extend_lease(&self, held: Lease, lease: Duration) -> Result<bool> {
        self.engine.write(jobs::Extend { held, lease }).await
    }

    async fn end_job(&self, held: Lease, outcome: JobOutcome) -> Result<bool> {
        self.engine.write(jobs::End { held, outcome }).await
    }

    async fn list_jobs(&self, after: i64, limit: usize) -> Result<Vec<JobStatus>> {
        self.engine.read(jobs::List { after, limit }).await
    }

    async fn count_jobs(&self) -> Result<Vec<JobCount>> {
        self.engine.read(jobs::Count).await
    }

    async fn revive_job(&self, id: i64) -> Result<bool> {
        self.engine.write(jobs::Revive(id)).await
    }

    async fn hasten_job(&self, job: NewJob) -> Result<bool> {
        self.engine.write(jobs::Hasten(job)).await
    }
}

#[async_trait]
impl<E: Engine> EventLog for Database<E> {
    async fn read_events(&self, after: Position, limit: usize) -> Result<Vec<LoggedEvent>> {
        self.engine.read(event_log::Read { after, limit }).await
    }

    async fn newest_position(&self) -> Result<Position> {
        self.engine.read(event_log::Newest).await
    }

    async fn reader_position(&self, reader: String) -> Result<Position> {
        self.engine.write(event_log::Standing(reader)).await
    }

    async fn advance_reader(&self, reader: String, to: Position) -> Result<bool> {
        self.engine.write(event_log::Advance { reader, to }).await
    }

    async fn expire_events(&self, keep: KeepEvents, limit: usize) -> Result<u64> {
        self.engine.write(expiry::ExpireEvents { keep, limit }).await
    }

    async fn make_room(&self) -> Result<u64> {
        self.engine.write(expiry::MakeRoom::default()).await
    }

    async fn expire_tag_history(
        &self,
        after: Option<HistoryPlace>,
        age: Duration,
        limit: usize,
    ) -> Result<HistoryWalk> {
        self.engine.write(expiry::ExpireTagHistory { after, age, limit }).await
    }
}

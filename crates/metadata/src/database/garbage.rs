//! `Garbage`, `Trash` and `DeletedRepositories` on any engine.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{
    DeleteRepository, DeletedManifest, DeletedRepositories, DeletedRepository, Fate, Garbage,
    GarbageCounts, Going, GoingRepository, HeldPlace, Judged, ListDeleted, ListDeletedRepositories,
    ManifestRules, MarkedBlob, Purged, RepositoryDeletion, RepositoryRestoration, Restore,
    RestoreOutcome, RestoreRepository, StagedUpload, Taken, Trash, Unneeded,
};
use wharf_core::{StoreError, UploadId};
use wharf_oci::{Digest, RepositoryName};

use crate::Database;
use crate::engine::Engine;
use crate::transactions::garbage::{
    self, Count, blobs, explaining, manifests, planning, purging, sweep, trash, upcoming,
};

type Result<T> = std::result::Result<T, StoreError>;

#[async_trait]
impl<E: Engine> Garbage for Database<E> {
    fn moment(&self) -> Duration {
        E::MOMENT
    }

    async fn sweep_memberships(
        &self,
        after: Option<HeldPlace>,
        grace: Duration,
        limit: usize,
    ) -> Result<Taken> {
        self.engine.write(sweep::Sweep { after, grace, limit }).await
    }

    async fn condemn_blobs(&self, grace: Duration, limit: usize) -> Result<Judged> {
        self.engine.write(blobs::Condemn { grace, limit }).await
    }

    async fn condemned_blobs(
        &self,
        after: Option<ObjectKey>,
        limit: usize,
    ) -> Result<Vec<ObjectKey>> {
        self.engine.read(blobs::Condemned { after, limit }).await
    }

    async fn confirm_deleted(&self, keys: Vec<ObjectKey>) -> Result<u64> {
        self.engine.write(blobs::Confirm(keys)).await
    }

    async fn forget_deleted(&self, latest: Duration, limit: usize) -> Result<u64> {
        self.engine.write(blobs::Forget { latest, limit }).await
    }

    async fn settle(&self) -> Result<()> {
        self.engine.settle().await
    }

    async fn collected_repositories(
        &self,
        after: Option<RepositoryName>,
        limit: usize,
    ) -> Result<Vec<RepositoryName>> {
        self.engine.read(garbage::Repositories { after, limit }).await
    }

    async fn empty_trash(&self, rules: ManifestRules, limit: usize) -> Result<Taken> {
        self.engine.write(trash::Empty { rules, limit }).await
    }

    async fn purge_repositories(&self, grace: Duration, limit: usize) -> Result<Purged> {
        self.engine.write(purging::Purge { grace, limit }).await
    }

    async fn collect_manifests(
        &self,
        after: Option<HeldPlace>,
        rules: ManifestRules,
        limit: usize,
    ) -> Result<Taken> {
        self.engine.write(manifests::Collect { after, rules, limit }).await
    }

    async fn plan_manifests(
        &self,
        after: Option<HeldPlace>,
        rules: ManifestRules,
        limit: usize,
    ) -> Result<Going> {
        self.engine.write(planning::Plan { after, rules, limit }).await
    }

    async fn list_trash(&self, after: Option<HeldPlace>, limit: usize) -> Result<Going> {
        self.engine.read(planning::Trashed { after, limit }).await
    }

    async fn explain_manifest(
        &self,
        repository: RepositoryName,
        digest: Digest,
        rules: ManifestRules,
    ) -> Result<Fate> {
        self.engine.write(explaining::Explain { repository, digest, rules }).await
    }

    async fn list_marked(&self, after: Option<ObjectKey>, limit: usize) -> Result<Vec<MarkedBlob>> {
        self.engine.read(blobs::Listed { after, limit }).await
    }

    async fn list_going_repositories(
        &self,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<GoingRepository>> {
        self.engine.read(upcoming::Repositories { after, limit }).await
    }

    async fn list_unneeded(&self, after: Option<HeldPlace>, limit: usize) -> Result<Unneeded> {
        self.engine.read(upcoming::UnneededBlobs { after, limit }).await
    }

    async fn list_staged(
        &self,
        after: Option<UploadId>,
        limit: usize,
    ) -> Result<Vec<StagedUpload>> {
        self.engine.read(upcoming::Staged { after, limit }).await
    }

    async fn count_garbage(&self, limit: usize) -> Result<GarbageCounts> {
        self.engine.read(Count { limit }).await
    }
}

#[async_trait]
impl<E: Engine> Trash for Database<E> {
    async fn list_deleted(&self, query: ListDeleted) -> Result<Option<Vec<DeletedManifest>>> {
        self.engine.read(query).await
    }

    async fn restore(&self, restore: Restore) -> Result<RestoreOutcome> {
        self.engine.write(restore).await
    }
}

#[async_trait]
impl<E: Engine> DeletedRepositories for Database<E> {
    async fn delete_repository(&self, deletion: DeleteRepository) -> Result<RepositoryDeletion> {
        self.engine.write(deletion).await
    }

    async fn list_deleted_repositories(
        &self,
        query: ListDeletedRepositories,
    ) -> Result<Vec<DeletedRepository>> {
        self.engine.read(query).await
    }

    async fn restore_repository(
        &self,
        restore: RestoreRepository,
    ) -> Result<RepositoryRestoration> {
        self.engine.write(restore).await
    }
}

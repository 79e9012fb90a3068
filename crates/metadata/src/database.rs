//! The traits of the core on any engine: each method hands one transaction to it.

use async_trait::async_trait;
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{
    CommitManifest, CommitOutcome, DeleteManifest, DeleteOutcome, DeleteTag, FinishOutcome,
    FinishUpload, ListReferrers, ManifestMetadata, Memberships, MountBlob, Progress, Referrer,
    RemoveBlob, RemoveOutcome, Repositories, ReserveBlob, ReserveOutcome, StartUpload,
    StoredManifest, Tags, Upload, Uploads,
};
use wharf_core::{StoreError, UploadId};
use wharf_oci::{Digest, Reference, RepositoryName, Tag};

use crate::engine::Engine;
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::transactions::{manifests, memberships, repositories, tags, uploads};

type Result<T> = std::result::Result<T, StoreError>;

/// Metadata on a database engine.
#[allow(private_bounds, reason = "engines are this crate's own")]
pub struct Database<E: Engine> {
    engine: E,
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
    ) -> Result<Option<ObjectKey>> {
        self.engine.read(memberships::Find { repository, digest }).await
    }

    async fn find_holders(&self, digest: Digest, limit: usize) -> Result<Vec<RepositoryName>> {
        self.engine.read(memberships::FindHolders { digest, limit }).await
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
    async fn start_upload(&self, start: StartUpload) -> Result<()> {
        self.engine.write(start).await
    }

    async fn find_upload(
        &self,
        repository: RepositoryName,
        id: UploadId,
    ) -> Result<Option<Upload>> {
        self.engine.read(uploads::Find { repository, id }).await
    }

    async fn record_progress(&self, progress: Progress) -> Result<bool> {
        self.engine.write(progress).await
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
}

//! Deleted repositories: each keeps all that it holds until its grace is over, under no name that anybody could ask for.

use std::time::Duration;

use async_trait::async_trait;
use wharf_oci::RepositoryName;

use crate::StoreError;
use crate::actor::Actor;
use crate::clock::Timestamp;
use crate::immutability::Frozen;
use crate::metadata::KeptBy;
use crate::permissions::AccountName;

/// A repository that was deleted and can be brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedRepository {
    /// Tells it from others that had the same name. No number is given twice.
    pub number: i64,
    /// What it was called.
    pub name: RepositoryName,
    /// Who deleted it.
    pub deleted_by: String,
    /// When.
    pub deleted_at: Timestamp,
}

/// Deletes a repository with all that it holds.
#[derive(Clone, Debug)]
pub struct DeleteRepository {
    /// Which.
    pub repository: RepositoryName,
    /// Who asks.
    pub by: Actor,
}

/// What became of [`DeleteRepository`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoryDeletion {
    /// It is deleted: nobody finds it, and it takes no room in its namespace's quota.
    Deleted,
    /// There is none of that name.
    NoRepository,
    /// A pin keeps one of its manifests.
    Pinned(KeptBy),
    /// A policy keeps one of its tags.
    Frozen(Box<Frozen>),
}

/// Asks for the deleted repositories of a namespace.
#[derive(Clone, Debug)]
pub struct ListDeletedRepositories {
    /// Which namespace.
    pub namespace: AccountName,
    /// How long one can be brought back.
    pub grace: Duration,
    /// Only those behind this number.
    pub after: Option<i64>,
    /// How many at most.
    pub limit: usize,
}

/// Brings a repository back, as it was.
#[derive(Clone, Debug)]
pub struct RestoreRepository {
    /// What it was called.
    pub repository: RepositoryName,
    /// Its number; of several that had this name the one that was deleted last without it.
    pub number: Option<i64>,
    /// What it shall be called: what it was called without it.
    pub to: Option<RepositoryName>,
    /// How long it can be brought back.
    pub grace: Duration,
    /// Who asks.
    pub by: Actor,
}

/// What became of [`RestoreRepository`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepositoryRestoration {
    /// It is back.
    Restored,
    /// None of that name or number was deleted, or its grace is over.
    NotDeleted,
    /// Another repository has the name by now.
    Taken,
    /// The user or the organization whose namespace it goes to was deleted.
    NoNamespace,
}

/// Repositories on their way out, and back.
#[async_trait]
pub trait DeletedRepositories: Send + Sync + 'static {
    /// Deletes a repository. What uploads to it is ended.
    async fn delete_repository(
        &self,
        deletion: DeleteRepository,
    ) -> Result<RepositoryDeletion, StoreError>;

    /// The deleted repositories of a namespace, in the order of their numbers.
    async fn list_deleted_repositories(
        &self,
        query: ListDeletedRepositories,
    ) -> Result<Vec<DeletedRepository>, StoreError>;

    /// Brings a repository back, with its manifests, tags, blobs, pins, policies, visibility and history.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`] where its namespace has no room for it any more.
    async fn restore_repository(
        &self,
        restore: RestoreRepository,
    ) -> Result<RepositoryRestoration, StoreError>;
}

//! Whole repositories: deleted, listed while their grace lasts, and brought back.

use wharf_oci::RepositoryName;

use crate::cache::Kind;
use crate::error::NotRestored;
use crate::metadata::{self, DeletedRepository, RepositoryDeletion, RepositoryRestoration};
use crate::operation::{DeleteRepository, ListDeletedRepositories, RestoreRepository};
use crate::permissions::Permitted;
use crate::registry::{Listing, Registry};
use crate::{Error, Missing, Result, StoreError};

impl Registry {
    /// The outcome of a change by which a name is another repository's, or nobody's, once no cache answers under it with what was before.
    async fn renaming<T>(
        &self,
        name: &RepositoryName,
        outcome: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let outcome = self.invalidated(name, Kind::Manifest, outcome).await;
        self.invalidated(name, Kind::Blob, outcome).await
    }

    /// Deletes a repository with all that it holds. Nothing of it is served from then on; it can be brought back until the grace
    /// is over.
    ///
    /// # Errors
    /// [`Missing::Repository`]; [`Error::Pinned`] or [`Error::Immutable`] where a pin or a policy keeps something in it;
    /// [`Error::Unsupported`] where nothing may be deleted.
    pub async fn delete_repository(&self, operation: &Permitted<DeleteRepository>) -> Result<()> {
        self.allow_delete()?;
        let repository = &operation.repository;
        let deletion =
            metadata::DeleteRepository { repository: repository.clone(), by: operation.actor() };
        let outcome = self.parts.metadata.delete_repository(deletion).await;
        match self.renaming(repository, outcome).await? {
            RepositoryDeletion::Deleted => Ok(()),
            RepositoryDeletion::NoRepository => Err(Missing::Repository(repository.clone()).into()),
            RepositoryDeletion::Pinned(kept) => Err(Error::Pinned(Box::new(kept))),
            RepositoryDeletion::Frozen(frozen) => Err(Error::Immutable(frozen)),
        }
    }

    /// Lists the repositories of a namespace that were deleted and can be brought back, in the order of their numbers, after
    /// `after`, `limit` of them.
    ///
    /// # Errors
    /// A store's fault.
    pub async fn list_deleted_repositories(
        &self,
        operation: &Permitted<ListDeletedRepositories>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Listing<DeletedRepository>> {
        let query = metadata::ListDeletedRepositories {
            namespace: operation.namespace.clone(),
            grace: self.rules.grace,
            after,
            limit: limit + 1,
        };
        let mut items = self.parts.metadata.list_deleted_repositories(query).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        Ok(Listing { items, more })
    }

    /// Brings a repository back as it was.
    ///
    /// # Errors
    /// [`Missing::DeletedRepository`]; [`Error::NotRestored`] where its name is taken or its namespace gone; the fault
    /// [`OverQuota`](crate::StoreError::OverQuota) where there is no room for it.
    pub async fn restore_repository(&self, operation: &Permitted<RestoreRepository>) -> Result<()> {
        let RestoreRepository { repository, number, to } = &**operation;
        let name = to.as_ref().unwrap_or(repository);
        let restore = metadata::RestoreRepository {
            repository: repository.clone(),
            number: *number,
            to: to.clone(),
            grace: self.rules.grace,
            by: operation.actor(),
        };
        let outcome = self.parts.metadata.restore_repository(restore).await;
        match self.renaming(name, outcome).await? {
            RepositoryRestoration::Restored => Ok(()),
            RepositoryRestoration::NotDeleted => {
                Err(Missing::DeletedRepository(repository.clone()).into())
            }
            RepositoryRestoration::Taken => Err(NotRestored::NameTaken(name.clone()).into()),
            RepositoryRestoration::NoNamespace => {
                Err(NotRestored::NoNamespace(name.clone()).into())
            }
        }
    }
}

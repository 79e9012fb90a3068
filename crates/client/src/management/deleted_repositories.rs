//! Repositories that are deleted, and back until their grace ends.

use serde::{Deserialize, Serialize};
use wharf_oci::RepositoryName;

use super::query::path;
use super::{Answer, Management, Pages, Repository};
use crate::Error;

/// A repository that was deleted and can be brought back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DeletedRepository {
    /// Tells it from others that had the same name.
    pub number: i64,
    /// What it was called.
    pub name: String,
    /// Who deleted it.
    pub deleted_by: String,
    /// When (RFC 3339).
    pub deleted_at: String,
    /// Until when it can be brought back (RFC 3339).
    pub restorable_until: String,
}

/// Which repository comes back, and as what.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct RepositoryRestoration<'a> {
    /// What it shall be called; what it was called, where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<&'a str>,
    /// Its number; the one of the name that was deleted last, where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
}

impl Management {
    /// Deletes a repository with all that it holds.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn delete_repository(&self, name: &RepositoryName) -> Result<(), Error> {
        self.delete(&path(&["repositories", name.as_str()])).await
    }

    /// The repositories of a namespace that were deleted and can be brought back.
    pub fn deleted_repositories(&self, namespace: &str) -> Pages<DeletedRepository> {
        Pages::new(self, path(&["namespaces", namespace, "deleted-repositories"]))
    }

    /// Brings a repository back, as it was.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn restore_repository(
        &self,
        name: &RepositoryName,
        how: RepositoryRestoration<'_>,
    ) -> Result<Answer<Repository>, Error> {
        self.post(&path(&["deleted-repositories", name.as_str(), "restore"]), &how).await
    }
}

//! Usage and quotas: how much namespaces and repositories hold, and may hold.

use serde::{Deserialize, Serialize};
use wharf_oci::RepositoryName;

use super::query::path;
use super::{Answer, Management, Pages};
use crate::Error;

/// How much may be held; as much as one likes of what is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Quota {
    /// Bytes of blobs, each blob once, and of manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifests: Option<u64>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<u64>,
}

/// How much a namespace or a repository holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Usage {
    /// Its name.
    pub name: String,
    /// Bytes that its manifests name, however often the same.
    pub referenced_bytes: u64,
    /// Bytes with each blob once.
    pub bytes: u64,
    /// Bytes of uploads under way, and of blobs that no manifest needs yet.
    pub reserved_bytes: u64,
    /// Bytes that sharing saves.
    pub saved_bytes: u64,
    /// Manifests.
    pub manifests: u64,
    /// Tags.
    pub tags: u64,
    /// How much it may hold.
    #[serde(default)]
    pub quota: Quota,
    /// Whether all that was there before usage was counted is in it.
    pub complete: bool,
}

/// How much all of a registry holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AllUsage {
    /// Bytes that manifests name, however often the same.
    pub referenced_bytes: u64,
    /// Bytes with each blob once in each namespace.
    pub namespace_bytes: u64,
    /// Bytes that are stored of that.
    pub stored_bytes: u64,
    /// Bytes that sharing saves.
    pub saved_bytes: u64,
    /// Different blobs.
    pub blobs: u64,
    /// Manifests.
    pub manifests: u64,
    /// Tags.
    pub tags: u64,
    /// When what is stored was last counted (RFC 3339).
    pub counted_at: Option<String>,
}

/// Whose usage or quota.
#[derive(Clone, Copy, Debug)]
pub enum Holder<'a> {
    /// All repositories of a user or an organization.
    Namespace(&'a str),
    /// A repository.
    Repository(&'a RepositoryName),
}

impl Holder<'_> {
    fn path(&self, what: &str) -> String {
        match self {
            Self::Namespace(name) => path(&["namespaces", name, what]),
            Self::Repository(name) => path(&["repositories", name.as_str(), what]),
        }
    }
}

impl Management {
    /// How much somebody holds.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn usage(&self, of: Holder<'_>) -> Result<Answer<Usage>, Error> {
        self.get(&of.path("usage")).await
    }

    /// How much the repositories of a namespace hold.
    pub fn usage_of_repositories(&self, namespace: &str) -> Pages<Usage> {
        Pages::new(self, path(&["namespaces", namespace, "usage", "repositories"]))
    }

    /// How much all of the registry holds.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn all_usage(&self) -> Result<Answer<AllUsage>, Error> {
        self.get(&path(&["usage"])).await
    }

    /// How much somebody may hold.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn quota(&self, of: Holder<'_>) -> Result<Answer<Quota>, Error> {
        self.get(&of.path("quota")).await
    }

    /// Says how much somebody may hold, in place of what was said before.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn set_quota(&self, of: Holder<'_>, quota: &Quota) -> Result<Answer<Quota>, Error> {
        self.put(&of.path("quota"), quota).await
    }

    /// Has somebody hold as much as they like.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn remove_quota(&self, of: Holder<'_>) -> Result<(), Error> {
        self.delete(&of.path("quota")).await
    }
}

//! Read-only mode and draining of a repository.

use serde::{Deserialize, Serialize};
use wharf_oci::RepositoryName;

use super::query::path;
use super::{Answer, Management};
use crate::Error;

/// What may be written to a repository.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Writes {
    /// `writable`, `draining` or `read-only`.
    pub mode: String,
    /// Why, as somebody said.
    pub reason: Option<String>,
    /// Since when (RFC 3339); none where it was never set.
    pub since: Option<String>,
    /// How many uploads are open.
    #[serde(default)]
    pub uploads: u64,
    /// How many pushes draining waits for.
    #[serde(default)]
    pub pushes: u64,
}

#[derive(Serialize)]
struct NewWrites<'a> {
    mode: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl Management {
    /// Whether a repository may be written to.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn writes(&self, name: &RepositoryName) -> Result<Answer<Writes>, Error> {
        self.get(&path(&["repositories", name.as_str(), "writes"])).await
    }

    /// Makes a repository writable, has it drained, or makes it read-only, and says why.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn set_writes(
        &self,
        name: &RepositoryName,
        mode: &str,
        reason: Option<&str>,
    ) -> Result<Answer<Writes>, Error> {
        let body = NewWrites { mode, reason };
        self.put(&path(&["repositories", name.as_str(), "writes"]), &body).await
    }
}

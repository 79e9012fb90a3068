//! What was deleted from a repository and can be brought back until the grace ends.

use serde::{Deserialize, Serialize};
use wharf_oci::{Reference, RepositoryName};

use super::query::path;
use super::{Answer, Management, Pages};
use crate::Error;

/// A manifest that was deleted and can be brought back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DeletedManifest {
    /// Its digest.
    pub digest: String,
    /// Who deleted it.
    pub deleted_by: String,
    /// When (RFC 3339).
    pub deleted_at: String,
    /// Until when it can be brought back (RFC 3339).
    pub restorable_until: String,
    /// The tags that come back with it.
    pub tags: Vec<String>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Restored {
    /// The manifest.
    pub digest: String,
    /// The tags that came back on it.
    pub tags: Vec<String>,
    /// How many manifests came back; 0 where only a tag was to.
    pub manifests: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Deleted {
    Tag(String),
    Digest(String),
}

impl Management {
    /// The manifests of a repository that were deleted and can be brought back.
    pub fn deleted(&self, name: &RepositoryName) -> Pages<DeletedManifest> {
        Pages::new(self, path(&["repositories", name.as_str(), "deleted"]))
    }

    /// Brings back a tag to where it stood, or a manifest with the tags that went with it.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn restore(
        &self,
        name: &RepositoryName,
        what: &Reference,
    ) -> Result<Answer<Restored>, Error> {
        let what = match what {
            Reference::Tag(tag) => Deleted::Tag(tag.to_string()),
            Reference::Digest(digest) => Deleted::Digest(digest.to_string()),
        };
        self.post(&path(&["repositories", name.as_str(), "restore"]), &what).await
    }
}

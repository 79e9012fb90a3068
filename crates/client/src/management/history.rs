//! The history of tags: where they stood and why they moved, and back to there.

use serde::{Deserialize, Serialize};
use wharf_oci::{RepositoryName, Tag};

use super::query::{path, with_parameters};
use super::{Answer, Management, Pages, TagRecord};
use crate::Error;

/// A change of a tag.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TagChange {
    /// The tag.
    pub tag: String,
    /// The version that this gave it.
    pub version: i64,
    /// `create`, `move` or `delete`.
    pub action: String,
    /// Where it stood.
    pub from: Option<String>,
    /// Where it stands since.
    pub to: Option<String>,
    /// Who.
    pub by: String,
    /// When (RFC 3339).
    pub at: String,
    /// Why.
    pub reason: Option<String>,
    /// What else there is to say of the reason.
    pub detail: Option<String>,
}

/// Which changes; all of them where nothing is said.
#[derive(Clone, Debug, Default)]
pub struct HistoryFilter {
    /// From this time on (RFC 3339).
    pub from: Option<String>,
    /// Before this time (RFC 3339).
    pub to: Option<String>,
}

/// Where a tag is to stand again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RollBackTo {
    /// Where it stood at this version.
    Version(i64),
    /// Where it stood at this time (RFC 3339).
    Time(String),
    /// At this manifest, where it stood once.
    Digest(String),
}

#[derive(Serialize)]
struct RollBack<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a RollBackTo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<i64>,
}

impl Management {
    /// The changes of a tag, or of all tags of a repository, the newest first.
    pub fn history(
        &self,
        name: &RepositoryName,
        tag: Option<&Tag>,
        filter: HistoryFilter,
    ) -> Pages<TagChange> {
        let path = match tag {
            Some(tag) => path(&["repositories", name.as_str(), "tags", tag.as_str(), "history"]),
            None => path(&["repositories", name.as_str(), "history"]),
        };
        let parameters = [("from", filter.from), ("to", filter.to)];
        Pages::new(self, with_parameters(path, &parameters))
    }

    /// Has a tag stand again where it stood: where nothing is said, where it stood before. Only where its last change gave
    /// it the version `expected`, if that is said.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn roll_back(
        &self,
        name: &RepositoryName,
        tag: &Tag,
        to: Option<&RollBackTo>,
        expected: Option<i64>,
    ) -> Result<Answer<TagRecord>, Error> {
        let path = path(&["repositories", name.as_str(), "tags", tag.as_str(), "rollback"]);
        self.post(&path, &RollBack { to, expected }).await
    }
}

//! Findings of scrubs: what is wrong with what a registry stores, and what became of it.

use serde::Deserialize;

use super::answer::id;
use super::query::{path, with_parameters};
use super::{Management, Pages};

/// A fault that a scrub has found.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Finding {
    /// Its number.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// What is wrong, as `missing`.
    pub kind: String,
    /// What became of it: `open`, `quarantined`, `repaired`, `gone`.
    pub state: String,
    /// The blob or the manifest.
    pub digest: String,
    /// Where a reference is broken: the repository.
    pub repository: Option<String>,
    /// Where a reference is broken: the manifest that needs what is missing.
    pub manifest: Option<String>,
    /// The fault in words.
    #[serde(default)]
    pub detail: String,
    /// When it was found (RFC 3339).
    pub found_at: String,
    /// When it was last seen (RFC 3339).
    pub seen_at: String,
    /// When it was found to be gone, or was repaired (RFC 3339).
    pub resolved_at: Option<String>,
    /// What it was repaired from, in words.
    pub repaired_from: Option<String>,
    /// Whether what is damaged is kept as evidence.
    #[serde(default)]
    pub evidence: bool,
}

/// Which findings are listed; those whose fault is there still where nothing is said.
#[derive(Clone, Debug, Default)]
pub struct FindingQuery {
    /// Of this kind.
    pub kind: Option<String>,
    /// In this state; `unresolved` and `all` are several.
    pub state: Option<String>,
}

impl Management {
    /// What scrubs found, in the order in which it was found.
    pub fn findings(&self, query: FindingQuery) -> Pages<Finding> {
        let FindingQuery { kind, state } = query;
        let parameters = [("kind", kind), ("state", state)];
        Pages::new(self, with_parameters(path(&["findings"]), &parameters))
    }
}

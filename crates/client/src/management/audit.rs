//! The audit log.

use serde::Deserialize;

use super::answer::id;
use super::query::{path, with_parameters};
use super::{Management, Pages};

/// Something that somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AuditEntry {
    /// Its number.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// When (RFC 3339).
    pub at: String,
    /// Who.
    pub by: Option<String>,
    /// What.
    pub action: String,
    /// To whom or what.
    pub target: Option<String>,
    /// The namespace that it was in.
    pub namespace: Option<String>,
    /// What came of it.
    pub outcome: Option<String>,
    /// What else matters.
    #[serde(default)]
    pub detail: String,
    /// Where they were.
    pub address: Option<String>,
    /// What the registry's log calls the request.
    pub request_id: Option<String>,
}

/// Which entries are listed; all where nothing is said.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Those of a namespace.
    pub namespace: Option<String>,
    /// What somebody did.
    pub by: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// To whom or what it was done.
    pub target: Option<String>,
    /// From this time on (RFC 3339).
    pub from: Option<String>,
    /// Before this time (RFC 3339).
    pub before: Option<String>,
    /// Whether the oldest come first.
    pub oldest_first: bool,
}

impl Management {
    /// The audit log, the newest first unless the filter says otherwise.
    pub fn audit(&self, filter: AuditFilter) -> Pages<AuditEntry> {
        let AuditFilter { namespace, by, action, target, from, before, oldest_first } = filter;
        let parameters = [
            ("namespace", namespace),
            ("by", by),
            ("action", action),
            ("target", target),
            ("from", from),
            ("before", before),
            ("order", oldest_first.then(|| "oldest".to_owned())),
        ];
        Pages::new(self, with_parameters(path(&["audit"]), &parameters))
    }
}

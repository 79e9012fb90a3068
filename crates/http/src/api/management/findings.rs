//! Findings of scrubs: what is wrong with what is stored, and what became of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{FaultKind, FindingFilter, FindingState, FindingStates, ScrubFinding};
use wharf_core::operation::Requirement;
use wharf_oci::{Digest, RepositoryName};

use super::ask::Ask;
use super::audit::Number;
use super::pages::{PageOf, limit, shown};
use super::problem::Problem;
use super::values::Text;

/// A fault that a scrub has found.
#[derive(Serialize, JsonSchema)]
pub(super) struct Finding {
    id: i64,
    /// What is wrong: missing, wrong_size, wrong_digest, unreadable, unexplained, broken_reference, damaged_manifest, or what a newer release knows.
    kind: String,
    /// What became of it.
    state: Text<FindingState>,
    /// The blob, or the manifest that is damaged; where a reference is broken, what is missing.
    digest: Text<Digest>,
    /// Which object of the blob.
    incarnation: u32,
    /// Where a reference is broken: the repository, unless it is deleted.
    repository: Option<Text<RepositoryName>>,
    /// Where a reference is broken: the manifest that needs what is missing.
    manifest: Option<Text<Digest>>,
    /// The fault in words.
    detail: String,
    /// When it was found.
    found_at: Text<Timestamp>,
    /// When it was last seen.
    seen_at: Text<Timestamp>,
    /// When it was found to be gone, or was repaired.
    resolved_at: Option<Text<Timestamp>>,
    /// What it was repaired from, in words.
    repaired_from: Option<String>,
    /// Whether the damaged object, or the damaged bytes of the manifest, are kept as evidence, until they are released.
    evidence: bool,
}

impl From<ScrubFinding> for Finding {
    fn from(finding: ScrubFinding) -> Self {
        let state = Text(finding.state());
        let (repository, manifest) = finding.needed_by.unzip();
        Self {
            id: finding.id,
            kind: finding.kind.name().to_owned(),
            state,
            digest: Text(finding.digest),
            incarnation: finding.incarnation,
            repository: repository.map(Text),
            manifest: manifest.map(Text),
            detail: finding.detail,
            found_at: Text(finding.found_at),
            seen_at: Text(finding.seen_at),
            resolved_at: finding.resolved_at.map(Text),
            repaired_from: finding.repaired_from,
            evidence: finding.is_quarantined,
        }
    }
}

/// Which findings.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FindingQuery {
    /// Of this kind alone.
    kind: Option<Text<FaultKind>>,
    /// By what became of them: those whose fault is there still, where nothing is said.
    state: Option<Text<FindingStates>>,
    /// How many at most: 100 where nothing is said, and never more than 1000.
    limit: Option<Text<u32>>,
    /// Goes on behind this: the `next` of the page before.
    after: Option<Text<Number>>,
}

pub(super) async fn list(ask: Ask<FindingQuery>) -> Result<PageOf<Finding>, Problem> {
    let stores = ask.may(Requirement::Site).await?;
    let FindingQuery { kind, state, limit: asked, after } = &ask.query;
    let filter = FindingFilter {
        kind: kind.as_ref().map(|Text(kind)| *kind),
        states: state.as_ref().map_or(FindingStates::default(), |Text(states)| *states),
    };
    let (limit, after) = (limit(asked.as_ref()), after.as_ref().map(|Text(Number(after))| *after));
    let found = stores.integrity.list_scrub_findings(filter, after, limit + 1).await?;
    Ok(shown(found, limit, |finding| finding.id.to_string(), Finding::from))
}

//! What replies say of retention: a policy with its state, the judgement over tags, and what a policy would do.

use schemars::JsonSchema;
use serde::Serialize;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::RetentionRecord;
use wharf_core::retention::{Age, Judged, Policy, Summary};
use wharf_oci::Digest;

use super::policy_text::PolicyText;
use crate::api::management::values::Text;

/// The policy of a repository, and how far it is.
#[derive(Serialize, JsonSchema)]
pub(in crate::api) struct Retention {
    /// The policy; none where what is recorded cannot be read.
    policy: Option<PolicyText>,
    /// Counts its changes.
    version: i64,
    /// `draft` until it was previewed, `previewed` until it is enabled, then `enabled`.
    state: &'static str,
    updated_by: String,
    updated_at: Text<Timestamp>,
    /// Why it cannot be read; it drops nothing then.
    problem: Option<String>,
    /// Why no run drops anything at present: the repository or all of the registry is read-only, or being drained.
    skipped: Option<String>,
    /// The last run, of whichever version.
    last_run: Option<Run>,
}

/// What a run did.
#[derive(Serialize, JsonSchema)]
struct Run {
    /// The version of the policy.
    version: i64,
    ended_at: Text<Timestamp>,
    /// How many tags it left.
    kept: u64,
    /// How many it dropped.
    dropped: u64,
    /// Why it did not come to its end.
    problem: Option<String>,
}

impl From<RetentionRecord> for Retention {
    fn from(record: RetentionRecord) -> Self {
        let read = Policy::parse(&record.document);
        let policy = read.as_ref().ok().and_then(|policy| serde_json::to_value(policy).ok());
        Self {
            skipped: record.skipped().map(ToString::to_string),
            policy: policy.map(PolicyText),
            version: record.version,
            state: record.state.name(),
            updated_by: record.updated_by,
            updated_at: Text(record.updated_at),
            problem: read.err().map(|error| error.to_string()),
            last_run: record.last_run.map(|run| Run {
                version: run.version,
                ended_at: Text(run.ended_at),
                kept: run.kept,
                dropped: run.dropped,
                problem: run.problem,
            }),
        }
    }
}

/// What a policy says of a tag.
#[derive(Serialize, JsonSchema)]
pub(in crate::api) struct PlannedTag {
    pub(super) tag: Text<wharf_oci::Tag>,
    digest: Text<Digest>,
    /// Whether it would go.
    dropped: bool,
    /// The rule that decides; none where no rule selects it.
    rule: Option<String>,
    /// What keeps it, or `not_kept`.
    reason: &'static str,
    /// What keeps it though its rule does not: the policy that freezes it, a pin, or the manifest that it is about by its name.
    kept_by: Option<String>,
    /// When it was moved there.
    pushed_at: Text<Timestamp>,
    /// The hour in which its manifest was pulled last, where the policy asks.
    pulled_at: Option<Text<Timestamp>>,
}

impl From<Judged> for PlannedTag {
    fn from(Judged { facts, verdict }: Judged) -> Self {
        Self {
            tag: Text(facts.tag),
            digest: Text(facts.digest),
            dropped: verdict.is_dropped(),
            rule: verdict.rule().map(ToString::to_string),
            reason: verdict.reason(),
            kept_by: verdict.protection().map(ToString::to_string),
            pushed_at: Text(facts.pushed_at),
            pulled_at: facts.pulled_at.map(Text),
        }
    }
}

/// What a policy would do.
#[derive(Serialize, JsonSchema)]
pub(in crate::api) struct Preview {
    /// The version that was previewed and may be enabled now; none of another policy than the repository's.
    version: Option<i64>,
    /// How many tags there are.
    tags: u64,
    /// How many of them would go.
    dropped: u64,
    /// How many manifests would lose their last tag.
    manifests_untagged: u64,
    /// How many tags each rule decides over, by what it says of them.
    by_rule: Vec<Decided>,
    /// The first of the tags that would go; all are in the plan.
    first_dropped: Vec<PlannedTag>,
    /// What has no tag already and would go by the next collection; none where the policy keeps such manifests.
    untagged: Option<UntaggedPlan>,
}

/// Manifests that would go though no rule drops a tag of theirs. Those that lose their last tag by this policy follow when they are as old.
#[derive(Serialize, JsonSchema)]
pub(in crate::api) struct UntaggedPlan {
    /// For how long they have had none, as the policy says; for the grace (`garbage.grace`), where that is longer.
    pub(super) after: Text<Age>,
    /// How many there are.
    pub(super) manifests: u64,
    /// The first of them, in the order of their digests.
    pub(super) first: Vec<Text<Digest>>,
}

/// How many tags a rule decides over.
#[derive(Serialize, JsonSchema)]
struct Decided {
    /// The rule; none where no rule selects them.
    rule: Option<String>,
    /// What keeps them, or `not_kept`.
    reason: &'static str,
    tags: u64,
}

impl Preview {
    /// What a plan comes to, with the first of what would go.
    pub(super) fn of(
        version: Option<i64>,
        summary: &Summary,
        first_dropped: Vec<PlannedTag>,
        untagged: Option<UntaggedPlan>,
    ) -> Self {
        let decided = |((rule, reason), tags): (&(Option<_>, &'static str), &u64)| Decided {
            rule: rule.as_ref().map(ToString::to_string),
            reason,
            tags: *tags,
        };
        Self {
            version,
            tags: summary.tags,
            dropped: summary.dropped,
            manifests_untagged: summary.manifests_untagged(),
            by_rule: summary.by_rule.iter().map(decided).collect(),
            first_dropped,
            untagged,
        }
    }
}

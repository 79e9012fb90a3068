//! The retention of a repository: its policy, what it would drop, and what is reported to run.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wharf_core::access::Role;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    EnableRetention, PreviewRetention, RemoveRetention, ReportRunning, RetentionRecord,
    SetRetention,
};
use wharf_core::operation::Requirement;
use wharf_core::retention::{Age, Judged, Plan, PlanError, Policy, Summary};
use wharf_oci::{Digest, RepositoryName};

use super::answer::{Done, Plain, Versioned};
use super::ask::{Ask, Json, Nothing, Version};
use super::pages::{Items, PageOf, limit};
use super::problem::Problem;
use super::values::{Text, Words};

/// How many tags are judged at once.
const PAGE: usize = 500;

/// How many of the tags that would go are in a preview.
const SHOWN: usize = 100;

/// The longest time for which something is reported to run.
const LONGEST_RUN: &str = "30d";

/// A policy, which is read where it is used: so that what is wrong with it is told with its part.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct PolicyText(Value);

impl PolicyText {
    /// The policy; `within` is where it stands in the request.
    fn read<Q, B>(&self, ask: &Ask<Q, B>, within: &str) -> Result<Policy, Problem> {
        let policy = Policy::parse(&self.0.to_string()).map_err(|error| {
            let part = match error.part.as_str() {
                "policy" if within.is_empty() => "body".to_owned(),
                "policy" => within.to_owned(),
                part if within.is_empty() => part.to_owned(),
                part => format!("{within}.{part}"),
            };
            Problem::unfit(part, error.reason)
        })?;
        match ask.pulls_known().unanswerable(&policy) {
            None => Ok(policy),
            Some(age) => Err(Problem::unfit(
                "pulled_within",
                format!(
                    "whether something was pulled within {age} cannot be told: counts of pulls must be on \
                     (counts.enabled), and kept for 25 hours longer than that (counts.keep)"
                ),
            )),
        }
    }
}

impl JsonSchema for PolicyText {
    fn schema_name() -> Cow<'static, str> {
        "RetentionPolicy".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let age = json_schema!({
            "type": "string", "pattern": "^([1-9][0-9]{0,2}[hd]|[1-9][0-9]?w)$",
            "description": "A time from 1h to 3650d: a whole number and h, d or w."
        });
        let count = json_schema!({ "type": "integer", "minimum": 1, "maximum": 10_000 });
        let newest = json_schema!({
            "type": "object", "required": ["count"], "additionalProperties": false,
            "properties": { "count": count, "of_each": { "type": "string", "enum": ["rule", "major", "minor"] } }
        });
        let patterns = json_schema!({
            "type": "array", "maxItems": 32, "items": { "type": "string", "pattern": "^[A-Za-z0-9_.*-]{1,128}$" }
        });
        let keep = json_schema!({
            "type": "object", "minProperties": 1, "additionalProperties": false,
            "description": "What is kept of the tags that the rule selects: those for which one of these holds.",
            "properties": {
                "newest": count, "newest_releases": newest, "newest_pre_releases": newest,
                "pushed_within": age, "pulled_within": age,
                "signed": { "type": "boolean" }, "referenced": { "type": "boolean" }, "running": { "type": "boolean" }
            }
        });
        let rule = json_schema!({
            "type": "object", "required": ["name", "tags", "keep"], "additionalProperties": false,
            "properties": {
                "name": { "type": "string", "pattern": "^[a-z0-9_-]{1,64}$" },
                "tags": patterns, "except": patterns, "keep": keep
            }
        });
        json_schema!({
            "type": "object", "required": ["rules"], "additionalProperties": false,
            "description": "A policy of retention: what a rule selects and none keeps is dropped.",
            "properties": {
                "rules": { "type": "array", "maxItems": 32, "items": rule },
                "untagged": {
                    "anyOf": [
                        { "type": "string", "enum": ["keep"] },
                        {
                            "type": "object", "required": ["after"], "additionalProperties": false,
                            "properties": { "after": age }
                        },
                    ],
                    "description": "What becomes of manifests that nothing needs."
                }
            }
        })
    }
}

/// The policy of a repository, and how far it is.
#[derive(Serialize, JsonSchema)]
pub(super) struct Retention {
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
pub(super) struct PlannedTag {
    tag: Text<wharf_oci::Tag>,
    digest: Text<Digest>,
    /// Whether it would go.
    dropped: bool,
    /// The rule that decides; none where no rule selects it.
    rule: Option<String>,
    /// What keeps it, or `not_kept`.
    reason: &'static str,
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
            pushed_at: Text(facts.pushed_at),
            pulled_at: facts.pulled_at.map(Text),
        }
    }
}

/// Which part of a plan.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanQuery {
    /// Only what would go, or what would stay.
    dropped: Option<Text<bool>>,
    /// How many at most: 100 where nothing is said, and never more than 1000.
    limit: Option<Text<u32>>,
    /// Goes on behind this: the `next` of the page before.
    after: Option<Text<wharf_oci::Tag>>,
}

/// What is previewed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PreviewRequest {
    /// Another policy than the repository's. Nothing is recorded of it.
    policy: Option<PolicyText>,
}

/// What a policy would do.
#[derive(Serialize, JsonSchema)]
pub(super) struct Preview {
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

/// Which version is meant.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Enabling {
    /// That of the preview.
    version: i64,
}

/// What runs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Running {
    digest: Text<Digest>,
    /// Where, as who reports it calls that: a cluster, perhaps.
    by: Text<Words>,
    /// For how long from now, unless it is reported again: 30d at most.
    r#for: Text<Age>,
}

/// The policy of the repository that a request names, for its administrators.
async fn found<Q, B>(ask: &Ask<Q, B>) -> Result<(RepositoryName, RetentionRecord), Problem> {
    let name: RepositoryName = ask.named("repository")?;
    let stores = ask.may(Requirement::Role(&name, Role::Admin)).await?;
    let found = stores.retention.find_retention(name.clone()).await?;
    let missing = || Problem::not_found(format!("retention policy of {name}"));
    Ok((name.clone(), found.ok_or_else(missing)?))
}

async fn current<Q, B>(ask: &Ask<Q, B>) -> Result<Versioned<Retention>, Problem> {
    let (name, found) = found(ask).await?;
    let stores = ask.may(Requirement::Role(&name, Role::Admin)).await?;
    let repository = stores.directory.find_repository(name.clone()).await?;
    let repository = repository.ok_or_else(|| Problem::not_found(format!("repository {name}")))?;
    let version = Version { number: found.version, created_at: repository.created_at };
    // Its state and its last run change within a version.
    Ok(Versioned { value: found.into(), version, known: false })
}

pub(super) async fn get(ask: Ask) -> Result<Versioned<Retention>, Problem> {
    current(&ask).await
}

pub(super) async fn set(
    ask: Ask<Nothing, Json<PolicyText>>,
) -> Result<Versioned<Retention>, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    let policy = ask.body.0.read(&ask, "")?;
    let change = SetRetention { repository: repository.clone(), policy, expected: None };
    let stores = ask.may_change(&change, Requirement::Role(&repository, Role::Admin)).await?;
    let found = stores.directory.find_repository(repository.clone()).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("repository {repository}")))?;
    let expected = ask.expected_of(found.created_at)?;
    ask.change(SetRetention { expected, ..change }).await?;
    current(&ask).await
}

pub(super) async fn remove(ask: Ask) -> Result<Done, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    ask.change(RemoveRetention { repository }).await?;
    Ok(Done)
}

pub(super) async fn enable(ask: Ask<Nothing, Json<Enabling>>) -> Result<Plain<Retention>, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    ask.change(EnableRetention { repository, version: ask.body.0.version }).await?;
    Ok(Plain(found(&ask).await?.1.into()))
}

/// The policy that is recorded, where it can be read.
fn recorded(record: &RetentionRecord) -> Result<Policy, Problem> {
    Policy::parse(&record.document).map_err(|error| {
        Problem::unfit(
            "policy",
            format!("the recorded policy cannot be read ({error}): set it again"),
        )
    })
}

async fn begin<'a, Q, B>(
    ask: &'a Ask<Q, B>,
    name: &RepositoryName,
    policy: &'a Policy,
) -> Result<Plan<'a>, Problem> {
    let stores = ask.may(Requirement::Role(name, Role::Admin)).await?;
    let plan = Plan::begin(&*stores.retention, name.clone(), policy, ask.pulls_known()).await;
    match plan {
        Ok(Some(plan)) => Ok(plan),
        Ok(None) => Err(Problem::not_found(format!("repository {name}"))),
        Err(PlanError::TooMany(reason)) => Err(Problem::unfit("policy", reason.to_string())),
        Err(PlanError::Store(fault)) => Err(fault.into()),
    }
}

pub(super) async fn plan(ask: Ask<PlanQuery>) -> Result<PageOf<PlannedTag>, Problem> {
    let (name, record) = found(&ask).await?;
    let policy = recorded(&record)?;
    let plan = begin(&ask, &name, &policy).await?;
    let wanted = ask.query.dropped.as_ref().map(|Text(dropped)| *dropped);
    let limit = limit(ask.query.limit.as_ref());
    let mut after = ask.query.after.as_ref().map(|Text(after)| after.clone());
    let mut items: Vec<PlannedTag> = Vec::new();
    loop {
        let page = plan.page(after.take(), PAGE).await?;
        let is_last = page.len() < PAGE;
        for judged in page {
            after = Some(judged.facts.tag.clone());
            if wanted.is_some_and(|wanted| wanted != judged.verdict.is_dropped()) {
                continue;
            }
            if items.len() == limit {
                let next = items.last().map(|item| item.tag.0.to_string());
                return Ok(Plain(Items { items, next }));
            }
            items.push(judged.into());
        }
        if is_last {
            return Ok(Plain(Items { items, next: None }));
        }
    }
}

pub(super) async fn preview(
    ask: Ask<Nothing, Json<PreviewRequest>>,
) -> Result<Plain<Preview>, Problem> {
    let Json(PreviewRequest { policy }) = &ask.body;
    let (name, version, policy) = match policy {
        Some(policy) => {
            let name: RepositoryName = ask.named("repository")?;
            ask.may(Requirement::Role(&name, Role::Admin)).await?;
            (name, None, policy.read(&ask, "policy")?)
        }
        None => {
            let (name, record) = found(&ask).await?;
            (name, Some(record.version), recorded(&record)?)
        }
    };
    let plan = begin(&ask, &name, &policy).await?;
    let (mut summary, mut first_dropped, mut after) = (Summary::default(), Vec::new(), None);
    loop {
        let page = plan.page(after.take(), PAGE).await?;
        let is_last = page.len() < PAGE;
        for judged in page {
            after = Some(judged.facts.tag.clone());
            summary.add(&judged);
            if judged.verdict.is_dropped() && first_dropped.len() < SHOWN {
                first_dropped.push(judged.into());
            }
        }
        if is_last {
            break;
        }
    }
    let (tags, dropped) = (summary.tags, summary.dropped);
    if let Some(version) = version {
        ask.change(PreviewRetention { repository: name, version, tags, dropped }).await?;
    }
    let decided = |((rule, reason), tags): (&(Option<_>, &'static str), &u64)| Decided {
        rule: rule.as_ref().map(ToString::to_string),
        reason,
        tags: *tags,
    };
    Ok(Plain(Preview {
        version,
        tags,
        dropped,
        manifests_untagged: summary.manifests_untagged(),
        by_rule: summary.by_rule.iter().map(decided).collect(),
        first_dropped,
    }))
}

pub(super) async fn report_running(ask: Ask<Nothing, Json<Running>>) -> Result<Done, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    let Json(Running { digest: Text(digest), by: Text(Words(by)), r#for: Text(lasts) }) = &ask.body;
    let report = ReportRunning {
        repository: repository.clone(),
        digest: *digest,
        reporter: by.clone(),
        lasts: *lasts,
    };
    ask.may_change(&report, Requirement::Role(&repository, Role::Write)).await?;
    if LONGEST_RUN.parse().is_ok_and(|longest: Age| *lasts > longest) {
        let detail =
            format!("{lasts} is more than {LONGEST_RUN}: report it again before that ends");
        return Err(Problem::unfit("for", detail));
    }
    ask.change(report).await?;
    Ok(Done)
}

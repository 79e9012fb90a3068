//! The retention of a repository: its policy, what it would drop, and what is reported to run.

mod policy_text;
mod shown;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use wharf_core::access::Role;
use wharf_core::metadata::{
    EnableRetention, PreviewRetention, RemoveRetention, ReportRunning, RetentionRecord,
    SetRetention,
};
use wharf_core::operation::Requirement;
use wharf_core::retention::{Age, Plan, PlanError, Policy, Summary, Untagged};
use wharf_oci::{Digest, RepositoryName};

use super::answer::{Done, Plain, Versioned};
use super::ask::{Ask, Json, Nothing, Version};
use super::pages::{Items, PageOf, limit};
use super::problem::Problem;
use super::values::{Text, Words};
use policy_text::PolicyText;
use shown::{PlannedTag, Preview, Retention, UntaggedPlan};

/// How many tags are judged at once.
const PAGE: usize = 500;

/// How many of the tags, and of the manifests without one, that would go are in a preview.
const SHOWN: usize = 100;

/// The longest time for which something is reported to run.
const LONGEST_RUN: &str = "30d";

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

/// Which version is meant.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Enabling {
    /// That of the preview.
    version: VersionNumber,
}

/// Counts the changes of a policy.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "serde_json::Number")]
struct VersionNumber(i64);

/// The largest whole number up to which JSON tells all from each other.
const MOST_VERSIONS: i64 = 1 << 53;

/// JSON knows no whole numbers: 3.0 is 3.
impl TryFrom<serde_json::Number> for VersionNumber {
    type Error = String;

    fn try_from(number: serde_json::Number) -> Result<Self, String> {
        let whole = || number.as_f64().filter(|number| number.fract() == 0.0).map(|it| it as i64);
        let found = number.as_i64().or_else(whole).filter(|it| (1..=MOST_VERSIONS).contains(it));
        found.map(Self).ok_or_else(|| format!("{number} must be a whole number from 1"))
    }
}

impl JsonSchema for VersionNumber {
    fn schema_name() -> Cow<'static, str> {
        "PolicyVersion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer", "minimum": 1, "maximum": MOST_VERSIONS, "description": "The version of a policy."
        })
    }
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
    let expected = ask.expected_of(async { Ok(found.created_at) }).await?;
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
    ask.change(EnableRetention { repository, version: ask.body.0.version.0 }).await?;
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
    let untagged = untagged(&ask, &name, &policy).await?;
    if let Some(version) = version {
        let (tags, dropped) = (summary.tags, summary.dropped);
        let untagged = untagged.as_ref().map_or(0, |untagged| untagged.manifests);
        let repository = name;
        ask.change(PreviewRetention { repository, version, tags, dropped, untagged }).await?;
    }
    Ok(Plain(Preview::of(version, &summary, first_dropped, untagged)))
}

/// Which manifests without a tag go by a policy, if it lets any go.
async fn untagged<Q, B>(
    ask: &Ask<Q, B>,
    name: &RepositoryName,
    policy: &Policy,
) -> Result<Option<UntaggedPlan>, Problem> {
    let Untagged::After(age) = policy.untagged() else { return Ok(None) };
    let stores = ask.may(Requirement::Role(name, Role::Admin)).await?;
    let for_long = age.get().max(ask.registry().rules().grace);
    let (mut manifests, mut first, mut after) = (0, Vec::new(), None);
    loop {
        let began = Instant::now();
        let page = stores.retention.untagged_manifests(name.clone(), for_long, after, PAGE).await?;
        manifests += page.going.len() as u64;
        let room = SHOWN - first.len();
        first.extend(page.going.into_iter().take(room).map(Text));
        after = page.next;
        if after.is_none() {
            return Ok(Some(UntaggedPlan { after: Text(age), manifests, first }));
        }
        // So that others have the database for themselves half of the time.
        sleep(began.elapsed()).await;
    }
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

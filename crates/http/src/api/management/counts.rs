//! How often what was pulled and pushed.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::access::Role;
use wharf_core::clock::{Clock as _, SystemClock, Timestamp};
use wharf_core::metadata::{CountAt, CountKind, CountsOf, Span, Step, TopList, Within};
use wharf_core::operation::{Action, Requirement};
use wharf_core::permissions::AccountName;
use wharf_oci::{Digest, RepositoryName};

use super::answer::Plain;
use super::ask::Ask;
use super::pages::{Items, PageOf, limit};
use super::problem::Problem;
use super::values::Text;

const HOUR: Duration = Duration::from_secs(3600);

/// The span where nothing is said.
const USUAL: Duration = Duration::from_secs(7 * 24 * 3600);

/// The longest time that a list of places looks at: it sums all that is counted in it.
const LONGEST_TOP: Duration = Duration::from_secs(31 * 24 * 3600);

/// The most buckets in an answer: 41 days of hours.
const MOST_BUCKETS: usize = 1000;

/// Which counts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CountQuery {
    /// Pulls, where nothing is said.
    kind: Option<Text<CountKind>>,
    /// Those of one manifest; else the sums of the repository.
    manifest: Option<Text<Digest>>,
    /// From this moment on; a week before the end, where nothing is said.
    from: Option<Text<Timestamp>>,
    /// Before this moment; now, where nothing is said.
    to: Option<Text<Timestamp>>,
    /// How long a bucket is: an hour, where nothing is said. Days are those of UTC.
    step: Option<Text<Step>>,
}

/// Of which time.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TrendQuery {
    /// Pulls, where nothing is said.
    kind: Option<Text<CountKind>>,
    /// Those of one manifest; else the sums of the repository.
    manifest: Option<Text<Digest>>,
    /// How many hours the period has, up to 10000: a week's, where nothing is said.
    hours: Option<Text<u32>>,
}

/// Which places of a list of those that were asked for most.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TopQuery {
    /// Pulls, where nothing is said.
    kind: Option<Text<CountKind>>,
    /// From this moment on; a week before the end, where nothing is said.
    from: Option<Text<Timestamp>>,
    /// Before this moment; now, where nothing is said.
    to: Option<Text<Timestamp>>,
    /// How many places: 100 where nothing is said, and never more than 1000.
    limit: Option<Text<u32>>,
}

/// Which places of a list of the repositories that were asked for most.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TopRepositoryQuery {
    /// All of this namespace, for who administers it; else the public ones everywhere.
    namespace: Option<Text<AccountName>>,
    /// Pulls, where nothing is said.
    kind: Option<Text<CountKind>>,
    /// From this moment on; a week before the end, where nothing is said.
    from: Option<Text<Timestamp>>,
    /// Before this moment; now, where nothing is said.
    to: Option<Text<Timestamp>>,
    /// How many places: 100 where nothing is said, and never more than 1000.
    limit: Option<Text<u32>>,
}

/// The sum of a bucket.
#[derive(Serialize, JsonSchema)]
pub(super) struct Count {
    /// When the bucket begins.
    at: Text<Timestamp>,
    count: u64,
}

/// The sum of a period up to now, and that of the one before it.
#[derive(Serialize, JsonSchema)]
pub(super) struct Trend {
    current: u64,
    previous: u64,
}

/// A repository's place.
#[derive(Serialize, JsonSchema)]
pub(super) struct TopRepository {
    repository: Text<RepositoryName>,
    count: u64,
}

/// A manifest's place.
#[derive(Serialize, JsonSchema)]
pub(super) struct TopManifest {
    digest: Text<Digest>,
    count: u64,
}

fn span(from: Option<&Text<Timestamp>>, to: Option<&Text<Timestamp>>) -> Result<Span, Problem> {
    // The hour that runs is in it.
    let to = to.map_or_else(|| SystemClock.now().after(HOUR), |Text(to)| *to);
    let from = from.map_or_else(|| to.before(USUAL), |Text(from)| *from);
    if from < to {
        Ok(Span { from, to })
    } else {
        Err(Problem::unfit("from", "it must be before `to`"))
    }
}

/// The span of a list of places.
fn top_span(from: Option<&Text<Timestamp>>, to: Option<&Text<Timestamp>>) -> Result<Span, Problem> {
    let span = span(from, to)?;
    if span.from.after(LONGEST_TOP) < span.to {
        return Err(Problem::unfit("from", "it must be at most 31 days before `to`"));
    }
    Ok(span)
}

fn of(
    repository: &RepositoryName,
    manifest: Option<&Text<Digest>>,
    kind: Option<&Text<CountKind>>,
) -> CountsOf {
    CountsOf {
        repository: repository.clone(),
        manifest: manifest.map(|Text(digest)| *digest),
        kind: kind_of(kind),
    }
}

fn kind_of(kind: Option<&Text<CountKind>>) -> CountKind {
    kind.map_or(CountKind::Pull, |Text(kind)| *kind)
}

pub(super) async fn range(ask: Ask<CountQuery>) -> Result<PageOf<Count>, Problem> {
    let name: RepositoryName = ask.named("repository")?;
    let stores = ask.may(Requirement::Repository(&name, Action::Pull)).await?;
    let query = &ask.query;
    let span = span(query.from.as_ref(), query.to.as_ref())?;
    let of = of(&name, query.manifest.as_ref(), query.kind.as_ref());
    let step = query.step.as_ref().map_or(Step::Hour, |Text(step)| *step);
    let mut buckets = stores.counts.count_range(of, span, step, MOST_BUCKETS + 1).await?;
    let more = buckets.len() > MOST_BUCKETS;
    buckets.truncate(MOST_BUCKETS);
    if more {
        let detail = format!(
            "there are more than {MOST_BUCKETS} buckets in that time: ask for days, or for less"
        );
        return Err(Problem::unfit("from", detail));
    }
    let shown = |CountAt { at, count }: CountAt| Count { at: Text(at), count };
    Ok(Plain(Items { items: buckets.into_iter().map(shown).collect(), next: None }))
}

pub(super) async fn trend(ask: Ask<TrendQuery>) -> Result<Plain<Trend>, Problem> {
    const USUAL_HOURS: u32 = 7 * 24;
    const MOST_HOURS: u32 = 10_000;
    let name: RepositoryName = ask.named("repository")?;
    let stores = ask.may(Requirement::Repository(&name, Action::Pull)).await?;
    let query = &ask.query;
    let hours = query.hours.as_ref().map_or(USUAL_HOURS, |Text(hours)| (*hours).min(MOST_HOURS));
    let of = of(&name, query.manifest.as_ref(), query.kind.as_ref());
    let trend = stores.counts.count_trend(of, HOUR.saturating_mul(hours)).await?;
    Ok(Plain(Trend { current: trend.current, previous: trend.previous }))
}

pub(super) async fn top_manifests(ask: Ask<TopQuery>) -> Result<PageOf<TopManifest>, Problem> {
    let name: RepositoryName = ask.named("repository")?;
    let stores = ask.may(Requirement::Repository(&name, Action::Pull)).await?;
    let query = &ask.query;
    let list = TopList {
        within: Within::Repository(name),
        public_only: false,
        kind: kind_of(query.kind.as_ref()),
        span: top_span(query.from.as_ref(), query.to.as_ref())?,
        limit: limit(query.limit.as_ref()),
    };
    let top = stores.counts.top_manifests(list).await?.into_iter();
    let items = top.map(|top| TopManifest { digest: Text(top.digest), count: top.count }).collect();
    Ok(Plain(Items { items, next: None }))
}

pub(super) async fn top_repositories(
    ask: Ask<TopRepositoryQuery>,
) -> Result<PageOf<TopRepository>, Problem> {
    let query = &ask.query;
    let namespace = query.namespace.clone().map(|Text(namespace)| namespace);
    let (stores, public_only) = match &namespace {
        Some(namespace) => (ask.may(Requirement::Namespace(namespace, Role::Admin)).await?, false),
        None => {
            let all = ask.has(Requirement::Site).await?;
            (ask.may(Requirement::Access).await?, !all)
        }
    };
    let list = TopList {
        within: namespace.map_or(Within::Everywhere, Within::Namespace),
        public_only,
        kind: kind_of(query.kind.as_ref()),
        span: top_span(query.from.as_ref(), query.to.as_ref())?,
        limit: limit(query.limit.as_ref()),
    };
    let top = stores.counts.top_repositories(list).await?.into_iter();
    let shown = |top: wharf_core::metadata::TopRepository| TopRepository {
        repository: Text(top.repository),
        count: top.count,
    };
    Ok(Plain(Items { items: top.map(shown).collect(), next: None }))
}

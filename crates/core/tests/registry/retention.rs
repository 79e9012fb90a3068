//! Runs of retention: what a policy drops is gone from the caches too, and nothing else is, whatever comes between.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use wharf_core::clock::Timestamp;
use wharf_core::immutability::{self, MutableFor, PolicyScope};
use wharf_core::metadata::*;
use wharf_core::retention::{
    Judged, Plan, Policy, PullsKnown, RunOutcome, Summary, Sweeper, TagFacts, Turn,
};
use wharf_core::writes::{WriteMode, WriteScope};
use wharf_core::{Rules, StoreError};
use wharf_metadata::{Database, Sqlite};
use wharf_oci::{Digest, RepositoryName, Tag, TagSelection};

use crate::stand::{Stand, name};

type Result<T> = std::result::Result<T, StoreError>;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The stand's database, where something may come between.
struct Between {
    inner: Database<Sqlite>,
    /// What is recorded as the policy, in place of it.
    document: Mutex<Option<String>>,
    /// What happens before the next tag is dropped.
    before_drop: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    /// The drop that fails: 1 is the next one.
    failing: AtomicU64,
}

#[async_trait]
impl Retention for Between {
    async fn find_retention(&self, repository: RepositoryName) -> Result<Option<RetentionRecord>> {
        let document = self.document.lock().unwrap().clone();
        let found = self.inner.find_retention(repository).await?;
        Ok(found.map(|found| match document {
            Some(document) => RetentionRecord { document, ..found },
            None => found,
        }))
    }

    async fn list_retention(
        &self,
        after: Option<RepositoryName>,
        limit: usize,
    ) -> Result<Vec<RepositoryName>> {
        self.inner.list_retention(after, limit).await
    }

    async fn retention_basis(&self, repository: RepositoryName) -> Result<Option<RetentionBasis>> {
        self.inner.retention_basis(repository).await
    }

    async fn retention_keys(
        &self,
        repository: RepositoryName,
        after: Option<Tag>,
        limit: usize,
    ) -> Result<Vec<TagKey>> {
        self.inner.retention_keys(repository, after, limit).await
    }

    async fn retention_facts(
        &self,
        repository: RepositoryName,
        after: Option<Tag>,
        limit: usize,
        pulled_since: Timestamp,
    ) -> Result<Vec<TagFacts>> {
        self.inner.retention_facts(repository, after, limit, pulled_since).await
    }

    async fn untagged_manifests(
        &self,
        repository: RepositoryName,
        for_long: Duration,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<UntaggedPage> {
        self.inner.untagged_manifests(repository, for_long, after, limit).await
    }

    async fn drop_tag(&self, drop: DropTag) -> Result<DropOutcome> {
        let before = self.before_drop.lock().unwrap().take();
        if let Some(before) = before {
            before.await;
        }
        if self.failing.fetch_sub(1, Ordering::SeqCst) == 1 {
            return Err(StoreError::Unavailable("on purpose".into()));
        }
        self.inner.drop_tag(drop).await
    }

    async fn record_retention_run(
        &self,
        repository: RepositoryName,
        run: RetentionRun,
    ) -> Result<()> {
        self.inner.record_retention_run(repository, run).await
    }

    async fn forget_running(&self, limit: usize) -> Result<u64> {
        self.inner.forget_running(limit).await
    }
}

/// A registry whose policies are run.
struct House {
    stand: Arc<Stand>,
    store: Arc<Between>,
    sweeper: Sweeper,
}

impl House {
    fn new(rules: Rules) -> Self {
        let stand = Arc::new(Stand::with(rules));
        let file = stand.folder.path().join("metadata.db");
        let store = Arc::new(Between {
            inner: Database::on_sqlite(Sqlite::open(&file, stand.clock.clone()).unwrap()),
            document: Mutex::default(),
            before_drop: Mutex::default(),
            failing: AtomicU64::new(u64::MAX),
        });
        let sweeper = Sweeper {
            registry: stand.registry.clone(),
            store: store.clone(),
            pulls: PullsKnown { keep: Some(DAY * 400) },
            pause: Duration::ZERO,
            turn: Duration::from_secs(600),
        };
        Self { stand, store, sweeper }
    }

    async fn change(&self, change: impl Into<AccountChange>) {
        let request = ChangeRequest { change: change.into(), by: "user:ada".into(), once: None };
        assert_eq!(self.store.inner.change(request).await.unwrap(), Change::Done);
    }

    /// A repository whose policy keeps the tags of one day.
    async fn with_policy(&self) {
        let rule =
            r#"{"name":"old","tags":["*"],"except":["keep*"],"keep":{"pushed_within":"1d"}}"#;
        let policy = Policy::parse(&format!(r#"{{"rules":[{rule}]}}"#)).unwrap();
        let repository = name("a");
        self.change(SetRetention { repository: repository.clone(), policy, expected: None }).await;
        let (version, tags, dropped, untagged) = (1, 0, 0, 0);
        let of = repository.clone();
        let preview = PreviewRetention { repository: of, version, tags, dropped, untagged };
        self.change(preview).await;
        self.change(EnableRetention { repository, version }).await;
    }

    /// Pushes under so many tags that the policy drops: `t000`, `t001`, …
    async fn push_old(&self, count: usize) {
        let tags: Vec<String> = (0..count).map(|number| format!("t{number:03}")).collect();
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        self.stand.tag("a", "old", &tags).await;
        self.stand.clock.advance(DAY * 2);
    }

    async fn run(&self) -> RunOutcome {
        self.sweeper.run("a").await.unwrap()
    }

    async fn tags(&self) -> Vec<String> {
        let found = self.store.inner.list_tags(name("a"), None, 10_000).await.unwrap().unwrap();
        found.iter().map(ToString::to_string).collect()
    }

    async fn last_run(&self) -> RetentionRun {
        self.store.inner.find_retention(name("a")).await.unwrap().unwrap().last_run.unwrap()
    }
}

#[tokio::test]
async fn what_a_policy_drops_is_gone_from_the_cache_too() {
    let house = House::new(Rules::default());
    house.stand.tag("a", "one", &["v1", "keep"]).await;
    house.stand.clock.advance(DAY * 2);
    house.stand.tag("a", "two", &["v2"]).await;
    house.with_policy().await;
    for tag in ["v1", "v2", "keep"] {
        assert!(house.stand.manifest("a", tag).await.is_some());
    }
    assert_eq!(house.run().await, RunOutcome::Done(Turn { kept: 2, dropped: 1 }));
    assert!(house.stand.manifest("a", "v1").await.is_none());
    assert_eq!(house.tags().await, ["keep", "v2"]);
    let run = house.last_run().await;
    assert_eq!((run.version, run.kept, run.dropped, run.problem), (1, 2, 1, None));
    assert_eq!(house.run().await, RunOutcome::Done(Turn { kept: 2, dropped: 0 }));
}

/// What immutability and pins keep, too: it is told before, and counted so.
#[tokio::test]
async fn a_run_drops_what_its_plan_said_and_nothing_else() {
    let house = House::new(Rules::default());
    house.stand.tag("a", "pinned", &["p"]).await;
    house.push_old(3).await;
    let tags = TagSelection::new(&["t001"], &[]).unwrap();
    let (frozen, mutable_for) = ("releases".parse().unwrap(), MutableFor::default());
    let frozen = immutability::Policy { name: frozen, tags, mutable_for };
    let of = PolicyScope::Repository(name("a"));
    house.change(NewImmutabilityPolicy { of, policy: frozen }).await;
    let (pin, target) = ("shipped".parse().unwrap(), PinTarget::Tag("p".parse().unwrap(), None));
    let pin =
        PinManifest { repository: name("a"), name: pin, target, until: None, by: "ada".into() };
    let pinned = house.store.inner.pin_manifest(pin).await.unwrap();
    assert!(matches!(pinned, PinOutcome::Pinned { .. }), "{pinned:?}");
    house.with_policy().await;
    let record = house.store.inner.find_retention(name("a")).await.unwrap().unwrap();
    let policy = Policy::parse(&record.document).unwrap();
    let pulls = house.sweeper.pulls;
    let plan = Plan::begin(&*house.store, name("a"), &policy, pulls).await.unwrap().unwrap();
    let (mut summary, mut said) = (Summary::default(), Vec::new());
    for judged in plan.page(None, 100).await.unwrap() {
        summary.add(&judged);
        let Judged { facts, verdict } = judged;
        said.push(match verdict.protection() {
            Some(protection) => format!("{} {} by {protection}", facts.tag, verdict.reason()),
            None => format!("{} {}", facts.tag, verdict.reason()),
        });
    }
    let expected = [
        "p pinned by pin shipped",
        "t000 not_kept",
        "t001 frozen by policy releases of repository:a",
        "t002 not_kept",
    ];
    assert_eq!(said, expected);
    assert_eq!((summary.tags, summary.dropped), (4, 2));
    assert_eq!(house.run().await, RunOutcome::Done(Turn { kept: 2, dropped: 2 }));
    assert_eq!(house.tags().await, ["p", "t001"]);
}

#[tokio::test]
async fn nothing_runs_where_no_policy_is_enabled() {
    let house = House::new(Rules::default());
    house.push_old(1).await;
    assert_eq!(house.run().await, RunOutcome::Idle);
    let policy = Policy::parse(r#"{"rules":[{"name":"r","tags":["*"],"keep":{"signed":true}}]}"#);
    let set = SetRetention { repository: name("a"), policy: policy.unwrap(), expected: None };
    house.change(set).await;
    assert_eq!(house.run().await, RunOutcome::Idle);
    for unknown in ["b", "no name", ""] {
        assert_eq!(house.sweeper.run(unknown).await.unwrap(), RunOutcome::Idle, "{unknown:?}");
    }
    assert_eq!(house.tags().await, ["t000"]);
}

/// It may have meant an exception that is not known here.
#[tokio::test]
async fn a_policy_that_cannot_be_read_drops_nothing_and_says_so() {
    let house = House::new(Rules::default());
    house.push_old(2).await;
    house.with_policy().await;
    for document in [
        "",
        r#"{"rules":[{"name":"old","tags":["*"],"keep":{"pushed_within":"1d","blessed":true}}]}"#,
        r#"{"rules":[{"name":"old","tags":["*"],"keep":{"pushed_within":"1d"}}],"until":"2030"}"#,
        r#"{"rules":[{"name":"old","tags":["*"],"keep":{"newest":0}}]}"#,
    ] {
        *house.store.document.lock().unwrap() = Some(document.into());
        let RunOutcome::Refused(problem) = house.run().await else { panic!("{document}") };
        assert!(problem.contains("cannot be read, and drops nothing"), "{problem}");
        assert_eq!(house.last_run().await.problem, Some(problem));
        assert_eq!(house.tags().await, ["t000", "t001"], "{document}");
    }
    *house.store.document.lock().unwrap() = None;
    assert_eq!(house.run().await, RunOutcome::Done(Turn { kept: 0, dropped: 2 }));
    assert_eq!(house.last_run().await.problem, None);
}

#[tokio::test]
async fn a_tag_that_is_pushed_between_judgement_and_drop_stays() {
    let house = House::new(Rules::default());
    house.push_old(3).await;
    house.with_policy().await;
    let stand = house.stand.clone();
    let push = async move {
        stand.tag("a", "new", &["t000", "t002"]).await;
    };
    *house.store.before_drop.lock().unwrap() = Some(Box::pin(push));
    assert_eq!(house.run().await, RunOutcome::Done(Turn { kept: 2, dropped: 1 }));
    assert_eq!(house.tags().await, ["t000", "t002"]);
    assert!(house.stand.manifest("a", "t002").await.is_some());
}

#[tokio::test]
async fn a_policy_that_is_taken_away_drops_nothing_more() {
    let house = House::new(Rules::default());
    house.push_old(3).await;
    house.with_policy().await;
    let file = house.stand.folder.path().join("metadata.db");
    let other = Database::on_sqlite(Sqlite::open(&file, house.stand.clock.clone()).unwrap());
    let remove = async move {
        let change = RemoveRetention { repository: name("a") }.into();
        let request = ChangeRequest { change, by: "user:ada".into(), once: None };
        assert_eq!(other.change(request).await.unwrap(), Change::Done);
    };
    *house.store.before_drop.lock().unwrap() = Some(Box::pin(remove));
    assert_eq!(house.run().await, RunOutcome::Done(Turn::default()));
    assert_eq!(house.tags().await.len(), 3);
}

/// Not a failure: nothing is recorded of it, and the next run does it.
#[tokio::test]
async fn what_is_read_only_is_passed_over() {
    let house = House::new(Rules::default());
    house.push_old(2).await;
    house.with_policy().await;
    let set = async |mode| {
        let scope = WriteScope::Repository(name("a"));
        house.change(SetWrites { scope, mode, reason: None }).await;
    };
    set(WriteMode::ReadOnly).await;
    assert_eq!(house.run().await, RunOutcome::Idle);
    let found = house.store.inner.find_retention(name("a")).await.unwrap().unwrap();
    assert_eq!(found.last_run, None);
    assert_eq!(house.tags().await, ["t000", "t001"]);
    set(WriteMode::Writable).await;
    assert_eq!(house.run().await, RunOutcome::Done(Turn { kept: 0, dropped: 2 }));
}

/// As where its node dies: what is dropped is dropped, and the rest is found.
#[tokio::test]
async fn a_run_that_failed_goes_on_where_it_was() {
    let house = House::new(Rules::default());
    house.push_old(5).await;
    house.with_policy().await;
    house.store.failing.store(3, Ordering::SeqCst);
    assert!(matches!(house.sweeper.run("a").await, Err(StoreError::Unavailable(_))));
    assert_eq!(house.tags().await, ["t002", "t003", "t004"]);
    assert_eq!(house.run().await, RunOutcome::Done(Turn { kept: 0, dropped: 3 }));
}

#[tokio::test]
async fn a_turn_ends_when_its_time_is_over_and_the_next_one_goes_on() {
    let mut house = House::new(Rules::default());
    house.push_old(450).await;
    house.with_policy().await;
    house.sweeper.turn = Duration::ZERO;
    assert_eq!(house.run().await, RunOutcome::More(Turn { kept: 0, dropped: 200 }));
    assert_eq!(house.run().await, RunOutcome::More(Turn { kept: 0, dropped: 200 }));
    assert_eq!(house.run().await, RunOutcome::Done(Turn { kept: 0, dropped: 50 }));
    assert!(house.tags().await.is_empty());
}

#[tokio::test]
async fn nothing_is_dropped_where_deleting_is_switched_off() {
    let house = House::new(Rules { allow_delete: false, ..Rules::default() });
    house.push_old(1).await;
    house.with_policy().await;
    let RunOutcome::Refused(problem) = house.run().await else { panic!() };
    assert!(problem.contains("registry.delete = false"), "{problem}");
    assert_eq!(house.tags().await, ["t000"]);
}

/// By the clock of the runtime, which goes on only while all wait for it.
#[tokio::test(start_paused = true)]
async fn tags_are_dropped_no_faster_than_asked() {
    for (pause, least) in [(100, 2000), (0, 0)].map(|(a, b)| (millis(a), millis(b))) {
        let mut house = House::new(Rules::default());
        house.sweeper.pause = pause;
        house.stand.tag("a", "kept", &["keep1", "keep2"]).await;
        house.push_old(20).await;
        house.with_policy().await;
        let began = Instant::now();
        assert_eq!(house.run().await, RunOutcome::Done(Turn { kept: 2, dropped: 20 }));
        let took = began.elapsed();
        assert!((least..least + millis(500)).contains(&took), "{pause:?}: {took:?}");
    }
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

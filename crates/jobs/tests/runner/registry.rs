//! The jobs of a registry, on SQLite: several nodes' worth of runners on one queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use wharf_blobs::MemoryBlobs;
use wharf_core::Registry;
use wharf_core::clock::{Clock, Timestamp};
use wharf_core::metadata::{JobState, JobStatus, Jobs, Uploads};
use wharf_core::operation::StartUpload;
use wharf_core::permissions::{Caller, Principal};
use wharf_jobs::{Rules, RunCounters, RunEnd, RunnerRules};
use wharf_metadata::{Database, Sqlite};
use wharf_oci::Algorithm;

use crate::small::Small;

/// A clock that stands still until it is moved.
struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

struct Node {
    registry: Arc<Registry>,
    database: Arc<Database<Sqlite>>,
    blobs: Arc<MemoryBlobs>,
    clock: Arc<HandClock>,
    _folder: TempDir,
}

impl Node {
    fn new() -> Self {
        let clock = Arc::new(HandClock(AtomicI64::new(1_700_000_000_000_000)));
        let Small { registry, database, blobs, folder, .. } = Small::new(clock.clone());
        Self { registry, database, blobs, clock, _folder: folder }
    }

    async fn start_upload(&self) {
        let operation = StartUpload { repository: "a".parse().unwrap() };
        let operation =
            self.registry.permit(Caller::new(Principal::Anonymous), operation).await.unwrap();
        self.registry.start_upload(&operation, Algorithm::Sha256).await.unwrap();
    }

    fn advance(&self, by: Duration) {
        self.clock.0.fetch_add(by.as_micros() as i64, Ordering::SeqCst);
    }

    async fn jobs(&self) -> Vec<JobStatus> {
        self.database.list_jobs(0, 100).await.unwrap()
    }

    /// Waits until every job has run and rests.
    async fn rested(&self) -> Vec<JobStatus> {
        let begin = Instant::now();
        loop {
            let jobs = self.jobs().await;
            let now = self.clock.now();
            let rests = |job: &JobStatus| job.state == JobState::Waiting && job.due.unwrap() > now;
            if jobs.len() == 16 && jobs.iter().all(rests) {
                return jobs;
            }
            assert!(begin.elapsed() < Duration::from_secs(30), "{jobs:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_cleans_up_after_itself() {
    let node = Node::new();
    node.start_upload().await;
    let rules = Rules {
        runner: RunnerRules { poll: Duration::from_millis(10), ..RunnerRules::default() },
        keep_tag_history: Some(Duration::from_secs(3600)),
        ..Rules::default()
    };
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let counters = Arc::new(RunCounters::default());
    let runners: Vec<_> = (0..3)
        .map(|_| {
            let parts = wharf_jobs::Parts {
                registry: node.registry.clone(),
                jobs: node.database.clone(),
                events: node.database.clone(),
                accounts: node.database.clone(),
                audit: node.database.clone(),
                counts: node.database.clone(),
                garbage: node.database.clone(),
                retention: node.database.clone(),
                writes: node.database.clone(),
                adopter: None,
                usage: node.database.clone(),
                usage_counters: Arc::default(),
                counters: counters.clone(),
                collected: Arc::default(),
                objects: node.blobs.clone(),
                integrity: node.database.clone(),
                copies: Vec::new(),
                scrubbed: Arc::default(),
            };
            let mut stopping = stopping.clone();
            tokio::spawn(wharf_jobs::run(parts, rules.clone(), async move {
                let _ = stopping.wait_for(|stop| *stop).await;
            }))
        })
        .collect();
    let jobs = node.rested().await;
    let mut kinds: Vec<_> = jobs.iter().map(|job| job.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            "accounts.upkeep",
            "counts.upkeep",
            "events.upkeep",
            "garbage.collect",
            "garbage.manifests",
            "retention.schedule",
            "scrub.contents",
            "scrub.manifests",
            "scrub.objects",
            "scrub.quarantined",
            "scrub.references",
            "staging.collect",
            "tags.forget_history",
            "uploads.expire",
            "usage.count",
            "writes.end_drains"
        ]
    );
    let mut known = wharf_jobs::kinds(&rules);
    known.sort_unstable();
    assert_eq!(kinds, known);
    assert_eq!(wharf_jobs::kinds(&Rules::default()).len(), 15);
    assert_eq!(wharf_jobs::kinds(&Rules { scrub: None, ..Rules::default() }).len(), 10);
    let runs = counters.all();
    assert!(kinds.iter().all(|kind| {
        runs.iter().any(|(of, end, runs)| of == kind && *end == RunEnd::Done && runs.count > 0)
    }));
    assert!(jobs.iter().all(|job| job.attempts == 0 && job.last_error.is_none()), "{jobs:?}");
    assert_eq!(node.database.count_uploads().await.unwrap(), 1);
    node.advance(node.registry.rules().upload_lifetime);
    let begin = Instant::now();
    while node.database.count_uploads().await.unwrap() > 0 {
        assert!(begin.elapsed() < Duration::from_secs(30));
        sleep(Duration::from_millis(5)).await;
    }
    node.rested().await;
    stop.send_replace(true);
    for runner in runners {
        runner.await.unwrap();
    }
}

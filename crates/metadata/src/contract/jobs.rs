//! Rules of the queue of jobs: who holds one, for how long, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Barrier;
use wharf_core::clock::Clock;
use wharf_core::metadata::{ClaimedJob, JobOutcome, JobState, JobStatus, Lease, NewJob};

use super::stand::{Stand, TICK};

pub(super) const LEASE: Duration = Duration::from_secs(60);
pub(super) const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn job(kind: &str, key: &str) -> NewJob {
    NewJob { kind: kind.into(), key: key.into(), payload: "{}".into(), delay: Duration::ZERO }
}

pub(super) async fn enqueue(stand: &Stand, job: NewJob) {
    assert!(stand.jobs.enqueue_job(job).await.unwrap());
}

pub(super) async fn claim(stand: &Stand, kinds: &[&str]) -> Option<ClaimedJob> {
    let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    stand.jobs.claim_job(kinds, LEASE).await.unwrap()
}

async fn claimed_key(stand: &Stand, kinds: &[&str]) -> Option<String> {
    claim(stand, kinds).await.map(|claimed| claimed.key)
}

pub(super) async fn end(stand: &Stand, held: Lease, outcome: JobOutcome) -> bool {
    stand.jobs.end_job(held, outcome).await.unwrap()
}

pub(super) async fn list(stand: &Stand) -> Vec<JobStatus> {
    stand.jobs.list_jobs(0, 100).await.unwrap()
}

/// The one job there is.
pub(super) async fn only(stand: &Stand) -> JobStatus {
    let mut all = list(stand).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn outcomes() -> [JobOutcome; 5] {
    let error = || "broken".to_owned();
    [
        JobOutcome::Done,
        JobOutcome::Again(MINUTE),
        JobOutcome::Retry { after: MINUTE, error: error() },
        JobOutcome::Dead { error: error() },
        JobOutcome::GivenBack,
    ]
}

/// And nobody else gets it while its lease lasts.
pub async fn a_job_is_claimed_once_with_what_it_says(stand: &Stand) {
    enqueue(stand, NewJob { payload: r#"{"a":1}"#.into(), ..job("sweep", "all") }).await;
    assert_eq!(only(stand).await.state, JobState::Waiting);
    let claimed = claim(stand, &["sweep"]).await.unwrap();
    assert_eq!((claimed.kind.as_str(), claimed.key.as_str()), ("sweep", "all"));
    assert_eq!((claimed.payload.as_str(), claimed.attempt), (r#"{"a":1}"#, 1));
    let status = only(stand).await;
    assert_eq!((status.id, status.state), (claimed.lease.id, JobState::Running));
    assert_eq!(status.due, Some(stand.clock.now().after(LEASE)));
    stand.clock.advance(LEASE - TICK);
    assert_eq!(claim(stand, &["sweep"]).await, None);
}

/// Whether it waits, runs or was set aside.
pub async fn of_one_kind_and_key_there_is_one_job(stand: &Stand) {
    enqueue(stand, job("sweep", "a")).await;
    enqueue(stand, job("sweep", "b")).await;
    enqueue(stand, job("scan", "a")).await;
    let other = NewJob { payload: "other".into(), ..job("sweep", "a") };
    assert!(!stand.jobs.enqueue_job(other.clone()).await.unwrap());
    let claimed = claim(stand, &["sweep"]).await.unwrap();
    assert_eq!((claimed.key.as_str(), claimed.payload.as_str()), ("a", "{}"));
    assert!(!stand.jobs.enqueue_job(other.clone()).await.unwrap());
    assert!(end(stand, claimed.lease, JobOutcome::Dead { error: "no".into() }).await);
    assert!(!stand.jobs.enqueue_job(other).await.unwrap());
    assert_eq!(list(stand).await.len(), 3);
}

/// By the database's clock.
pub async fn a_job_waits_for_its_time(stand: &Stand) {
    enqueue(stand, NewJob { delay: MINUTE, ..job("sweep", "a") }).await;
    assert_eq!(claim(stand, &["sweep"]).await, None);
    stand.clock.advance(MINUTE - TICK);
    assert_eq!(claim(stand, &["sweep"]).await, None);
    stand.clock.advance(TICK);
    assert_eq!(claimed_key(stand, &["sweep"]).await.as_deref(), Some("a"));
}

/// Of all the kinds asked for.
pub async fn the_job_that_is_due_longest_comes_first(stand: &Stand) {
    for (kind, key, seconds) in [("b", "3", 3), ("a", "2", 2), ("b", "1", 1), ("a", "4", 4)] {
        let delay = Duration::from_secs(seconds);
        enqueue(stand, NewJob { delay, ..job(kind, key) }).await;
    }
    stand.clock.advance(MINUTE);
    for expected in ["1", "2", "3", "4"] {
        assert_eq!(claimed_key(stand, &["a", "b", "c"]).await.as_deref(), Some(expected));
    }
    assert_eq!(claim(stand, &["a", "b", "c"]).await, None);
}

/// What no code here can do waits for a runner that can.
pub async fn only_jobs_of_the_kinds_asked_for_are_claimed(stand: &Stand) {
    enqueue(stand, job("sweep", "a")).await;
    assert_eq!(claim(stand, &["scan", "swee", "sweep2"]).await, None);
    assert_eq!(claim(stand, &[]).await, None);
    assert!(claim(stand, &["scan", "sweep"]).await.is_some());
}

/// As when its process crashed.
pub async fn a_job_whose_runner_is_gone_is_due_when_its_lease_ends(stand: &Stand) {
    enqueue(stand, job("sweep", "a")).await;
    let first = claim(stand, &["sweep"]).await.unwrap();
    stand.clock.advance(LEASE);
    assert_eq!(only(stand).await.state, JobState::Waiting);
    let second = claim(stand, &["sweep"]).await.unwrap();
    assert_eq!((second.lease.id, second.attempt), (first.lease.id, 2));
    assert_ne!(second.lease, first.lease);
}

/// Also one that had ended, as long as nobody else came.
pub async fn a_lease_that_is_extended_lasts(stand: &Stand) {
    enqueue(stand, job("sweep", "a")).await;
    let held = claim(stand, &["sweep"]).await.unwrap().lease;
    for pause in [LEASE / 2, LEASE / 2, LEASE * 2] {
        stand.clock.advance(pause);
        assert!(stand.jobs.extend_lease(held, LEASE).await.unwrap());
        assert_eq!(claim(stand, &["sweep"]).await, None);
    }
    assert!(end(stand, held, JobOutcome::Done).await);
    assert!(!stand.jobs.extend_lease(held, LEASE).await.unwrap());
}

/// Another runner holds the job, or has ended it.
pub async fn a_runner_that_lost_its_job_changes_nothing(stand: &Stand) {
    enqueue(stand, job("sweep", "a")).await;
    let lost = claim(stand, &["sweep"]).await.unwrap().lease;
    stand.clock.advance(LEASE);
    let held = claim(stand, &["sweep"]).await.unwrap().lease;
    let before = list(stand).await;
    for outcome in outcomes() {
        assert!(!end(stand, lost, outcome).await);
        assert!(!stand.jobs.extend_lease(lost, LEASE * 9).await.unwrap());
        assert_eq!(list(stand).await, before);
    }
    assert!(end(stand, held, JobOutcome::Again(MINUTE)).await);
    let before = list(stand).await;
    for held in [held, lost] {
        for outcome in outcomes() {
            assert!(!end(stand, held, outcome).await);
            assert!(!stand.jobs.extend_lease(held, LEASE * 9).await.unwrap());
            assert_eq!(list(stand).await, before);
        }
    }
}

/// Its successor under the same key is another job.
pub async fn a_job_that_is_done_is_forgotten(stand: &Stand) {
    enqueue(stand, job("sweep", "a")).await;
    let held = claim(stand, &["sweep"]).await.unwrap().lease;
    assert!(end(stand, held, JobOutcome::Done).await);
    assert!(list(stand).await.is_empty());
    enqueue(stand, job("sweep", "a")).await;
    let next = claim(stand, &["sweep"]).await.unwrap().lease;
    assert_ne!(next.id, held.id);
    assert!(!end(stand, held, JobOutcome::Done).await);
    assert_eq!(only(stand).await.id, next.id);
}

/// Its failures are forgotten.
pub async fn a_job_that_is_due_again_waits_for_its_time(stand: &Stand) {
    enqueue(stand, job("sweep", "a")).await;
    let held = claim(stand, &["sweep"]).await.unwrap().lease;
    let failed = JobOutcome::Retry { after: Duration::ZERO, error: "broken".into() };
    assert!(end(stand, held, failed).await);
    let held = claim(stand, &["sweep"]).await.unwrap().lease;
    assert!(end(stand, held, JobOutcome::Again(MINUTE)).await);
    let status = only(stand).await;
    assert_eq!((status.state, status.attempts, status.last_error), (JobState::Waiting, 0, None));
    stand.clock.advance(MINUTE - TICK);
    assert_eq!(claim(stand, &["sweep"]).await, None);
    stand.clock.advance(TICK);
    assert_eq!(claim(stand, &["sweep"]).await.unwrap().attempt, 1);
}

/// A reason of any length is taken, and kept in part.
pub async fn a_job_that_failed_is_tried_again_later(stand: &Stand) {
    enqueue(stand, job("sweep", "a")).await;
    for attempt in 1..=3 {
        let claimed = claim(stand, &["sweep"]).await.unwrap();
        assert_eq!(claimed.attempt, attempt);
        let error = "é".repeat(5000);
        assert!(end(stand, claimed.lease, JobOutcome::Retry { after: MINUTE, error }).await);
        let status = only(stand).await;
        assert_eq!((status.state, status.attempts), (JobState::Waiting, attempt));
        assert_eq!(status.last_error.unwrap(), "é".repeat(1000));
        assert_eq!(claim(stand, &["sweep"]).await, None);
        stand.clock.advance(MINUTE);
    }
}

/// It costs no attempt: the runner stopped for a reason of its own.
pub async fn a_job_given_back_is_due_at_once(stand: &Stand) {
    enqueue(stand, job("sweep", "a")).await;
    for _ in 0..3 {
        let claimed = claim(stand, &["sweep"]).await.unwrap();
        assert_eq!(claimed.attempt, 1);
        assert!(end(stand, claimed.lease, JobOutcome::GivenBack).await);
        assert_eq!(only(stand).await.state, JobState::Waiting);
    }
}

/// Each of many jobs is run once by one of many runners, and none is left over.
pub async fn many_runners_never_hold_one_job_together(stand: &Stand) {
    const RUNNERS: usize = 64;
    const JOBS: usize = 96;
    for number in 0..JOBS {
        enqueue(stand, job(["sweep", "scan"][number % 2], &number.to_string())).await;
    }
    let barrier = Arc::new(Barrier::new(RUNNERS));
    let runners = (0..RUNNERS).map(|_| {
        let (jobs, barrier) = (stand.jobs.clone(), barrier.clone());
        tokio::spawn(async move {
            barrier.wait().await;
            let mut keys = Vec::new();
            let kinds = vec!["sweep".to_owned(), "scan".to_owned()];
            while let Some(claimed) = jobs.claim_job(kinds.clone(), LEASE).await.unwrap() {
                assert_eq!(claimed.attempt, 1);
                assert!(jobs.end_job(claimed.lease, JobOutcome::Done).await.unwrap());
                keys.push(claimed.key.parse::<usize>().unwrap());
            }
            keys
        })
    });
    let keys = join_all(runners).await.into_iter().flat_map(|keys| keys.unwrap());
    let mut keys: Vec<_> = keys.collect();
    keys.sort_unstable();
    assert_eq!(keys, (0..JOBS).collect::<Vec<_>>());
    assert!(list(stand).await.is_empty());
}

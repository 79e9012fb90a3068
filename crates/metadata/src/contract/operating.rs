//! Rules of what operators ask of the queue: what stands where, and that jobs run again or before their time.

use wharf_core::clock::Clock;
use wharf_core::metadata::{JobCount, JobOutcome, JobState, NewJob};

use super::jobs::{LEASE, MINUTE, claim, end, enqueue, job, only};
use super::stand::Stand;

/// However long it takes.
pub async fn a_job_set_aside_waits_until_it_is_revived(stand: &Stand) {
    enqueue(stand, job("sweep", "a")).await;
    let held = claim(stand, &["sweep"]).await.unwrap().lease;
    assert!(end(stand, held, JobOutcome::Dead { error: "broken".into() }).await);
    stand.clock.advance(MINUTE * 100_000);
    assert_eq!(claim(stand, &["sweep"]).await, None);
    let status = only(stand).await;
    assert_eq!((status.state, status.due, status.attempts), (JobState::Dead, None, 1));
    assert_eq!(status.last_error.as_deref(), Some("broken"));
    assert!(stand.jobs.revive_job(status.id).await.unwrap());
    let claimed = claim(stand, &["sweep"]).await.unwrap();
    assert_eq!((claimed.lease.id, claimed.attempt), (held.id, 1));
    assert_ne!(claimed.lease, held);
}

/// One that waits or runs is left alone.
pub async fn only_jobs_set_aside_are_revived(stand: &Stand) {
    assert!(!stand.jobs.revive_job(1).await.unwrap());
    enqueue(stand, NewJob { delay: MINUTE, ..job("sweep", "a") }).await;
    let before = only(stand).await;
    assert!(!stand.jobs.revive_job(before.id).await.unwrap());
    assert_eq!(only(stand).await, before);
    stand.clock.advance(MINUTE);
    claim(stand, &["sweep"]).await.unwrap();
    assert!(!stand.jobs.revive_job(before.id).await.unwrap());
    assert_eq!(only(stand).await.state, JobState::Running);
}

/// One that is not there, waits, has failed or was set aside is due; one that is due keeps its place.
pub async fn a_job_that_is_hastened_is_due_now(stand: &Stand) {
    let later = || NewJob { delay: MINUTE, ..job("sweep", "a") };
    assert!(stand.jobs.hasten_job(later()).await.unwrap());
    let added = only(stand).await;
    assert_eq!((added.kind.as_str(), added.key.as_str()), ("sweep", "a"));
    assert_eq!(added.due, Some(stand.clock.now()));
    stand.clock.advance(MINUTE);
    assert!(stand.jobs.hasten_job(later()).await.unwrap());
    assert_eq!(only(stand).await, added);
    let error = || "broken".to_owned();
    for outcome in [
        JobOutcome::Again(MINUTE),
        JobOutcome::Retry { after: MINUTE, error: error() },
        JobOutcome::Dead { error: error() },
    ] {
        let claimed = claim(stand, &["sweep"]).await.unwrap();
        assert_eq!((claimed.attempt, claimed.payload.as_str()), (1, "{}"));
        assert!(end(stand, claimed.lease, outcome).await);
        let other = NewJob { payload: "other".into(), ..later() };
        assert!(stand.jobs.hasten_job(other).await.unwrap());
        assert_eq!(only(stand).await.id, added.id);
    }
    assert!(claim(stand, &["sweep"]).await.is_some());
}

/// Nor is its runner disturbed when its lease has ended and nobody else came.
pub async fn a_job_that_runs_is_not_hastened(stand: &Stand) {
    enqueue(stand, job("sweep", "a")).await;
    let held = claim(stand, &["sweep"]).await.unwrap().lease;
    let before = only(stand).await;
    assert!(!stand.jobs.hasten_job(job("sweep", "a")).await.unwrap());
    assert_eq!(only(stand).await, before);
    stand.clock.advance(LEASE);
    assert!(stand.jobs.hasten_job(job("sweep", "a")).await.unwrap());
    assert!(stand.jobs.extend_lease(held, LEASE).await.unwrap());
    assert!(end(stand, held, JobOutcome::GivenBack).await);
    assert_eq!(only(stand).await.attempts, 0);
}

/// By kind and state.
pub async fn jobs_are_counted(stand: &Stand) {
    assert!(stand.jobs.count_jobs().await.unwrap().is_empty());
    for (kind, key) in [("sweep", "a"), ("sweep", "b"), ("sweep", "c"), ("scan", "a")] {
        enqueue(stand, job(kind, key)).await;
    }
    let held = claim(stand, &["sweep"]).await.unwrap().lease;
    assert!(end(stand, held, JobOutcome::Dead { error: "broken".into() }).await);
    claim(stand, &["sweep"]).await.unwrap();
    let counted = |kind: &str, state| JobCount { kind: kind.into(), state, count: 1 };
    let mut found = stand.jobs.count_jobs().await.unwrap();
    let in_order = |job: &JobCount| (job.kind.clone(), job.state as u8);
    found.sort_by_key(in_order);
    let mut expected = vec![
        counted("scan", JobState::Waiting),
        counted("sweep", JobState::Waiting),
        counted("sweep", JobState::Running),
        counted("sweep", JobState::Dead),
    ];
    assert_eq!(found, expected);
    stand.clock.advance(LEASE);
    let mut found = stand.jobs.count_jobs().await.unwrap();
    found.sort_by_key(in_order);
    expected.remove(2);
    expected[1].count = 2;
    assert_eq!(found, expected);
}

/// In the order in which they were added.
pub async fn jobs_are_listed_a_page_at_a_time(stand: &Stand) {
    for key in ["c", "a", "b"] {
        enqueue(stand, job("sweep", key)).await;
    }
    let page = stand.jobs.list_jobs(0, 2).await.unwrap();
    assert_eq!(page.iter().map(|job| job.key.as_str()).collect::<Vec<_>>(), ["c", "a"]);
    let page = stand.jobs.list_jobs(page[1].id, 2).await.unwrap();
    assert_eq!(page.iter().map(|job| job.key.as_str()).collect::<Vec<_>>(), ["b"]);
    assert!(stand.jobs.list_jobs(page[0].id, 2).await.unwrap().is_empty());
}

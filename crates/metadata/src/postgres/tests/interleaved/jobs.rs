//! Runners that look for a job while another one claims.

use wharf_core::metadata::{JobOutcome, NewJob};

use super::*;
use crate::transactions::jobs::{Claim, End};

fn claim() -> Claim {
    Claim { kinds: vec!["sweep".into()], lease: Duration::from_secs(60) }
}

async fn enqueue(scene: &Scene, key: &str) {
    let job = NewJob {
        kind: "sweep".into(),
        key: key.into(),
        payload: "{}".into(),
        delay: Duration::ZERO,
    };
    assert!(scene.stand.jobs.enqueue_job(job).await.unwrap());
}

#[tokio::test]
async fn two_runners_claim_two_jobs() {
    for how in ALL {
        let scene = Scene::new().await;
        enqueue(&scene, "1").await;
        enqueue(&scene, "2").await;
        let (one, other) = scene.both(how, claim(), claim()).await;
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_ne!(one.key, other.key, "{how:?}");
        assert_eq!((one.attempt, other.attempt), (1, 1));
    }
}

/// Nobody waits for a claim that is under way.
#[tokio::test]
async fn a_job_that_is_being_claimed_is_passed_over() {
    let scene = Scene::new().await;
    enqueue(&scene, "1").await;
    enqueue(&scene, "2").await;
    let (reached, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let first = AtomicBool::new(true);
    let (seen, gone) = (reached.clone(), go.clone());
    let stepped = Stepped { inner: claim(), at: At::End, first, reached, go };
    let engine = scene.engine.clone();
    let one = tokio::spawn(async move { engine.write(stepped).await.unwrap() });
    seen.acquire().await.unwrap().forget();
    for expected in [Some("2"), None] {
        let other = timeout(Duration::from_secs(5), scene.engine.write(claim())).await.unwrap();
        let key = other.unwrap().map(|claimed| claimed.key);
        assert_eq!(key.as_deref(), expected);
    }
    gone.add_permits(1);
    assert_eq!(one.await.unwrap().unwrap().key, "1");
}

#[tokio::test]
async fn one_job_goes_to_one_of_two_runners() {
    for how in ALL {
        let scene = Scene::new().await;
        enqueue(&scene, "1").await;
        let (one, other) = scene.both(how, claim(), claim()).await;
        assert!(one.is_some() != other.is_some(), "{how:?}");
    }
}

/// The old runner ends the job just as a new one claims it: one of them is told that it is not its own.
#[tokio::test]
async fn a_late_end_and_a_new_claim() {
    for how in ALL {
        let scene = Scene::new().await;
        enqueue(&scene, "1").await;
        let held = scene.stand.jobs.claim_job(claim().kinds, claim().lease).await.unwrap().unwrap();
        scene.stand.clock.advance(claim().lease);
        let end = End { held: held.lease, outcome: JobOutcome::Done };
        let (ended, claimed) = scene.both(how, end, claim()).await;
        assert!(ended != claimed.is_some(), "{how:?}");
        let left = scene.stand.jobs.list_jobs(0, 10).await.unwrap().len();
        assert_eq!(left, usize::from(claimed.is_some()));
    }
}

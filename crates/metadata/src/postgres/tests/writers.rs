//! Many writers of one tag, of two nodes, one of them behind PgBouncer.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::Barrier;
use tokio::time::Instant;
use wharf_core::metadata::{CommitManifest, CommitOutcome, Precondition};

use super::interleaved::Scene;
use crate::Postgres;
use crate::contract::samples::{blob, commit, image};
use crate::engine::Engine;

const WRITERS: usize = 64;

async fn pushes(scene: &Scene) -> Vec<CommitManifest> {
    let mut all = Vec::new();
    for number in 0..WRITERS {
        let blob = blob(&number.to_string());
        scene.stand.hold("a", blob).await;
        all.push(commit("a", &image(&[blob]), &["t"]));
    }
    all
}

/// Runs all at once, each on the next of the engines.
async fn at_once(engines: &[Arc<Postgres>], pushes: Vec<CommitManifest>) -> Vec<CommitOutcome> {
    let barrier = Arc::new(Barrier::new(pushes.len()));
    let tasks = pushes.into_iter().enumerate().map(|(index, push)| {
        let (engine, barrier) = (engines[index % engines.len()].clone(), barrier.clone());
        tokio::spawn(async move {
            barrier.wait().await;
            engine.write(push).await.unwrap()
        })
    });
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

async fn engines(scene: &Scene) -> Vec<Arc<Postgres>> {
    let other = Postgres::connect(scene.through_pgbouncer.clone()).await.unwrap();
    vec![scene.engine.clone(), Arc::new(other)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_of_one_tag_all_win_in_turn() {
    let scene = Scene::new().await;
    let (pushes, engines) = (pushes(&scene).await, engines(&scene).await);
    let begin = Instant::now();
    let outcomes = at_once(&engines, pushes).await;
    println!("{WRITERS} writers took {:?}", begin.elapsed());
    assert!(outcomes.iter().all(|outcome| *outcome == CommitOutcome::Committed));
    assert_eq!(scene.linear("t").await, WRITERS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixty_four_that_compare_and_swap_one_wins() {
    let scene = Scene::new().await;
    let mut pushes = pushes(&scene).await;
    let at = scene.stand.push("a", "start", &["t"]).await;
    for push in &mut pushes {
        push.precondition = Precondition::At(vec![at]);
    }
    let outcomes = at_once(&engines(&scene).await, pushes).await;
    let won = outcomes.iter().filter(|outcome| **outcome == CommitOutcome::Committed).count();
    assert_eq!(won, 1);
    let now = scene.stand.tag("a", "t").await;
    for outcome in outcomes.iter().filter(|outcome| **outcome != CommitOutcome::Committed) {
        assert_eq!(*outcome, CommitOutcome::Precondition(Some("t".parse().unwrap()), now));
    }
    assert_eq!(scene.linear("t").await, 2);
}

/// Tags of their own, layers in common, named in different orders: nobody waits for a deadlock to be found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_that_share_layers_do_not_wait_in_a_circle() {
    let scene = Scene::new().await;
    let shared: Vec<_> = (0..6).map(|number| blob(&format!("shared {number}"))).collect();
    for digest in &shared {
        scene.stand.hold("a", *digest).await;
    }
    let mut pushes = Vec::new();
    for number in 0..WRITERS {
        let own = blob(&number.to_string());
        scene.stand.hold("a", own).await;
        let mut blobs = shared.clone();
        blobs.rotate_left(number % shared.len());
        blobs.push(own);
        pushes.push(commit("a", &image(&blobs), &[&format!("t{number}")]));
    }
    let outcomes = at_once(&engines(&scene).await, pushes).await;
    assert!(outcomes.iter().all(|outcome| *outcome == CommitOutcome::Committed));
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(scene.stand.rows(deadlocks, &[]).await, ["0"]);
    assert_eq!(scene.stand.rows("SELECT count(*) FROM tags", &[]).await, [WRITERS.to_string()]);
}

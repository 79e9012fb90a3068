//! How often a transaction asks the database: not more often the more it is about.

use std::time::Duration;

use wharf_core::metadata::{Precondition, Restore, RestoreOutcome};
use wharf_oci::{Digest, Reference};

use super::interleaved::Scene;
use super::told::Told;
use crate::contract::samples::{blob, index, name};
use crate::engine::Engine;
use crate::transactions::garbage::sweep::Sweep;

const HOUR: Duration = Duration::from_secs(3600);

/// Brings back an index of so many images that are there, in an index. Returns in how many statements.
async fn restored(scene: &Scene, images: usize) -> usize {
    let stand = &scene.stand;
    let mut children: Vec<Digest> = Vec::new();
    for image in 0..images {
        children.push(stand.push("a", &format!("{image} of {images}"), &[]).await);
    }
    let inner = stand.put("a", &index(&children), &[]).await;
    let outer = stand.put("a", &index(&[inner]), &["t"]).await;
    stand.delete("a", outer, Precondition::None).await;
    let (repository, what) = (name("a"), Reference::Digest(outer));
    let restore = Restore { repository, what, grace: HOUR, by: "carol".into() };
    let (outcome, told) = scene.engine.write(Told(restore)).await.unwrap();
    assert!(matches!(outcome, RestoreOutcome::Restored { manifests: 1, .. }), "{outcome:?}");
    told.len()
}

#[tokio::test]
async fn of_a_restored_index_are_no_more_the_more_it_needs() {
    let scene = Scene::new().await;
    // The first makes the counters of usage.
    restored(&scene, 1).await;
    assert_eq!(restored(&scene, 2).await, restored(&scene, 40).await);
}

#[tokio::test]
async fn of_the_events_of_a_sweep_is_one() {
    let scene = Scene::new().await;
    for repository in ["a", "b", "c", "d"] {
        scene.stand.hold(repository, blob("one")).await;
    }
    scene.stand.clock.advance(HOUR);
    let sweep = Sweep { after: None, grace: HOUR, limit: 100 };
    let (taken, told) = scene.engine.write(Told(sweep)).await.unwrap();
    assert_eq!(taken.count, 4);
    let events = told.iter().filter(|it| it.sql.starts_with("INSERT INTO events")).count();
    assert_eq!(events, 1);
    let swept = "SELECT 1 FROM events WHERE kind = 'blobs.swept'";
    assert_eq!(scene.stand.rows(swept, &[]).await.len(), 4);
}

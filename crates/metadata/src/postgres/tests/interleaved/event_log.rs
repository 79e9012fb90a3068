//! Events whose order of ids is not that of their commits.

use super::*;
use crate::contract::samples::{blob, commit, image};
use wharf_core::metadata::Position;

/// It has its ids, and others commit behind it: whoever took those for the end would never see it.
#[tokio::test]
async fn an_event_whose_id_came_early_and_whose_commit_came_late_is_not_missed() {
    let scene = Scene::new().await;
    let stand = &scene.stand;
    stand.hold("a", blob("early")).await;
    let begin = stand.events.newest_position().await.unwrap();
    let (reached, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let stepped = Stepped {
        inner: commit("a", &image(&[blob("early")]), &["t"]),
        at: At::End,
        first: AtomicBool::new(true),
        reached: reached.clone(),
        go: go.clone(),
    };
    let engine = scene.engine.clone();
    let early = tokio::spawn(async move { engine.write(stepped).await.unwrap() });
    reached.acquire().await.unwrap().forget();

    stand.push("b", "late", &["t"]).await;
    let committed = "SELECT id, kind FROM events ORDER BY id";
    assert_eq!(stand.rows(committed, &[]).await, ["3 manifest.pushed", "4 tag.created"]);
    assert!(stand.events.read_events(begin, 10).await.unwrap().is_empty());
    let newest = stand.events.newest_position().await.unwrap();

    go.add_permits(1);
    early.await.unwrap();
    let events = crate::contract::read(stand, begin, 4, 10).await;
    let ids: Vec<_> = events.iter().map(|event| event.position.event).collect();
    assert_eq!(ids, [1, 2, 3, 4]);
    assert_eq!(events[0].repository.as_str(), "a");
    assert!(events[1].position.transaction < events[2].position.transaction);
    assert_eq!(stand.events.read_events(newest, 10).await.unwrap(), events);
    assert_eq!(stand.events.read_events(Position::default(), 10).await.unwrap(), events);
}

/// Its ids are gaps, and nobody waits for it any more.
#[tokio::test]
async fn a_transaction_that_is_undone_leaves_a_gap() {
    let scene = Scene::new().await;
    let stand = &scene.stand;
    stand.hold("a", blob("undone")).await;
    let (reached, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let stepped = Stepped {
        inner: commit("a", &image(&[blob("undone")]), &["t"]),
        at: At::End,
        first: AtomicBool::new(true),
        reached: reached.clone(),
        go,
    };
    let engine = scene.engine.clone();
    let undone = tokio::spawn(async move { engine.write(stepped).await });
    reached.acquire().await.unwrap().forget();
    stand.push("b", "late", &[]).await;
    undone.abort();
    undone.await.unwrap_err();
    let events = crate::contract::read(stand, Position::default(), 1, 10).await;
    assert_eq!(events[0].position.event, 3);
}

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
    assert_eq!(events[0].scope.to_string(), "repository:a");
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

/// A dump brings numbers of transactions along that its new cluster reaches late or never: whoever waited for them would hear
/// of nothing any more.
#[tokio::test]
async fn a_reader_goes_on_in_a_database_that_was_restored_into_another_cluster() {
    let scene = Scene::new().await;
    let stand = &scene.stand;
    stand.push("a", "here", &[]).await;
    let elsewhere = 1_i64 << 50;
    assert!(!stand.is_refused("DELETE FROM events").await);
    for (kind, transaction) in [("test.read", elsewhere), ("test.not_yet", elsewhere + 1)] {
        let sql = format!(
            "INSERT INTO events (repository_id, kind, payload, created_at, transaction_id)
             SELECT id, '{kind}', '{{}}', 1, {transaction} FROM repositories"
        );
        assert!(!stand.is_refused(&sql).await);
    }
    let first: i64 = stand.rows("SELECT min(id) FROM events", &[]).await[0].parse().unwrap();
    let reached = Position { transaction: elsewhere, event: first };
    assert!(stand.events.advance_reader("search".into(), reached).await.unwrap());
    stand.push("b", "new", &[]).await;

    let at = stand.events.reader_position("search".into()).await.unwrap();
    assert_eq!(at, Position { transaction: 0, event: first });
    let events = crate::contract::read(stand, at, 2, 10).await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["test.not_yet", "manifest.pushed"]);
    let last = events[1].position;
    assert!(stand.events.advance_reader("search".into(), last).await.unwrap());
    assert_eq!(stand.events.reader_position("search".into()).await.unwrap(), last);
}

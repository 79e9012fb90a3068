//! What serves background work: expiry in slices, and a queue that stays quick when it is long.

use std::time::Duration;

use super::*;
use crate::contract::Stand;
use crate::engine::Dialect;
use crate::transactions::jobs::{DUE_LONGEST, first_due};
use wharf_core::metadata::{KeepEvents, Position};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn stand() -> Stand {
    let (file, clock) = (File::new(), HandClock::new());
    let engine = Sqlite::open(&file.path(), clock.clone()).unwrap();
    let stand = Stand::new(Database::on_sqlite(engine), clock, file);
    for number in 0..10 {
        stand.push("a", &number.to_string(), &[]).await;
        stand.clock.advance(DAY);
    }
    stand
}

async fn ids(stand: &Stand) -> String {
    stand.rows("SELECT group_concat(id, ' ') FROM events", &[]).await.remove(0)
}

/// The oldest first, and never one behind one that stays.
#[tokio::test]
async fn events_that_all_readers_have_passed_are_forgotten_in_slices() {
    let stand = stand().await;
    let keep = KeepEvents { at_least: DAY * 3, at_most: DAY * 100 };
    let events = stand.events.read_events(Position::default(), 20).await.unwrap();
    let advance = |reader: &str, number: usize| {
        stand.events.advance_reader(reader.to_owned(), events[number - 1].position)
    };
    advance("quick", 10).await.unwrap();
    advance("slow", 5).await.unwrap();
    let expire = || stand.events.expire_events(keep, 3);
    assert_eq!(expire().await.unwrap(), 3);
    assert_eq!(ids(&stand).await, "4 5 6 7 8 9 10");
    assert_eq!(expire().await.unwrap(), 2);
    assert_eq!(expire().await.unwrap(), 0);
    advance("slow", 10).await.unwrap();
    assert_eq!(expire().await.unwrap(), 3);
    assert_eq!(expire().await.unwrap(), 0);
    assert_eq!(ids(&stand).await, "9 10");
    stand.push("a", "more", &[]).await;
    assert_eq!(ids(&stand).await, "9 10 11");
}

#[tokio::test]
async fn a_reader_that_does_not_come_back_is_not_waited_for_for_ever() {
    let stand = stand().await;
    stand.events.advance_reader("gone".into(), Position::default()).await.unwrap();
    let keep = KeepEvents { at_least: DAY, at_most: DAY * 8 };
    assert_eq!(stand.events.expire_events(keep, 100).await.unwrap(), 3);
    assert_eq!(ids(&stand).await, "4 5 6 7 8 9 10");
}

/// Numbers are not given twice, so that a reader's place never lies before what comes.
#[tokio::test]
async fn a_log_that_is_forgotten_to_its_end_goes_on_behind_it() {
    let stand = stand().await;
    let keep = KeepEvents { at_least: DAY, at_most: DAY };
    let newest = stand.events.newest_position().await.unwrap();
    assert_eq!(stand.events.expire_events(keep, 100).await.unwrap(), 10);
    stand.push("a", "more", &[]).await;
    let events = stand.events.read_events(newest, 100).await.unwrap();
    assert_eq!(events[0].position, Position { transaction: 0, event: 11 });
}

#[tokio::test]
async fn a_claim_looks_into_the_index() {
    let file = File::new();
    drop(file.open());
    for (sql, arguments) in [(first_due(Dialect::Sqlite), 1), (DUE_LONGEST, 2)] {
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let connection = file.connect();
        let mut statement = connection.prepare(&sql).unwrap();
        let given = std::iter::repeat_n("[\"sweep\"]", arguments);
        let rows = statement.query_map(rusqlite::params_from_iter(given), |row| row.get(3));
        let plan: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
        let plan = plan.join("\n");
        assert!(plan.contains("INDEX jobs_due (kind=?") && !plan.contains("SCAN jobs"), "{plan}");
    }
}

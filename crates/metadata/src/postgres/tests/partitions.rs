//! Partitions of the log: made ahead, dropped when nobody needs them, and done without where there is none.

use std::time::Duration;

use tokio::time::Instant;
use wharf_core::StoreError;
use wharf_core::metadata::{KeepEvents, Position};

use super::fresh::Fresh;
use crate::Postgres;
use crate::contract::{HandClock, Stand};
use crate::engine::Engine;
use crate::transactions::expiry::MakeRoom;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Keeps events for a day, and for ten where a reader needs them.
const KEEP: KeepEvents = KeepEvents { at_least: DAY, at_most: Duration::from_secs(10 * 24 * 3600) };

/// A database of partitions of four ids each.
struct Small {
    stand: Stand,
    engine: Postgres,
    client: tokio_postgres::Client,
    pushed: usize,
}

impl Small {
    async fn new() -> Self {
        let fresh = Fresh::own().await;
        let client = fresh.client().await;
        client
            .batch_execute("DROP TABLE events_0, events_10000000; DELETE FROM event_partitions")
            .await
            .unwrap();
        let engine =
            Postgres::connect_with_clock(fresh.settings(), HandClock::new()).await.unwrap();
        let (metadata, clock, fresh) = fresh.metadata(wharf_engines::postgres()).await;
        Self { stand: Stand::new(metadata, clock, fresh), engine, client, pushed: 0 }
    }

    async fn make_room(&self) -> Result<u64, StoreError> {
        self.engine.write(MakeRoom { size: 4, ahead: 8 }).await
    }

    /// Writes events, one an hour.
    async fn push(&mut self, events: usize) {
        for _ in 0..events {
            self.pushed += 1;
            self.stand.push("a", &self.pushed.to_string(), &[]).await;
            self.stand.clock.advance(DAY / 24);
        }
    }

    /// The ids that are left, each partition's by itself.
    async fn left(&self) -> Vec<String> {
        let sql = "SELECT tableoid::regclass::text, string_agg(id::text, ',' ORDER BY id)
             FROM events GROUP BY tableoid ORDER BY min(id)";
        self.stand.rows(sql, &[]).await
    }

    async fn expire(&self) -> u64 {
        self.stand.events.expire_events(KEEP, 2).await.unwrap()
    }
}

#[tokio::test]
async fn partitions_are_made_ahead() {
    let mut small = Small::new().await;
    assert_eq!(small.make_room().await.unwrap(), 2);
    assert_eq!(small.make_room().await.unwrap(), 0);
    small.push(5).await;
    assert_eq!(small.left().await, ["events_0 1,2,3", "events_4 4,5"]);
    assert_eq!(small.make_room().await.unwrap(), 2);
    small.push(4).await;
    assert_eq!(small.left().await[2], "events_8 8,9");
}

/// No push fails for want of one, and what came meanwhile stays in its order.
#[tokio::test]
async fn events_without_a_partition_are_written_read_and_expired() {
    let mut small = Small::new().await;
    small.push(3).await;
    assert_eq!(small.make_room().await.unwrap(), 2);
    small.push(9).await;
    let expected = ["events_default 1,2,3,12", "events_4 4,5,6,7", "events_8 8,9,10,11"];
    assert_eq!(small.left().await, expected);
    assert_eq!(small.make_room().await.unwrap(), 2);
    small.push(2).await;
    let events = crate::contract::read(&small.stand, Position::default(), 14, 5).await;
    assert!(events.iter().map(|event| event.position.event).eq(1..15));
    small.stand.clock.advance(DAY * 2);
    while small.expire().await > 0 {}
    let left = small.left().await;
    assert!(left.iter().all(|part| !part.starts_with("events_default")), "{left:?}");
}

/// The last one stays: nothing behind it tells how old it is.
#[tokio::test]
async fn partitions_that_all_readers_have_passed_are_dropped() {
    let mut small = Small::new().await;
    small.make_room().await.unwrap();
    small.push(7).await;
    small.make_room().await.unwrap();
    small.push(4).await;
    let events = crate::contract::read(&small.stand, Position::default(), 11, 20).await;
    let advance = |reader: &str, number: usize| {
        small.stand.events.advance_reader(reader.to_owned(), events[number - 1].position)
    };
    advance("quick", 11).await.unwrap();
    advance("slow", 3).await.unwrap();
    // The fourth event was written eight hours ago.
    assert_eq!(small.expire().await, 0);
    small.stand.clock.advance(DAY);
    assert_eq!(small.expire().await, 1);
    assert_eq!(small.expire().await, 0);
    assert_eq!(small.left().await, ["events_4 4,5,6,7", "events_8 8,9,10,11"]);
    advance("slow", 7).await.unwrap();
    assert_eq!(small.expire().await, 1);
    assert_eq!(small.expire().await, 0);
    assert_eq!(small.left().await, ["events_8 8,9,10,11"]);
    assert_eq!(small.stand.rows("SELECT first_id FROM event_partitions", &[]).await[0], "8");
    let read = small.stand.events.read_events(events[7].position, 20).await.unwrap();
    assert_eq!(read, events[8..]);
}

#[tokio::test]
async fn a_reader_that_does_not_come_back_is_not_waited_for_for_ever() {
    let mut small = Small::new().await;
    small.make_room().await.unwrap();
    small.push(5).await;
    small.stand.events.advance_reader("gone".into(), Position::default()).await.unwrap();
    small.stand.clock.advance(DAY * 9);
    assert_eq!(small.expire().await, 0);
    small.stand.clock.advance(DAY);
    assert_eq!(small.expire().await, 1);
    assert_eq!(small.left().await, ["events_4 4,5"]);
}

/// Whoever waits for a table makes others wait behind it.
#[tokio::test]
async fn maintenance_gives_up_where_it_would_have_to_wait() {
    let mut small = Small::new().await;
    small.client.batch_execute("BEGIN; SELECT count(*) FROM events").await.unwrap();
    let begin = Instant::now();
    let error = small.make_room().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("lock timeout"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(4));
    small.push(1).await;
    small.client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(small.make_room().await.unwrap(), 2);
}

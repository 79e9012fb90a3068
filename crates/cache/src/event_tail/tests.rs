//! The tail on a log in memory that can be away, by the runtime's clock: minutes pass in no time.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use bytes::Bytes;
use wharf_core::cache::{Key, Lookup};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{HistoryPlace, HistoryWalk, KeepEvents};
use wharf_oci::{Algorithm, Hasher, Reference};

use super::*;
use crate::{Beliefs, MemoryCache};

#[derive(Default)]
struct Log {
    events: Mutex<Vec<LoggedEvent>>,
    reads: AtomicU64,
    away: AtomicBool,
}

impl Log {
    fn add(&self, repository: &str, kind: &str) {
        self.add_of(EventScope::Repository(repository.parse().unwrap()), kind);
    }

    fn add_of(&self, scope: EventScope, kind: &str) {
        let mut events = self.events.lock().unwrap();
        let event = events.len() as i64 + 1;
        events.push(LoggedEvent {
            position: Position { transaction: 0, event },
            scope,
            kind: kind.into(),
            payload: "{}".into(),
            created_at: Timestamp(0),
        });
    }

    fn open(&self) -> Result<(), StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("away, on purpose".into()));
        }
        Ok(())
    }
}

#[async_trait]
impl EventLog for Log {
    async fn read_events(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<LoggedEvent>, StoreError> {
        self.open()?;
        let events = self.events.lock().unwrap();
        Ok(events.iter().filter(|event| event.position > after).take(limit).cloned().collect())
    }

    async fn newest_position(&self) -> Result<Position, StoreError> {
        self.open()?;
        let events = self.events.lock().unwrap();
        Ok(events.last().map_or_else(Position::default, |event| event.position))
    }

    async fn reader_position(&self, _: String) -> Result<Position, StoreError> {
        unreachable!("the tail keeps its place itself")
    }

    async fn advance_reader(&self, _: String, _: Position) -> Result<bool, StoreError> {
        unreachable!("the tail keeps its place itself")
    }

    async fn expire_events(&self, _: KeepEvents, _: usize) -> Result<u64, StoreError> {
        unreachable!("the tail only reads")
    }

    async fn make_room(&self) -> Result<u64, StoreError> {
        unreachable!("the tail only reads")
    }

    async fn expire_tag_history(
        &self,
        _: Option<HistoryPlace>,
        _: Duration,
        _: usize,
    ) -> Result<HistoryWalk, StoreError> {
        unreachable!("the tail only reads")
    }
}

fn key(repository: &str) -> Key {
    let digest = Hasher::digest(Algorithm::Sha256, b"content");
    Key::Manifest(repository.parse().unwrap(), Reference::Digest(digest))
}

async fn put(cache: &dyn Cache, repository: &str) {
    if let Lookup::Miss(ticket) = cache.get(key(repository)).await {
        cache.put(ticket, Bytes::from_static(b"value"), Duration::from_secs(3600)).await;
    }
}

async fn is_kept(cache: &dyn Cache, repository: &str) -> bool {
    matches!(cache.get(key(repository)).await, Lookup::Hit(_))
}

/// A log, a cache and what follows the one for the other, which has begun.
async fn stand() -> (Arc<Log>, Arc<dyn Cache>, EventTail) {
    let log = Arc::new(Log::default());
    log.add("a/old", "tag.moved");
    let beliefs = Beliefs { eventual: Vec::new(), eventual_life: Duration::ZERO };
    let cache: Arc<dyn Cache> = Arc::new(MemoryCache::among_others(1 << 20, beliefs));
    let tail = EventTail::new(log.clone(), cache.clone());
    sleep(Duration::from_millis(10)).await;
    (log, cache, tail)
}

#[tokio::test(start_paused = true)]
async fn what_others_changed_is_forgotten_within_moments_and_nothing_else() {
    let (log, cache, tail) = stand().await;
    for repository in ["a/moved", "a/deleted", "a/pushed", "a/quiet", "a/old"] {
        put(&*cache, repository).await;
    }
    log.add("a/moved", "tag.moved");
    log.add_of(EventScope::Namespace("team".parse().unwrap()), "immutability.created");
    log.add_of(EventScope::Registry, "registry.read_only");
    log.add("a/deleted", "manifest.deleted");
    log.add("a/pushed", "manifest.pushed");
    sleep(INTERVAL * 2).await;
    assert!(!is_kept(&*cache, "a/moved").await);
    assert!(!is_kept(&*cache, "a/deleted").await);
    for repository in ["a/pushed", "a/quiet", "a/old"] {
        assert!(is_kept(&*cache, repository).await, "{repository}");
    }
    assert_eq!(tail.events(), 5);
    assert!(tail.behind().unwrap() < INTERVAL * 2);
}

/// And nothing of manifests.
#[tokio::test(start_paused = true)]
async fn where_blobs_went_is_forgotten() {
    let (log, cache, _tail) = stand().await;
    let blob = |repository: &str| {
        Key::Blob(repository.parse().unwrap(), Hasher::digest(Algorithm::Sha256, b"content"))
    };
    for repository in ["a/deleted", "a/swept", "a/quiet"] {
        put(&*cache, repository).await;
        let Lookup::Miss(ticket) = cache.get(blob(repository)).await else { panic!() };
        cache.put(ticket, Bytes::from_static(b"value"), Duration::from_secs(3600)).await;
    }
    log.add("a/deleted", "blob.deleted");
    log.add("a/swept", "blobs.swept");
    sleep(INTERVAL * 2).await;
    for (repository, stays) in [("a/deleted", false), ("a/swept", false), ("a/quiet", true)] {
        let kept = matches!(cache.get(blob(repository)).await, Lookup::Hit(_));
        assert_eq!(kept, stays, "{repository}");
        assert!(is_kept(&*cache, repository).await, "{repository}");
    }
}

#[tokio::test(start_paused = true)]
async fn more_events_than_a_page_are_read_at_once_and_an_idle_log_is_asked_once_a_second() {
    let (log, _, tail) = stand().await;
    for _ in 0..PAGE * 3 {
        log.add("a/b", "manifest.pushed");
    }
    sleep(INTERVAL * 2).await;
    assert_eq!(tail.events(), PAGE as u64 * 3);
    let before = log.reads.load(Ordering::SeqCst);
    sleep(INTERVAL * 60).await;
    let reads = log.reads.load(Ordering::SeqCst) - before;
    assert!((55..=61).contains(&reads), "{reads} reads in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_away_is_asked_seldom_and_nothing_of_the_time_is_missed() {
    let (log, cache, tail) = stand().await;
    log.away.store(true, Ordering::SeqCst);
    sleep(INTERVAL * 2).await;
    let before = log.reads.load(Ordering::SeqCst);
    sleep(LONGEST * 20).await;
    let reads = log.reads.load(Ordering::SeqCst) - before;
    assert!((15..=25).contains(&reads), "{reads} reads in ten minutes");
    log.add("a/b", "tag.deleted");
    put(&*cache, "a/b").await;
    log.away.store(false, Ordering::SeqCst);
    sleep(LONGEST + INTERVAL).await;
    assert_eq!(tail.events(), 1);
    assert!(!is_kept(&*cache, "a/b").await);
}

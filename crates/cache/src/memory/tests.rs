//! What is the memory cache's own: its bound, and writers and readers at once.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use wharf_core::cache::{Cache, Key, Kind, Lookup};
use wharf_oci::{Algorithm, Hasher, Reference, RepositoryName};

use super::MemoryCache;
use crate::{Beliefs, CacheStatus};

const LIFE: Duration = Duration::from_secs(3600);

fn cache() -> MemoryCache {
    MemoryCache::new(1 << 20)
}

mod contract {
    crate::cache_contract!(super::cache);
}

fn one_of_several() -> MemoryCache {
    let eventual = vec!["mirror/*".parse().unwrap()];
    MemoryCache::among_others(1 << 20, Beliefs { eventual, eventual_life: LIFE })
}

/// Keys that are believed for a while.
fn keys() -> [Key; 3] {
    let digest = Hasher::digest(Algorithm::Sha256, b"content");
    [
        Key::Blob("a/b".parse().unwrap(), digest),
        Key::Manifest("a/b".parse().unwrap(), Reference::Digest(digest)),
        Key::Manifest("mirror/debian".parse().unwrap(), "12".parse().unwrap()),
    ]
}

#[tokio::test]
async fn among_others_digests_and_eventual_tags_are_kept_until_they_are_forgotten() {
    let cache = one_of_several();
    for key in keys() {
        put(&cache, key.clone(), Bytes::from_static(b"value")).await;
        assert!(matches!(cache.get(key.clone()).await, Lookup::Hit(_)), "{key:?}");
        cache.forget(key.repository(), key.kind());
        assert!(matches!(cache.get(key.clone()).await, Lookup::Miss(_)), "{key:?}");
    }
}

#[tokio::test]
async fn among_others_strong_tags_and_what_is_not_there_are_asked_each_time_and_share_no_read() {
    let cache = one_of_several();
    let mut versions = Vec::new();
    for _ in 0..3 {
        let Lookup::Miss(ticket) = cache.get(key(1)).await else { panic!("it may have moved") };
        versions.push(ticket.version);
        cache.put(ticket, Bytes::from_static(b"value"), LIFE).await;
    }
    versions.dedup();
    assert_eq!(versions.len(), 3);
    for key in keys() {
        for _ in 0..2 {
            let Lookup::Miss(ticket) = cache.get(key.clone()).await else { panic!("{key:?}") };
            cache.put_absence(ticket, LIFE).await;
        }
    }
}

fn key(tag: usize) -> Key {
    let repository: RepositoryName = "a/b".parse().unwrap();
    Key::Manifest(repository, format!("v{tag}").parse().unwrap())
}

async fn put(cache: &MemoryCache, key: Key, value: Bytes) {
    if let Lookup::Miss(ticket) = cache.get(key).await {
        cache.put(ticket, value, LIFE).await;
    }
}

#[tokio::test]
async fn the_capacity_is_kept() {
    let cache = cache();
    for tag in 0..10_000 {
        put(&cache, key(tag), Bytes::from(vec![0; 1000])).await;
        assert!(cache.kept().bytes <= 1 << 20);
    }
    assert!(cache.kept().bytes > 1 << 19, "only {} bytes are used", cache.kept().bytes);
}

#[tokio::test]
async fn a_value_larger_than_a_sixteenth_of_the_capacity_is_not_kept() {
    let cache = cache();
    put(&cache, key(1), Bytes::from(vec![0; (1 << 16) + 1])).await;
    assert!(matches!(cache.get(key(1)).await, Lookup::Miss(_)));
    put(&cache, key(2), Bytes::from(vec![0; 1 << 16])).await;
    assert!(matches!(cache.get(key(2)).await, Lookup::Hit(_)));
}

#[tokio::test]
async fn without_capacity_nothing_is_kept() {
    let cache = MemoryCache::new(0);
    put(&cache, key(1), Bytes::from_static(b"value")).await;
    assert!(matches!(cache.get(key(1)).await, Lookup::Miss(_)));
}

/// A database that counts up, a writer that invalidates before it acknowledges, readers that fill the cache
/// from it: no reader ever sees less than what was acknowledged before it asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_never_see_what_an_acknowledged_write_replaced() {
    const WRITES: u64 = 20_000;
    let cache = Arc::new(cache());
    let (database, acknowledged) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let (cache, database, acknowledged) =
            (Arc::clone(&cache), Arc::clone(&database), Arc::clone(&acknowledged));
        tasks.push(tokio::spawn(async move {
            loop {
                let least = acknowledged.load(Ordering::SeqCst);
                let seen = match cache.get(key(1)).await {
                    Lookup::Absent => panic!("it was there from the start"),
                    Lookup::Hit(value) => u64::from_le_bytes(value[..].try_into().unwrap()),
                    Lookup::Miss(ticket) => {
                        let value = database.load(Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        let bytes = Bytes::copy_from_slice(&value.to_le_bytes());
                        cache.put(ticket, bytes, LIFE).await;
                        value
                    }
                };
                assert!(seen >= least, "saw {seen} after {least} was acknowledged");
                if least == WRITES {
                    return;
                }
                tokio::task::yield_now().await;
            }
        }));
    }
    let repository = "a/b".parse().unwrap();
    for write in 1..=WRITES {
        database.store(write, Ordering::SeqCst);
        cache.invalidate(&repository, Kind::Manifest).await.unwrap();
        acknowledged.store(write, Ordering::SeqCst);
        tokio::task::yield_now().await;
    }
    for task in tasks {
        task.await.unwrap();
    }
}

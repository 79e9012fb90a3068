//! The shared cache under test: a real Redis, nodes side by side, and a proxy between them that fails on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod absences;
mod failover;
mod faults;
mod limiter;
mod proxy;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use wharf_core::StoreError;
use wharf_core::cache::{Cache, Epoch, Epochs, Key, Kind, Lookup};
use wharf_oci::{Algorithm, Hasher, RepositoryName};

use super::checks::new_version;
use super::{SharedCache, SharedCacheSettings};
use crate::Beliefs;
use proxy::Proxy;

const LIFE: Duration = Duration::from_secs(300);

/// The epoch as a database keeps it. It begins where no other test does.
struct MemoryEpochs(Mutex<(i64, Instant)>);

impl MemoryEpochs {
    fn new() -> Arc<Self> {
        let number = i64::try_from(new_version() >> 2).unwrap() & !1;
        Arc::new(Self(Mutex::new((number, Instant::now()))))
    }
}

#[async_trait]
impl Epochs for MemoryEpochs {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        let (number, changed) = *self.0.lock().unwrap();
        Ok(Epoch { number, since: changed.elapsed() })
    }

    async fn advance_epoch(&self, from: i64) -> Result<(), StoreError> {
        let mut state = self.0.lock().unwrap();
        if state.0 == from {
            *state = (from + 1, Instant::now());
        }
        Ok(())
    }
}

fn settings(url: &str) -> SharedCacheSettings {
    SharedCacheSettings {
        url: url.parse().unwrap(),
        time_limit: Duration::from_millis(100),
        memory: 1 << 20,
        beliefs: Beliefs {
            eventual: vec!["mirror/*".parse().unwrap()],
            eventual_life: Duration::from_secs(60),
        },
    }
}

/// A node whose cache may be used already.
async fn node(url: &str, epochs: &Arc<MemoryEpochs>) -> SharedCache {
    let cache = SharedCache::new(settings(url), Arc::clone(epochs) as _).unwrap();
    while cache.watch.current().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    cache
}

fn tag(name: &str) -> Key {
    Key::Manifest("team/app".parse().unwrap(), name.parse().unwrap())
}

fn by_digest(text: &str) -> Key {
    let digest = Hasher::digest(Algorithm::Sha256, text.as_bytes());
    Key::Manifest("team/app".parse().unwrap(), wharf_oci::Reference::Digest(digest))
}

fn blob(text: &str) -> Key {
    Key::Blob(repository(), Hasher::digest(Algorithm::Sha256, text.as_bytes()))
}

fn repository() -> RepositoryName {
    "team/app".parse().unwrap()
}

async fn put(cache: &SharedCache, key: Key, value: &'static str) {
    match cache.get(key).await {
        Lookup::Miss(ticket) => cache.put(ticket, Bytes::from_static(value.as_bytes()), LIFE).await,
        other => panic!("{other:?} is there already"),
    }
}

async fn found(cache: &SharedCache, key: Key) -> Option<Bytes> {
    match cache.get(key).await {
        Lookup::Hit(value) => Some(value),
        Lookup::Absent | Lookup::Miss(_) => None,
    }
}

mod contract {
    use super::*;

    /// The contract makes its cache outside of async code, and each with an epoch of its own.
    struct Ready(tokio::sync::OnceCell<SharedCache>);

    impl Ready {
        async fn cache(&self) -> &SharedCache {
            self.0
                .get_or_init(|| async { node(&wharf_engines::redis(), &MemoryEpochs::new()).await })
                .await
        }
    }

    #[async_trait]
    impl Cache for Ready {
        async fn get(&self, key: Key) -> Lookup {
            self.cache().await.get(key).await
        }

        async fn put(&self, ticket: wharf_core::cache::Ticket, value: Bytes, life: Duration) {
            self.cache().await.put(ticket, value, life).await;
        }

        async fn last_known(&self, key: Key) -> Option<Bytes> {
            self.cache().await.last_known(key).await
        }

        async fn put_absence(&self, ticket: wharf_core::cache::Ticket, life: Duration) {
            self.cache().await.put_absence(ticket, life).await;
        }

        async fn invalidate(
            &self,
            repository: &RepositoryName,
            kind: Kind,
        ) -> Result<(), StoreError> {
            self.cache().await.invalidate(repository, kind).await
        }

        fn forget(&self, repository: &RepositoryName, kind: Kind) {
            if let Some(cache) = self.0.get() {
                cache.forget(repository, kind);
            }
        }
    }

    fn new() -> Ready {
        Ready(tokio::sync::OnceCell::new())
    }

    crate::cache_contract!(new);
}

#[tokio::test]
async fn what_one_node_keeps_another_finds_until_either_invalidates_it() {
    let epochs = MemoryEpochs::new();
    let (one, other) = (
        node(&wharf_engines::redis(), &epochs).await,
        node(&wharf_engines::redis(), &epochs).await,
    );
    put(&one, tag("v1"), "first").await;
    assert_eq!(found(&other, tag("v1")).await.unwrap(), "first");
    other.invalidate(&repository(), Kind::Manifest).await.unwrap();
    assert_eq!(found(&one, tag("v1")).await, None);
    assert_eq!(found(&other, tag("v1")).await, None);
}

#[tokio::test]
async fn a_value_read_before_another_nodes_write_is_never_served() {
    let epochs = MemoryEpochs::new();
    let (one, other) = (
        node(&wharf_engines::redis(), &epochs).await,
        node(&wharf_engines::redis(), &epochs).await,
    );
    let Lookup::Miss(ticket) = one.get(tag("v1")).await else { panic!("nothing was put") };
    other.invalidate(&repository(), Kind::Manifest).await.unwrap();
    one.put(ticket, Bytes::from_static(b"stale"), LIFE).await;
    assert_eq!(found(&one, tag("v1")).await, None);
    assert_eq!(found(&other, tag("v1")).await, None);
}

#[tokio::test]
async fn a_redis_that_forgot_everything_makes_no_old_value_good_again() {
    let epochs = MemoryEpochs::new();
    let (one, other) = (
        node(&wharf_engines::redis(), &epochs).await,
        node(&wharf_engines::redis(), &epochs).await,
    );
    put(&one, tag("v1"), "first").await;
    // As an eviction does: the version goes, the value stays.
    let epoch = one.watch.current().unwrap();
    let name = super::version_key(epoch, &repository(), Kind::Manifest);
    let gone: Option<i64> = one
        .link
        .ask(|mut connection| async move {
            redis::cmd("DEL").arg(name).query_async(&mut connection).await
        })
        .await;
    assert_eq!(gone, Some(1));
    assert_eq!(found(&other, tag("v1")).await, None);
    assert_eq!(found(&one, tag("v1")).await, None);
}

#[tokio::test]
async fn a_digest_is_believed_without_asking_and_a_tag_is_not() {
    let epochs = MemoryEpochs::new();
    let proxy = Proxy::start(&wharf_engines::redis()).await;
    let cache = node(&proxy.url(), &epochs).await;
    put(&cache, tag("v1"), "by tag").await;
    put(&cache, by_digest("v1"), "by digest").await;
    proxy.cut();
    assert_eq!(found(&cache, by_digest("v1")).await.unwrap(), "by digest");
    assert_eq!(found(&cache, tag("v1")).await, None);
}

#[tokio::test]
async fn a_tag_of_an_eventual_repository_is_believed_without_asking() {
    let epochs = MemoryEpochs::new();
    let proxy = Proxy::start(&wharf_engines::redis()).await;
    let cache = node(&proxy.url(), &epochs).await;
    let key = || Key::Manifest("mirror/debian".parse().unwrap(), "12".parse().unwrap());
    put(&cache, key(), "bookworm").await;
    proxy.cut();
    assert_eq!(found(&cache, key()).await.unwrap(), "bookworm");
}

#[tokio::test]
async fn a_redis_that_stalls_costs_the_time_limit_a_few_times_and_then_nothing() {
    let epochs = MemoryEpochs::new();
    let proxy = Proxy::start(&wharf_engines::redis()).await;
    let cache = node(&proxy.url(), &epochs).await;
    put(&cache, tag("v1"), "first").await;
    proxy.stall();
    let began = Instant::now();
    while !cache.link.is_paused() {
        assert_eq!(found(&cache, tag("v1")).await, None);
        assert!(began.elapsed() < Duration::from_secs(5), "it is tried for ever");
    }
    assert_eq!(found(&cache, tag("v1")).await, None);
    proxy.heal();
    while found(&cache, tag("v1")).await.is_none() {
        assert!(began.elapsed() < Duration::from_secs(20), "it is never tried again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_writer_cut_from_redis_has_every_node_leave_it_alone() {
    let epochs = MemoryEpochs::new();
    let proxy = Proxy::start(&wharf_engines::redis()).await;
    let reader = node(&wharf_engines::redis(), &epochs).await;
    let writer = node(&proxy.url(), &epochs).await;
    put(&reader, tag("v1"), "first").await;
    assert_eq!(found(&reader, tag("v1")).await.unwrap(), "first");
    proxy.cut();
    let began = Instant::now();
    writer.invalidate(&repository(), Kind::Manifest).await.unwrap();
    assert!(began.elapsed() >= super::watch::KNOWN_WITHIN, "nobody could know yet");
    // From here the write counts as acknowledged.
    assert_eq!(found(&reader, tag("v1")).await, None);
    assert!(reader.watch.current().is_none());
    // The next write need not wait again.
    let again = Instant::now();
    writer.invalidate(&repository(), Kind::Manifest).await.unwrap();
    assert!(again.elapsed() < Duration::from_secs(1));
    // And once the cache is used again, nothing of before is in it.
    while reader.watch.current().is_none() {
        assert!(began.elapsed() < Duration::from_secs(60), "it is never used again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(found(&reader, tag("v1")).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_pulls_at_once_are_few_questions() {
    let epochs = MemoryEpochs::new();
    let cache = Arc::new(node(&wharf_engines::redis(), &epochs).await);
    put(&cache, tag("v1"), "first").await;
    let pulls = (0..1000).map(|_| {
        let cache = Arc::clone(&cache);
        tokio::spawn(async move { found(&cache, tag("v1")).await })
    });
    for pull in pulls.collect::<Vec<_>>() {
        assert_eq!(pull.await.unwrap().unwrap(), "first");
    }
}

#[test]
fn a_password_is_never_printed() {
    let url: super::RedisUrl = "redis://me:hidden@cache.example:6380/2".parse().unwrap();
    assert_eq!(
        format!("{url} {url:?}"),
        "redis://cache.example:6380/2 redis://cache.example:6380/2"
    );
    for text in ["redis://me:hidden@:port", "http://hidden", "rediss://me:hidden@h/database"] {
        let error = text.parse::<super::RedisUrl>().unwrap_err().to_string();
        assert!(!error.contains("hidden"), "{error}");
    }
}

//! The cache that nodes share: Redis, and this process's memory in front of it.
//!
//! What it promises. A *tag* is served from a cache only after Redis was asked, for this pull or for one with it,
//! for the version of the repository; a write changes that version, on whichever node, before it is acknowledged. So
//! whoever pulls a tag after a push was acknowledged gets what was pushed, or something newer. A *digest* never means
//! anything else; that the repository still holds it is believed without asking for [`UNASKED`]. In repositories
//! that are `eventual` tags are believed without asking too, for as long as the settings say.
//!
//! A writer that cannot reach Redis has all nodes leave it alone, by the database (see `watch.rs`), before its write
//! is acknowledged; a node that has not heard from the database for some seconds leaves it alone by itself, since it
//! may have missed that. When Redis is away, slow or empty, the database is asked: that costs time, nothing else.
//! A value that was damaged on its way, or is another question's, is none (`record.rs`).
//! Redis that comes back with an older state, as a replica that takes over may, can serve tags as they were up to
//! `life` ago; give it no replica to fail over to, or set `life` to what you can bear.

mod checks;
mod link;
mod record;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use wharf_core::StoreError;
use wharf_core::cache::{Cache, Epochs, Key, Lookup, Ticket};
use wharf_oci::{NamePattern, Reference, RepositoryName};

use crate::entries::{Entries, Entry};
use crate::versions::Versions;
use checks::{Checks, VERSION_LIFE, new_version, version_key};
use link::Link;
pub use link::{NoRedisUrl, RedisUrl};
use watch::Watch;

/// How long a digest is believed to be held without asking.
const UNASKED: Duration = Duration::from_secs(10);

/// Redis is there and cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("Redis refuses: {0} (check the user, the password and the rights; a replica does not do)")]
pub struct RedisRefuses(String);

/// How the cache is set up.
#[derive(Clone, Debug)]
pub struct SharedCacheSettings {
    /// Where Redis is.
    pub url: RedisUrl,
    /// How long a command may take.
    pub time_limit: Duration,
    /// How many bytes this process keeps.
    pub memory: u64,
    /// Repositories whose tags may be served without asking.
    pub eventual: Vec<NamePattern>,
    /// For how long.
    pub eventual_life: Duration,
}

/// How often the cache had what was asked for.
#[derive(Debug, Default)]
pub struct SharedCacheCounters {
    /// Answered from this process's memory.
    pub memory_hits: AtomicU64,
    /// Answered by Redis.
    pub redis_hits: AtomicU64,
    /// Not there.
    pub misses: AtomicU64,
    /// Not asked for, since Redis was away or suspended.
    pub bypassed: AtomicU64,
}

/// The cache. While a Redis is away, it is none.
pub struct SharedCache {
    link: Arc<Link>,
    checks: Checks,
    watch: Watch,
    entries: Entries,
    versions: Versions,
    /// How many tickets were like no other.
    alone: AtomicU64,
    eventual: Vec<NamePattern>,
    eventual_life: Duration,
    counters: SharedCacheCounters,
}

impl SharedCache {
    /// A cache as the settings say. Called inside a runtime. It connects when it is first needed.
    ///
    /// # Errors
    /// When the URL cannot be used.
    pub fn new(settings: SharedCacheSettings, epochs: Arc<dyn Epochs>) -> Result<Self, NoRedisUrl> {
        let link = Link::new(&settings.url, settings.time_limit);
        let link = Arc::new(link.map_err(|error| NoRedisUrl::because(&error))?);
        Ok(Self {
            checks: Checks::new(Arc::clone(&link)),
            watch: Watch::new(epochs, Arc::clone(&link)),
            link,
            entries: Entries::new(settings.memory),
            versions: Versions::new(),
            alone: AtomicU64::new(0),
            eventual: settings.eventual,
            eventual_life: settings.eventual_life,
            counters: SharedCacheCounters::default(),
        })
    }

    /// Tries Redis, for the start of a node: one that refuses the password or the commands is an error, and one that is
    /// away is told of and done without.
    ///
    /// # Errors
    /// What Redis said.
    pub async fn check(&self) -> Result<(), RedisRefuses> {
        self.link.refusal().await.map_or(Ok(()), |reason| Err(RedisRefuses(reason)))
    }

    /// How often it had what was asked for.
    pub const fn counters(&self) -> &SharedCacheCounters {
        &self.counters
    }

    /// For how long a value is believed without asking.
    fn unasked(&self, key: &Key) -> Duration {
        match key {
            Key::Manifest(repository, Reference::Tag(_)) => {
                let eventual = self.eventual.iter().any(|pattern| pattern.matches(repository));
                if eventual { self.eventual_life } else { Duration::ZERO }
            }
            Key::Manifest(_, Reference::Digest(_)) | Key::Blob(..) => UNASKED,
        }
    }

    /// A version that no repository has, and no ticket had.
    fn next_alone(&self) -> u64 {
        // Versions count up from 0, so the two never meet.
        u64::MAX - self.alone.fetch_add(1, Ordering::Relaxed)
    }

    /// A value in Redis under that version, and how long it is kept there still.
    async fn find(&self, epoch: i64, shared: u64, key: &Key) -> Option<(Bytes, Duration)> {
        let name = value_key(epoch, key);
        let asked = name.as_str();
        let found: Option<(Option<Vec<u8>>, i64)> = self
            .link
            .ask(|mut connection| async move {
                let mut both = redis::pipe();
                both.get(asked).pttl(asked).query_async(&mut connection).await
            })
            .await;
        let (found, left) = found?;
        let value = record::decode(&name, shared, found?)?;
        Some((value, Duration::from_millis(u64::try_from(left).unwrap_or(0))))
    }

    fn keep(&self, key: Key, value: Bytes, version: u64, shared: u64, life: Duration) {
        let now = Instant::now();
        let Some(until) = now.checked_add(life) else { return };
        if self.entries.takes(value.len()) && self.versions.of(key.repository()) == version {
            let unasked_until = now + self.unasked(&key).min(life);
            let entry = Entry { value, version, shared, unasked_until, until };
            self.entries.insert(key, entry);
        }
    }
}

#[async_trait]
impl Cache for SharedCache {
    async fn get(&self, key: Key) -> Lookup {
        let counters = &self.counters;
        let version = self.versions.of(key.repository());
        let now = Instant::now();
        let kept = self.entries.get(&key);
        let kept = kept.filter(|entry| entry.version == version && now < entry.until);
        if let Some(entry) = &kept
            && now < entry.unasked_until
        {
            counters.memory_hits.fetch_add(1, Ordering::Relaxed);
            return Lookup::Hit(entry.value.clone());
        }
        let asked = async {
            let epoch = self.watch.current()?;
            Some((epoch, self.checks.version(epoch, key.repository()).await?))
        };
        let Some((epoch, shared)) = asked.await else {
            counters.bypassed.fetch_add(1, Ordering::Relaxed);
            // Nobody can tell whether another node wrote since the last pull: where that must not be missed,
            // the ticket is like no other, so that no pull is given what an earlier one reads.
            let version = if self.unasked(&key).is_zero() { self.next_alone() } else { version };
            return Lookup::Miss(Ticket { key, version, shared: 0 });
        };
        if let Some(entry) = kept
            && entry.shared == shared
        {
            counters.memory_hits.fetch_add(1, Ordering::Relaxed);
            if !self.unasked(&key).is_zero() {
                let left = entry.until.saturating_duration_since(now);
                self.keep(key, entry.value.clone(), version, shared, left);
            }
            return Lookup::Hit(entry.value);
        }
        if let Some((value, left)) = self.find(epoch, shared, &key).await {
            counters.redis_hits.fetch_add(1, Ordering::Relaxed);
            self.keep(key, value.clone(), version, shared, left);
            return Lookup::Hit(value);
        }
        counters.misses.fetch_add(1, Ordering::Relaxed);
        Lookup::Miss(Ticket { key, version, shared })
    }

    async fn put(&self, ticket: Ticket, value: Bytes, life: Duration) {
        let Ticket { key, version, shared } = ticket;
        let Some(epoch) = self.watch.current().filter(|_| shared != 0) else {
            let unasked = self.unasked(&key).min(life);
            return self.keep(key, value, version, 0, unasked);
        };
        // Redis takes no longer times; no value lives so long.
        let kept = life.min(LONGEST_LIFE);
        if kept.as_millis() == 0 {
            return;
        }
        let (versions, name) = (version_key(epoch, key.repository()), value_key(epoch, &key));
        let _: Option<()> = self
            .link
            .ask(|connection| record::put(connection, versions, name, shared, &value, kept))
            .await;
        self.keep(key, value, version, shared, life);
    }

    async fn last_known(&self, key: Key) -> Option<Bytes> {
        let version = self.versions.of(key.repository());
        if let Some(entry) = self.entries.get(&key)
            && entry.version == version
            && Instant::now() < entry.until
        {
            return Some(entry.value);
        }
        // Writers that reach Redis have invalidated there what they changed.
        let epoch = self.watch.last()?;
        let shared = self.checks.version(epoch, key.repository()).await?;
        Some(self.find(epoch, shared, &key).await?.0)
    }

    async fn invalidate(&self, repository: &RepositoryName) -> Result<(), StoreError> {
        self.versions.advance(repository);
        let done = match self.watch.to_invalidate().await {
            Some(epoch) => {
                let name = version_key(epoch, repository);
                let changed: Option<()> = self
                    .link
                    .ask(|mut connection| async move {
                        let mut change = redis::cmd("SET");
                        change.arg(name).arg(new_version()).arg("EX").arg(VERSION_LIFE.as_secs());
                        change.query_async(&mut connection).await
                    })
                    .await;
                changed.is_some()
            }
            None => false,
        };
        let done = done || self.watch.suspend().await.is_some();
        // Whoever looked between the write and here has the version from before.
        self.versions.advance(repository);
        done.then_some(()).ok_or_else(|| {
            let reason = "neither Redis nor the database can be told of a change";
            StoreError::Unavailable(reason.into())
        })
    }
}

/// The longest that Redis is asked to keep anything.
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

fn value_key(epoch: i64, key: &Key) -> String {
    match key {
        Key::Manifest(repository, reference) => {
            format!("wharf:{epoch}:m:{repository}:{reference}")
        }
        Key::Blob(repository, digest) => format!("wharf:{epoch}:b:{repository}:{digest}"),
    }
}

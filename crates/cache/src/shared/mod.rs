//! The cache that nodes share: Redis, and this process's memory in front of it.
//!
//! What it promises. A *tag* is served from a cache only after Redis was asked, for this pull or for one with it,
//! for the version of the repository; a write changes that version, on whichever node, before it is acknowledged. So
//! whoever pulls a tag after a push was acknowledged gets what was pushed, or something newer. A *digest* never means
//! anything else; that the repository still holds it is believed without asking for some seconds ([`Beliefs`]). In repositories
//! that are `eventual` tags are believed without asking too, for as long as the settings say. What is *not* there is
//! told only after Redis was asked, as for a tag; that is kept in this process alone, so that strangers fill no Redis.
//!
//! A writer that cannot reach Redis has all nodes leave it alone, by the database (see `watch.rs`), before its write
//! is acknowledged; a node that has not heard from the database for some seconds leaves it alone by itself, since it
//! may have missed that. When Redis is away, slow or empty, the database is asked: that costs time, nothing else.
//! A value that was damaged on its way, or is another question's, is none (`record.rs`).
//! A Redis that was started anew, or a replica that took over, may have missed a write: versions of another server
//! count as lost (`checks.rs`). What that cannot find is two servers that both take writes at a time, each believed by some nodes.

mod checks;
mod limiter;
mod link;
mod record;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use wharf_core::StoreError;
use wharf_core::cache::{Cache, Epochs, Key, Kind, Lookup, Ticket};
use wharf_oci::RepositoryName;

use crate::beliefs::Beliefs;
use crate::counters::{Answer, CacheCounters};
use crate::entries::{Entries, Entry};
use crate::versions::Versions;
use crate::{CacheStatus, Kept, RedisState};
use checks::{Checks, version_key};
pub use limiter::SharedLimiter;
use link::Link;
pub use link::{NoRedisUrl, RedisUrl};
use watch::Watch;

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
    /// What is served without asking.
    pub beliefs: Beliefs,
}

/// The cache. While a Redis is away, it is none.
pub struct SharedCache {
    link: Arc<Link>,
    checks: Checks,
    watch: Arc<Watch>,
    entries: Entries,
    versions: Versions,
    beliefs: Beliefs,
    counters: CacheCounters,
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
            watch: Arc::new(Watch::new(epochs, Arc::clone(&link))),
            link,
            entries: Entries::new(settings.memory),
            versions: Versions::new(),
            beliefs: settings.beliefs,
            counters: CacheCounters::default(),
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

    /// A limiter in the same Redis, over the same connection.
    pub fn limiter(&self) -> SharedLimiter {
        SharedLimiter::new(Arc::clone(&self.link), Arc::clone(&self.watch))
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
        if self.entries.takes(value.len()) && self.versions.of(&key) == version {
            let unasked_until = now + self.beliefs.of(&key).min(life);
            let entry = Entry { value: Some(value), version, shared, unasked_until, until };
            self.entries.insert(key, entry);
        }
    }

    /// What is kept under the version that Redis says is current.
    fn current(&self, key: &Key, version: u64, shared: u64, kept: Option<Entry>) -> Option<Lookup> {
        let entry = kept.filter(|entry| entry.shared == shared)?;
        let Some(value) = entry.value else {
            self.counters.count(key.kind(), Answer::Absent);
            return Some(Lookup::Absent);
        };
        self.counters.count(key.kind(), Answer::Memory);
        if !self.beliefs.of(key).is_zero() {
            let left = entry.until.saturating_duration_since(Instant::now());
            self.keep(key.clone(), value.clone(), version, shared, left);
        }
        Some(Lookup::Hit(value))
    }
}

#[async_trait]
impl Cache for SharedCache {
    async fn get(&self, key: Key) -> Lookup {
        let kind = key.kind();
        let version = self.versions.of(&key);
        let now = Instant::now();
        let kept = self.entries.get(&key, version, now);
        if let Some(Entry { value: Some(value), unasked_until, .. }) = &kept
            && now < *unasked_until
        {
            self.counters.count(kind, Answer::Memory);
            return Lookup::Hit(value.clone());
        }
        let asked = async {
            let epoch = self.watch.current()?;
            Some((epoch, self.checks.version(epoch, key.repository(), kind).await?))
        };
        let Some((epoch, shared)) = asked.await else {
            self.counters.count(kind, Answer::Bypassed);
            // Nobody can tell whether another node wrote since the last pull: where that must not be missed,
            // the ticket is like no other, so that no pull is given what an earlier one reads.
            let version =
                if self.beliefs.of(&key).is_zero() { self.versions.alone() } else { version };
            return Lookup::Miss(Ticket { key, version, shared: 0 });
        };
        if let Some(found) = self.current(&key, version, shared, kept) {
            return found;
        }
        if let Some((value, left)) = self.find(epoch, shared, &key).await {
            self.counters.count(kind, Answer::Redis);
            self.keep(key, value.clone(), version, shared, left);
            return Lookup::Hit(value);
        }
        self.counters.count(kind, Answer::Miss);
        Lookup::Miss(Ticket { key, version, shared })
    }

    async fn put(&self, ticket: Ticket, value: Bytes, life: Duration) {
        let Ticket { key, version, shared } = ticket;
        let Some(epoch) = self.watch.current().filter(|_| shared != 0) else {
            let unasked = self.beliefs.of(&key).min(life);
            return self.keep(key, value, version, 0, unasked);
        };
        // Redis takes no longer times; no value lives so long.
        let kept = life.min(LONGEST_LIFE);
        if kept.as_millis() == 0 {
            return;
        }
        let (versions, name) =
            (version_key(epoch, key.repository(), key.kind()), value_key(epoch, &key));
        let _: Option<()> = self
            .link
            .ask(|connection| record::put(connection, versions, name, shared, &value, kept))
            .await;
        self.keep(key, value, version, shared, life);
    }

    async fn put_absence(&self, ticket: Ticket, life: Duration) {
        let Ticket { key, version, shared } = ticket;
        let now = Instant::now();
        let Some(until) = now.checked_add(life) else { return };
        // Without the word of Redis a push through another node would go unnoticed.
        if shared != 0 && self.versions.of(&key) == version {
            let entry = Entry { value: None, version, shared, unasked_until: now, until };
            self.entries.insert(key, entry);
        }
    }

    async fn last_known(&self, key: Key) -> Option<Bytes> {
        let version = self.versions.of(&key);
        if let Some(value) =
            self.entries.get(&key, version, Instant::now()).and_then(|entry| entry.value)
        {
            return Some(value);
        }
        // Writers that reach Redis have invalidated there what they changed.
        let epoch = self.watch.last()?;
        let shared = self.checks.version(epoch, key.repository(), key.kind()).await?;
        Some(self.find(epoch, shared, &key).await?.0)
    }

    async fn invalidate(&self, repository: &RepositoryName, kind: Kind) -> Result<(), StoreError> {
        self.forget(repository, kind);
        let done = match self.watch.to_invalidate().await {
            Some(epoch) => {
                let name = version_key(epoch, repository, kind);
                let changed: Option<i64> = self
                    .link
                    .ask(|mut connection| async move {
                        // Whoever asks next is given a new one.
                        redis::cmd("DEL").arg(name).query_async(&mut connection).await
                    })
                    .await;
                changed.is_some()
            }
            None => false,
        };
        let done = done || self.watch.suspend().await.is_some();
        // Whoever looked between the write and here has the version from before.
        self.forget(repository, kind);
        done.then_some(()).ok_or_else(|| {
            let reason = "neither Redis nor the database can be told of a change";
            StoreError::Unavailable(reason.into())
        })
    }

    fn forget(&self, repository: &RepositoryName, kind: Kind) {
        self.versions.advance(repository, kind);
    }
}

impl CacheStatus for SharedCache {
    fn counters(&self) -> &CacheCounters {
        &self.counters
    }

    fn kept(&self) -> Kept {
        self.entries.kept()
    }

    fn redis(&self) -> Option<RedisState> {
        let in_use = self.watch.current().is_some();
        Some(RedisState { answers: !self.link.is_paused(), in_use })
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

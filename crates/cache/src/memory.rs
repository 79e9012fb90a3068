//! The cache in process: bounded by bytes, invalidated by the repository.
//!
//! Where other nodes write to the same database and no Redis tells of it, only what may be believed for a while is
//! kept: digests, and tags of repositories that are `eventual`. A strong tag is asked of the database each time, and
//! so is what is not there.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use wharf_core::StoreError;
use wharf_core::cache::{Cache, Key, Kind, Lookup, Ticket};
use wharf_oci::RepositoryName;

use crate::beliefs::Beliefs;
use crate::counters::{Answer, CacheCounters};
use crate::entries::{Entries, Entry};
use crate::versions::Versions;
use crate::{CacheStatus, Kept, RedisState};

/// A cache in this process's memory.
///
/// It holds at most `capacity` bytes, counting keys, values and what keeping them takes; past that, what
/// is used least goes. A value of more than a sixteenth of the capacity is not kept. Clones of a value's
/// [`Bytes`] share its memory, so that a value that is being sent lives on until it is sent.
pub struct MemoryCache {
    entries: Entries,
    versions: Versions,
    counters: CacheCounters,
    /// What is believed although other nodes write; `None` where this process alone does.
    beliefs: Option<Beliefs>,
}

impl MemoryCache {
    /// A cache of at most `capacity` bytes for a process that alone writes. With fewer than some 10 KiB it keeps nothing.
    pub fn new(capacity: u64) -> Self {
        Self {
            entries: Entries::new(capacity),
            versions: Versions::new(),
            counters: CacheCounters::default(),
            beliefs: None,
        }
    }

    /// The same for one of several nodes, whose writes go unnoticed here.
    pub fn among_others(capacity: u64, beliefs: Beliefs) -> Self {
        Self { beliefs: Some(beliefs), ..Self::new(capacity) }
    }

    /// For how long a value of that key is kept at most.
    fn believed(&self, key: &Key) -> Duration {
        self.beliefs.as_ref().map_or(Duration::MAX, |beliefs| beliefs.of(key))
    }

    fn keep(&self, ticket: Ticket, value: Option<Bytes>, life: Duration) {
        let Ticket { key, version, .. } = ticket;
        let Some(until) = Instant::now().checked_add(life) else { return };
        // A value that is stale already would only drive others out. One that becomes stale between
        // this look and the insertion is told by its version.
        if self.versions.of(&key) == version {
            let entry = Entry { value, version, shared: 0, unasked_until: until, until };
            self.entries.insert(key, entry);
        }
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: Key) -> Lookup {
        // Before the look-up, and so before whoever misses reads the database.
        let kind = key.kind();
        if self.believed(&key).is_zero() {
            self.counters.count(kind, Answer::Bypassed);
            // Another node may have written since any earlier pull, so none shares a read with this one.
            return Lookup::Miss(Ticket { key, version: self.versions.alone(), shared: 0 });
        }
        let version = self.versions.of(&key);
        let (answer, lookup) = match self.entries.get(&key, version, Instant::now()) {
            Some(Entry { value: Some(value), .. }) => (Answer::Memory, Lookup::Hit(value)),
            Some(Entry { value: None, .. }) => (Answer::Absent, Lookup::Absent),
            None => (Answer::Miss, Lookup::Miss(Ticket { key, version, shared: 0 })),
        };
        self.counters.count(kind, answer);
        lookup
    }

    async fn put(&self, ticket: Ticket, value: Bytes, life: Duration) {
        if self.entries.takes(value.len()) {
            let life = life.min(self.believed(&ticket.key));
            self.keep(ticket, Some(value), life);
        }
    }

    async fn put_absence(&self, ticket: Ticket, life: Duration) {
        if self.beliefs.is_none() {
            self.keep(ticket, None, life);
        }
    }

    async fn last_known(&self, _: Key) -> Option<Bytes> {
        // Whatever may be served was found by `get`.
        None
    }

    async fn invalidate(&self, repository: &RepositoryName, kind: Kind) -> Result<(), StoreError> {
        self.forget(repository, kind);
        Ok(())
    }

    fn forget(&self, repository: &RepositoryName, kind: Kind) {
        self.versions.advance(repository, kind);
    }
}

impl CacheStatus for MemoryCache {
    fn counters(&self) -> &CacheCounters {
        &self.counters
    }

    fn kept(&self) -> Kept {
        self.entries.kept()
    }

    fn redis(&self) -> Option<RedisState> {
        None
    }
}

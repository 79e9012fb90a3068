//! The cache in process: bounded by bytes, invalidated by the repository.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use wharf_core::StoreError;
use wharf_core::cache::{Cache, Key, Kind, Lookup, Ticket};
use wharf_oci::RepositoryName;

use crate::counters::{Answer, CacheCounters};
use crate::entries::{Entries, Entry};
use crate::versions::Versions;

/// A cache in this process's memory.
///
/// It holds at most `capacity` bytes, counting keys, values and what keeping them takes; past that, what
/// is used least goes. A value of more than a sixteenth of the capacity is not kept. Clones of a value's
/// [`Bytes`] share its memory, so that a value that is being sent lives on until it is sent.
pub struct MemoryCache {
    entries: Entries,
    versions: Versions,
    counters: CacheCounters,
}

impl MemoryCache {
    /// A cache of at most `capacity` bytes. With fewer than some 10 KiB it keeps nothing.
    pub fn new(capacity: u64) -> Self {
        Self {
            entries: Entries::new(capacity),
            versions: Versions::new(),
            counters: CacheCounters::default(),
        }
    }

    /// How many bytes the cache holds now, counted as the capacity is.
    pub fn weight(&self) -> u64 {
        self.entries.weight()
    }

    /// How often it had what was asked for.
    pub const fn counters(&self) -> &CacheCounters {
        &self.counters
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
        let version = self.versions.of(&key);
        let kind = key.kind();
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
            self.keep(ticket, Some(value), life);
        }
    }

    async fn put_absence(&self, ticket: Ticket, life: Duration) {
        self.keep(ticket, None, life);
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

//! The cache in process: bounded by bytes, invalidated by the repository.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use wharf_core::StoreError;
use wharf_core::cache::{Cache, Key, Lookup, Ticket};
use wharf_oci::RepositoryName;

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
}

impl MemoryCache {
    /// A cache of at most `capacity` bytes. With fewer than some 10 KiB it keeps nothing.
    pub fn new(capacity: u64) -> Self {
        Self { entries: Entries::new(capacity), versions: Versions::new() }
    }

    /// How many bytes the cache holds now, counted as the capacity is.
    pub fn weight(&self) -> u64 {
        self.entries.weight()
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: Key) -> Lookup {
        // Before the look-up, and so before whoever misses reads the database.
        let version = self.versions.of(key.repository());
        match self.entries.get(&key) {
            Some(entry) if entry.version == version && Instant::now() < entry.until => {
                Lookup::Hit(entry.value)
            }
            _ => Lookup::Miss(Ticket { key, version, shared: 0 }),
        }
    }

    async fn put(&self, ticket: Ticket, value: Bytes, life: Duration) {
        let Ticket { key, version, .. } = ticket;
        let Some(until) = Instant::now().checked_add(life) else { return };
        // A value that is stale already would only drive others out. One that becomes stale between
        // this look and the insertion is told by its version.
        if !self.entries.takes(value.len()) || self.versions.of(key.repository()) != version {
            return;
        }
        let entry = Entry { value, version, shared: 0, unasked_until: until, until };
        self.entries.insert(key, entry);
    }

    async fn last_known(&self, _: Key) -> Option<Bytes> {
        // Whatever may be served was found by `get`.
        None
    }

    async fn invalidate(&self, repository: &RepositoryName) -> Result<(), StoreError> {
        self.versions.advance(repository);
        Ok(())
    }
}

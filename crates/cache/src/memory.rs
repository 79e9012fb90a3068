//! The cache in process: bounded by bytes, invalidated by the repository.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use quick_cache::sync::{Cache as Store, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use wharf_core::cache::{Cache, Key, Lookup, Ticket};
use wharf_oci::{Reference, RepositoryName};

use crate::versions::Versions;

/// What a value costs beside the bytes of its key and itself: the table's slot, the allocations' headers.
const OVERHEAD: u64 = 400;

/// What a value is taken to weigh on average: it only sets how large the table is made at first.
const TYPICAL: u64 = 2048;

/// A cache in this process's memory.
///
/// It holds at most `capacity` bytes, counting keys, values and what keeping them takes; past that, what
/// is used least goes. A value of more than a sixteenth of the capacity is not kept. Clones of a value's
/// [`Bytes`] share its memory, so that a value that is being sent lives on until it is sent.
pub struct MemoryCache {
    entries: Store<Key, Entry, Weight>,
    versions: Versions,
    largest: usize,
}

#[derive(Clone)]
struct Entry {
    value: Bytes,
    version: u64,
    until: Instant,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Entry> for Weight {
    fn weight(&self, key: &Key, entry: &Entry) -> u64 {
        let name = key.repository().as_str().len() as u64;
        let tag = match key {
            Key::Manifest(_, Reference::Tag(tag)) => tag.as_str().len() as u64,
            _ => 0,
        };
        OVERHEAD + name + tag + entry.value.len() as u64
    }
}

impl MemoryCache {
    /// A cache of at most `capacity` bytes. With fewer than some 10 KiB it keeps nothing.
    pub fn new(capacity: u64) -> Self {
        let estimated = usize::try_from(capacity / TYPICAL).unwrap_or(usize::MAX).max(16);
        let hashing = DefaultHashBuilder::default();
        let lifecycle = DefaultLifecycle::default();
        let mut options = OptionsBuilder::new();
        // Few shards: each keeps an equal part of the capacity, and the largest value must fit into one.
        options.shards(8).estimated_items_capacity(estimated).weight_capacity(capacity);
        let entries = match options.build() {
            Ok(options) => Store::with_options(options, Weight, hashing, lifecycle),
            Err(_) => Store::with(estimated, capacity, Weight, hashing, lifecycle),
        };
        let largest = usize::try_from(capacity / 16).unwrap_or(usize::MAX);
        Self { entries, versions: Versions::new(), largest }
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
            _ => Lookup::Miss(Ticket { key, version }),
        }
    }

    async fn put(&self, ticket: Ticket, value: Bytes, life: Duration) {
        let Ticket { key, version } = ticket;
        let Some(until) = Instant::now().checked_add(life) else { return };
        // A value that is stale already would only drive others out. One that becomes stale between
        // this look and the insertion is told by its version.
        if value.len() > self.largest || self.versions.of(key.repository()) != version {
            return;
        }
        self.entries.insert(key, Entry { value, version, until });
    }

    async fn invalidate(&self, repository: &RepositoryName) {
        self.versions.advance(repository);
    }
}

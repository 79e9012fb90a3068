//! A bounded table of values in this process's memory, each with the versions that it was read under.

use std::time::Instant;

use bytes::Bytes;
use quick_cache::sync::{Cache as Store, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use wharf_core::cache::Key;
use wharf_oci::Reference;

/// What a value costs beside the bytes of its key and itself: the table's slot, the allocations' headers.
const OVERHEAD: u64 = 400;

/// What a value is taken to weigh on average: it only sets how large the table is made at first.
const TYPICAL: u64 = 2048;

/// The table.
pub(crate) struct Entries {
    store: Store<Key, Entry, Weight>,
    largest: usize,
}

/// A value, and under what it holds.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) value: Bytes,
    /// The repository's version in this process.
    pub(crate) version: u64,
    /// Its version in the cache that nodes share; 0 where there is none.
    pub(crate) shared: u64,
    /// Until when it may be served without asking anyone.
    pub(crate) unasked_until: Instant,
    /// Until when it may be served at all.
    pub(crate) until: Instant,
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

impl Entries {
    /// A table of at most `capacity` bytes. With fewer than some 10 KiB it keeps nothing.
    pub(crate) fn new(capacity: u64) -> Self {
        let estimated = usize::try_from(capacity / TYPICAL).unwrap_or(usize::MAX).max(16);
        let hashing = DefaultHashBuilder::default();
        let lifecycle = DefaultLifecycle::default();
        let mut options = OptionsBuilder::new();
        // Few shards: each keeps an equal part of the capacity, and the largest value must fit into one.
        options.shards(8).estimated_items_capacity(estimated).weight_capacity(capacity);
        let store = match options.build() {
            Ok(options) => Store::with_options(options, Weight, hashing, lifecycle),
            Err(_) => Store::with(estimated, capacity, Weight, hashing, lifecycle),
        };
        let largest = usize::try_from(capacity / 16).unwrap_or(usize::MAX);
        Self { store, largest }
    }

    pub(crate) fn weight(&self) -> u64 {
        self.store.weight()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Entry> {
        self.store.get(key)
    }

    /// Whether a value of that many bytes is kept at all.
    pub(crate) const fn takes(&self, length: usize) -> bool {
        length <= self.largest
    }

    pub(crate) fn insert(&self, key: Key, entry: Entry) {
        self.store.insert(key, entry);
    }
}

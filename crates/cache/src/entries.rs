//! Bounded tables in this process's memory: of values, and of what is not there, each entry with the versions that
//! it was read under.

use std::time::Instant;

use bytes::Bytes;
use quick_cache::sync::{Cache as Store, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use wharf_core::cache::Key;
use wharf_oci::Reference;

use crate::Kept;

/// What a value costs beside the bytes of its key and itself: the table's slot, the allocations' headers.
const OVERHEAD: u64 = 400;

/// What a value is taken to weigh on average: it only sets how large the table is made at first.
const TYPICAL: u64 = 2048;

/// The part of the memory that is for absences: names that strangers think up drive out each other and no value.
const ABSENCES: u64 = 16;

/// The tables.
pub(crate) struct Entries {
    values: Table,
    absences: Table,
    largest: usize,
}

type Table = Store<Key, Entry, Weight>;

/// A value, and under what it holds.
#[derive(Clone)]
pub(crate) struct Entry {
    /// `None` where there is nothing.
    pub(crate) value: Option<Bytes>,
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
        OVERHEAD + name + tag + entry.value.as_ref().map_or(0, |value| value.len() as u64)
    }
}

impl Entries {
    /// Tables of at most `capacity` bytes together. With fewer than some 10 KiB they keep nothing.
    pub(crate) fn new(capacity: u64) -> Self {
        let absences = capacity / ABSENCES;
        let largest = usize::try_from(capacity / 16).unwrap_or(usize::MAX);
        Self {
            values: table(capacity - absences, TYPICAL),
            absences: table(absences, OVERHEAD),
            largest,
        }
    }

    /// How much there is.
    pub(crate) fn kept(&self) -> Kept {
        Kept {
            entries: self.values.len() + self.absences.len(),
            bytes: self.values.weight() + self.absences.weight(),
        }
    }

    /// What is kept under that version, and is not too old to be served.
    pub(crate) fn get(&self, key: &Key, version: u64, now: Instant) -> Option<Entry> {
        let good = |entry: &Entry| entry.version == version && now < entry.until;
        self.values.get(key).filter(good).or_else(|| self.absences.get(key).filter(good))
    }

    /// Whether a value of that many bytes is kept at all.
    pub(crate) const fn takes(&self, length: usize) -> bool {
        length <= self.largest
    }

    pub(crate) fn insert(&self, key: Key, entry: Entry) {
        if entry.value.is_some() {
            self.values.insert(key, entry);
        } else {
            // Else a value that is stale would hide it.
            self.values.remove(&key);
            self.absences.insert(key, entry);
        }
    }
}

fn table(capacity: u64, typical: u64) -> Table {
    let estimated = usize::try_from(capacity / typical).unwrap_or(usize::MAX).max(16);
    let hashing = DefaultHashBuilder::default();
    let lifecycle = DefaultLifecycle::default();
    let mut options = OptionsBuilder::new();
    // Few shards: each keeps an equal part of the capacity, and the largest value must fit into one.
    options.shards(8).estimated_items_capacity(estimated).weight_capacity(capacity);
    match options.build() {
        Ok(options) => Store::with_options(options, Weight, hashing, lifecycle),
        Err(_) => Store::with(estimated, capacity, Weight, hashing, lifecycle),
    }
}

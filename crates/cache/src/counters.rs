//! How often a cache had what was asked for, by the kind of value.

use std::sync::atomic::{AtomicU64, Ordering};

use wharf_core::cache::Kind;

/// How a look-up was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// From this process's memory.
    Memory,
    /// By Redis.
    Redis,
    /// That there is nothing, from this process's memory.
    Absent,
    /// Not: it was not there.
    Miss,
    /// Not: the cache could not be asked, as while Redis is away.
    Bypassed,
}

impl Answer {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Memory, Self::Redis, Self::Absent, Self::Miss, Self::Bypassed];
}

/// The look-ups of a cache since the process began.
#[derive(Debug, Default)]
pub struct CacheCounters {
    manifests: [AtomicU64; Answer::ALL.len()],
    blobs: [AtomicU64; Answer::ALL.len()],
}

impl CacheCounters {
    /// How many look-ups of that kind were answered so.
    pub fn get(&self, kind: Kind, answer: Answer) -> u64 {
        self.counter(kind, answer).load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, kind: Kind, answer: Answer) {
        self.counter(kind, answer).fetch_add(1, Ordering::Relaxed);
    }

    const fn counter(&self, kind: Kind, answer: Answer) -> &AtomicU64 {
        let counters = match kind {
            Kind::Manifest => &self.manifests,
            Kind::Blob => &self.blobs,
        };
        &counters[answer as usize]
    }
}

//! The versions of repositories, one a kind of value: a fixed table of counters, so that no repository costs memory.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use wharf_core::cache::{Key, Kind};
use wharf_oci::RepositoryName;

/// How many counters there are: 32 KiB of them. Repositories that share one are invalidated together,
/// which costs a miss.
const COUNTERS: usize = 4096;

/// The versions of all repositories. Each counts its repository's invalidations, and those of the
/// repositories that share its counter.
pub(crate) struct Versions {
    counters: Box<[AtomicU64]>,
    /// Keyed at random, so that nobody can choose names that share a counter with a given repository.
    hashing: RandomState,
    /// How many versions were like no other.
    alone: AtomicU64,
}

impl Versions {
    pub(crate) fn new() -> Self {
        let counters = (0..COUNTERS).map(|_| AtomicU64::new(0)).collect();
        Self { counters, hashing: RandomState::new(), alone: AtomicU64::new(0) }
    }

    /// The version that a value of that key has now. What a write did before it advanced the version is seen by
    /// whoever sees the new one.
    pub(crate) fn of(&self, key: &Key) -> u64 {
        self.counter(key.repository(), key.kind()).load(Ordering::SeqCst)
    }

    /// A version that no key has, and no other call gave: for a ticket under which nothing is kept or shared.
    pub(crate) fn alone(&self) -> u64 {
        // Versions count up from 0, so the two never meet.
        u64::MAX - self.alone.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes every value put under an earlier version worthless.
    pub(crate) fn advance(&self, repository: &RepositoryName, kind: Kind) {
        self.counter(repository, kind).fetch_add(1, Ordering::SeqCst);
    }

    fn counter(&self, repository: &RepositoryName, kind: Kind) -> &AtomicU64 {
        let hash = self.hashing.hash_one((repository.as_str(), kind));
        &self.counters[hash as usize % COUNTERS]
    }
}

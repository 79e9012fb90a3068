//! What operators see of a cache.

use crate::CacheCounters;

/// A cache, to be looked at.
pub trait CacheStatus: Send + Sync + 'static {
    /// Its look-ups.
    fn counters(&self) -> &CacheCounters;

    /// What this process's memory holds of it.
    fn kept(&self) -> Kept;

    /// How it stands with Redis; `None` where there is none.
    fn redis(&self) -> Option<RedisState>;
}

/// What is kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// How many values and absences.
    pub entries: usize,
    /// How many bytes, counted as the capacity is.
    pub bytes: u64,
}

/// How a node stands with Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedisState {
    /// Whether it answers: after several failures it is left alone, but for a try now and then.
    pub answers: bool,
    /// Whether this node may read what is in it. Not while all nodes leave it alone, nor while the database does not
    /// say.
    pub in_use: bool,
}

//! Caches behind `wharf_core::cache::Cache`: in process, and in Redis for all nodes. Losing one loses speed,
//! nothing else.

#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod entries;
mod memory;
mod shared;
mod versions;

pub use memory::MemoryCache;
pub use shared::{
    NoRedisUrl, RedisRefuses, RedisUrl, SharedCache, SharedCacheCounters, SharedCacheSettings,
};

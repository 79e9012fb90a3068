//! Caches behind `wharf_core::cache::Cache`: in process, and in Redis for all nodes. Losing one loses speed,
//! nothing else. Beside them, what counts for limits, behind `wharf_core::limits::Limiter`.

mod beliefs;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod counters;
mod entries;
mod event_tail;
mod limiter;
mod memory;
mod shared;
mod status;
mod versions;

pub use beliefs::Beliefs;
pub use counters::{Answer, CacheCounters};
pub use event_tail::EventTail;
pub use limiter::MemoryLimiter;
pub use memory::MemoryCache;
pub use shared::{
    NoRedisUrl, RedisRefuses, RedisUrl, SharedCache, SharedCacheSettings, SharedLimiter,
};
pub use status::{CacheStatus, Kept, RedisState};

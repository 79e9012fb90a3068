//! Caches behind `wharf_core::cache::Cache`: in process, and in Redis for all nodes. Losing one loses speed,
//! nothing else.

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
pub use shared::{NoRedisUrl, RedisRefuses, RedisUrl, SharedCache, SharedCacheSettings};
pub use status::{CacheStatus, Kept, RedisState};

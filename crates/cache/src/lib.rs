//! Caches behind `wharf_core::cache::Cache`: in process. Losing one loses speed, nothing else.

#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod memory;
mod versions;

pub use memory::MemoryCache;

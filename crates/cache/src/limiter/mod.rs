//! Limiters behind `wharf_core::limits::Limiter`: in process, and in Redis for all nodes.

#[cfg(test)]
pub(crate) mod contract;
mod memory;

pub use memory::MemoryLimiter;

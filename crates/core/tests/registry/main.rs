//! The registry on SQLite, on object stores that fail on purpose, and on the cache in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod caching;
mod chunks;
mod collecting;
mod deleting;
mod direct;
mod direct_ends;
mod expiry;
mod faulty_metadata;
mod finishing;
mod in_flight;
mod last_known;
mod leftovers;
mod retention;
mod stand;
mod step_faults;

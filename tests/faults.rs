//! Faults on the ways to PostgreSQL, the bucket and Redis, under a whole program that goes on: every wait ends, every error
//! is the right one, nothing wrong is served, and when the fault is over all is well by itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "faults/database.rs"]
mod database;
#[path = "faults/mixed.rs"]
mod mixed;
#[path = "faults/objects.rs"]
mod objects;
#[path = "faults/redis.rs"]
mod redis;
#[path = "faults/stand.rs"]
mod stand;
mod support;

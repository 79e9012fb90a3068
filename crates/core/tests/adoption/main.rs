//! Adopting: another registry's folder, made up by hand, taken over by a registry on SQLite and files.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod bad;
mod going_on;
mod good;
mod quotas;
mod stand;
mod tree;

//! The store of a real `docker-registry` is taken over where it lies: on files and in a bucket, by Wharf on SQLite and on
//! PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "adopt/content.rs"]
mod content;
#[path = "adopt/interrupted.rs"]
mod interrupted;
#[path = "adopt/refusals.rs"]
mod refusals;
#[path = "adopt/site.rs"]
mod site;
mod support;
#[path = "adopt/taken_over.rs"]
mod taken_over;

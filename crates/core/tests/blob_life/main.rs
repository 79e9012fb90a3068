//! Model check
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

mod guards;
mod holds;
mod model;
mod rows;
mod scenarios;
mod transactions;

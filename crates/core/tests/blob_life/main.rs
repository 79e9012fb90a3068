//! Model check
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

mod ends;
mod guards;
mod holds;
mod life;
mod model;
mod rows;
mod scenarios;
mod state;
mod taken_away;
mod transactions;

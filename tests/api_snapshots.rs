//! The whole API as snapshots of replies, reviewed against distribution-spec 1.1: a change in any of them shows.
//!
//! A change that is meant is taken over with `INSTA_UPDATE=always`, and then read before it is committed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod api;
mod support;

const PROTOCOL: api::transcript::Protocol = api::transcript::Protocol::Http1;

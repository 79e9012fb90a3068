//! The same scenarios over HTTP/2 without TLS, held against the same snapshots.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod api;
mod support;

const PROTOCOL: api::transcript::Protocol = api::transcript::Protocol::Http2;

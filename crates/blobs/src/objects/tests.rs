//! Object stores under test: real services, each test under a prefix of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod s3;

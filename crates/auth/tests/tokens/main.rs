//! Tokens as an attacker sees them, keys as an operator changes them, and logins of all kinds.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod forged;
mod guard;
mod oidc;
mod recorded;
mod rotation;
mod sign_in;
mod stand;
mod workloads;

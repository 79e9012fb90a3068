//! What the whole-program tests share: a server of their own, clients, and images made on the spot.

// Each test binary uses the part that it needs.
#![allow(dead_code)]

pub mod container_tools;
pub mod docker;
pub mod docker_registry;
pub mod engines;
pub mod images;
pub mod layout;
pub mod ledger;
pub mod metrics;
pub mod nginx;
pub mod nodes;
pub mod program;
pub mod proxy;
pub mod random;
pub mod registry;
pub mod server;
pub mod slapd;
pub mod terminal;
pub mod writer;

//! Access control, whole: who may do what by which route, and what an attacker finds who knows names and digests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "access/attacks.rs"]
mod attacks;
#[path = "access/audit.rs"]
mod audit;
#[path = "access/credentials.rs"]
mod credentials;
#[path = "access/decision.rs"]
mod decision;
#[path = "access/expiry.rs"]
mod expiry;
#[path = "access/forging.rs"]
mod forging;
#[path = "access/house.rs"]
mod house;
#[path = "access/images.rs"]
mod images;
#[path = "access/limits.rs"]
mod limits;
#[path = "access/logins.rs"]
mod logins;
#[path = "access/matrix.rs"]
mod matrix;
#[path = "access/nodes.rs"]
mod nodes;
#[path = "access/routes.rs"]
mod routes;
#[path = "access/workloads.rs"]
mod workloads;

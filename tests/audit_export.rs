//! The audit log, sent to a syslog receiver: each record, whatever becomes of the receiver.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "audit_export/away.rs"]
mod away;
#[path = "access/house.rs"]
mod house;
#[path = "audit_export/protocols.rs"]
mod protocols;
#[path = "audit_export/receiver.rs"]
mod receiver;

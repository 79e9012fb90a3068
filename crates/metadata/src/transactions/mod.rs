//! The transactions, a file a noun: the rules of sharing, sweeping and committing, written once for every engine.

mod events;
pub(crate) mod manifests;
pub(crate) mod memberships;
pub(crate) mod repositories;
pub(crate) mod tags;
pub(crate) mod uploads;

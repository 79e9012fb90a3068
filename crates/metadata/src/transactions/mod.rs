//! The transactions, a file a noun: the rules of sharing, sweeping and committing, written once for every engine.

pub(crate) mod accounts;
pub(crate) mod adoptions;
pub(crate) mod audit;
pub(crate) mod commit_order;
pub(crate) mod counts;
pub(crate) mod deleted_repositories;
pub(crate) mod epoch;
pub(crate) mod event_log;
mod events;
pub(crate) mod expiry;
pub(crate) mod garbage;
mod holding;
pub(crate) mod immutability;
pub(crate) mod integrity;
pub(crate) mod jobs;
pub(crate) mod manifests;
pub(crate) mod memberships;
pub(crate) mod pins;
pub(crate) mod repositories;
pub(crate) mod restoring;
pub(crate) mod retention;
mod rollback;
pub(crate) mod tag_history;
pub(crate) mod tags;
pub(crate) mod uploads;
pub(crate) mod usage;
pub(crate) mod writes;

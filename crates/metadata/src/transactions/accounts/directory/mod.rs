//! The directory: lists for those who manage accounts and repositories.

pub(crate) mod namespaces;
pub(crate) mod repositories;
pub(crate) mod secrets;
pub(crate) mod tag_order;
pub(crate) mod users;

//! The management API, `/api/v1`, by the real program: who may do what, what it answers, and its own description.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "management/changes.rs"]
mod changes;
#[path = "management/credentials.rs"]
mod credentials;
#[path = "management/deleted_repositories.rs"]
mod deleted_repositories;
#[path = "management/findings.rs"]
mod findings;
#[path = "management/fuzzing.rs"]
mod fuzzing;
#[path = "management/history.rs"]
mod history;
#[path = "access/house.rs"]
mod house;
#[path = "management/immutability.rs"]
mod immutability;
#[path = "management/input.rs"]
mod input;
#[path = "management/lists.rs"]
mod lists;
#[path = "management/matrix.rs"]
mod matrix;
#[path = "management/people.rs"]
mod people;
#[path = "management/quotas.rs"]
mod quotas;
#[path = "management/repositories.rs"]
mod repositories;
#[path = "management/retention.rs"]
mod retention;
#[path = "management/signing_up.rs"]
mod signing_up;
#[path = "management/trash.rs"]
mod trash;

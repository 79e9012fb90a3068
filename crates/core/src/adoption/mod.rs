//! Adopting what another registry left, where it lies: its layout is read, its blobs are hashed, and its manifests and tags
//! become Wharf's. Nothing in its store is changed.
//!
//! The way through is the same for an adoption and for its rehearsal: `journey.rs` walks over the repositories, `repository.rs`
//! goes through one of them, and what becomes of each piece is the word of a `Target`: the registry's own
//! (`recorded.rs`), or one that only counts (`rehearsal.rs`).

pub(crate) mod fault;
pub(crate) mod hashing;
mod journey;
mod layout;
mod recorded;
mod rehearsal;
mod repository;
mod shortage;
mod slice;
mod target;
mod walk;

pub use rehearsal::rehearse;
pub use slice::{Adopter, SliceEnd};

//! Adoptions of other registries' stores: how far the one that runs is (`record.rs`), and the pieces that it takes
//! (`pieces.rs`).

mod pieces;
mod record;

pub(crate) use pieces::{Find, Held};
pub(crate) use record::{Last, ListFindings, Stop};

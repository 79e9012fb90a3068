//! What the programs that measure share: a client, processes that end with this one, and how figures are told.

pub mod engines;
pub mod figures;
pub mod http;
pub mod machine;
pub mod postgres;
pub mod process;
pub mod program;
pub mod table;
pub mod transactions;
pub mod usage;

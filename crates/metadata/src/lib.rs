//! The metadata traits of the core on a database: statements and transactions written once, engines apart.

#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod database;
mod engine;
mod migrations;
mod sqlite;
mod transactions;

pub use database::Database;
pub use migrations::MigrationError;
pub use sqlite::{OpenError, Sqlite};

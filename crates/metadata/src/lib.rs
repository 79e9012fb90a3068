//! The metadata traits of the core on a database: statements and transactions written once, engines apart.

pub mod backup;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod database;
mod engine;
mod migrations;
mod postgres;
mod sqlite;
mod transactions;
#[cfg(test)]
mod upgrading;

pub use database::Database;
pub use migrations::MigrationError;
pub use postgres::{
    ConnectionCounts, Connections, NoPostgresUrl, Postgres, PostgresError, PostgresSettings,
    PostgresUrl,
};
pub use sqlite::{OpenError, Sqlite};

//! The contract, and what is SQLite's own: migrations, durability, the group of a sync, a disk that is full.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod background;
mod groups;
mod opening;
mod planning;
mod upgrading;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tempfile::TempDir;
use wharf_oci::Digest;

use super::Sqlite;
use crate::Database;
use crate::contract::{HandClock, Inspect};
use crate::migrations::MIGRATIONS;

/// A database's file in a folder that is removed at the end.
struct File(TempDir);

impl File {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// As this version of the schema left it.
    fn of_version(version: i64) -> Self {
        let file = Self::new();
        let connection = file.connect();
        let made = "CREATE TABLE schema_migrations (
             version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT";
        connection.execute_batch(made).unwrap();
        for step in MIGRATIONS.iter().take_while(|step| step.version <= version) {
            connection.execute_batch(step.sqlite).unwrap();
            let applied = "INSERT INTO schema_migrations VALUES (?1, ?2, 0)";
            connection.execute(applied, (step.version, step.name)).unwrap();
        }
        file
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("metadata.db")
    }

    fn open(&self) -> Sqlite {
        Sqlite::open(&self.path(), HandClock::new()).unwrap()
    }

    /// A connection beside the engine.
    fn connect(&self) -> Connection {
        let connection = Connection::open(self.path()).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        connection
    }
}

#[async_trait]
impl Inspect for File {
    async fn rows(&self, sql: &str, digests: &[Digest]) -> Vec<Vec<String>> {
        let connection = self.connect();
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let digests = digests.iter().map(Digest::to_binary);
        let mut rows = statement.query(rusqlite::params_from_iter(digests)).unwrap();
        let mut found = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            found.push((0..columns).map(|column| text(row.get_ref(column).unwrap())).collect());
        }
        found
    }

    async fn refuses(&self, sql: &str) -> bool {
        self.connect().execute(sql, []).is_err()
    }
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "-".into(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
        ValueRef::Blob(bytes) => Digest::from_binary(bytes)
            .map_or_else(|| format!("{bytes:?}"), |digest| digest.to_string()),
        ValueRef::Real(number) => panic!("{number} in a strict table"),
    }
}

mod contract {
    use super::*;

    async fn make() -> (Database<Sqlite>, Arc<HandClock>, File) {
        let (file, clock) = (File::new(), HandClock::new());
        let engine = Sqlite::open(&file.path(), clock.clone()).unwrap();
        (Database::on_sqlite(engine), clock, file)
    }

    crate::metadata_contract!(make);
}

//! Opening: migrations, the settings that make it durable, files that are refused.

use super::*;
use crate::engine::{Engine, Result, Statements, Transaction};
use crate::migrations::{MIGRATIONS, newest};
use crate::sqlite::OpenError;
use crate::{Database, MigrationError};
use wharf_core::StoreError;
use wharf_core::cache::Epochs;
use wharf_core::metadata::Repositories;

/// A query in the writer or a reader, whose first row comes as text.
struct Ask(&'static str);

#[async_trait]
impl Transaction for Ask {
    type Output = String;

    async fn run(&self, on: &mut dyn Statements) -> Result<String> {
        let rows = on.query(self.0, &[]).await?;
        Ok(rows.first().map(|row| format!("{:?}", row.0[0])).unwrap_or_default())
    }
}

/// A statement in the writer.
struct Run(&'static str);

#[async_trait]
impl Transaction for Run {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        on.execute(self.0, &[]).await
    }
}

const INSERT: &str = "INSERT INTO repositories (name, created_at) VALUES ('a', 0)";

fn refused(file: &File) -> OpenError {
    Sqlite::open(&file.path(), HandClock::new()).err().expect("the file is refused")
}

async fn column(file: &File, sql: &str) -> Vec<String> {
    file.rows(sql, &[]).await.into_iter().map(|mut row| row.remove(0)).collect()
}

#[tokio::test]
async fn a_fresh_file_gets_every_migration() {
    let file = File::new();
    let engine = file.open();
    let applied = column(&file, "SELECT version || ' ' || name FROM schema_migrations").await;
    let steps: Vec<_> = MIGRATIONS.iter().map(|it| format!("{} {}", it.version, it.name)).collect();
    assert_eq!(applied, steps);
    Database::on_sqlite(engine).check().await.unwrap();
}

#[tokio::test]
async fn a_reopened_file_keeps_what_it_holds_and_is_not_migrated_again() {
    let file = File::new();
    file.open().write(Run(INSERT)).await.unwrap();
    let applied = "SELECT version || ' ' || applied_at FROM schema_migrations";
    let before = column(&file, applied).await;
    let engine = file.open();
    assert_eq!(engine.read(Ask("SELECT name FROM repositories")).await.unwrap(), "Text(\"a\")");
    assert_eq!(column(&file, applied).await, before);
}

/// A data folder as the first version left it.
#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_to_date_with_what_it_holds() {
    let file = File::of_version(1);
    file.connect().execute_batch(INSERT).unwrap();
    let database = Database::on_sqlite(file.open());
    let first = database.epoch().await.unwrap().number;
    database.advance_epoch(first).await.unwrap();
    assert_eq!(database.epoch().await.unwrap().number, first + 1);
    assert_eq!(column(&file, "SELECT name FROM repositories").await, ["a"]);
    let steps: Vec<_> = MIGRATIONS.iter().map(|it| it.version.to_string()).collect();
    assert_eq!(column(&file, "SELECT version FROM schema_migrations").await, steps);
}

/// Readers stand at numbers: none is given twice, also where all events were forgotten by then.
#[tokio::test]
async fn events_keep_their_numbers_when_their_table_is_made_anew() {
    let scopes = MIGRATIONS.iter().find(|step| step.name == "event scopes").unwrap();
    for (forgotten, expected) in [(1, vec!["2 a", "3 a", "4 -"]), (3, vec!["4 -"])] {
        let file = File::of_version(scopes.version - 1);
        let connection = file.connect();
        let event = "INSERT INTO events (repository_id, kind, payload, created_at)
             SELECT id, 'tag.moved', '{}', 0 FROM repositories;";
        let events = event.repeat(3);
        let forget = format!("DELETE FROM events WHERE id <= {forgotten}");
        connection.execute_batch(&format!("{INSERT}; {events} {forget}")).unwrap();
        drop(connection);
        let of_all =
            "INSERT INTO events (kind, payload, created_at) VALUES ('registry.writable', '{}', 0)";
        file.open().write(Run(of_all)).await.unwrap();
        let found = "SELECT e.id || ' ' || coalesce(r.name, '-') FROM events e
             LEFT JOIN repositories r ON r.id = e.repository_id ORDER BY e.id";
        assert_eq!(column(&file, found).await, expected);
    }
}

#[tokio::test]
async fn a_file_from_a_newer_wharf_is_refused_with_what_to_do() {
    let file = File::new();
    drop(file.open());
    file.connect()
        .execute_batch("INSERT INTO schema_migrations VALUES (7000, 'of tomorrow', 0)")
        .unwrap();
    let refusal = refused(&file);
    let OpenError::Migration { source: MigrationError::Newer { found, known }, .. } = refusal
    else {
        panic!("{refusal:?}");
    };
    assert_eq!((found, known), (7000, newest()));
    let text = refused(&file).to_string();
    let versions = format!("has schema version 7000, this wharf understands up to {}", newest());
    assert!(text.contains(&versions), "{text}");
    assert!(text.contains("use a newer wharf"), "{text}");
    assert!(text.contains("metadata.db"), "{text}");
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_behind() {
    let file = File::new();
    // Stands in the way of the step's last table.
    file.connect().execute_batch("CREATE TABLE events (id INTEGER)").unwrap();
    let text = refused(&file).to_string();
    assert!(text.contains("migration 1 (core) failed: table events already exists"), "{text}");
    let tables = column(&file, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
    assert_eq!(tables.await, ["events", "schema_migrations"]);
    assert!(column(&file, "SELECT name FROM schema_migrations").await.is_empty());
    file.connect().execute_batch("DROP TABLE events").unwrap();
    drop(file.open());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let file = File::new();
    let text = "a letter, and no database at all; it must not be overwritten. ".repeat(100);
    std::fs::write(file.path(), &text).unwrap();
    assert!(matches!(refused(&file), OpenError::Sqlite { .. }));
    assert_eq!(std::fs::read_to_string(file.path()).unwrap(), text);
}

#[tokio::test]
async fn the_writer_syncs_each_commit_and_checks_foreign_keys() {
    let file = File::new();
    let engine = file.open();
    for (pragma, value) in [
        ("PRAGMA journal_mode", "Text(\"wal\")"),
        ("PRAGMA synchronous", "Int(2)"),
        ("PRAGMA foreign_keys", "Int(1)"),
    ] {
        assert_eq!(engine.write(Ask(pragma)).await.unwrap(), value, "{pragma}");
    }
    let orphan = "INSERT INTO repository_blobs (repository_id, blob_digest, touched_at) VALUES (99, x'01', 0)";
    assert!(matches!(engine.write(Run(orphan)).await, Err(StoreError::Corrupt(_))));
    engine.write(Run(INSERT)).await.unwrap();
}

#[tokio::test]
async fn readers_cannot_write() {
    let file = File::new();
    let engine = file.open();
    engine.read(Run(INSERT)).await.unwrap_err();
    assert!(column(&file, "SELECT name FROM repositories").await.is_empty());
}

#[tokio::test]
async fn what_is_acknowledged_is_in_the_files_at_once() {
    let (file, copy) = (File::new(), File::new());
    let engine = file.open();
    engine.write(Run(INSERT)).await.unwrap();
    // As a crash leaves them: the engine is still open and has checkpointed nothing.
    for suffix in ["", "-wal"] {
        let name = format!("metadata.db{suffix}");
        std::fs::copy(file.0.path().join(&name), copy.0.path().join(&name)).unwrap();
    }
    let found = copy.open().read(Ask("SELECT name FROM repositories")).await.unwrap();
    assert_eq!(found, "Text(\"a\")");
}

#[tokio::test]
async fn every_table_is_strict() {
    let file = File::new();
    drop(file.open());
    let lax = "SELECT name FROM pragma_table_list
         WHERE schema = 'main' AND type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%'";
    assert!(column(&file, lax).await.is_empty());
}

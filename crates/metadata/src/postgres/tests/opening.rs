//! Opening: migrations, their lock and their record, databases that are refused.

use futures_util::future::join_all;
use wharf_core::metadata::Repositories;

use super::fresh::Fresh;
use super::{Ask, Run};
use crate::engine::Engine;
use crate::{Database, MigrationError, Postgres, PostgresError};

async fn refused(fresh: &Fresh) -> PostgresError {
    Postgres::connect(fresh.settings()).await.err().expect("the database is refused")
}

#[tokio::test]
async fn a_database_without_a_schema_is_refused_with_what_to_do() {
    let fresh = Fresh::empty().await;
    let refusal = refused(&fresh).await;
    assert!(matches!(
        refusal,
        PostgresError::Migration(MigrationError::Behind { found: 0, known: 1 })
    ));
    assert!(refusal.to_string().contains("run `wharf migrate`"), "{refusal}");
}

#[tokio::test]
async fn migrations_of_many_nodes_at_once_are_applied_once() {
    let fresh = Fresh::empty().await;
    let settings = fresh.settings();
    let applied = join_all((0..4).map(|_| Postgres::migrate(&settings))).await;
    let mut applied: Vec<_> = applied.into_iter().map(Result::unwrap).collect();
    applied.sort();
    assert_eq!(applied, [vec![], vec![], vec![], vec![1]]);
    let recorded =
        "SELECT version || ' ' || name || ' ' || octet_length(checksum) FROM schema_migrations";
    assert_eq!(fresh.column(recorded).await, ["1 core 33"]);
    assert!(Postgres::migrate(&settings).await.unwrap().is_empty());
    Database::on_postgres(fresh.engine().await).check().await.unwrap();
}

#[tokio::test]
async fn a_database_of_a_newer_wharf_is_refused_with_what_to_do() {
    let fresh = Fresh::new().await;
    let tomorrow = "INSERT INTO schema_migrations VALUES (7, 'of tomorrow', '', 0)";
    fresh.client().await.batch_execute(tomorrow).await.unwrap();
    for refusal in [refused(&fresh).await, Postgres::migrate(&fresh.settings()).await.unwrap_err()]
    {
        let text = refusal.to_string();
        assert!(text.contains("has schema version 7, this wharf understands up to 1"), "{text}");
        assert!(text.contains("use a newer wharf"), "{text}");
    }
}

#[tokio::test]
async fn a_step_of_another_text_is_noticed() {
    let fresh = Fresh::new().await;
    fresh.client().await.batch_execute("UPDATE schema_migrations SET checksum = ''").await.unwrap();
    assert!(matches!(
        refused(&fresh).await,
        PostgresError::Migration(MigrationError::Changed { version: 1, name: "core" })
    ));
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_behind() {
    let fresh = Fresh::empty().await;
    // Stands in the way of the step's last table.
    let client = fresh.client().await;
    client.batch_execute("CREATE TABLE schema_protocol (id integer)").await.unwrap();
    let text = Postgres::migrate(&fresh.settings()).await.unwrap_err().to_string();
    assert!(text.contains("migration 1 (core) failed"), "{text}");
    assert!(text.contains("\"schema_protocol\" already exists"), "{text}");
    let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(fresh.column(tables).await, ["schema_protocol"]);
    client.batch_execute("DROP TABLE schema_protocol").await.unwrap();
    assert_eq!(Postgres::migrate(&fresh.settings()).await.unwrap(), [1]);
}

#[tokio::test]
async fn migrations_work_behind_pgbouncer_too() {
    let fresh = Fresh::empty().await;
    let settings = fresh.settings_at(&wharf_engines::pgbouncer());
    assert_eq!(Postgres::migrate(&settings).await.unwrap(), [1]);
    Postgres::connect(settings).await.unwrap();
}

#[tokio::test]
async fn a_node_that_the_protocol_has_left_behind_neither_connects_nor_writes() {
    let fresh = Fresh::new().await;
    let engine = fresh.engine().await;
    let insert = "INSERT INTO repositories (name, created_at) VALUES ('a', 0)";
    fresh.client().await.batch_execute("UPDATE schema_protocol SET minimum = 2").await.unwrap();
    let text = engine.write(Run(insert)).await.unwrap_err().to_string();
    assert!(text.contains("asks for protocol 2, this wharf speaks 1"), "{text}");
    assert!(engine.read(Ask("SELECT name FROM repositories")).await.unwrap().is_empty());
    assert!(matches!(refused(&fresh).await, PostgresError::Refused(_)));
}

#[tokio::test]
async fn commits_wait_for_the_disk_whatever_the_default_is() {
    let fresh = Fresh::new().await;
    let show = || Ask("SELECT current_setting('synchronous_commit')");
    let name = &fresh.name;
    let lazy = format!("ALTER DATABASE {name} SET synchronous_commit = off");
    fresh.client().await.batch_execute(&lazy).await.unwrap();
    assert_eq!(fresh.engine().await.write(show()).await.unwrap(), ["on"]);
}

#[tokio::test]
async fn reads_cannot_write() {
    let fresh = Fresh::new().await;
    let insert = "INSERT INTO repositories (name, created_at) VALUES ('a', 0)";
    fresh.engine().await.read(Run(insert)).await.unwrap_err();
    assert!(fresh.column("SELECT name FROM repositories").await.is_empty());
}

#[tokio::test]
async fn the_clock_is_the_databases() {
    let fresh = Fresh::new().await;
    struct Now;
    #[async_trait::async_trait]
    impl crate::engine::Transaction for Now {
        type Output = i64;

        async fn run(&self, on: &mut dyn crate::engine::Statements) -> crate::engine::Result<i64> {
            Ok(on.now().await?.0)
        }
    }
    let engine = fresh.engine().await;
    let before = engine.read(Now).await.unwrap();
    let written = engine.write(Now).await.unwrap();
    let after = engine.read(Now).await.unwrap();
    assert!(before < written && written < after);
    let here = wharf_core::clock::Clock::now(&wharf_core::clock::SystemClock).0;
    assert!((here - after).abs() < 60_000_000);
}

//! Opening: migrations, their lock and their record, databases that are refused.

use futures_util::future::join_all;
use wharf_core::metadata::{Position, Repositories};

use super::fresh::Fresh;
use super::{Ask, Run};
use crate::contract::{self, Stand};
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
        PostgresError::Migration(MigrationError::Behind { found: 0, known: 6 })
    ));
    assert!(refusal.to_string().contains("run `wharf migrate`"), "{refusal}");
}

#[tokio::test]
async fn migrations_of_many_nodes_at_once_are_applied_once() {
    let fresh = Fresh::empty().await;
    let settings = fresh.settings();
    let applied = join_all((0..4).map(|_| Postgres::migrate(&settings))).await;
    let mut applied: Vec<_> = applied.into_iter().flat_map(Result::unwrap).collect();
    applied.sort_unstable();
    assert_eq!(applied, [1, 2, 3, 4, 6]);
    let recorded =
        "SELECT version || ' ' || name || ' ' || octet_length(checksum) FROM schema_migrations
         ORDER BY version";
    assert_eq!(
        fresh.column(recorded).await,
        ["1 core 33", "2 background 33", "3 epoch 33", "4 access 33", "6 counts 33"]
    );
    assert!(Postgres::migrate(&settings).await.unwrap().is_empty());
    Database::on_postgres(fresh.engine().await).check().await.unwrap();
}

/// As while nodes are replaced one by one, and one of the old ones starts anew.
#[tokio::test]
async fn a_database_of_a_newer_wharf_is_used_until_the_protocol_leaves_this_one_behind() {
    let fresh = Fresh::own().await;
    let client = fresh.client().await;
    let tomorrow = "INSERT INTO schema_migrations VALUES (7, 'of tomorrow', '', 0)";
    client.batch_execute(tomorrow).await.unwrap();
    assert!(Postgres::migrate(&fresh.settings()).await.unwrap().is_empty());
    Database::on_postgres(fresh.engine().await).check().await.unwrap();
    client.batch_execute("UPDATE schema_protocol SET minimum = 2").await.unwrap();
    let refusal = refused(&fresh).await;
    assert!(matches!(refusal, PostgresError::Refused(_)));
    assert!(refusal.to_string().contains("use a newer wharf"), "{refusal}");
}

/// What the version before writes, and what this one makes of it: neither notices the other.
#[tokio::test]
async fn a_node_of_the_version_before_writes_on_after_the_step() {
    let fresh = Fresh::own().await;
    let client = fresh.client().await;
    let event = "INSERT INTO repositories (name, created_at) VALUES ('a', 0);
         INSERT INTO events (repository_id, kind, payload, created_at)
         SELECT id, 'tag.moved', '{}', 0 FROM repositories";
    client.batch_execute(event).await.unwrap();
    assert_eq!(fresh.column("SELECT tableoid::regclass::text FROM events").await, ["events_0"]);
    let (metadata, clock, fresh) = fresh.metadata(wharf_engines::postgres()).await;
    let stand = Stand::new(metadata, clock, fresh);
    let read = contract::read(&stand, Position::default(), 1, 10).await;
    assert_eq!(read[0].kind, "tag.moved");
}

#[tokio::test]
async fn a_step_of_another_text_is_noticed() {
    let fresh = Fresh::own().await;
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
    assert_eq!(Postgres::migrate(&fresh.settings()).await.unwrap(), [1, 2, 3, 4, 6]);
}

#[tokio::test]
async fn migrations_work_behind_pgbouncer_too() {
    let fresh = Fresh::empty().await;
    let settings = fresh.settings_at(&wharf_engines::pgbouncer());
    assert_eq!(Postgres::migrate(&settings).await.unwrap(), [1, 2, 3, 4, 6]);
    Postgres::connect(settings).await.unwrap();
}

#[tokio::test]
async fn a_node_that_the_protocol_has_left_behind_neither_connects_nor_writes() {
    let fresh = Fresh::own().await;
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
    let fresh = Fresh::own().await;
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

//! Databases of older releases, full of rows.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::fresh::Fresh;
use crate::Postgres;
use crate::contract::Stand;
use crate::upgrading::{Dialect, RELEASES, Tables, count, fill, is_the_same, works};

const DIALECT: Dialect = Dialect {
    bytes: |text| format!("convert_to({text}, 'UTF8')"),
    digits: |number, digits| format!("lpad(CAST({number} AS text), {digits}, '0')"),
    algorithm: "chr(1)",
};

/// All rows, of those columns that a table had before.
async fn tables(fresh: &Fresh, before: Option<&Tables>) -> Tables {
    let names = fresh.column(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
             AND NOT relispartition AND relname <> 'schema_migrations'",
    );
    let mut tables = Tables::new();
    for table in names.await {
        let columns = match before.and_then(|before| before.get(&table)) {
            Some((columns, _)) => columns.clone(),
            None => {
                let of_table = format!(
                    "SELECT column_name::text FROM information_schema.columns
                     WHERE table_schema = 'public' AND table_name = '{table}' ORDER BY ordinal_position"
                );
                fresh.column(&of_table).await
            }
        };
        let row = columns.join(", ");
        let rows = format!("SELECT CAST(ROW({row}) AS text) COLLATE \"C\" FROM {table} ORDER BY 1");
        let rows = fresh.column(&rows).await;
        tables.insert(table, (columns, rows));
    }
    tables
}

#[tokio::test]
async fn a_full_database_of_an_older_release_keeps_all_that_it_holds_and_works() {
    for version in RELEASES {
        let fresh = Fresh::of_version(version).await;
        fresh.client().await.batch_execute(&fill(version, count(), &DIALECT)).await.unwrap();
        let (before, began) = (tables(&fresh, None).await, Instant::now());
        Postgres::migrate(&fresh.settings()).await.unwrap();
        println!("{} manifests from version {version} on: {:.1?}", count(), began.elapsed());
        is_the_same(&before, &tables(&fresh, Some(&before)).await);
        let (database, clock, fresh) = fresh.metadata(wharf_engines::postgres()).await;
        works(&Stand::new(database, clock, fresh), version, count()).await;
    }
}

/// Far longer than a step waits for a table, and far less than a migration does.
const SOON: Duration = Duration::from_secs(20);

/// Waits until a migration waits for a table.
async fn is_waited_for(fresh: &Fresh, table: &str) {
    let sql = format!(
        "SELECT 1 FROM pg_locks WHERE relation = '{table}'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted"
    );
    let waits = async {
        while fresh.column(&sql).await.is_empty() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(SOON, waits).await.expect("a step waits for the table");
}

/// As while a backup reads every table, which takes its time: nobody else is held up meanwhile.
#[tokio::test]
async fn a_step_that_waits_for_a_table_lets_others_pass() {
    let fresh = Fresh::of_version(RELEASES[0]).await;
    let (backup, settings) = (fresh.client().await, fresh.settings());
    backup.batch_execute("BEGIN; SELECT count(*) FROM repository_blobs").await.unwrap();
    let migration = tokio::spawn(async move { Postgres::migrate(&settings).await });
    is_waited_for(&fresh, "repository_blobs").await;
    let other = fresh.column("SELECT 'passed' FROM repository_blobs UNION SELECT 'passed'");
    assert_eq!(timeout(SOON, other).await.expect("others pass"), ["passed"]);
    assert!(!migration.is_finished(), "the backup has the table still");
    backup.batch_execute("COMMIT").await.unwrap();
    let applied = migration.await.unwrap().unwrap();
    assert_eq!(applied.last(), Some(&crate::migrations::newest()));
}

/// The step that lets go of the events' key takes the events first and the repositories then; who pushes, the other way round.
#[tokio::test]
async fn a_step_and_a_writer_that_wait_for_each_other_both_get_through() {
    let fresh = Fresh::of_version(RELEASES[0]).await;
    let (writer, settings) = (fresh.client().await, fresh.settings());
    let insert = "INSERT INTO repositories (name, created_at) VALUES ('a', 0)";
    writer.batch_execute(insert).await.unwrap();
    writer.batch_execute("BEGIN; SELECT id FROM repositories").await.unwrap();
    let migration = tokio::spawn(async move { Postgres::migrate(&settings).await });
    is_waited_for(&fresh, "repositories").await;
    let push = "INSERT INTO events (repository_id, kind, payload, created_at)
         SELECT id, 'tag.moved', '{}', 0 FROM repositories; COMMIT";
    writer.batch_execute(push).await.unwrap();
    let applied = migration.await.unwrap().unwrap();
    assert_eq!(applied.last(), Some(&crate::migrations::newest()));
    assert_eq!(fresh.column("SELECT kind FROM events").await, ["tag.moved"]);
}

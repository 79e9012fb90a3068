//! Databases of older releases, full of rows.

use std::time::Instant;

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

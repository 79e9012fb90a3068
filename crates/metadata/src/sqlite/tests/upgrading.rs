//! Files of older releases, full of rows.

use std::time::Instant;

use super::*;
use crate::contract::Stand;
use crate::upgrading::{Dialect, RELEASES, Tables, count, fill, is_the_same, works};

const DIALECT: Dialect = Dialect {
    bytes: |text| format!("CAST({text} AS BLOB)"),
    digits: |number, digits| format!("printf('%0{digits}d', {number})"),
    algorithm: "char(1)",
};

/// All rows, of those columns that a table had before.
fn tables(file: &File, before: Option<&Tables>) -> Tables {
    let connection = file.connect();
    let column = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let names = column(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
             AND name <> 'schema_migrations'",
    );
    let content = |table: String| {
        let columns = match before.and_then(|before| before.get(&table)) {
            Some((columns, _)) => columns.clone(),
            None => column(&format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid")),
        };
        let quoted: Vec<_> = columns.iter().map(|name| format!("quote({name})")).collect();
        let quoted = quoted.join(" || ' ' || ");
        let rows = column(&format!("SELECT {quoted} FROM {table} ORDER BY 1"));
        (table, (columns, rows))
    };
    names.into_iter().map(content).collect()
}

#[tokio::test]
async fn a_full_file_of_an_older_release_keeps_all_that_it_holds_and_works() {
    for version in RELEASES {
        let file = File::of_version(version);
        file.connect().execute_batch(&fill(version, count(), &DIALECT)).unwrap();
        let (before, clock, began) = (tables(&file, None), HandClock::new(), Instant::now());
        let engine = Sqlite::open(&file.path(), clock.clone()).unwrap();
        println!("{} manifests from version {version} on: {:.1?}", count(), began.elapsed());
        is_the_same(&before, &tables(&file, Some(&before)));
        let broken = file.rows("SELECT count(*) FROM pragma_foreign_key_check", &[]).await;
        assert_eq!(broken, [["0"]], "rows that refer to none");
        assert_eq!(file.rows("PRAGMA integrity_check", &[]).await, [["ok"]]);
        let stand = Stand::new(Database::on_sqlite(engine), clock, file);
        works(&stand, version, count()).await;
    }
}

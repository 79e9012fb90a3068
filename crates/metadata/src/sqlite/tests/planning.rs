//! Planning: a statement is parsed and planned once a connection, whatever arguments it gets.

use rusqlite::{OpenFlags, StatementStatus};

use super::*;
use crate::engine::Dialect;
use crate::sqlite::connect;
use crate::transactions::accounts::facts::of_user;

#[test]
fn an_argument_does_not_make_a_cached_statement_be_planned_again() {
    let file = File::new();
    drop(file.open());
    let connection = connect(&file.path(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sql = of_user(Dialect::Sqlite);
    for user in ["ada", "bob", "ada"] {
        let mut statement = connection.prepare_cached(sql).unwrap();
        assert!(!statement.exists(["ada/app", user, "ada"]).unwrap());
    }
    let statement = connection.prepare_cached(sql).unwrap();
    assert_eq!(statement.get_status(StatementStatus::Run), 3, "the cache gave another statement");
    assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
}

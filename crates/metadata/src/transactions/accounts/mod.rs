//! Accounts: users and namespaces, teams and grants, secrets, and the facts of a decision.

pub(crate) mod device_logins;
pub(crate) mod facts;
pub(crate) mod grants;
pub(crate) mod identities;
pub(crate) mod secrets;
pub(crate) mod sessions;
pub(crate) mod sign_in;
pub(crate) mod users;

use wharf_core::metadata::Change;
use wharf_core::permissions::AccountName;

use crate::engine::{Result, Statements, arguments};

/// Whether a statement that must change a row did.
pub(crate) const fn changed(rows: u64) -> Change {
    if rows > 0 { Change::Done } else { Change::NotFound }
}

/// A namespace's row.
pub(crate) async fn namespace(on: &mut dyn Statements, name: &AccountName) -> Result<Option<i64>> {
    one(on, "SELECT id FROM namespaces WHERE name = $1", name).await
}

/// A user's row.
pub(crate) async fn user(on: &mut dyn Statements, name: &AccountName) -> Result<Option<i64>> {
    one(on, "SELECT id FROM users WHERE name = $1", name).await
}

/// A team's row.
pub(crate) async fn team(
    on: &mut dyn Statements,
    namespace: i64,
    name: &AccountName,
) -> Result<Option<i64>> {
    let sql = "SELECT id FROM teams WHERE namespace_id = $1 AND name = $2";
    let rows = on.query(sql, arguments![namespace, name.as_str()]).await?;
    rows.first().map(|row| row.int(0)).transpose()
}

async fn one(
    on: &mut dyn Statements,
    sql: &'static str,
    name: &AccountName,
) -> Result<Option<i64>> {
    let rows = on.query(sql, arguments![name.as_str()]).await?;
    rows.first().map(|row| row.int(0)).transpose()
}

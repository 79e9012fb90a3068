//! Statements on a connection of SQLite. Nothing here ever waits, so a transaction runs to its end in one poll.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql};
use wharf_core::StoreError;
use wharf_core::clock::{Clock, Timestamp};

use crate::engine::{Dialect, Kind, Result, Row, Statements, Transaction, Value};
use crate::sqlite::store_error;

/// A connection inside a transaction.
pub(super) struct OnConnection<'a> {
    pub(super) connection: &'a mut Connection,
    pub(super) clock: &'a Arc<dyn Clock>,
}

impl OnConnection<'_> {
    /// Runs a transaction's statements to their end. One that panics fails, so that its connection and the
    /// thread that works for all others live on.
    pub(super) fn run<T: Transaction>(&mut self, transaction: &T) -> Result<T::Output> {
        let run = || transaction.run(self).now_or_never();
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
            Ok(Some(result)) => result,
            Ok(None) => Err(StoreError::Unavailable(
                "a transaction waited for something else than its database".into(),
            )),
            Err(_) => Err(StoreError::Unavailable("a transaction panicked".into())),
        }
    }
}

#[async_trait]
impl Statements for OnConnection<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    /// One transaction writes at a time.
    fn shard(&self) -> i64 {
        1
    }

    async fn now(&mut self) -> Result<Timestamp> {
        Ok(self.clock.now())
    }

    async fn execute(&mut self, sql: &'static str, arguments: &[Value]) -> Result<u64> {
        let run = || -> rusqlite::Result<usize> {
            let mut statement = self.connection.prepare_cached(sql)?;
            debug_assert!(in_order(&statement), "parameters out of order: {sql}");
            statement.execute(rusqlite::params_from_iter(arguments))
        };
        run().map(|changed| changed as u64).map_err(|error| store_error(&error))
    }

    async fn execute_each(
        &mut self,
        sql: &'static str,
        arguments: &[Vec<Value>],
    ) -> Result<Vec<u64>> {
        let mut changed = Vec::with_capacity(arguments.len());
        for arguments in arguments {
            changed.push(self.execute(sql, arguments).await?);
        }
        Ok(changed)
    }

    async fn query(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>> {
        let run = || -> rusqlite::Result<Vec<Row>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            debug_assert!(in_order(&statement), "parameters out of order: {sql}");
            let columns = statement.column_count();
            let mut rows = statement.query(rusqlite::params_from_iter(arguments))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let values = (0..columns).map(|column| row.get_ref(column).map(value));
                found.push(Row(values.collect::<rusqlite::Result<_>>()?));
            }
            Ok(found)
        };
        run().map_err(|error| store_error(&error))
    }

    /// One transaction writes at a time: nobody else can change anything.
    async fn query_locked(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>> {
        self.query(sql, arguments).await
    }

    async fn query_shared(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>> {
        self.query(sql, arguments).await
    }

    async fn query_free(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>> {
        self.query(sql, arguments).await
    }
}

/// SQLite numbers parameters by first appearance, whatever their names say.
fn in_order(statement: &rusqlite::Statement<'_>) -> bool {
    (1..=statement.parameter_count()).all(|index| {
        statement.parameter_name(index).is_some_and(|name| name == format!("${index}"))
    })
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null(Kind::Text),
        ValueRef::Integer(number) => Value::Int(number),
        // No column is one: the tables are STRICT.
        ValueRef::Real(_) => Value::Null(Kind::Text),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null(_) => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) | Self::Json(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

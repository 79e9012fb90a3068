//! Logs that are followed in the order of commits, and the readers that do so.
//!
//! On PostgreSQL a transaction takes the numbers of its rows before it commits: a reader keeps below the oldest transaction that
//! still runs, and orders by transactions first. On SQLite one transaction writes at a time, and none has a number.
//!
//! A dump brings along numbers of transactions that another cluster gave. Of those that have not begun in this one, the rows come
//! before all that is written here; and a reader that stands at such a number goes on behind the last row that it had. What it had
//! may come again, but it misses nothing.

use wharf_core::metadata::Position;

use crate::engine::{Dialect, Result, Row, Statements, arguments};

/// A log of which rows are read behind a place, by three statements.
pub(crate) struct Log {
    /// On SQLite: up to `$3` rows behind the place (`$1`, `$2`).
    pub(crate) by_number: &'static str,
    /// On PostgreSQL: the same, before which nothing can come any more.
    pub(crate) settled: &'static str,
    /// On PostgreSQL: up to `$2` rows behind the number `$1` that were restored from another cluster, or have no transaction.
    pub(crate) restored: &'static str,
}

/// Whether a transaction of this number is over, and so are all before it.
macro_rules! is_settled {
    () => {
        "transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    };
}
pub(crate) use is_settled;

/// Whether a row has the number of a transaction that has not begun in this cluster, or of none.
macro_rules! is_restored {
    () => {
        "(transaction_id = 0
             OR transaction_id >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint)"
    };
}
pub(crate) use is_restored;

impl Log {
    /// Up to `limit` rows behind a place.
    pub(crate) async fn behind(
        &self,
        on: &mut dyn Statements,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Row>> {
        let Position { transaction, event } = after;
        if on.dialect() == Dialect::Sqlite {
            return on.query(self.by_number, arguments![transaction, event, limit]).await;
        }
        if transaction == 0 {
            let restored = on.query(self.restored, arguments![event, limit]).await?;
            if !restored.is_empty() {
                return Ok(restored);
            }
        }
        on.query(self.settled, arguments![transaction, event, limit]).await
    }
}

/// The readers of a log, by statements on the table of their places.
pub(crate) struct Readers {
    /// What they read, in words.
    pub(crate) of: &'static str,
    /// The place of the reader `$1`.
    pub(crate) standing: &'static str,
    /// Takes the transaction from the place of the reader `$1` where this cluster has not reached it.
    pub(crate) reset: &'static str,
    /// Moves the reader `$1` to the place (`$2`, `$3`), but never back.
    pub(crate) advance: &'static str,
}

/// The readers of a log: what it is, their table, and its column for the number of a row.
macro_rules! readers {
    ($of:literal, $table:literal, $number:literal) => {
        $crate::transactions::commit_order::Readers {
            of: $of,
            standing: concat!(
                "SELECT transaction_id, ",
                $number,
                " FROM ",
                $table,
                " WHERE name = $1"
            ),
            reset: concat!(
                "UPDATE ",
                $table,
                " SET transaction_id = 0 WHERE name = $1
                 AND transaction_id >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
            ),
            advance: concat!(
                "INSERT INTO ",
                $table,
                " (name, transaction_id, ",
                $number,
                ") VALUES ($1, $2, $3)
                 ON CONFLICT (name) DO UPDATE SET
                     transaction_id = excluded.transaction_id, ",
                $number,
                " = excluded.",
                $number,
                "
                 WHERE (",
                $table,
                ".transaction_id, ",
                $table,
                ".",
                $number,
                ")
                     <= (excluded.transaction_id, excluded.",
                $number,
                ")"
            ),
        }
    };
}
pub(crate) use readers;

impl Readers {
    /// Where a reader stands; before everything, where it has not come yet. It writes where the place is one of another
    /// cluster, from which the database was restored: nothing would ever lie behind it.
    pub(crate) async fn standing(&self, on: &mut dyn Statements, reader: &str) -> Result<Position> {
        if on.dialect() == Dialect::Postgres
            && on.execute(self.reset, arguments![reader]).await? > 0
        {
            tracing::error!(
                reader,
                "the place in the {} that is remembered lies ahead of this database, which was restored into another cluster it \
                 seems: going on behind the last one that was read; some come again",
                self.of
            );
        }
        let rows = on.query(self.standing, arguments![reader]).await?;
        rows.first().map_or(Ok(Position::default()), |row| position(row, 0))
    }

    /// Moves a reader. Whether it stands there now.
    pub(crate) async fn advance(
        &self,
        on: &mut dyn Statements,
        reader: &str,
        to: Position,
    ) -> Result<bool> {
        let arguments = arguments![reader, to.transaction, to.event];
        Ok(on.execute(self.advance, arguments).await? > 0)
    }
}

/// A place of two columns.
pub(crate) fn position(row: &Row, column: usize) -> Result<Position> {
    Ok(Position { transaction: row.int(column)?, event: row.int(column + 1)? })
}

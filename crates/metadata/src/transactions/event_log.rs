//! The log of events, read in the order of commits. On PostgreSQL a transaction takes the ids of its events before
//! it commits: a reader keeps below the oldest transaction that still runs, and orders by transactions first.

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{LoggedEvent, Position};

use crate::engine::{Dialect, Result, Row, Statements, Transaction, arguments};

/// `EventLog::read_events`
pub(crate) struct Read {
    pub(crate) after: Position,
    pub(crate) limit: usize,
}

/// Up to `$3` events behind the place (`$1`, `$2`) that nothing can come before any more.
const fn settled_events(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT 0, e.id, r.name, e.kind, e.payload, e.created_at
             FROM events e JOIN repositories r ON r.id = e.repository_id
             WHERE e.id > CASE WHEN $1 > 0 THEN 9223372036854775807 ELSE $2 END ORDER BY e.id LIMIT $3"
        }
        Dialect::Postgres => {
            "SELECT e.transaction_id, e.id, r.name, e.kind, e.payload, e.created_at
             FROM events e JOIN repositories r ON r.id = e.repository_id
             WHERE (e.transaction_id, e.id) > ($1, $2)
               AND e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
             ORDER BY e.transaction_id, e.id LIMIT $3"
        }
    }
}

#[async_trait]
impl Transaction for Read {
    type Output = Vec<LoggedEvent>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Position { transaction, event } = self.after;
        let sql = settled_events(on.dialect());
        let rows = on.query(sql, arguments![transaction, event, self.limit]).await?;
        rows.iter().map(logged).collect()
    }
}

fn logged(row: &Row) -> Result<LoggedEvent> {
    Ok(LoggedEvent {
        position: position(row, 0)?,
        repository: row.parsed(2)?,
        kind: row.text(3)?.to_owned(),
        payload: row.text(4)?.to_owned(),
        created_at: Timestamp(row.int(5)?),
    })
}

fn position(row: &Row, column: usize) -> Result<Position> {
    Ok(Position { transaction: row.int(column)?, event: row.int(column + 1)? })
}

/// `EventLog::newest_position`
pub(crate) struct Newest;

/// A place that all settled events lie before, and all others behind.
const fn end_of_settled_events(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "SELECT 0, coalesce(max(id), 0) FROM events",
        Dialect::Postgres => {
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1, 9223372036854775807"
        }
    }
}

#[async_trait]
impl Transaction for Newest {
    type Output = Position;

    async fn run(&self, on: &mut dyn Statements) -> Result<Position> {
        let rows = on.query(end_of_settled_events(on.dialect()), &[]).await?;
        rows.first().map_or(Ok(Position::default()), |row| position(row, 0))
    }
}

/// `EventLog::reader_position`
pub(crate) struct Standing(pub(crate) String);

#[async_trait]
impl Transaction for Standing {
    type Output = Position;

    async fn run(&self, on: &mut dyn Statements) -> Result<Position> {
        let rows = on
            .query(
                "SELECT transaction_id, event_id FROM event_readers WHERE name = $1",
                arguments![self.0.as_str()],
            )
            .await?;
        rows.first().map_or(Ok(Position::default()), |row| position(row, 0))
    }
}

/// `EventLog::advance_reader`
pub(crate) struct Advance {
    pub(crate) reader: String,
    pub(crate) to: Position,
}

#[async_trait]
impl Transaction for Advance {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let changed = on
            .execute(
                "INSERT INTO event_readers (name, transaction_id, event_id) VALUES ($1, $2, $3)
                 ON CONFLICT (name) DO UPDATE SET
                     transaction_id = excluded.transaction_id, event_id = excluded.event_id
                 WHERE (event_readers.transaction_id, event_readers.event_id)
                     <= (excluded.transaction_id, excluded.event_id)",
                arguments![self.reader.as_str(), self.to.transaction, self.to.event],
            )
            .await?;
        Ok(changed > 0)
    }
}

/// Where the slowest reader stands; past everything where there is none.
pub(crate) async fn slowest_reader(on: &mut dyn Statements) -> Result<Position> {
    let rows = on
        .query(
            "SELECT transaction_id, event_id FROM event_readers
             ORDER BY transaction_id, event_id LIMIT 1",
            &[],
        )
        .await?;
    let past = Position { transaction: i64::MAX, event: i64::MAX };
    rows.first().map_or(Ok(past), |row| position(row, 0))
}

//! The log of events, read in the order of commits.

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{EventScope, LoggedEvent, Position};

use crate::engine::{Dialect, Result, Row, Statements, Transaction};
use crate::transactions::commit_order::{Log, Readers, is_restored, is_settled, position, readers};

/// Events, with where they are.
const EVENTS: Log = Log {
    by_number: "SELECT 0, e.id, coalesce(d.name, r.name), e.kind, e.payload, e.created_at, e.namespace
         FROM events e LEFT JOIN repositories r ON r.id = e.repository_id
         LEFT JOIN deleted_repositories d ON d.repository_id = r.id
         WHERE (r.id IS NOT NULL OR e.repository_id IS NULL) AND e.id > CASE WHEN $1 > 0 THEN 9223372036854775807 ELSE $2 END ORDER BY e.id LIMIT $3",
    settled: concat!(
        "SELECT e.transaction_id, e.id, coalesce(d.name, r.name), e.kind, e.payload, e.created_at, e.namespace
         FROM events e LEFT JOIN repositories r ON r.id = e.repository_id
         LEFT JOIN deleted_repositories d ON d.repository_id = r.id
         WHERE (r.id IS NOT NULL OR e.repository_id IS NULL) AND (e.transaction_id, e.id) > ($1, $2) AND ",
        is_settled!(),
        " ORDER BY e.transaction_id, e.id LIMIT $3"
    ),
    restored: concat!(
        "SELECT 0::bigint, e.id, coalesce(d.name, r.name), e.kind, e.payload, e.created_at, e.namespace
         FROM events e LEFT JOIN repositories r ON r.id = e.repository_id
         LEFT JOIN deleted_repositories d ON d.repository_id = r.id
         WHERE (r.id IS NOT NULL OR e.repository_id IS NULL) AND e.id > $1 AND ",
        is_restored!(),
        " ORDER BY e.id LIMIT $2"
    ),
};

/// Who follows them.
const READERS: Readers = readers!("log of events", "event_readers", "event_id");

/// `EventLog::read_events`
pub(crate) struct Read {
    pub(crate) after: Position,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Read {
    type Output = Vec<LoggedEvent>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let rows = EVENTS.behind(on, self.after, self.limit).await?;
        rows.iter().map(logged).collect()
    }
}

fn logged(row: &Row) -> Result<LoggedEvent> {
    let scope = match (row.optional_text(2)?, row.optional_text(6)?) {
        (Some(_), _) => EventScope::Repository(row.parsed(2)?),
        (None, Some(_)) => EventScope::Namespace(row.parsed(6)?),
        (None, None) => EventScope::Registry,
    };
    Ok(LoggedEvent {
        position: position(row, 0)?,
        scope,
        kind: row.text(3)?.to_owned(),
        payload: row.text(4)?.to_owned(),
        created_at: Timestamp(row.int(5)?),
    })
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
        READERS.standing(on, &self.0).await
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
        READERS.advance(on, &self.reader, self.to).await
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

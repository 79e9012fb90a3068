//! The audit log: written in the transaction of what it tells of, read, and forgotten by age.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::actor::Actor;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    AuditEntry, AuditFilter, AuditOrder, AuditOutcome, AuditRecord, Position,
};

use crate::engine::{Dialect, Result, Row, Statements, Transaction, arguments};
use crate::transactions::commit_order::{Log, Readers, is_restored, is_settled, readers};
use crate::transactions::expiry::partitions;

/// Writes down what is done with a repository.
pub(crate) async fn record(
    on: &mut dyn Statements,
    by: &Actor,
    action: &str,
    target: String,
    namespace: &str,
    detail: String,
) -> Result<()> {
    let entry = AuditEntry {
        by: by.clone(),
        action: action.to_owned(),
        target,
        namespace: Some(namespace.to_owned()),
        outcome: AuditOutcome::Done,
        detail,
    };
    write(on, &entry).await
}

/// Tags as a record tells of them: the first of them, and how many more there are. Their histories and events tell of all.
pub(crate) fn tags_of<'a>(tags: impl ExactSizeIterator<Item = &'a str>) -> String {
    const TOLD: usize = 100;
    let more = tags.len().saturating_sub(TOLD);
    let told = tags.take(TOLD).collect::<Vec<_>>().join(",");
    if more > 0 { format!("{told} and {more} more") } else { told }
}

/// Writes something down.
pub(crate) async fn write(on: &mut dyn Statements, entry: &AuditEntry) -> Result<()> {
    let now = on.now().await?;
    let AuditEntry { by, action, target, namespace, outcome, detail } = entry;
    on.execute(
        "INSERT INTO audit_log
             (at, by, action, target, namespace, outcome, address, request_id, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        arguments![
            now,
            by.by.as_str(),
            action.as_str(),
            target.as_str(),
            namespace.clone(),
            outcome.name(),
            by.address.map(|address| address.to_string()),
            by.request_id.clone(),
            detail.as_str(),
        ],
    )
    .await
    .map(drop)
}

/// `AuditLog::append_audit`
pub(crate) struct Append(pub(crate) AuditEntry);

#[async_trait]
impl Transaction for Append {
    type Output = ();

    async fn run(&self, on: &mut dyn Statements) -> Result<()> {
        write(on, &self.0).await
    }
}

/// `AuditLog::list_audit`
pub(crate) struct List {
    pub(crate) filter: AuditFilter,
    pub(crate) order: AuditOrder,
    pub(crate) after: Option<i64>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for List {
    type Output = Vec<AuditRecord>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let (sql, none) = match self.order {
            AuditOrder::NewestFirst => (NEWEST_FIRST, i64::MAX),
            AuditOrder::OldestFirst => (OLDEST_FIRST, i64::MIN),
        };
        let AuditFilter { namespace, by, action, target, from, before } = &self.filter;
        let rows = on
            .query(
                sql,
                arguments![
                    self.after.unwrap_or(none),
                    namespace.clone(),
                    by.clone(),
                    action.clone(),
                    target.clone(),
                    from.unwrap_or(Timestamp(i64::MIN)),
                    before.unwrap_or(Timestamp(i64::MAX)),
                    self.limit,
                ],
            )
            .await?;
        rows.iter().map(read).collect()
    }
}

/// The records behind the number `$1`, by a comparison and in an order.
macro_rules! records {
    ($behind:literal, $order:literal) => {
        concat!(
            "SELECT id, at, by, action, target, namespace, outcome, address, request_id, detail
             FROM audit_log WHERE id ",
            $behind,
            " $1 AND ($2 IS NULL OR namespace = $2) AND ($3 IS NULL OR by = $3)
                 AND ($4 IS NULL OR action = $4) AND ($5 IS NULL OR target = $5) AND at >= $6 AND at < $7
             ORDER BY ",
            $order,
            " LIMIT $8"
        )
    };
}

const NEWEST_FIRST: &str = records!("<", "id DESC");

const OLDEST_FIRST: &str = records!(">", "id");

fn read(row: &Row) -> Result<AuditRecord> {
    let outcome = row.text(6)?;
    let outcome = AuditOutcome::named(outcome)
        .ok_or_else(|| StoreError::Corrupt(format!("{outcome:?} is no outcome")))?;
    let address = row.optional_text(7)?.and_then(|text| text.parse().ok());
    let by = Actor { by: row.text(2)?.to_owned(), address, request_id: row.optional_text(8)? };
    let entry = AuditEntry {
        by,
        action: row.text(3)?.to_owned(),
        target: row.text(4)?.to_owned(),
        namespace: row.optional_text(5)?,
        outcome,
        detail: row.text(9)?.to_owned(),
    };
    Ok(AuditRecord { id: row.int(0)?, at: Timestamp(row.int(1)?), entry })
}

/// `AuditLog::follow_audit`
pub(crate) struct Follow {
    pub(crate) after: Position,
    pub(crate) limit: usize,
}

/// Records, with the transaction behind them.
const RECORDS: Log = Log {
    by_number: "SELECT id, at, by, action, target, namespace, outcome, address, request_id, detail, 0
         FROM audit_log
         WHERE id > CASE WHEN $1 > 0 THEN 9223372036854775807 ELSE $2 END ORDER BY id LIMIT $3",
    settled: concat!(
        "SELECT id, at, by, action, target, namespace, outcome, address, request_id, detail,
                transaction_id
         FROM audit_log WHERE (transaction_id, id) > ($1, $2) AND ",
        is_settled!(),
        " ORDER BY transaction_id, id LIMIT $3"
    ),
    restored: concat!(
        "SELECT id, at, by, action, target, namespace, outcome, address, request_id, detail, 0::bigint
         FROM audit_log WHERE id > $1 AND ",
        is_restored!(),
        " ORDER BY id LIMIT $2"
    ),
};

/// Who follows them.
const READERS: Readers = readers!("audit log", "audit_readers", "record_id");

#[async_trait]
impl Transaction for Follow {
    type Output = Vec<(Position, AuditRecord)>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let rows = RECORDS.behind(on, self.after, self.limit).await?;
        let placed = |row: &Row| {
            let place = Position { transaction: row.int(10)?, event: row.int(0)? };
            Ok((place, read(row)?))
        };
        rows.iter().map(placed).collect()
    }
}

/// `AuditLog::audit_reader`
pub(crate) struct Standing(pub(crate) String);

#[async_trait]
impl Transaction for Standing {
    type Output = Position;

    async fn run(&self, on: &mut dyn Statements) -> Result<Position> {
        READERS.standing(on, &self.0).await
    }
}

/// `AuditLog::advance_audit_reader`
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

/// `AuditLog::make_room_for_audit`: partitions of ten million records, two ahead.
pub(crate) struct MakeRoom;

#[async_trait]
impl Transaction for MakeRoom {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        partitions(on, "SELECT make_room_for_audit(10000000, 20000000)", &[]).await
    }
}

/// `AuditLog::expire_audit`
pub(crate) struct Expire {
    pub(crate) age: Duration,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Expire {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        let before = on.now().await?.before(self.age);
        let dropped = partitions(on, "SELECT drop_oldest_audit($1)", arguments![before]).await?;
        if dropped > 0 {
            return Ok(dropped);
        }
        // Only what is older may be deleted: triggers see to that.
        on.execute("UPDATE audit_horizon SET before = $1 WHERE before < $1", arguments![before])
            .await?;
        on.execute(one_by_one(on.dialect()), arguments![before, self.limit]).await
    }
}

/// Forgets the oldest records that have no partition to go with.
const fn one_by_one(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "DELETE FROM audit_log WHERE id IN
                 (SELECT id FROM audit_log WHERE at < $1 ORDER BY id LIMIT $2)"
        }
        // Those that came while there was no partition for them.
        Dialect::Postgres => {
            "DELETE FROM audit_log_default WHERE id IN
                 (SELECT id FROM audit_log_default WHERE at < $1 ORDER BY id LIMIT $2)"
        }
    }
}

//! What is forgotten with time: events that their readers have passed, and changes of tags that later ones follow.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{HistoryPlace, HistoryWalk, KeepEvents, Position};

use crate::engine::{Dialect, Result, Statements, Transaction, Value, arguments};
use crate::transactions::event_log::slowest_reader;

/// `EventLog::expire_events`
pub(crate) struct ExpireEvents {
    pub(crate) keep: KeepEvents,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for ExpireEvents {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        let now = on.now().await?;
        let slowest = slowest_reader(on).await?;
        let (passed_before, before) =
            (now.before(self.keep.at_least), now.before(self.keep.at_most));
        let sql = "SELECT drop_oldest_events($1, $2, $3, $4)";
        let arguments = arguments![slowest.transaction, slowest.event, passed_before, before];
        let dropped = partitions(on, sql, arguments).await?;
        if dropped > 0 {
            return Ok(dropped);
        }
        let (oldest, forget) = rows_of_their_own(on.dialect());
        let mut last = None;
        let mut forgotten = 0;
        for row in on.query(oldest, arguments![self.limit]).await? {
            let at = Position { transaction: row.int(0)?, event: row.int(1)? };
            let made = Timestamp(row.int(2)?);
            if made > before && (made > passed_before || at > slowest) {
                break;
            }
            last = Some(at.event);
            forgotten += 1;
        }
        if let Some(last) = last {
            on.execute(forget, arguments![last]).await?;
        }
        Ok(forgotten)
    }
}

/// Has a function of the database make or drop partitions. Returns how many; none where there are no partitions.
pub(crate) async fn partitions(
    on: &mut dyn Statements,
    sql: &'static str,
    arguments: &[Value],
) -> Result<u64> {
    if on.dialect() == Dialect::Sqlite {
        return Ok(0);
    }
    on.query(sql, arguments).await?.first().map_or(Ok(0), |row| row.size(0))
}

/// The oldest `$1` events that are forgotten row by row, and what forgets them up to the one of number `$1`.
const fn rows_of_their_own(dialect: Dialect) -> (&'static str, &'static str) {
    match dialect {
        Dialect::Sqlite => (
            "SELECT 0, id, created_at FROM events ORDER BY id LIMIT $1",
            "DELETE FROM events WHERE id <= $1",
        ),
        // Those that came while there was no partition for them.
        Dialect::Postgres => (
            "SELECT transaction_id, id, created_at FROM events_default ORDER BY id LIMIT $1",
            "DELETE FROM events_default WHERE id <= $1",
        ),
    }
}

/// `EventLog::make_room`
pub(crate) struct MakeRoom {
    /// How many ids a partition has.
    pub(crate) size: i64,
    /// For how many ids to come there is to be room.
    pub(crate) ahead: i64,
}

impl Default for MakeRoom {
    /// A partition has about 5 GB, and the next ones last for weeks at a hundred events a second.
    fn default() -> Self {
        Self { size: 10_000_000, ahead: 20_000_000 }
    }
}

#[async_trait]
impl Transaction for MakeRoom {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        let sql = "SELECT make_room_for_events($1, $2)";
        partitions(on, sql, arguments![self.size, self.ahead]).await
    }
}

/// `EventLog::expire_tag_history`
pub(crate) struct ExpireTagHistory {
    pub(crate) after: Option<HistoryPlace>,
    pub(crate) age: Duration,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for ExpireTagHistory {
    type Output = HistoryWalk;

    async fn run(&self, on: &mut dyn Statements) -> Result<HistoryWalk> {
        let before = on.now().await?.before(self.age);
        let limit = self.limit.max(2);
        let after = self.after.as_ref();
        let rows = on
            .query(
                "SELECT repository_id, name, version, changed_at FROM tag_history
                 WHERE (repository_id, name, version) > ($1, $2, $3)
                 ORDER BY repository_id, name, version LIMIT $4",
                arguments![
                    after.map_or(i64::MIN, |place| place.repository),
                    after.map_or("", |place| place.tag.as_str()),
                    after.map_or(0, |place| place.version),
                    limit,
                ],
            )
            .await?;
        let mut superseded: Vec<Vec<Value>> = Vec::new();
        let mut next = None;
        for (row, following) in rows.iter().zip(rows.iter().skip(1)) {
            let (repository, tag, version) = (row.int(0)?, row.text(1)?, row.int(2)?);
            let followed = following.int(0)? == repository && following.text(1)? == tag;
            // While the one that follows is younger, this one says where the tag stood within the time that is kept.
            if followed && following.int(3)? <= before.0 {
                superseded.push(arguments![repository, tag, version].to_vec());
            }
            // The last row of all is looked at once more, together with what follows it.
            next = Some(HistoryPlace { repository, tag: tag.to_owned(), version });
        }
        let forgotten = on
            .execute_each(
                "DELETE FROM tag_history WHERE repository_id = $1 AND name = $2 AND version = $3",
                &superseded,
            )
            .await?;
        Ok(HistoryWalk {
            forgotten: forgotten.iter().sum(),
            next: next.filter(|_| rows.len() == limit),
        })
    }
}

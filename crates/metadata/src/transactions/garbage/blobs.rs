//! Blobs that were let go: judged, deleted, and their keys forgotten.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::blob_life::{self, Holders, Mark, Stage};
use wharf_core::blobs::ObjectKey;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{Judged, MarkedBlob};

use super::sweep::repository_name;
use super::{EVERYWHERE, marks};
use crate::engine::{Plans, Result, Statements, Transaction, arguments};
use crate::transactions::memberships::number;
use crate::transactions::writes::{self, Work};

/// `Garbage::condemn_blobs`
pub(crate) struct Condemn {
    pub(crate) grace: Duration,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Condemn {
    type Output = Judged;

    const PLANS: Plans = Plans::ByIndex;

    /// Memberships and reservations are read and not locked: whoever adds one takes the mark away, and the later of the two begins again.
    ///
    /// They are asked for by `LIMIT 1` and not by `EXISTS`, for which PostgreSQL reads all memberships there are into a table of its own,
    /// for each step.
    async fn run(&self, on: &mut dyn Statements) -> Result<Judged> {
        let now = on.now().await?;
        writes::require(on, EVERYWHERE, Work::Change).await?;
        let rows = on
            .query(
                "SELECT m.digest, m.incarnation, m.marked_at, coalesce(i.incarnation, 0),
                        coalesce((SELECT 1 FROM repository_blobs b
                                  WHERE b.blob_digest = m.digest LIMIT 1), 0),
                        coalesce((SELECT 1 FROM blob_reservations r
                                  WHERE r.digest = m.digest LIMIT 1), 0),
                        coalesce((SELECT 1 FROM blob_reservations r
                                  WHERE r.digest = m.digest
                                    AND r.incarnation = m.incarnation LIMIT 1), 0)
                 FROM blob_marks m LEFT JOIN blob_incarnations i ON i.digest = m.digest
                 WHERE m.state = 'marked' AND m.marked_at <= $1
                 ORDER BY m.marked_at LIMIT $2",
                arguments![now.before(self.grace), self.limit],
            )
            .await?;
        let mut writes = Vec::with_capacity(rows.len());
        for row in &rows {
            let key = ObjectKey { digest: row.digest(0)?, incarnation: number(row.int(1)?)? };
            let mark = Mark { stage: Stage::Marked, since: Timestamp(row.int(2)?) };
            let holders = Holders {
                is_current: row.int(1)? == row.int(3)?,
                member: row.int(4)? == 1,
                reserved: row.int(5)? == 1,
                placed: row.int(6)? == 1,
            };
            writes.extend(blob_life::judge(&key, &mark, &holders, now, self.grace));
        }
        let judged = writes.len() as u64;
        let counts = marks::write_all(on, writes.into_iter(), now).await?;
        let condemned = counts.get(&Stage::Condemned).copied().unwrap_or_default();
        Ok(Judged { condemned, spared: judged - condemned })
    }
}

/// `Garbage::condemned_blobs`
pub(crate) struct Condemned {
    pub(crate) after: Option<ObjectKey>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Condemned {
    type Output = Vec<ObjectKey>;

    const PLANS: Plans = Plans::ByIndex;

    /// Who reads this deletes objects: while nothing may be written, nobody begins with that.
    async fn run(&self, on: &mut dyn Statements) -> Result<Vec<ObjectKey>> {
        writes::require(on, EVERYWHERE, Work::Change).await?;
        let digest = self.after.map(|key| key.digest.to_binary()).unwrap_or_default();
        let incarnation = self.after.map_or(-1, |key| i64::from(key.incarnation));
        let rows = on
            .query(
                "SELECT digest, incarnation FROM blob_marks
                 WHERE state = 'condemned' AND (digest, incarnation) > ($1, $2)
                 ORDER BY digest, incarnation LIMIT $3",
                arguments![digest.as_slice(), incarnation, self.limit],
            )
            .await?;
        let key = |row: &crate::engine::Row| {
            Ok(ObjectKey { digest: row.digest(0)?, incarnation: number(row.int(1)?)? })
        };
        rows.iter().map(key).collect()
    }
}

/// `Garbage::list_marked`
pub(crate) struct Listed {
    pub(crate) after: Option<ObjectKey>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Listed {
    type Output = Vec<MarkedBlob>;

    const PLANS: Plans = Plans::ByIndex;

    async fn run(&self, on: &mut dyn Statements) -> Result<Vec<MarkedBlob>> {
        let digest = self.after.map(|key| key.digest.to_binary()).unwrap_or_default();
        let incarnation = self.after.map_or(-1, |key| i64::from(key.incarnation));
        let rows = on
            .query(
                "SELECT m.digest, m.incarnation, m.state, m.marked_at,
                        (SELECT coalesce(d.name, r.name) FROM repository_blobs b
                         JOIN repositories r ON r.id = b.repository_id
                         LEFT JOIN deleted_repositories d ON d.repository_id = r.id
                         WHERE b.blob_digest = m.digest AND m.incarnation = coalesce(i.incarnation, 0)
                         LIMIT 1),
                        CASE WHEN EXISTS (SELECT 1 FROM blob_reservations r
                                          WHERE r.digest = m.digest) THEN 1 ELSE 0 END
                 FROM blob_marks m LEFT JOIN blob_incarnations i ON i.digest = m.digest
                 WHERE m.state IN ('marked', 'condemned') AND (m.digest, m.incarnation) > ($1, $2)
                 ORDER BY m.digest, m.incarnation LIMIT $3",
                arguments![digest.as_slice(), incarnation, self.limit],
            )
            .await?;
        let listed = |row: &crate::engine::Row| {
            let mark = marks::mark(row, 2)?.ok_or_else(|| {
                wharf_core::StoreError::Corrupt("a blob's mark has no state".into())
            })?;
            let held_by = row.optional_text(4)?;
            Ok(MarkedBlob {
                key: ObjectKey { digest: row.digest(0)?, incarnation: number(row.int(1)?)? },
                mark,
                held_by: held_by.as_deref().map(repository_name).transpose()?,
                reserved: row.int(5)? == 1,
            })
        };
        rows.iter().map(listed).collect()
    }
}

/// `Garbage::confirm_deleted`. It is written down while nothing may be written as well: the object is gone all the same.
pub(crate) struct Confirm(pub(crate) Vec<ObjectKey>);

#[async_trait]
impl Transaction for Confirm {
    type Output = u64;

    const PLANS: Plans = Plans::ByIndex;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        let now = on.now().await?;
        let marks = marks::marks(on, &self.0).await?;
        let of = |key: &ObjectKey| marks.get(&(key.digest, key.incarnation)).copied();
        let writes: Vec<_> =
            self.0.iter().filter_map(|key| blob_life::deleted(key, of(key))).collect();
        let counts = marks::write_all(on, writes.into_iter(), now).await?;
        Ok(counts.get(&Stage::Deleted).copied().unwrap_or_default())
    }
}

/// `Garbage::forget_deleted`
pub(crate) struct Forget {
    pub(crate) latest: Duration,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Forget {
    type Output = u64;

    const PLANS: Plans = Plans::ByIndex;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        let now = on.now().await?;
        writes::require(on, EVERYWHERE, Work::Change).await?;
        let rows = on
            .query(
                "SELECT digest, incarnation, marked_at FROM blob_marks
                 WHERE state = 'deleted' AND marked_at <= $1 ORDER BY marked_at LIMIT $2",
                arguments![now.before(self.latest), self.limit],
            )
            .await?;
        let mut writes = Vec::with_capacity(rows.len());
        for row in &rows {
            let key = ObjectKey { digest: row.digest(0)?, incarnation: number(row.int(1)?)? };
            let mark = Mark { stage: Stage::Deleted, since: Timestamp(row.int(2)?) };
            writes.extend(blob_life::forget(&key, &mark, now, self.latest));
        }
        let forgotten = writes.len() as u64;
        marks::write_all(on, writes.into_iter(), now).await?;
        Ok(forgotten)
    }
}

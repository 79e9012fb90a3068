//! Objects in the store that no row explains.

use std::collections::BTreeSet;

use async_trait::async_trait;
use wharf_core::blob_life;
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::FaultKind;

use super::findings::Fault;
use crate::engine::{Dialect, Plans, Result, Statements, Transaction, arguments};
use crate::transactions::events::{self, Event, Of};
use crate::transactions::garbage::{marks, pairs};
use crate::transactions::memberships::number;

/// `Integrity::mark_unexplained`
pub(crate) struct Unexplained {
    pub(crate) keys: Vec<ObjectKey>,
    /// Whether they are marked, or only looked at.
    pub(crate) marks: bool,
}

/// SQL that says whether a row explains the key `k`: that it is the current one of a blob that a repository holds or an upload has reserved, or
/// was reserved itself. A mark is another explanation, and is asked for apart. `OFFSET 0` keeps PostgreSQL from reading all that is held for it.
macro_rules! is_explained {
    () => {
        "(EXISTS (SELECT 1 FROM blob_reservations v WHERE v.digest = k.digest AND v.incarnation = k.incarnation
                 LIMIT 1 OFFSET 0)
          OR (k.incarnation = coalesce((SELECT i.incarnation FROM blob_incarnations i
                                        WHERE i.digest = k.digest), 0)
              AND (EXISTS (SELECT 1 FROM repository_blobs b WHERE b.blob_digest = k.digest LIMIT 1 OFFSET 0)
                   OR EXISTS (SELECT 1 FROM blob_reservations v WHERE v.digest = k.digest LIMIT 1 OFFSET 0))))"
    };
}

/// Those of the keys `$1` that a row explains.
const fn explained(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => concat!(
            "SELECT k.digest, k.incarnation FROM
             (SELECT value ->> 0 AS incarnation, unhex(value ->> 1) AS digest FROM json_each($1)) k
             WHERE ",
            is_explained!()
        ),
        Dialect::Postgres => concat!(
            "SELECT k.digest, k.incarnation FROM
             (SELECT (value ->> 0)::bigint AS incarnation, decode(value ->> 1, 'hex') AS digest
              FROM jsonb_array_elements($1) e (value)) k
             WHERE ",
            is_explained!()
        ),
    }
}

#[async_trait]
impl Transaction for Unexplained {
    type Output = Vec<ObjectKey>;

    const PLANS: Plans = Plans::ByIndex;

    /// Whoever comes to hold the blob meanwhile takes the mark away, or is seen when the grace is over.
    async fn run(&self, on: &mut dyn Statements) -> Result<Vec<ObjectKey>> {
        let list = pairs(self.keys.iter().map(|key| (i64::from(key.incarnation), key.digest)));
        let sql = explained(on.dialect());
        let mut explained = BTreeSet::new();
        for row in on.query(sql, arguments![list]).await? {
            explained.insert((row.digest(0)?, number(row.int(1)?)?));
        }
        let marks = marks::marks(on, &self.keys).await?;
        let now = on.now().await?;
        let (mut found, mut writes) = (Vec::new(), Vec::new());
        for key in &self.keys {
            let place = (key.digest, key.incarnation);
            let write = blob_life::found(key, marks.get(&place).copied());
            if let Some(write) = write.filter(|_| !explained.contains(&place)) {
                found.push(*key);
                writes.push(write);
            }
        }
        if !self.marks {
            return Ok(found);
        }
        let mut told = Vec::new();
        for key in &found {
            let kind = FaultKind::Unexplained;
            let detail = "it is in the store, and no row says why";
            if (Fault { kind, key: *key, needed_by: None, detail }).note(on, now).await? {
                told.push((Of::Registry, Event::ObjectUnexplained(key)));
            }
        }
        events::record_all(on, told.into_iter(), "system", now).await?;
        marks::write_all(on, writes.into_iter(), now).await?;
        Ok(found)
    }
}

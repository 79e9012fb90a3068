//! The marks of blobs: loaded as the facts of a decision, and written as it says.

use std::collections::BTreeMap;

use wharf_core::blob_life::{Current, Mark, MarkWrite, Placed, Stage};
use wharf_core::blobs::ObjectKey;
use wharf_core::clock::Timestamp;
use wharf_oci::Digest;

use super::{list_of, pairs};
use crate::engine::{Dialect, Json, Result, Row, Statements, arguments};
use crate::transactions::memberships::number;

const fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Marked => "marked",
        Stage::Condemned => "condemned",
        Stage::Deleted => "deleted",
        Stage::Quarantined => "quarantined",
    }
}

/// A mark in two columns, from `column` on; nothing where they are empty.
pub(crate) fn mark(row: &Row, column: usize) -> Result<Option<Mark>> {
    let Some(state) = row.optional_text(column)? else { return Ok(None) };
    let stages = [Stage::Marked, Stage::Condemned, Stage::Deleted, Stage::Quarantined];
    let stage = stages.into_iter().find(|stage| name(*stage) == state);
    let stage = stage.ok_or_else(|| {
        wharf_core::StoreError::Corrupt(format!("a blob's mark has the state {state:?}"))
    })?;
    Ok(Some(Mark { stage, since: Timestamp(row.int(column + 1)?) }))
}

/// The current incarnation of a digest, with its mark.
pub(crate) async fn current(on: &mut dyn Statements, digest: &Digest) -> Result<Current> {
    let rows = on
        .query(
            "SELECT c.incarnation, m.state, m.marked_at,
                    (SELECT max(incarnation) FROM blob_marks WHERE digest = $1)
             FROM (SELECT coalesce(max(incarnation), 0) AS incarnation
                   FROM blob_incarnations WHERE digest = $1) c
             LEFT JOIN blob_marks m ON m.digest = $1 AND m.incarnation = c.incarnation",
            arguments![digest],
        )
        .await?;
    match rows.first() {
        Some(row) => read_current(row, 0, *digest),
        None => Err(wharf_core::StoreError::Corrupt("a digest has no incarnation".into())),
    }
}

fn read_current(row: &Row, column: usize, digest: Digest) -> Result<Current> {
    Ok(Current {
        key: ObjectKey { digest, incarnation: number(row.int(column)?)? },
        mark: mark(row, column + 1)?,
        highest_marked: row.optional_int(column + 3)?.map(number).transpose()?,
    })
}

/// The current incarnations of many digests `$1`.
const fn currents_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT d.digest, coalesce(i.incarnation, 0), m.state, m.marked_at,
                    (SELECT max(incarnation) FROM blob_marks x WHERE x.digest = d.digest)
             FROM (SELECT unhex(value) AS digest FROM json_each($1)) d
             LEFT JOIN blob_incarnations i ON i.digest = d.digest
             LEFT JOIN blob_marks m
                 ON m.digest = d.digest AND m.incarnation = coalesce(i.incarnation, 0)"
        }
        Dialect::Postgres => {
            "SELECT d.digest, coalesce(i.incarnation, 0), m.state, m.marked_at,
                    (SELECT max(incarnation) FROM blob_marks x WHERE x.digest = d.digest)
             FROM (SELECT decode(value, 'hex') AS digest
                   FROM jsonb_array_elements_text($1) e (value)) d
             LEFT JOIN blob_incarnations i ON i.digest = d.digest
             LEFT JOIN blob_marks m
                 ON m.digest = d.digest AND m.incarnation = coalesce(i.incarnation, 0)"
        }
    }
}

/// The current incarnations of many digests, with their marks.
pub(super) async fn currents(
    on: &mut dyn Statements,
    digests: impl Iterator<Item = &Digest>,
) -> Result<Vec<Current>> {
    let list = list_of(digests);
    let sql = currents_of(on.dialect());
    let rows = on.query(sql, arguments![list]).await?;
    rows.iter().map(|row| read_current(row, 1, row.digest(0)?)).collect()
}

/// The key at which an upload has put its object, as its end is decided by it.
pub(crate) async fn placed(
    on: &mut dyn Statements,
    current: &Current,
    key: ObjectKey,
    reserved: bool,
) -> Result<Placed> {
    if current.key == key {
        return Ok(Placed { key, mark: current.mark, reserved, member: false });
    }
    let marks = marks(on, std::slice::from_ref(&key)).await?;
    let mark = marks.get(&(key.digest, key.incarnation)).copied();
    Ok(Placed { key, mark, reserved, member: is_member(on, &key.digest).await? })
}

/// Whether a repository holds a blob.
pub(crate) async fn is_member(on: &mut dyn Statements, digest: &Digest) -> Result<bool> {
    let sql = "SELECT 1 FROM repository_blobs WHERE blob_digest = $1 LIMIT 1";
    Ok(!on.query(sql, arguments![digest]).await?.is_empty())
}

/// The marks of many keys `$1`.
const fn marks_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT m.digest, m.incarnation, m.state, m.marked_at FROM json_each($1) e
             JOIN blob_marks m ON m.digest = unhex(e.value ->> 1) AND m.incarnation = e.value ->> 0"
        }
        Dialect::Postgres => {
            "SELECT m.digest, m.incarnation, m.state, m.marked_at
             FROM jsonb_array_elements($1) e (value)
             JOIN blob_marks m ON m.digest = decode(e.value ->> 1, 'hex')
                              AND m.incarnation = (e.value ->> 0)::bigint"
        }
    }
}

fn of_keys<'a>(keys: impl Iterator<Item = &'a ObjectKey>) -> Json {
    pairs(keys.map(|key| (i64::from(key.incarnation), key.digest)))
}

/// The marks of those keys that have one.
pub(crate) async fn marks(
    on: &mut dyn Statements,
    keys: &[ObjectKey],
) -> Result<BTreeMap<(Digest, u32), Mark>> {
    let sql = marks_of(on.dialect());
    let mut found = BTreeMap::new();
    for row in on.query(sql, arguments![of_keys(keys.iter())]).await? {
        let mark = mark(&row, 2)?
            .ok_or_else(|| wharf_core::StoreError::Corrupt("a blob's mark has no state".into()))?;
        found.insert((row.digest(0)?, number(row.int(1)?)?), mark);
    }
    Ok(found)
}

/// Does to one mark what was decided.
pub(crate) async fn write(
    on: &mut dyn Statements,
    write: Option<MarkWrite>,
    now: Timestamp,
) -> Result<()> {
    match write {
        None => {}
        Some(MarkWrite::Clear(ObjectKey { digest, incarnation })) => {
            on.execute(
                "DELETE FROM blob_marks WHERE digest = $1 AND incarnation = $2",
                arguments![digest, i64::from(incarnation)],
            )
            .await?;
        }
        Some(set @ MarkWrite::Set(..)) => {
            write_all(on, std::iter::once(set), now).await?;
        }
    }
    Ok(())
}

/// Deletes the marks of the keys `$1`.
const fn clear_all(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "DELETE FROM blob_marks WHERE (digest, incarnation) IN
                 (SELECT unhex(value ->> 1), value ->> 0 FROM json_each($1))"
        }
        Dialect::Postgres => {
            "DELETE FROM blob_marks m USING jsonb_array_elements($1) e (value)
             WHERE m.digest = decode(e.value ->> 1, 'hex')
               AND m.incarnation = (e.value ->> 0)::bigint"
        }
    }
}

/// Sets the marks of the keys `$3` to the state `$1` since `$2`, whether they have one or not. In one order, so that two of these never wait
/// for each other in a circle.
const fn set_all(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "INSERT INTO blob_marks (digest, incarnation, state, marked_at)
             SELECT unhex(value ->> 1), value ->> 0, $1, $2 FROM json_each($3) WHERE true
             ON CONFLICT (digest, incarnation) DO UPDATE SET
                 state = excluded.state, marked_at = excluded.marked_at"
        }
        Dialect::Postgres => {
            "INSERT INTO blob_marks (digest, incarnation, state, marked_at)
             SELECT decode(value ->> 1, 'hex'), (value ->> 0)::bigint, $1, $2
             FROM jsonb_array_elements($3) e (value) ORDER BY 1, 2
             ON CONFLICT (digest, incarnation) DO UPDATE SET
                 state = excluded.state, marked_at = excluded.marked_at"
        }
    }
}

/// The same for marks that are there. One that somebody has taken away meanwhile must not come back: an update finds that it went, and begins
/// the transaction again, where an insert would not.
const fn move_all(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "UPDATE blob_marks SET state = $1, marked_at = $2 WHERE (digest, incarnation) IN
                 (SELECT unhex(value ->> 1), value ->> 0 FROM json_each($3))"
        }
        Dialect::Postgres => {
            "UPDATE blob_marks m SET state = $1, marked_at = $2
             FROM jsonb_array_elements($3) e (value)
             WHERE m.digest = decode(e.value ->> 1, 'hex')
               AND m.incarnation = (e.value ->> 0)::bigint"
        }
    }
}

/// Does to many marks what was decided. Returns how many came to each stage.
pub(crate) async fn write_all(
    on: &mut dyn Statements,
    writes: impl Iterator<Item = MarkWrite>,
    now: Timestamp,
) -> Result<BTreeMap<Stage, u64>> {
    let (mut cleared, mut set) = (Vec::new(), BTreeMap::<Stage, Vec<ObjectKey>>::new());
    for write in writes {
        match write {
            MarkWrite::Clear(key) => cleared.push(key),
            MarkWrite::Set(key, stage) => set.entry(stage).or_default().push(key),
        }
    }
    let dialect = on.dialect();
    if !cleared.is_empty() {
        on.execute(clear_all(dialect), arguments![of_keys(cleared.iter())]).await?;
    }
    let mut counts = BTreeMap::new();
    for (stage, keys) in set {
        let sql = match stage {
            Stage::Marked => set_all(dialect),
            Stage::Condemned | Stage::Deleted | Stage::Quarantined => move_all(dialect),
        };
        on.execute(sql, arguments![name(stage), now, of_keys(keys.iter())]).await?;
        counts.insert(stage, keys.len() as u64);
    }
    Ok(counts)
}

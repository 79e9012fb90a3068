//! A repository that goes to another namespace: with all that it holds.

use wharf_core::metadata::{MOST_MOVED, TooMuch};
use wharf_oci::RepositoryName;

use super::scopes::{self, Which};
use super::{Change, Charge, Limits, charge};
use crate::engine::{Dialect, Result, Statements, arguments};

/// Charges what a repository holds to another namespace instead of the one that it is charged to. What the namespaces have of its blobs is
/// changed by a few statements over all of them: each blob by itself would be too much for a large repository.
///
/// # Errors
/// [`StoreError::OverQuota`](wharf_core::StoreError::OverQuota) where the other namespace has no room for it; [`TooMuch::Blobs`] where it holds
/// more than [`MOST_MOVED`]. One that was deleted, and so moved, holds no more than it did then.
pub(crate) async fn relocate(
    on: &mut dyn Statements,
    repository: i64,
    name: &RepositoryName,
    to: &str,
) -> Result<()> {
    let from = scopes::find_or_make(on, repository, Which::Namespace).await?;
    let own = scopes::find_or_make(on, repository, Which::Repository).await?;
    let to_scope = scopes::find_or_make_namespace(on, to).await?;
    if from.id == to_scope.id {
        return stop_charges(on, own.id).await;
    }
    let (blobs, of_blobs) = charged(on, repository).await?;
    if blobs > MOST_MOVED {
        return Err(TooMuch::Blobs { name: name.clone(), blobs }.into());
    }
    lock(on, repository, from.id).await?;
    stop_charges(on, own.id).await?;
    let unshared = held(on, own.id).await? + -of_blobs;
    let freed = share_all(on, repository, from.id, Direction::Leaves).await?;
    let freed = Charge { namespace: freed + -unshared, ..Charge::default() };
    charge(on, repository, freed, Limits::None).await?;
    on.execute(
        "UPDATE usage_scopes SET namespace = $1, parent = $2 WHERE id = $3",
        arguments![to, to_scope.id, own.id],
    )
    .await?;
    let more = share_all(on, repository, to_scope.id, Direction::Enters).await?;
    let more = Charge { namespace: more + unshared, ..Charge::default() };
    charge(on, repository, more, Limits::All).await
}

/// Whoever charges a repository at the same time (a tag that is made does) writes to one of its shards, or makes one and locks the scope for it:
/// the later of the two begins again.
async fn stop_charges(on: &mut dyn Statements, own: i64) -> Result<()> {
    on.execute("UPDATE usage_scopes SET indebted = indebted WHERE id = $1", arguments![own])
        .await?;
    let in_order = "SELECT 1 FROM usage_shards WHERE scope = $1 ORDER BY shard";
    on.query_locked(in_order, arguments![own]).await?;
    let sql = "UPDATE usage_shards SET tags = tags WHERE scope = $1";
    on.execute(sql, arguments![own]).await.map(drop)
}

/// How many blobs a repository is charged with, and what they come to by themselves.
async fn charged(on: &mut dyn Statements, repository: i64) -> Result<(u64, Change)> {
    let rows = on
        .query(
            "SELECT count(*),
                    CAST(coalesce(sum(CASE WHEN charge = 2 THEN size END), 0) AS bigint),
                    CAST(coalesce(sum(CASE WHEN charge = 1 THEN size END), 0) AS bigint)
             FROM repository_blobs WHERE repository_id = $1 AND charge > 0 AND size IS NOT NULL",
            arguments![repository],
        )
        .await?;
    let Some(row) = rows.first() else { return Ok((0, Change::default())) };
    let of_blobs = Change { bytes: row.int(1)?, reserved: row.int(2)?, ..Change::default() };
    Ok((row.size(0)?, of_blobs))
}

/// Whether a repository leaves a namespace or enters it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Leaves,
    Enters,
}

/// What the namespace `$2` holds more when one repository more (`$1` = 1), or less (-1), has the blobs that the repository `$3` is charged with:
/// bytes that manifests need, and others.
const SHARE: &str = "
    SELECT CAST(coalesce(sum(size * (used_after - used_before)), 0) AS bigint),
           CAST(coalesce(sum(size * (held_after - held_before)), 0) AS bigint)
    FROM (SELECT size,
                 CASE WHEN used > 0 THEN 1 ELSE 0 END AS used_before,
                 CASE WHEN used > 0 THEN 0 WHEN held > 0 THEN 1 ELSE 0 END AS held_before,
                 CASE WHEN used + by_used > 0 THEN 1 ELSE 0 END AS used_after,
                 CASE WHEN used + by_used > 0 THEN 0 WHEN held + by_held > 0 THEN 1 ELSE 0 END AS held_after
          FROM (SELECT h.size, coalesce(n.used, 0) AS used, coalesce(n.held, 0) AS held,
                       CASE WHEN h.charge = 2 THEN $1 ELSE 0 END AS by_used,
                       CASE WHEN h.charge = 1 THEN $1 ELSE 0 END AS by_held
                FROM repository_blobs h
                LEFT JOIN namespace_blobs n ON n.scope = $2 AND n.digest = h.blob_digest
                WHERE h.repository_id = $3 AND h.charge > 0 AND h.size IS NOT NULL) counts) changes";

/// Those of the counts of the namespace `$1` that the repository `$2` is charged with.
const LOCK: &str = "
    SELECT count(*) FROM
        (SELECT 1 FROM namespace_blobs n WHERE n.scope = $1 AND n.digest IN
             (SELECT blob_digest FROM repository_blobs
              WHERE repository_id = $2 AND charge > 0 AND size IS NOT NULL)
         ORDER BY n.digest FOR UPDATE OF n) locked";

/// Locks the counts that a namespace has of the blobs of a repository, in the order in which a push writes them: no other statement here says
/// in which order it takes them. On SQLite nobody else writes meanwhile.
async fn lock(on: &mut dyn Statements, repository: i64, scope: i64) -> Result<()> {
    match on.dialect() {
        Dialect::Sqlite => Ok(()),
        Dialect::Postgres => on.query(LOCK, arguments![scope, repository]).await.map(drop),
    }
}

/// Changes the counts that there are, by as much. One that was lost (by hand, or by a fault) stops nothing: a count of the rows corrects it.
const CHANGE: &str = "
    UPDATE namespace_blobs SET
        used = CASE WHEN h.charge <> 2 THEN used WHEN used + $1 < 0 THEN 0 ELSE used + $1 END,
        held = CASE WHEN h.charge <> 1 THEN held WHEN held + $1 < 0 THEN 0 ELSE held + $1 END
    FROM repository_blobs h
    WHERE namespace_blobs.scope = $2 AND namespace_blobs.digest = h.blob_digest
      AND h.repository_id = $3 AND h.charge > 0 AND h.size IS NOT NULL";

/// Takes away those that count nothing any more.
const FORGET: &str = "
    DELETE FROM namespace_blobs WHERE scope = $1 AND used = 0 AND held = 0 AND digest IN
        (SELECT blob_digest FROM repository_blobs WHERE repository_id = $2)";

/// Makes those that are not there, in the same order. One that somebody makes meanwhile is no row of this snapshot, and so begins the
/// transaction again.
const BEGIN: &str = "
    INSERT INTO namespace_blobs (scope, digest, size, used, held)
    SELECT $1, h.blob_digest, h.size, CASE WHEN h.charge = 2 THEN 1 ELSE 0 END,
           CASE WHEN h.charge = 1 THEN 1 ELSE 0 END
    FROM repository_blobs h
    WHERE h.repository_id = $2 AND h.charge > 0 AND h.size IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM namespace_blobs n WHERE n.scope = $1 AND n.digest = h.blob_digest)
    ORDER BY h.blob_digest
    ON CONFLICT (scope, digest) DO UPDATE SET used = excluded.used, held = excluded.held";

/// Counts in which state a namespace has the blobs of a repository that leaves or enters. Returns what the namespace holds more by that. Of two
/// transactions that change a count at once, or make one, the later begins again, as by `blobs::share`.
async fn share_all(
    on: &mut dyn Statements,
    repository: i64,
    scope: i64,
    direction: Direction,
) -> Result<Change> {
    let by: i64 = if direction == Direction::Enters { 1 } else { -1 };
    let of = arguments![by, scope, repository];
    let rows = on.query(SHARE, of).await?;
    let mut sum = Change::default();
    if let Some(row) = rows.first() {
        (sum.bytes, sum.reserved) = (row.int(0)?, row.int(1)?);
    }
    if direction == Direction::Enters {
        lock(on, repository, scope).await?;
    }
    on.execute(CHANGE, of).await?;
    let rest = if direction == Direction::Enters { BEGIN } else { FORGET };
    on.execute(rest, arguments![scope, repository]).await?;
    Ok(sum)
}

/// Forgets a namespace in which there are no repositories, or none but one that holds nothing any more.
pub(crate) async fn forget_namespace(on: &mut dyn Statements, namespace: &str) -> Result<()> {
    for sql in [
        "DELETE FROM namespace_blobs WHERE scope IN (SELECT id FROM usage_scopes WHERE namespace = $1)",
        "DELETE FROM usage_shards WHERE scope IN (SELECT id FROM usage_scopes WHERE namespace = $1)",
        "DELETE FROM usage_scopes WHERE namespace = $1 AND repository_id > 0",
        "DELETE FROM usage_scopes WHERE namespace = $1 AND repository_id = 0",
    ] {
        on.execute(sql, arguments![namespace]).await?;
    }
    Ok(())
}

/// Forgets up to `limit` of the blobs of a namespace that is about to be forgotten. Returns how many.
pub(crate) async fn forget_blobs(
    on: &mut dyn Statements,
    namespace: &str,
    limit: usize,
) -> Result<u64> {
    on.execute(
        "DELETE FROM namespace_blobs WHERE (scope, digest) IN (
             SELECT b.scope, b.digest FROM usage_scopes s JOIN namespace_blobs b ON b.scope = s.id
             WHERE s.namespace = $1 AND s.repository_id = 0 ORDER BY b.digest LIMIT $2)",
        arguments![namespace, limit],
    )
    .await
}

/// What a scope holds by its counters.
pub(super) async fn held(on: &mut dyn Statements, scope: i64) -> Result<Change> {
    let rows = on
        .query(
            concat!(
                "SELECT ",
                super::finding::held_columns!(),
                " FROM usage_shards h WHERE h.scope = $1"
            ),
            arguments![scope],
        )
        .await?;
    rows.first().map_or_else(|| Ok(Change::default()), super::finding::change)
}

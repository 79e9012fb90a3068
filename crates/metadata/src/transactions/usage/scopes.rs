//! The rows of scopes and of their shards: found, made, written.

use wharf_core::StoreError;
use wharf_core::metadata::Scope;
use wharf_oci::RepositoryName;

use super::escrow::{self, METERS, POOL, Shard};
use crate::engine::{Result, Row, Statements, arguments};

/// Which scope of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Its own.
    Repository,
    /// That of its namespace.
    Namespace,
}

impl Which {
    pub(super) const fn number(self) -> i64 {
        match self {
            Self::Repository => 0,
            Self::Namespace => 1,
        }
    }
}

/// A scope's row.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScopeRow {
    pub(super) id: i64,
    pub(super) limits: [Option<i64>; METERS],
    pub(super) indebted: bool,
    pub(super) version: i64,
    pub(super) is_counted: bool,
}

/// The columns of a [`ScopeRow`].
macro_rules! scope_columns {
    () => {
        "s.id, s.max_bytes, s.max_manifests, s.max_tags, s.indebted, s.version,
         CASE WHEN s.counted_at IS NULL THEN 0 ELSE 1 END"
    };
}

fn scope(row: &Row) -> Result<ScopeRow> {
    let bytes = row.optional_int(1)?;
    Ok(ScopeRow {
        id: row.int(0)?,
        limits: [bytes, bytes, row.optional_int(2)?, row.optional_int(3)?],
        indebted: row.int(4)? != 0,
        version: row.int(5)?,
        is_counted: row.int(6)? != 0,
    })
}

/// A scope of a repository, if there is one.
pub(super) async fn find(
    on: &mut dyn Statements,
    repository: i64,
    which: Which,
) -> Result<Option<ScopeRow>> {
    let rows = on
        .query(
            concat!(
                "SELECT ",
                scope_columns!(),
                " FROM usage_scopes r
                  JOIN usage_scopes s ON s.id = CASE WHEN $1 = 1 THEN r.parent ELSE r.id END
                  WHERE r.repository_id = $2"
            ),
            arguments![which.number(), repository],
        )
        .await?;
    rows.first().map(scope).transpose()
}

/// The scope of a namespace as a whole, if there is one.
pub(super) async fn find_namespace(
    on: &mut dyn Statements,
    namespace: &str,
) -> Result<Option<ScopeRow>> {
    let sql = concat!(
        "SELECT ",
        scope_columns!(),
        " FROM usage_scopes s WHERE s.namespace = $1 AND s.repository_id = 0"
    );
    let rows = on.query(sql, arguments![namespace]).await?;
    rows.first().map(scope).transpose()
}

/// Begins to count what a repository holds, which is new.
pub(crate) async fn begin(on: &mut dyn Statements, repository: i64) -> Result<()> {
    find_or_make(on, repository, Which::Repository).await.map(drop)
}

/// A scope of a repository, made if there is none.
pub(super) async fn find_or_make(
    on: &mut dyn Statements,
    repository: i64,
    which: Which,
) -> Result<ScopeRow> {
    if let Some(found) = find(on, repository, which).await? {
        return Ok(found);
    }
    let rows =
        on.query("SELECT name FROM repositories WHERE id = $1", arguments![repository]).await?;
    let Some(row) = rows.first() else {
        return Err(StoreError::Corrupt("a repository without a row is charged".into()));
    };
    let name: RepositoryName = row.parsed(0)?;
    let parent = find_or_make_namespace(on, name.namespace()).await?;
    // What there was before is found by a count; where there is nothing, everything is counted from the beginning on.
    let now = on.now().await?;
    on.execute(
        "INSERT INTO usage_scopes (namespace, repository_id, parent, counted_at)
         VALUES ($1, $2, $3, CASE WHEN EXISTS
             (SELECT 1 FROM repository_manifests WHERE repository_id = $2) THEN NULL ELSE $4 END)
         ON CONFLICT (namespace, repository_id) DO UPDATE SET parent = excluded.parent",
        arguments![name.namespace(), repository, parent.id, now],
    )
    .await?;
    find(on, repository, which)
        .await?
        .ok_or_else(|| StoreError::Corrupt("a scope of usage was not made".into()))
}

/// The scope of a namespace as a whole, made if there is none.
pub(super) async fn find_or_make_namespace(
    on: &mut dyn Statements,
    namespace: &str,
) -> Result<ScopeRow> {
    if let Some(found) = find_namespace(on, namespace).await? {
        return Ok(found);
    }
    let now = on.now().await?;
    on.execute(
        "INSERT INTO usage_scopes (namespace, repository_id, counted_at)
         VALUES ($1, 0, CASE WHEN EXISTS
             (SELECT 1 FROM repositories r JOIN repository_manifests m ON m.repository_id = r.id
              WHERE r.name = $1 OR (r.name > $2 AND r.name < $3)) THEN NULL ELSE $4 END)
         ON CONFLICT (namespace, repository_id) DO UPDATE SET namespace = excluded.namespace",
        arguments![namespace, format!("{namespace}/"), format!("{namespace}0"), now],
    )
    .await?;
    find_namespace(on, namespace)
        .await?
        .ok_or_else(|| StoreError::Corrupt("a scope of usage was not made".into()))
}

/// The shards of a scope, in their order.
pub(super) async fn shards(on: &mut dyn Statements, scope: i64) -> Result<Vec<Shard>> {
    let rows = on
        .query(
            "SELECT shard, bytes, total, manifests, tags,
                    bytes_allowed, total_allowed, manifests_allowed, tags_allowed
             FROM usage_shards WHERE scope = $1 ORDER BY shard",
            arguments![scope],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Shard {
                number: row.int(0)?,
                used: [row.int(1)?, row.int(2)?, row.int(3)?, row.int(4)?],
                allowed: [
                    row.optional_int(5)?,
                    row.optional_int(6)?,
                    row.optional_int(7)?,
                    row.optional_int(8)?,
                ],
            })
        })
        .collect()
}

/// Makes a shard that uses nothing and may use nothing. The scope's row is updated: who sets a limit meanwhile would not see the new
/// shard, and the later of the two begins again.
pub(super) async fn make_shard(
    on: &mut dyn Statements,
    scope: &ScopeRow,
    number: i64,
) -> Result<()> {
    on.execute("UPDATE usage_scopes SET indebted = indebted WHERE id = $1", arguments![scope.id])
        .await?;
    let [bytes, total, manifests, tags] = scope.limits.map(|limit| limit.map(|_| 0_i64));
    on.execute(
        "INSERT INTO usage_shards
             (scope, shard, bytes_allowed, total_allowed, manifests_allowed, tags_allowed)
         VALUES ($1, $2, $3, $4, $5, $6)",
        arguments![scope.id, number, bytes, total, manifests, tags],
    )
    .await
    .map(drop)
}

/// Makes the shard in which lies what nobody has taken, unless it is there.
pub(super) async fn make_pool(on: &mut dyn Statements, scope: &ScopeRow) -> Result<()> {
    let pool = on
        .query(
            "SELECT 1 FROM usage_shards WHERE scope = $1 AND shard = $2",
            arguments![scope.id, POOL],
        )
        .await?;
    if pool.is_empty() { make_shard(on, scope, POOL).await } else { Ok(()) }
}

/// Writes whether there are debts, and those shards that are not as before, in their order. What is named grows in one of them.
pub(super) async fn write(
    on: &mut dyn Statements,
    scope: &ScopeRow,
    before: &[Shard],
    after: &[Shard],
    (own, referenced): (i64, i64),
) -> Result<()> {
    let indebted = escrow::in_debt(after);
    if indebted != scope.indebted {
        on.execute(
            "UPDATE usage_scopes SET indebted = $1 WHERE id = $2",
            arguments![i64::from(indebted), scope.id],
        )
        .await?;
    }
    let mut changed: Vec<&Shard> = after
        .iter()
        .filter(|shard| !before.contains(shard) || (shard.number == own && referenced != 0))
        .collect();
    changed.sort_by_key(|shard| shard.number);
    let rows: Vec<_> = changed
        .into_iter()
        .map(|shard| {
            let [bytes, total, manifests, tags] = shard.used;
            let [bytes_allowed, total_allowed, manifests_allowed, tags_allowed] = shard.allowed;
            arguments![
                if shard.number == own { referenced } else { 0 },
                bytes,
                total,
                manifests,
                tags,
                bytes_allowed,
                total_allowed,
                manifests_allowed,
                tags_allowed,
                scope.id,
                shard.number,
            ]
            .to_vec()
        })
        .collect();
    on.execute_each(
        "UPDATE usage_shards SET referenced = referenced + $1, bytes = $2, total = $3, manifests = $4, tags = $5,
             bytes_allowed = $6, total_allowed = $7, manifests_allowed = $8, tags_allowed = $9
         WHERE scope = $10 AND shard = $11",
        &rows,
    )
    .await
    .map(drop)
}

/// Whose a scope is.
pub(super) async fn named(on: &mut dyn Statements, id: i64) -> Result<Scope> {
    let rows = on
        .query(
            "SELECT s.namespace, r.name FROM usage_scopes s
             LEFT JOIN repositories r ON r.id = s.repository_id WHERE s.id = $1",
            arguments![id],
        )
        .await?;
    let Some(row) = rows.first() else {
        return Err(StoreError::Corrupt("a scope of usage has no row".into()));
    };
    match row.optional_text(1)? {
        Some(_) => Ok(Scope::Repository(row.parsed(1)?)),
        None => Ok(Scope::Namespace(row.parsed(0)?)),
    }
}

//! A count of what scopes hold by their rows, which corrects what the counters say.
//!
//! Rows and counters are read in one snapshot, so what they differ by is a fault and nothing that is under way; it is charged like any other
//! change, and whoever charges meanwhile loses nothing.

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::metadata::{Counted, Drift, NumberedScope, ScopeKind, TooMuch};

use super::blobs::{self, Sharing, SharingWrites, State, of_blobs};
use super::moving::held;
use super::scopes::{self, ScopeRow, Which};
use super::{Change, Charge, Limits, charge};
use crate::engine::{Result, Row, Statements, Transaction, arguments};

/// How many memberships of a repository, and counts of a namespace, one transaction corrects.
const MOST_CORRECTED: i64 = 1000;

/// Scopes of a kind behind the number `$1`, `$2` at most, in the order of a count: their numbers and names.
const fn scopes_behind(kind: ScopeKind) -> &'static str {
    match kind {
        ScopeKind::Repositories => {
            "SELECT id, name FROM repositories WHERE id > $1 AND name < '~' ORDER BY id LIMIT $2"
        }
        ScopeKind::Namespaces => {
            "SELECT id, namespace FROM usage_scopes
             WHERE repository_id = 0 AND id > $1 AND namespace < '~' ORDER BY id LIMIT $2"
        }
    }
}

/// `UsageMetadata::next_scope`
pub(crate) struct NextScope {
    pub(crate) kind: ScopeKind,
    pub(crate) after: Option<i64>,
}

#[async_trait]
impl Transaction for NextScope {
    type Output = Option<NumberedScope>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let after = self.after.unwrap_or(i64::MIN);
        let rows = on.query(scopes_behind(self.kind), arguments![after, 1_i64]).await?;
        let scope =
            |row: &Row| Ok(NumberedScope { number: row.int(0)?, name: row.text(1)?.into() });
        rows.first().map(scope).transpose()
    }
}

/// `UsageMetadata::count_scopes`, of repositories: by their rows.
pub(crate) struct CountRepositories {
    pub(crate) after: Option<i64>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for CountRepositories {
    type Output = Counted;

    fn late(fault: StoreError) -> StoreError {
        TooMuch::Slow(fault.to_string()).into()
    }

    async fn run(&self, on: &mut dyn Statements) -> Result<Counted> {
        let after = self.after.unwrap_or(i64::MIN);
        let sql = scopes_behind(ScopeKind::Repositories);
        let rows = on.query(sql, arguments![after, self.limit]).await?;
        let mut counted = Counted { scopes: rows.len() as u64, ..Counted::default() };
        for row in &rows {
            let repository = row.int(0)?;
            let scope = scopes::find_or_make(on, repository, Which::Repository).await?;
            correct_memberships(on, repository).await?;
            let change = of_repository(on, repository).await? + -held(on, scope.id).await?;
            let charged = Charge { repository: change, ..Charge::default() };
            charge(on, repository, charged, Limits::None).await?;
            note(on, &scope, &change, row.text(1)?, &mut counted).await?;
        }
        counted.next = next(&rows, self.limit)?;
        Ok(counted)
    }
}

/// Where a walk goes on behind a page of rows that begin with a number: nowhere behind the last page.
fn next(rows: &[Row], limit: usize) -> Result<Option<i64>> {
    rows.last().filter(|_| rows.len() == limit).map(|last| last.int(0)).transpose()
}

/// Charges memberships that a manifest needs and that are not charged so, and the other way round: as nodes of the version before leave them.
async fn correct_memberships(on: &mut dyn Statements, repository: i64) -> Result<()> {
    let rows = on
        .query(
            "SELECT blob_digest, size, charge, needed FROM repository_blobs
             WHERE repository_id = $1 AND size IS NOT NULL
               AND (needed = 1 AND charge <> 2 OR needed = 0 AND charge = 2)
             ORDER BY blob_digest LIMIT $2",
            arguments![repository, MOST_CORRECTED],
        )
        .await?;
    let (mut changes, mut updates) = (Vec::new(), Vec::new());
    for row in &rows {
        let to = if row.int(3)? == 1 { State::Used } else { State::Free };
        if let Some(change) = blobs::read(row)?.becomes(to) {
            changes.push(change);
            updates.push(arguments![to.number(), repository, change.digest].to_vec());
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    on.execute_each(
        "UPDATE repository_blobs SET charge = $1 WHERE repository_id = $2 AND blob_digest = $3",
        &updates,
    )
    .await?;
    let charged = of_blobs(on, repository, &changes).await?;
    charge(on, repository, charged, Limits::None).await
}

/// What a repository holds by its rows.
async fn of_repository(on: &mut dyn Statements, repository: i64) -> Result<Change> {
    let rows = on
        .query(
            "SELECT CAST(coalesce((
                        SELECT sum(h.size) FROM repository_manifests m
                        JOIN blob_references b ON b.manifest_digest = m.digest
                        JOIN repository_blobs h
                            ON h.repository_id = m.repository_id AND h.blob_digest = b.blob_digest
                        WHERE m.repository_id = $1), 0) AS bigint),
                    CAST(coalesce((
                        SELECT sum(o.size) FROM repository_manifests m
                        JOIN manifests o ON o.digest = m.digest WHERE m.repository_id = $1), 0) AS bigint),
                    CAST(coalesce((
                        SELECT sum(size) FROM repository_blobs
                        WHERE repository_id = $1 AND charge = 2), 0) AS bigint),
                    CAST(coalesce((
                        SELECT sum(size) FROM repository_blobs
                        WHERE repository_id = $1 AND charge = 1), 0) AS bigint),
                    CAST(coalesce((
                        SELECT sum(held) FROM uploads WHERE repository_id = $1), 0) AS bigint),
                    (SELECT count(*) FROM repository_manifests WHERE repository_id = $1),
                    (SELECT count(*) FROM tags WHERE repository_id = $1)",
            arguments![repository],
        )
        .await?;
    let Some(row) = rows.first() else { return Ok(Change::default()) };
    let manifests = row.int(1)?;
    Ok(Change {
        referenced: row.int(0)? + manifests,
        bytes: row.int(2)? + manifests,
        reserved: row.int(3)? + row.int(4)?,
        manifests: row.int(5)?,
        tags: row.int(6)?,
    })
}

/// The same of namespaces: by what their repositories hold.
pub(crate) struct CountNamespaces {
    pub(crate) after: Option<i64>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for CountNamespaces {
    type Output = Counted;

    fn late(fault: StoreError) -> StoreError {
        TooMuch::Slow(fault.to_string()).into()
    }

    async fn run(&self, on: &mut dyn Statements) -> Result<Counted> {
        let after = self.after.unwrap_or(i64::MIN);
        let sql = scopes_behind(ScopeKind::Namespaces);
        let rows = on.query(sql, arguments![after, self.limit]).await?;
        let mut counted = Counted { scopes: rows.len() as u64, ..Counted::default() };
        for row in &rows {
            let Some(scope) = scopes::find_namespace(on, row.text(1)?).await? else { continue };
            correct_sharing(on, scope.id).await?;
            let change = of_namespace(on, scope.id).await? + -held(on, scope.id).await?;
            if let Some(repository) = one_of(on, scope.id).await? {
                let charged = Charge { namespace: change, ..Charge::default() };
                charge(on, repository, charged, Limits::None).await?;
                note(on, &scope, &change, row.text(1)?, &mut counted).await?;
            }
        }
        counted.next = next(&rows, self.limit)?;
        Ok(counted)
    }
}

/// Corrects the counts of repositories that share a blob, where they are not what the memberships say.
async fn correct_sharing(on: &mut dyn Statements, scope: i64) -> Result<()> {
    let rows = on
        .query(
            "SELECT d.digest, max(d.size), CAST(sum(d.used) AS bigint), CAST(sum(d.held) AS bigint),
                    max(d.counted)
             FROM (SELECT h.blob_digest AS digest, h.size,
                          CASE WHEN h.charge = 2 THEN 1 ELSE 0 END AS used,
                          CASE WHEN h.charge = 1 THEN 1 ELSE 0 END AS held,
                          0 AS counted_used, 0 AS counted_held, 0 AS counted
                   FROM usage_scopes c JOIN repository_blobs h ON h.repository_id = c.repository_id
                   WHERE c.parent = $1 AND h.charge > 0
                   UNION ALL
                   SELECT digest, size, 0, 0, used, held, 1 FROM namespace_blobs WHERE scope = $1) d
             GROUP BY d.digest
             HAVING sum(d.used) <> sum(d.counted_used) OR sum(d.held) <> sum(d.counted_held)
             ORDER BY d.digest LIMIT $2",
            arguments![scope, MOST_CORRECTED],
        )
        .await?;
    let mut writes = SharingWrites::default();
    for row in &rows {
        let count = Sharing { used: row.int(2)?, held: row.int(3)? };
        writes.add(scope, &row.digest(0)?, row.int(1)?, row.int(4)? == 1, count);
    }
    writes.write(on).await
}

/// What a namespace holds, by the counts of its blobs and by the counters of its repositories for all that is not shared.
async fn of_namespace(on: &mut dyn Statements, scope: i64) -> Result<Change> {
    let rows = on
        .query(
            concat!(
                "SELECT ",
                super::finding::held_columns!(),
                " FROM usage_scopes c JOIN usage_shards h ON h.scope = c.id WHERE c.parent = $1"
            ),
            arguments![scope],
        )
        .await?;
    let all = rows.first().map_or_else(|| Ok(Change::default()), super::finding::change)?;
    let rows = on
        .query(
            "SELECT CAST(coalesce(sum(CASE WHEN used > 0 THEN size END), 0) AS bigint),
                    CAST(coalesce(sum(CASE WHEN used = 0 THEN size END), 0) AS bigint),
                    CAST(coalesce(sum(used * size), 0) AS bigint),
                    CAST(coalesce(sum(held * size), 0) AS bigint)
             FROM namespace_blobs WHERE scope = $1",
            arguments![scope],
        )
        .await?;
    let Some(row) = rows.first() else { return Ok(all) };
    Ok(Change {
        bytes: all.bytes - row.int(2)? + row.int(0)?,
        reserved: all.reserved - row.int(3)? + row.int(1)?,
        ..all
    })
}

/// A repository of a namespace.
async fn one_of(on: &mut dyn Statements, scope: i64) -> Result<Option<i64>> {
    let sql = "SELECT repository_id FROM usage_scopes WHERE parent = $1 LIMIT 1";
    let rows = on.query(sql, arguments![scope]).await?;
    rows.first().map(|row| row.int(0)).transpose()
}

/// Records that a scope was counted, and what was wrong. What the first count finds was there before anything was counted.
async fn note(
    on: &mut dyn Statements,
    scope: &ScopeRow,
    change: &Change,
    name: &str,
    counted: &mut Counted,
) -> Result<()> {
    if scope.is_counted {
        if *change != Change::default() {
            counted.drifts.push(Drift {
                scope: name.to_owned(),
                bytes: [change.referenced, change.bytes, change.reserved]
                    .map(i64::unsigned_abs)
                    .iter()
                    .sum(),
                rows: change.manifests.unsigned_abs() + change.tags.unsigned_abs(),
            });
        }
        return Ok(());
    }
    let now = on.now().await?;
    on.execute("UPDATE usage_scopes SET counted_at = $1 WHERE id = $2", arguments![now, scope.id])
        .await
        .map(drop)
}

//! Findings: a row for each fault, written when it is met, however often, and resolved when it is gone.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::blobs::ObjectKey;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    FaultKind, FindingFilter, FindingState, FindingStates, FoundKind, ScrubFinding,
};
use wharf_oci::Digest;

use crate::engine::{Result, Row, Statements, Transaction, arguments};
use crate::transactions::events::{self, Event};
use crate::transactions::memberships::number;

/// How long a finding is kept that was resolved.
const KEPT: Duration = Duration::from_secs(365 * 24 * 3600);

/// A fault that is met.
pub(super) struct Fault<'a> {
    pub(super) kind: FaultKind,
    pub(super) key: ObjectKey,
    /// Where a reference is broken: the repository's row and the manifest.
    pub(super) needed_by: Option<(i64, Digest)>,
    pub(super) detail: &'a str,
}

impl Fault<'_> {
    /// Writes it down. Returns whether it was not known, or had been resolved.
    pub(super) async fn note(&self, on: &mut dyn Statements, now: Timestamp) -> Result<bool> {
        let ObjectKey { digest, incarnation } = self.key;
        let repository = self.needed_by.map_or(0, |(repository, _)| repository);
        let manifest = self.needed_by.map(|(_, manifest)| manifest.to_binary()).unwrap_or_default();
        let open = on
            .execute(
                "UPDATE scrub_findings SET detail = $1, seen_at = $2
                 WHERE kind = $3 AND digest = $4 AND incarnation = $5 AND repository_id = $6
                   AND needed_by = $7 AND resolved_at IS NULL",
                arguments![
                    self.detail,
                    now,
                    self.kind.name(),
                    digest,
                    i64::from(incarnation),
                    repository,
                    manifest.as_slice(),
                ],
            )
            .await?;
        if open > 0 {
            return Ok(false);
        }
        on.execute(
            "INSERT INTO scrub_findings
                 (kind, digest, incarnation, repository_id, needed_by, detail, found_at, seen_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
             ON CONFLICT (kind, digest, incarnation, repository_id, needed_by) DO UPDATE SET
                 detail = excluded.detail, found_at = excluded.found_at,
                 seen_at = excluded.seen_at, resolved_at = NULL, repaired_from = NULL",
            arguments![
                self.kind.name(),
                digest,
                i64::from(incarnation),
                repository,
                manifest.as_slice(),
                self.detail,
                now,
            ],
        )
        .await?;
        Ok(true)
    }

    /// Tells of it in the events of some repositories that hold the blob.
    pub(super) async fn tell(&self, on: &mut dyn Statements, now: Timestamp) -> Result<()> {
        let event = |digest| Event::BlobFault { digest, kind: self.kind, detail: self.detail };
        for repository in some_holders(on, &self.key.digest).await? {
            events::record(on, repository, event(&self.key.digest), "system", now).await?;
        }
        Ok(())
    }
}

/// Repositories that hold a blob: as many as are told of what happens to it.
pub(super) async fn some_holders(on: &mut dyn Statements, digest: &Digest) -> Result<Vec<i64>> {
    let rows = on
        .query(
            "SELECT repository_id FROM repository_blobs WHERE blob_digest = $1
             ORDER BY repository_id LIMIT $2",
            arguments![digest, wharf_core::metadata::MOST_TOLD],
        )
        .await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Resolves what was found of an object, but for that no row explains it.
pub(super) async fn resolve(
    on: &mut dyn Statements,
    key: &ObjectKey,
    now: Timestamp,
) -> Result<()> {
    on.execute(
        "UPDATE scrub_findings SET resolved_at = $1
         WHERE digest = $2 AND incarnation = $3 AND resolved_at IS NULL
           AND kind IN ('missing', 'wrong_size', 'wrong_digest', 'unreadable')",
        arguments![now, key.digest, i64::from(key.incarnation)],
    )
    .await
    .map(drop)
}

/// Resolves what was found of a damaged object, since its blob was repaired from another copy.
pub(super) async fn repaired(
    on: &mut dyn Statements,
    damaged: &ObjectKey,
    from: &str,
    now: Timestamp,
) -> Result<()> {
    on.execute(
        "UPDATE scrub_findings SET repaired_from = $1
         WHERE digest = $2 AND incarnation = $3 AND resolved_at IS NULL
           AND kind IN ('missing', 'wrong_size', 'wrong_digest', 'unreadable')",
        arguments![from, damaged.digest, i64::from(damaged.incarnation)],
    )
    .await?;
    resolve(on, damaged, now).await
}

/// Resolves what was found of a manifest's bytes; by which copy, where it was repaired.
pub(super) async fn resolve_manifest(
    on: &mut dyn Statements,
    digest: &Digest,
    repaired_from: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    on.execute(
        "UPDATE scrub_findings SET resolved_at = $1, repaired_from = $2
         WHERE digest = $3 AND kind = 'damaged_manifest' AND resolved_at IS NULL",
        arguments![now, repaired_from, digest],
    )
    .await
    .map(drop)
}

/// `Integrity::resolve_findings`
pub(crate) struct Resolve;

/// Faults of objects that are not those of a blob that anybody holds; unexplained objects that are gone, or explained; references that are
/// whole, or whose manifest is gone; damaged manifests that are forgotten. Of the two before the last what is there still is found again by the next
/// pass.
const RESOLVED: [&str; 4] = [
    "UPDATE scrub_findings SET resolved_at = $1
     WHERE resolved_at IS NULL AND kind IN ('missing', 'wrong_size', 'wrong_digest', 'unreadable')
       AND (incarnation <> coalesce((SELECT i.incarnation FROM blob_incarnations i
                                     WHERE i.digest = scrub_findings.digest), 0)
            OR NOT EXISTS (SELECT 1 FROM repository_blobs b
                           WHERE b.blob_digest = scrub_findings.digest))",
    "UPDATE scrub_findings SET resolved_at = $1
     WHERE resolved_at IS NULL AND kind = 'unexplained'
       AND NOT EXISTS (SELECT 1 FROM blob_marks m
                       WHERE m.digest = scrub_findings.digest
                         AND m.incarnation = scrub_findings.incarnation
                         AND m.state IN ('marked', 'condemned'))",
    "UPDATE scrub_findings SET resolved_at = $1
     WHERE resolved_at IS NULL AND kind = 'broken_reference'
       AND (NOT EXISTS (SELECT 1 FROM repository_manifests h
                        WHERE h.repository_id = scrub_findings.repository_id
                          AND h.digest = scrub_findings.needed_by)
            OR EXISTS (SELECT 1 FROM repository_blobs b
                       WHERE b.repository_id = scrub_findings.repository_id
                         AND b.blob_digest = scrub_findings.digest)
            OR EXISTS (SELECT 1 FROM repository_manifests h
                       WHERE h.repository_id = scrub_findings.repository_id
                         AND h.digest = scrub_findings.digest))",
    "UPDATE scrub_findings SET resolved_at = $1
     WHERE resolved_at IS NULL AND kind = 'damaged_manifest'
       AND NOT EXISTS (SELECT 1 FROM manifests m WHERE m.digest = scrub_findings.digest)",
];

#[async_trait]
impl Transaction for Resolve {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        let now = on.now().await?;
        let mut resolved = 0;
        for sql in RESOLVED {
            resolved += on.execute(sql, arguments![now]).await?;
        }
        on.execute(
            "DELETE FROM scrub_findings WHERE resolved_at <= $1",
            arguments![now.before(KEPT)],
        )
        .await?;
        Ok(resolved)
    }
}

/// `Integrity::list_scrub_findings`
pub(crate) struct List {
    pub(crate) filter: FindingFilter,
    pub(crate) after: Option<i64>,
    pub(crate) limit: usize,
}

/// Findings behind `$1`, of the kind `$2` and by the answers `$3`, `$4` and `$5`, where these are given. What a reference lacks may be a blob that is
/// quarantined for others, which is of a finding of its own; and what is kept of a manifest is of a damage before, unless it was repaired.
const LIST: &str = "SELECT f.id, f.kind, f.digest, f.incarnation, f.name, f.needed_by, f.detail,
            f.found_at, f.seen_at, f.resolved_at, f.is_quarantined, f.repaired_from
     FROM (SELECT f.*, r.name,
                  CASE WHEN f.kind = 'damaged_manifest' AND f.resolved_at IS NOT NULL AND EXISTS
                            (SELECT 1 FROM damaged_manifests d WHERE d.digest = f.digest)
                         OR f.kind NOT IN ('damaged_manifest', 'broken_reference', 'unexplained')
                            AND m.state = 'quarantined'
                       THEN 1 ELSE 0 END AS is_quarantined
           FROM scrub_findings f
           LEFT JOIN repositories r ON r.id = f.repository_id AND r.name < '~'
           LEFT JOIN blob_marks m ON m.digest = f.digest AND m.incarnation = f.incarnation
           WHERE f.id > $1 AND ($2 IS NULL OR f.kind = $2)) f
     WHERE ($3 IS NULL OR $3 = CASE WHEN f.resolved_at IS NULL THEN 0 ELSE 1 END)
       AND ($4 IS NULL OR $4 = f.is_quarantined)
       AND ($5 IS NULL OR $5 = CASE WHEN f.repaired_from IS NULL THEN 0 ELSE 1 END)
     ORDER BY f.id LIMIT $6";

/// Whether findings in these states are resolved, are quarantined and were repaired, where that is asked: as [`ScrubFinding::state`] says.
const fn asked(states: FindingStates) -> [Option<bool>; 3] {
    use FindingState::{Gone, Open, Quarantined, Repaired};
    match states {
        FindingStates::All => [None, None, None],
        FindingStates::Unresolved => [Some(false), None, None],
        FindingStates::Only(Open) => [Some(false), Some(false), None],
        FindingStates::Only(Quarantined) => [Some(false), Some(true), None],
        FindingStates::Only(Repaired) => [Some(true), None, Some(true)],
        FindingStates::Only(Gone) => [Some(true), None, Some(false)],
    }
}

#[async_trait]
impl Transaction for List {
    type Output = Vec<ScrubFinding>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Vec<ScrubFinding>> {
        let FindingFilter { kind, states } = self.filter;
        let [resolved, quarantined, repaired] = asked(states).map(|is| is.map(i64::from));
        let rows = on
            .query(
                LIST,
                arguments![
                    self.after.unwrap_or(i64::MIN),
                    kind.map(FaultKind::name),
                    resolved,
                    quarantined,
                    repaired,
                    self.limit,
                ],
            )
            .await?;
        rows.iter().map(finding).collect()
    }
}

fn finding(row: &Row) -> Result<ScrubFinding> {
    let repository = row.optional_text(4)?;
    let needed_by = match repository {
        Some(_) => Some((row.parsed(4)?, row.digest(5)?)),
        None => None,
    };
    Ok(ScrubFinding {
        id: row.int(0)?,
        kind: FoundKind::named(row.text(1)?),
        digest: row.digest(2)?,
        incarnation: number(row.int(3)?)?,
        needed_by,
        detail: row.text(6)?.to_owned(),
        found_at: Timestamp(row.int(7)?),
        seen_at: Timestamp(row.int(8)?),
        resolved_at: row.optional_int(9)?.map(Timestamp),
        is_quarantined: row.int(10)? == 1,
        repaired_from: row.optional_text(11)?,
    })
}

/// `Integrity::count_findings`
pub(crate) struct Count;

#[async_trait]
impl Transaction for Count {
    type Output = Vec<(FoundKind, u64)>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let rows = on
            .query(
                "SELECT kind, count(*) FROM scrub_findings WHERE resolved_at IS NULL GROUP BY kind ORDER BY kind",
                &[],
            )
            .await?;
        rows.iter().map(|row| Ok((FoundKind::named(row.text(0)?), row.size(1)?))).collect()
    }
}

//! What manifests are on their way out, with what they free: by the decisions of a collection themselves.

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{Freed, Going, GoingManifest, HeldPlace, MOST_NEEDING, ManifestRules};
use wharf_oci::Digest;

use super::page::Page;
use super::sweep::{place, repository_name};
use super::unneeded::unneeded;
use crate::engine::{Plans, Result, Row, Statements, Transaction, arguments};

/// `Garbage::plan_manifests`
pub(crate) struct Plan {
    pub(crate) after: Option<HeldPlace>,
    pub(crate) rules: ManifestRules,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Plan {
    type Output = Going;

    const PLANS: Plans = Plans::ByIndex;

    async fn run(&self, on: &mut dyn Statements) -> Result<Going> {
        let now = on.now().await?;
        let Some(page) = Page::read(on, self.after.as_ref(), self.limit).await? else {
            return Ok(Going::default());
        };
        let mut manifests = Vec::new();
        for (repository, digest, name) in unneeded(on, now, &page, self.rules).await? {
            manifests.push(going(on, repository, digest, &name, None).await?);
        }
        Ok(Going { manifests, next: page.next })
    }
}

/// `Garbage::list_trash`
pub(crate) struct Trashed {
    pub(crate) after: Option<HeldPlace>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Trashed {
    type Output = Going;

    const PLANS: Plans = Plans::ByIndex;

    async fn run(&self, on: &mut dyn Statements) -> Result<Going> {
        let after = self.after.as_ref();
        let rows = on
            .query(
                "SELECT d.repository_id, d.digest, r.name, d.deleted_at
                 FROM deleted_manifests d JOIN repositories r ON r.id = d.repository_id
                 WHERE r.name < '~' AND (d.repository_id, d.digest) > ($1, $2)
                   AND NOT EXISTS (SELECT 1 FROM repository_manifests m
                                   WHERE m.repository_id = d.repository_id AND m.digest = d.digest)
                 ORDER BY d.repository_id, d.digest LIMIT $3",
                arguments![
                    after.map_or(i64::MIN, |place| place.repository),
                    after.map(|place| place.digest.to_binary()).unwrap_or_default().as_slice(),
                    self.limit,
                ],
            )
            .await?;
        let mut manifests = Vec::with_capacity(rows.len());
        for row in &rows {
            let (repository, digest) = (row.int(0)?, row.digest(1)?);
            let deleted_at = Some(Timestamp(row.int(3)?));
            manifests.push(going(on, repository, digest, row.text(2)?, deleted_at).await?);
        }
        let next = rows.last().filter(|_| rows.len() == self.limit).map(place).transpose()?;
        Ok(Going { manifests, next })
    }
}

/// A manifest with what goes with it.
async fn going(
    on: &mut dyn Statements,
    repository: i64,
    digest: Digest,
    name: &str,
    deleted_at: Option<Timestamp>,
) -> Result<GoingManifest> {
    let rows = on
        .query(
            "SELECT o.digest, o.size,
                    (SELECT count(*) FROM repository_manifests m WHERE m.digest = o.digest)
                    + (SELECT count(*) FROM deleted_manifests d WHERE d.digest = o.digest
                       AND NOT EXISTS (SELECT 1 FROM repository_manifests m
                                       WHERE m.repository_id = d.repository_id AND m.digest = d.digest))
             FROM manifests o WHERE o.digest = $1",
            arguments![digest],
        )
        .await?;
    let mut frees: Vec<Freed> = rows.iter().map(freed).collect::<Result<_>>()?;
    let rows = on
        .query(
            "SELECT b.blob_digest,
                    (SELECT h.size FROM repository_blobs h
                     WHERE h.repository_id = $1 AND h.blob_digest = b.blob_digest),
                    (SELECT count(*) FROM (
                        SELECT 1 FROM blob_references x
                        JOIN repository_manifests m ON m.digest = x.manifest_digest
                        WHERE x.blob_digest = b.blob_digest
                        UNION ALL
                        SELECT 1 FROM blob_references x
                        JOIN deleted_manifests d ON d.digest = x.manifest_digest
                        WHERE x.blob_digest = b.blob_digest
                          AND NOT EXISTS (SELECT 1 FROM repository_manifests m
                                          WHERE m.repository_id = d.repository_id AND m.digest = d.digest)
                        LIMIT $2) few)
             FROM blob_references b WHERE b.manifest_digest = $3 ORDER BY b.blob_digest",
            arguments![repository, MOST_NEEDING, digest],
        )
        .await?;
    for row in &rows {
        frees.push(freed(row)?);
    }
    Ok(GoingManifest { repository: repository_name(name)?, digest, deleted_at, frees })
}

fn freed(row: &Row) -> Result<Freed> {
    let bytes = row.optional_int(1)?.map(i64::unsigned_abs);
    Ok(Freed { digest: row.digest(0)?, bytes, needed_by: row.size(2)?.min(MOST_NEEDING) })
}

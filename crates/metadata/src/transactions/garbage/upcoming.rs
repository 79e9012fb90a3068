//! What else is on its way out: deleted repositories, blobs that nothing in their repository needs, and uploads.

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{GoingRepository, HeldPlace, StagedUpload, Unneeded, UnneededBlob};
use wharf_core::{StoreError, UploadId};

use super::sweep::{place, repository_name};
use crate::engine::{Plans, Result, Row, Statements, Transaction, arguments};

/// `Garbage::list_going_repositories`
pub(crate) struct Repositories {
    pub(crate) after: Option<i64>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Repositories {
    type Output = Vec<GoingRepository>;

    const PLANS: Plans = Plans::ByIndex;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let rows = on
            .query(
                "SELECT d.repository_id, d.name, d.deleted_at,
                        CASE WHEN d.state = 'purging' THEN 1 ELSE 0 END,
                        (SELECT count(*) FROM repository_manifests m
                         WHERE m.repository_id = d.repository_id),
                        (SELECT CAST(coalesce(sum(h.size), 0) AS bigint) FROM repository_blobs h
                         WHERE h.repository_id = d.repository_id
                           AND NOT EXISTS (SELECT 1 FROM repository_blobs o
                                           WHERE o.blob_digest = h.blob_digest
                                             AND o.repository_id <> h.repository_id LIMIT 1 OFFSET 0))
                 FROM deleted_repositories d
                 WHERE d.state <> 'purged' AND d.repository_id > $1
                 ORDER BY d.repository_id LIMIT $2",
                arguments![self.after.unwrap_or(i64::MIN), self.limit],
            )
            .await?;
        let going = |row: &Row| {
            Ok(GoingRepository {
                number: row.int(0)?,
                name: row.parsed(1)?,
                deleted_at: Timestamp(row.int(2)?),
                is_begun: row.int(3)? == 1,
                manifests: row.size(4)?,
                bytes: row.size(5)?,
            })
        };
        rows.iter().map(going).collect()
    }
}

/// `Garbage::list_unneeded`
pub(crate) struct UnneededBlobs {
    pub(crate) after: Option<HeldPlace>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for UnneededBlobs {
    type Output = Unneeded;

    const PLANS: Plans = Plans::ByIndex;

    /// What thousands of manifests refer to is looked for from the trash, as in sweeps.
    async fn run(&self, on: &mut dyn Statements) -> Result<Unneeded> {
        let after = self.after.as_ref();
        let rows = on
            .query(
                "SELECT h.repository_id, h.blob_digest, r.name, h.size, h.touched_at,
                        CASE WHEN EXISTS (SELECT 1 FROM repository_blobs o
                                          WHERE o.blob_digest = h.blob_digest
                                            AND o.repository_id <> h.repository_id LIMIT 1 OFFSET 0)
                             THEN 1 ELSE 0 END
                 FROM repository_blobs h JOIN repositories r ON r.id = h.repository_id
                 WHERE h.needed = 0 AND r.write_mode = 'writable' AND r.name < '~'
                   AND (h.repository_id, h.blob_digest) > ($1, $2)
                   AND CASE WHEN (SELECT 1 FROM blob_references WHERE blob_digest = h.blob_digest
                                  LIMIT 1 OFFSET 500) IS NULL
                       THEN NOT EXISTS
                           (SELECT 1 FROM blob_references b WHERE b.blob_digest = h.blob_digest AND EXISTS
                                (SELECT 1 FROM deleted_manifests d WHERE d.repository_id = h.repository_id
                                   AND d.digest = b.manifest_digest LIMIT 1 OFFSET 0))
                       ELSE NOT EXISTS
                           (SELECT 1 FROM deleted_manifests d WHERE d.repository_id = h.repository_id AND EXISTS
                                (SELECT 1 FROM blob_references b WHERE b.manifest_digest = d.digest
                                   AND b.blob_digest = h.blob_digest LIMIT 1 OFFSET 0)) END
                 ORDER BY h.repository_id, h.blob_digest LIMIT $3",
                arguments![
                    after.map_or(i64::MIN, |place| place.repository),
                    after.map(|place| place.digest.to_binary()).unwrap_or_default().as_slice(),
                    self.limit,
                ],
            )
            .await?;
        let unneeded = |row: &Row| {
            Ok(UnneededBlob {
                repository: repository_name(row.text(2)?)?,
                digest: row.digest(1)?,
                bytes: row.optional_int(3)?.map(i64::unsigned_abs),
                touched_at: Timestamp(row.int(4)?),
                is_held_elsewhere: row.int(5)? == 1,
            })
        };
        let next = rows.last().filter(|_| rows.len() == self.limit).map(place).transpose()?;
        Ok(Unneeded { blobs: rows.iter().map(unneeded).collect::<Result<_>>()?, next })
    }
}

/// `Garbage::list_staged`
pub(crate) struct Staged {
    pub(crate) after: Option<UploadId>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Staged {
    type Output = Vec<StagedUpload>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let after = self.after.map(|id| id.to_bytes().to_vec()).unwrap_or_default();
        let rows = on
            .query(
                "SELECT u.id, CASE WHEN u.principal = 'system' THEN NULL ELSE coalesce(d.name, r.name) END,
                        u.staged_bytes, u.expires_at
                 FROM uploads u LEFT JOIN repositories r ON r.id = u.repository_id
                 LEFT JOIN deleted_repositories d ON d.repository_id = u.repository_id
                 WHERE u.id > $1 ORDER BY u.id LIMIT $2",
                arguments![after.as_slice(), self.limit],
            )
            .await?;
        let staged = |row: &Row| {
            let id = row.bytes(0)?.try_into();
            let id =
                id.map_err(|_| StoreError::Corrupt("an upload's id is not 16 bytes".into()))?;
            let repository = row.optional_text(1)?;
            Ok(StagedUpload {
                id: UploadId::from_bytes(id),
                repository: repository.as_deref().map(repository_name).transpose()?,
                bytes: row.size(2)?,
                expires_at: Timestamp(row.int(3)?),
            })
        };
        rows.iter().map(staged).collect()
    }
}

//! Blobs whose size is not known: from before sizes were recorded.

use std::collections::BTreeMap;

use async_trait::async_trait;
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::BlobSize;
use wharf_oci::Digest;

use super::blobs::{BlobChange, State, of_blobs};
use super::{Change, Charge, Limits, charge};
use crate::engine::{Result, Statements, Transaction, arguments};
use crate::transactions::memberships::number;

/// How many memberships of a blob one transaction charges.
const MOST_MEMBERSHIPS: i64 = 500;

/// `UsageMetadata::unsized_blobs`
pub(crate) struct Unsized {
    pub(crate) after: Option<Digest>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Unsized {
    type Output = Vec<ObjectKey>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Vec<ObjectKey>> {
        let after = self.after.map(|digest| digest.to_binary()).unwrap_or_default();
        let rows = on
            .query(
                "SELECT b.digest, coalesce(i.incarnation, 0)
                 FROM (SELECT DISTINCT blob_digest AS digest FROM repository_blobs
                       WHERE size IS NULL AND blob_digest > $1 ORDER BY blob_digest LIMIT $2) b
                 LEFT JOIN blob_incarnations i ON i.digest = b.digest ORDER BY b.digest",
                arguments![after.as_slice(), self.limit],
            )
            .await?;
        rows.iter()
            .map(|row| Ok(ObjectKey { digest: row.digest(0)?, incarnation: number(row.int(1)?)? }))
            .collect()
    }
}

/// `UsageMetadata::record_sizes`
pub(crate) struct Record(pub(crate) Vec<BlobSize>);

#[async_trait]
impl Transaction for Record {
    type Output = u64;

    /// Repositories in the order of their rows, as all that charges several.
    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        let mut repositories: BTreeMap<i64, Found> = BTreeMap::new();
        let mut updates = Vec::new();
        for blob in &self.0 {
            let size = i64::try_from(blob.bytes).unwrap_or(i64::MAX);
            let rows = on
                .query(
                    "SELECT h.repository_id, h.needed,
                            (SELECT count(*) FROM repository_manifests m
                             JOIN blob_references b ON b.manifest_digest = m.digest
                             WHERE m.repository_id = h.repository_id AND b.blob_digest = h.blob_digest)
                     FROM repository_blobs h WHERE h.blob_digest = $1 AND h.size IS NULL
                     ORDER BY h.repository_id LIMIT $2",
                    arguments![blob.digest, MOST_MEMBERSHIPS],
                )
                .await?;
            for row in &rows {
                let repository = row.int(0)?;
                let to = if row.int(1)? == 1 { State::Used } else { State::Free };
                let found = repositories.entry(repository).or_default();
                found.referenced += size * row.int(2)?;
                let digest = blob.digest;
                found.changes.push(BlobChange { digest, size, from: State::Free, to });
                updates.push(arguments![size, to.number(), repository, digest].to_vec());
            }
        }
        let recorded = updates.len() as u64;
        on.execute_each(
            "UPDATE repository_blobs SET size = $1, charge = $2 WHERE repository_id = $3 AND blob_digest = $4",
            &updates,
        )
        .await?;
        for (repository, Found { referenced, changes }) in repositories {
            let named = Charge::of(Change { referenced, ..Change::default() });
            let charged = of_blobs(on, repository, &changes).await? + named;
            charge(on, repository, charged, Limits::None).await?;
        }
        Ok(recorded)
    }
}

/// What became known of a repository.
#[derive(Default)]
struct Found {
    changes: Vec<BlobChange>,
    referenced: i64,
}

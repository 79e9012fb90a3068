//! The bytes of all blobs that any manifest needs, and of all manifests, each once. No transaction counts these, as all would meet in popular
//! blobs: they are added up from time to time, in slices that are each exact when they are read.

use async_trait::async_trait;
use wharf_core::metadata::StoredCount;

use crate::engine::{Result, Statements, Transaction, arguments};

/// `UsageMetadata::count_stored`
pub(crate) struct CountStored {
    pub(crate) count: StoredCount,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for CountStored {
    type Output = Option<StoredCount>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let mut count = self.count;
        let after = count.after.map(|digest| digest.to_binary()).unwrap_or_default();
        let sql = if count.are_manifests {
            "SELECT digest, size, 0 FROM manifests WHERE digest > $1 ORDER BY digest LIMIT $2"
        } else {
            "SELECT blob_digest, coalesce(max(CASE WHEN charge = 2 THEN size END), 0),
                    max(CASE WHEN charge = 2 THEN 1 ELSE 0 END)
             FROM repository_blobs WHERE blob_digest > $1
             GROUP BY blob_digest ORDER BY blob_digest LIMIT $2"
        };
        let rows = on.query(sql, arguments![after.as_slice(), self.limit]).await?;
        for row in &rows {
            count.bytes += row.size(1)?;
            count.blobs += row.size(2)?;
        }
        match rows.last() {
            Some(last) if rows.len() == self.limit => {
                count.after = Some(last.digest(0)?);
                return Ok(Some(count));
            }
            _ if !count.are_manifests => {
                return Ok(Some(StoredCount { after: None, are_manifests: true, ..count }));
            }
            _ => {}
        }
        let now = on.now().await?;
        on.execute(
            "INSERT INTO stored_usage (only_row, bytes, blobs, counted_at) VALUES (1, $1, $2, $3)
             ON CONFLICT (only_row) DO UPDATE SET
                 bytes = excluded.bytes, blobs = excluded.blobs, counted_at = excluded.counted_at",
            arguments![count.bytes, count.blobs, now],
        )
        .await?;
        Ok(None)
    }
}

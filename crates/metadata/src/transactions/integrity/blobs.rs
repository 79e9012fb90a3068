//! Blobs whose objects are to be looked at, and who holds them.

use async_trait::async_trait;
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::CheckedBlob;
use wharf_oci::{Digest, RepositoryName};

use crate::engine::{Plans, Result, Row, Statements, Transaction, arguments};
use crate::transactions::memberships::number;

/// `Integrity::held_blobs`
pub(crate) struct Held {
    pub(crate) after: Option<Digest>,
    pub(crate) up_to: Option<Digest>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Held {
    type Output = Vec<CheckedBlob>;

    const PLANS: Plans = Plans::ByIndex;

    async fn run(&self, on: &mut dyn Statements) -> Result<Vec<CheckedBlob>> {
        let after = self.after.map(|digest| digest.to_binary()).unwrap_or_default();
        // Behind every digest, by its first byte.
        let up_to = self.up_to.map_or(vec![u8::MAX], |digest| digest.to_binary());
        let rows = on
            .query(
                "SELECT b.digest, coalesce(i.incarnation, 0), b.size, m.state,
                        CASE WHEN EXISTS (SELECT 1 FROM scrub_findings f
                                          WHERE f.digest = b.digest AND f.resolved_at IS NULL
                                          LIMIT 1 OFFSET 0) THEN 1 ELSE 0 END
                 FROM (SELECT blob_digest AS digest, max(size) AS size FROM repository_blobs
                       WHERE blob_digest > $1 AND blob_digest <= $2
                       GROUP BY blob_digest ORDER BY blob_digest LIMIT $3) b
                 LEFT JOIN blob_incarnations i ON i.digest = b.digest
                 LEFT JOIN blob_marks m
                     ON m.digest = b.digest AND m.incarnation = coalesce(i.incarnation, 0)
                 ORDER BY b.digest",
                arguments![after.as_slice(), up_to.as_slice(), self.limit],
            )
            .await?;
        rows.iter().map(checked).collect()
    }
}

fn checked(row: &Row) -> Result<CheckedBlob> {
    Ok(CheckedBlob {
        key: ObjectKey { digest: row.digest(0)?, incarnation: number(row.int(1)?)? },
        size: match row.optional_int(2)? {
            Some(_) => Some(row.size(2)?),
            None => None,
        },
        is_quarantined: row.optional_text(3)?.as_deref() == Some("quarantined"),
        is_flagged: row.int(4)? == 1,
    })
}

/// `Integrity::quarantined_blobs`
pub(crate) struct Quarantined {
    pub(crate) after: Option<Digest>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Quarantined {
    type Output = Vec<CheckedBlob>;

    /// An incarnation that is not the current one is of no use to anybody, sound or not.
    async fn run(&self, on: &mut dyn Statements) -> Result<Vec<CheckedBlob>> {
        let after = self.after.map(|digest| digest.to_binary()).unwrap_or_default();
        let rows = on
            .query(
                "SELECT m.digest, m.incarnation,
                        (SELECT max(b.size) FROM repository_blobs b WHERE b.blob_digest = m.digest),
                        m.state, 1
                 FROM blob_marks m LEFT JOIN blob_incarnations i ON i.digest = m.digest
                 WHERE m.state = 'quarantined' AND m.incarnation = coalesce(i.incarnation, 0)
                   AND m.digest > $1 ORDER BY m.digest LIMIT $2",
                arguments![after.as_slice(), self.limit],
            )
            .await?;
        rows.iter().map(checked).collect()
    }
}

/// `Integrity::holders`
pub(crate) struct Holders {
    pub(crate) digest: Digest,
    pub(crate) after: Option<i64>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Holders {
    type Output = Vec<(i64, RepositoryName)>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let rows = on
            .query(
                "SELECT r.id, r.name FROM repository_blobs b
                 JOIN repositories r ON r.id = b.repository_id
                 WHERE b.blob_digest = $1 AND b.repository_id > $2 AND r.name < '~'
                 ORDER BY b.repository_id LIMIT $3",
                arguments![self.digest, self.after.unwrap_or(i64::MIN), self.limit],
            )
            .await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.parsed(1)?))).collect()
    }
}

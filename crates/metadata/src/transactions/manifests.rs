//! Manifests: found here, and committed, deleted, listed by subject below.

mod committing;
mod deleting;
mod referrers;
mod storing;
mod touching;

pub(crate) use self::committing::Commit;
pub(crate) use self::deleting::Delete;
pub(crate) use self::touching::{touch, touch_manifests};

use async_trait::async_trait;
use bytes::Bytes;
use wharf_core::metadata::StoredManifest;
use wharf_oci::{Digest, MediaType, Reference, RepositoryName};

use crate::engine::{Reads, Result, Row, Statements, Transaction, arguments};

/// `ManifestMetadata::find_manifest`
pub(crate) struct Find {
    pub(crate) repository: RepositoryName,
    pub(crate) reference: Reference,
}

#[async_trait]
impl Transaction for Find {
    type Output = Option<StoredManifest>;

    const READS: Reads = Reads::Replica;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let repository = self.repository.as_str();
        let rows = match &self.reference {
            Reference::Tag(tag) => {
                on.query(
                    "SELECT m.digest, m.media_type, m.payload
                     FROM repositories r
                     JOIN tags t ON t.repository_id = r.id
                     JOIN manifests m ON m.digest = t.manifest_digest
                     WHERE r.name = $1 AND t.name = $2",
                    arguments![repository, tag.as_str()],
                )
                .await?
            }
            Reference::Digest(digest) => {
                on.query(
                    "SELECT m.digest, m.media_type, m.payload
                     FROM repositories r
                     JOIN repository_manifests h ON h.repository_id = r.id
                     JOIN manifests m ON m.digest = h.digest
                     WHERE r.name = $1 AND h.digest = $2",
                    arguments![repository, digest],
                )
                .await?
            }
        };
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(StoredManifest {
            digest: row.digest(0)?,
            media_type: media_type(row, 1)?,
            payload: Bytes::copy_from_slice(row.bytes(2)?),
        }))
    }
}

fn media_type(row: &Row, column: usize) -> Result<MediaType> {
    let text = row.text(column)?;
    MediaType::parse(text).ok_or_else(|| {
        wharf_core::StoreError::Corrupt(format!(
            "a manifest is stored with the media type {text:?}"
        ))
    })
}

/// Whether the repository holds a manifest.
pub(crate) async fn is_held(
    on: &mut dyn Statements,
    repository: i64,
    digest: &Digest,
) -> Result<bool> {
    let sql = "SELECT 1 FROM repository_manifests WHERE repository_id = $1 AND digest = $2";
    Ok(!on.query(sql, arguments![repository, digest]).await?.is_empty())
}

/// The same in a transaction that writes. The row is locked: a push by digest
/// with a precondition answers for a row that it does not write, and that may be deleted meanwhile.
async fn held(on: &mut dyn Statements, repository: i64, digest: &Digest) -> Result<bool> {
    let rows = on
        .query_locked(
            "SELECT 1 FROM repository_manifests WHERE repository_id = $1 AND digest = $2",
            arguments![repository, digest],
        )
        .await?;
    Ok(!rows.is_empty())
}

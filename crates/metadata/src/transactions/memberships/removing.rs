//! Blobs that are deleted by hand: at once, or when what is in the trash does not need them any more.

use async_trait::async_trait;
use wharf_core::blob_life::{self, Removal};
use wharf_core::metadata::{RemoveBlob, RemoveOutcome};
use wharf_oci::Digest;

use super::{is_served, let_go};
use crate::engine::{Result, Statements, Transaction, arguments};
use crate::transactions::audit;
use crate::transactions::events::{self, Event};
use crate::transactions::usage::{self, Limits, State, charge};
use crate::transactions::writes::{self, Work};

#[async_trait]
impl Transaction for RemoveBlob {
    type Output = RemoveOutcome;

    async fn run(&self, on: &mut dyn Statements) -> Result<RemoveOutcome> {
        let Some(repository) = writes::enter(on, &self.repository, Work::Change).await? else {
            return Ok(RemoveOutcome::NotHeld);
        };
        let digest = &self.digest;
        let held = on
            .query(
                concat!(
                    "SELECT b.blob_digest, b.size, b.charge FROM repository_blobs b
                     WHERE b.repository_id = $1 AND b.blob_digest = $2 AND ",
                    is_served!("b")
                ),
                arguments![repository, digest],
            )
            .await?;
        let Some(held) = held.first().map(usage::read).transpose()? else {
            return Ok(RemoveOutcome::NotHeld);
        };
        let needed = needed_by(on, Manifests::Held, repository, digest).await?;
        let restorable = needed_by(on, Manifests::Deleted, repository, digest).await?;
        let removal = blob_life::remove(needed, restorable.is_some());
        let sql = match removal {
            Removal::Refused(manifest) => return Ok(RemoveOutcome::Needed(manifest)),
            Removal::Hidden => {
                "UPDATE repository_blobs SET removed = 1, charge = 0
                 WHERE repository_id = $1 AND blob_digest = $2"
            }
            Removal::Gone => {
                "DELETE FROM repository_blobs WHERE repository_id = $1 AND blob_digest = $2"
            }
        };
        on.execute(sql, arguments![repository, digest]).await?;
        let changes: Vec<_> = held.becomes(State::Free).into_iter().collect();
        let charged = usage::of_blobs(on, repository, &changes).await?;
        charge(on, repository, charged, Limits::None).await?;
        let now = on.now().await?;
        if removal == Removal::Gone {
            let_go(on, digest, now).await?;
        }
        events::record(on, repository, Event::BlobDeleted(digest), &self.by.by, now).await?;
        let target = format!("repository:{}@{}", self.repository, self.digest);
        let namespace = self.repository.namespace();
        audit::record(on, &self.by, "blob.delete", target, namespace, String::new()).await?;
        Ok(RemoveOutcome::Removed)
    }
}

/// Manifests of a repository: those that it holds, or those that were deleted and can be brought back.
#[derive(Clone, Copy)]
enum Manifests {
    Held,
    Deleted,
}

/// A manifest that needs the blob, if there is any.
async fn needed_by(
    on: &mut dyn Statements,
    manifests: Manifests,
    repository: i64,
    blob: &Digest,
) -> Result<Option<Digest>> {
    let sql = match manifests {
        Manifests::Held => {
            "SELECT b.manifest_digest FROM blob_references b
             JOIN repository_manifests m ON m.digest = b.manifest_digest
             WHERE m.repository_id = $1 AND b.blob_digest = $2 LIMIT 1"
        }
        Manifests::Deleted => {
            "SELECT b.manifest_digest FROM blob_references b
             JOIN deleted_manifests m ON m.digest = b.manifest_digest
             WHERE m.repository_id = $1 AND b.blob_digest = $2 LIMIT 1"
        }
    };
    let rows = on.query(sql, arguments![repository, blob]).await?;
    rows.first().map(|row| row.digest(0)).transpose()
}

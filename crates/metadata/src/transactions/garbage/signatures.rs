//! Signatures, attestations and SBOMs that name their subject by their tag, as cosign pushes them: they go after their subject.
//!
//! A repository may hold only signatures, of images that are elsewhere. So one is not collected for want of a subject, but as what a subject
//! leaves behind that was here, was deleted, and cannot be brought back any more.

use wharf_core::actor::Actor;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{DeleteManifest, DeleteOutcome, Precondition};
use wharf_core::retention::Companion;
use wharf_oci::{Digest, RepositoryName};

use super::manifests::{is_named, is_reached, is_subject_of_root};
use crate::engine::{Result, Statements, arguments};
use crate::transactions::manifests::Delete;

/// Deletes what is named after `subject`, with the tags that say so; not what is younger than `before`, has another tag, or is needed by
/// something else, and not what a pin or a policy keeps. Returns how many went.
pub(super) async fn delete_of(
    on: &mut dyn Statements,
    repository: i64,
    name: &RepositoryName,
    subject: &Digest,
    before: Timestamp,
) -> Result<usize> {
    let mut deleted = 0;
    for signature in named_after(on, repository, subject, before).await? {
        let deletion = DeleteManifest {
            repository: name.clone(),
            digest: signature,
            precondition: Precondition::None,
            by: Actor::system(),
        };
        let why = format!("collected: its tag is named after {subject}, which was deleted");
        if deletion.delete(on, &why).await? == DeleteOutcome::Deleted {
            deleted += 1;
        }
    }
    Ok(deleted)
}

async fn named_after(
    on: &mut dyn Statements,
    repository: i64,
    subject: &Digest,
    before: Timestamp,
) -> Result<Vec<Digest>> {
    let tags = Companion::tags_of(subject);
    let [signature, attestation, sbom] = tags.as_slice() else { return Ok(Vec::new()) };
    let rows = on
        .query(
            concat!(
                "SELECT DISTINCT n.manifest_digest FROM tags n
                 WHERE n.repository_id = $1 AND n.name IN ($2, $3, $4)
                   AND (SELECT 1 FROM repository_manifests h
                        WHERE h.repository_id = $1 AND h.digest = n.manifest_digest
                          AND h.touched_at <= $5 AND h.pushed_at <= $5
                          AND NOT EXISTS (SELECT 1 FROM tags t
                                          WHERE t.repository_id = $1 AND t.manifest_digest = h.digest
                                            AND t.name NOT IN ($2, $3, $4) LIMIT 1 OFFSET 0)
                          AND NOT ",
                is_subject_of_root!("h", "$5"),
                " AND NOT ",
                is_reached!("h"),
                " LIMIT 1) = 1",
                // Deleted, and pushed again since: they are of what is there.
                " AND NOT EXISTS (SELECT 1 FROM repository_manifests
                                  WHERE repository_id = $1 AND digest = $6)
                  ORDER BY n.manifest_digest"
            ),
            arguments![
                repository,
                signature.as_str(),
                attestation.as_str(),
                sbom.as_str(),
                before,
                subject,
            ],
        )
        .await?;
    rows.iter().map(|row| row.digest(0)).collect()
}

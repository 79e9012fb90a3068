//! What manifests need, beside what their repositories hold.

use async_trait::async_trait;
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{FaultKind, HeldPlace, ReferencesChecked};
use wharf_oci::{Digest, Hasher, Manifest};

use super::findings::Fault;
use crate::engine::{Plans, Result, Statements, Transaction, arguments};
use crate::transactions::events::{self, Event};
use crate::transactions::garbage::page::Page;
use crate::transactions::garbage::sweep::place;

/// `Integrity::check_references`
pub(crate) struct Check {
    pub(crate) after: Option<HeldPlace>,
    pub(crate) limit: usize,
    /// Whether what is broken is written down, or only counted.
    pub(crate) notes: bool,
}

/// Blobs and manifests that the manifests behind `($1, $2)`, up to `($3, $4)`, need and their repositories do not hold, but for those that are deleted.
const BROKEN: &str = "SELECT h.repository_id, h.digest, b.blob_digest, 1
     FROM repository_manifests h JOIN repositories r ON r.id = h.repository_id AND r.name < '~'
     JOIN blob_references b ON b.manifest_digest = h.digest
     LEFT JOIN repository_blobs m
         ON m.repository_id = h.repository_id AND m.blob_digest = b.blob_digest
     WHERE (h.repository_id, h.digest) > ($1, $2) AND (h.repository_id, h.digest) <= ($3, $4)
       AND m.blob_digest IS NULL
     UNION ALL
     SELECT h.repository_id, h.digest, e.child, 0
     FROM repository_manifests h JOIN repositories r ON r.id = h.repository_id AND r.name < '~'
     JOIN manifest_references e ON e.parent = h.digest
     LEFT JOIN repository_manifests c
         ON c.repository_id = h.repository_id AND c.digest = e.child
     WHERE (h.repository_id, h.digest) > ($1, $2) AND (h.repository_id, h.digest) <= ($3, $4)
       AND c.digest IS NULL";

#[async_trait]
impl Transaction for Check {
    type Output = ReferencesChecked;

    const PLANS: Plans = Plans::ByIndex;

    async fn run(&self, on: &mut dyn Statements) -> Result<ReferencesChecked> {
        let Some(page) = Page::read(on, self.after.as_ref(), self.limit).await? else {
            return Ok(ReferencesChecked::default());
        };
        let rows = on.query(BROKEN, &page.bounds()).await?;
        let now = on.now().await?;
        let mut found = 0;
        for row in &rows {
            let (HeldPlace { repository, digest: manifest }, missing) =
                (place(row)?, row.digest(2)?);
            let is_blob = row.int(3)? == 1;
            if is_blob && !is_needed(on, &manifest, &missing).await? {
                continue;
            }
            if !self.notes {
                found += 1;
                continue;
            }
            let what = if is_blob { "blob" } else { "manifest" };
            let detail =
                format!("{manifest} needs this {what}, and the repository does not hold it");
            let fault = Fault {
                kind: FaultKind::BrokenReference,
                key: ObjectKey::canonical(missing),
                needed_by: Some((repository, manifest)),
                detail: &detail,
            };
            if fault.note(on, now).await? {
                let event = Event::ManifestBroken { digest: &manifest, missing: &missing };
                events::record(on, repository, event, "system", now).await?;
                found += 1;
            }
        }
        Ok(ReferencesChecked { manifests: page.count as u64, found, next: page.next })
    }
}

/// Whether the repositories of a manifest have to hold this blob of it: one that may not be distributed is elsewhere. Only what seems to be
/// broken is read for that. Of a manifest whose bytes are damaged nobody knows; that is a finding of its own, and the reference is looked at again
/// once they are right.
async fn is_needed(on: &mut dyn Statements, manifest: &Digest, blob: &Digest) -> Result<bool> {
    let sql = "SELECT payload FROM manifests WHERE digest = $1";
    let rows = on.query(sql, arguments![manifest]).await?;
    let Some(row) = rows.first() else { return Ok(true) };
    let payload = row.bytes(0)?;
    if Hasher::digest(manifest.algorithm(), payload) != *manifest {
        return Ok(false);
    }
    let Ok(manifest) = Manifest::parse(payload, None) else { return Ok(true) };
    let is_elsewhere =
        manifest.blobs().any(|found| found.digest == *blob && found.is_non_distributable());
    Ok(!is_elsewhere)
}

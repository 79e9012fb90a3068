//! The bytes of manifests: read to be hashed, found to be damaged, and put right.

use async_trait::async_trait;
use bytes::Bytes;
use wharf_core::StoreError;
use wharf_core::actor::Actor;
use wharf_core::blobs::ObjectKey;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{CheckedManifest, FaultKind, MOST_TOLD, NotedManifest, RepairManifest};
use wharf_oci::{Digest, Hasher, RepositoryName};

use super::findings::{self, Fault};
use super::quarantine::tell;
use super::repair::Mending;
use crate::engine::{Result, Row, Statements, Transaction, arguments};
use crate::transactions::events::{self, Event};

/// SQL of the columns of a [`CheckedManifest`].
macro_rules! checked_manifests {
    ($where:literal) => {
        concat!(
            "SELECT m.digest, m.size, m.payload,
                    CASE WHEN EXISTS (SELECT 1 FROM scrub_findings f
                                      WHERE f.digest = m.digest AND f.kind = 'damaged_manifest'
                                        AND f.resolved_at IS NULL) THEN 1 ELSE 0 END
             FROM manifests m WHERE ",
            $where
        )
    };
}

fn checked(row: &Row) -> Result<CheckedManifest> {
    Ok(CheckedManifest {
        digest: row.digest(0)?,
        size: row.size(1)?,
        payload: Bytes::copy_from_slice(row.bytes(2)?),
        is_flagged: row.int(3)? == 1,
    })
}

/// `Integrity::stored_manifests`
pub(crate) struct Stored {
    pub(crate) after: Option<Digest>,
    pub(crate) limit: usize,
    pub(crate) max_bytes: u64,
}

#[async_trait]
impl Transaction for Stored {
    type Output = Vec<CheckedManifest>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Vec<CheckedManifest>> {
        let after = self.after.map(|digest| digest.to_binary()).unwrap_or_default();
        let lengths = on
            .query(
                "SELECT digest, CAST(length(payload) AS bigint) FROM manifests
                 WHERE digest > $1 ORDER BY digest LIMIT $2",
                arguments![after.as_slice(), self.limit],
            )
            .await?;
        let (mut last, mut bytes) = (None, 0);
        for row in &lengths {
            bytes += row.size(1)?;
            if last.is_some() && bytes > self.max_bytes {
                break;
            }
            last = Some(row.digest(0)?);
        }
        let Some(last) = last else { return Ok(Vec::new()) };
        let sql = checked_manifests!("m.digest > $1 AND m.digest <= $2 ORDER BY m.digest");
        let rows = on.query(sql, arguments![after.as_slice(), last]).await?;
        rows.iter().map(checked).collect()
    }
}

/// `Integrity::note_damaged_manifest`
pub(crate) struct Damaged(pub(crate) Digest);

#[async_trait]
impl Transaction for Damaged {
    type Output = NotedManifest;

    async fn run(&self, on: &mut dyn Statements) -> Result<NotedManifest> {
        let rows = on.query(checked_manifests!("m.digest = $1"), arguments![self.0]).await?;
        let found = rows.first().map(checked).transpose()?;
        let Some(damage) = found.and_then(|manifest| manifest.damage()) else {
            return Ok(NotedManifest::Sound);
        };
        let (now, detail) = (on.now().await?, damage.to_string());
        let (kind, key) = (FaultKind::DamagedManifest, ObjectKey::canonical(self.0));
        let fault = Fault { kind, key, needed_by: None, detail: &detail };
        if !fault.note(on, now).await? {
            return Ok(NotedManifest::Known);
        }
        for repository in some_holders(on, &self.0).await? {
            let event = Event::ManifestDamaged { digest: &self.0, detail: &detail };
            events::record(on, repository, event, "system", now).await?;
        }
        Ok(NotedManifest::New)
    }
}

/// `Integrity::note_sound_manifest`
pub(crate) struct Sound(pub(crate) Digest);

#[async_trait]
impl Transaction for Sound {
    type Output = ();

    async fn run(&self, on: &mut dyn Statements) -> Result<()> {
        let now = on.now().await?;
        findings::resolve_manifest(on, &self.0, None, now).await
    }
}

/// `Integrity::manifest_holders`
pub(crate) struct Holders {
    pub(crate) digest: Digest,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Holders {
    type Output = Vec<RepositoryName>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Vec<RepositoryName>> {
        let rows = on
            .query(
                "SELECT r.name FROM repository_manifests h JOIN repositories r ON r.id = h.repository_id
                 WHERE h.digest = $1 AND r.name < '~' ORDER BY h.repository_id LIMIT $2",
                arguments![self.digest, self.limit],
            )
            .await?;
        rows.iter().map(|row| row.parsed(0)).collect()
    }
}

#[async_trait]
impl Transaction for RepairManifest {
    type Output = bool;

    /// Also where nothing may be written: what is stored becomes what it was said to be.
    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let now = on.now().await?;
        let how = Mending { source: &self.source, by: &Actor::system(), at: None };
        mend(on, &self.digest, &self.payload, &how, now).await
    }
}

/// Repositories that hold a manifest: as many as are told of what happens to it.
async fn some_holders(on: &mut dyn Statements, digest: &Digest) -> Result<Vec<i64>> {
    let rows = on
        .query(
            "SELECT repository_id FROM repository_manifests WHERE digest = $1
             ORDER BY repository_id LIMIT $2",
            arguments![digest, MOST_TOLD],
        )
        .await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Gives a manifest that is stored these bytes, where it has others: these are kept. Returns whether it had. Two who do so at once write one row, so that
/// the later one begins again, and finds that nothing is to be done.
///
/// # Errors
/// [`StoreError::Corrupt`] where the bytes are not the digest's: then what is there stays.
pub(crate) async fn mend(
    on: &mut dyn Statements,
    digest: &Digest,
    payload: &[u8],
    how: &Mending<'_>,
    now: Timestamp,
) -> Result<bool> {
    let kept = on
        .execute(
            "INSERT INTO damaged_manifests (digest, replaced_at, size, payload)
             SELECT digest, $1, size, payload FROM manifests
             WHERE digest = $2 AND (payload <> $3 OR size <> $4)",
            arguments![now, digest, payload, payload.len()],
        )
        .await?;
    if kept == 0 {
        return Ok(false);
    }
    let is = Hasher::digest(digest.algorithm(), payload);
    if is != *digest {
        let text = format!("the manifest {digest} was to be repaired with the bytes of {is}");
        return Err(StoreError::Corrupt(text));
    }
    on.execute(
        "UPDATE manifests SET payload = $1, size = $2 WHERE digest = $3",
        arguments![payload, payload.len(), digest],
    )
    .await?;
    findings::resolve_manifest(on, digest, Some(how.source), now).await?;
    for repository in some_holders(on, digest).await? {
        let event = Event::ManifestRepaired { digest, from: how.source };
        events::record(on, repository, event, how.seen_from(repository), now).await?;
    }
    let (target, detail) = (format!("manifest:{digest}"), format!("from {}", how.source));
    tell(on, how.by.clone(), "manifest.repair", target, detail).await?;
    Ok(true)
}

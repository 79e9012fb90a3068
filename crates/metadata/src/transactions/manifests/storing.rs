//! What a push writes once it is known to be whole: its bytes and what follows from them, touches of what it needs, and charges.

use wharf_core::clock::Timestamp;
use wharf_core::metadata::CommitManifest;
use wharf_oci::Digest;

use super::touching::{touch_blobs, touch_manifests};
use crate::engine::{Json, Result, Statements, Value, arguments};
use crate::transactions::holding::Below;
use crate::transactions::integrity::manifests::mend;
use crate::transactions::integrity::repair::Mending;
use crate::transactions::usage::{self, Charge, Charged, Limits, State, charge};

/// Updates each row that the manifest needs, so that a sweep of it cannot come between: the later of the two begins again.
pub(super) async fn touch(
    on: &mut dyn Statements,
    push: &CommitManifest,
    repository: i64,
    below: Below,
    now: Timestamp,
) -> Result<()> {
    let blobs = push.manifest.blobs().map(|blob| blob.digest).collect();
    touch_blobs(on, repository, &blobs, now).await?;
    let mut manifests = below.held;
    manifests.extend(push.manifest.subject.as_ref().map(|subject| subject.digest));
    touch_manifests(on, repository, &manifests, now).await.map(drop)
}

/// Stores what follows from the bytes, unless it is stored.
pub(super) async fn store(
    on: &mut dyn Statements,
    push: &CommitManifest,
    repository: i64,
    now: Timestamp,
) -> Result<()> {
    let manifest = &push.manifest;
    let annotations = serde_json::to_string(&manifest.annotations).unwrap_or_else(|_| "{}".into());
    let stored = on
        .execute(
            "INSERT INTO manifests
                 (digest, media_type, artifact_type, subject, annotations, size, payload, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (digest) DO NOTHING",
            arguments![
                push.digest,
                manifest.media_type.as_str(),
                manifest.referrer_type(),
                manifest.subject.as_ref().map(|subject| subject.digest),
                Json(annotations),
                push.payload.len(),
                &*push.payload,
                now,
            ],
        )
        .await?;
    if stored == 0 {
        // What is stored may be damaged: who pushes the same again is not told that it was taken for nothing.
        let how = Mending { source: Mending::PUSH, by: &push.by, at: Some(repository) };
        return mend(on, &push.digest, &push.payload, &how, now).await.map(drop);
    }
    let blobs: Vec<_> = manifest.blobs().map(|blob| pair(&push.digest, &blob.digest)).collect();
    on.execute_each(
        "INSERT INTO blob_references (manifest_digest, blob_digest) VALUES ($1, $2)
         ON CONFLICT (manifest_digest, blob_digest) DO NOTHING",
        &blobs,
    )
    .await?;
    let children = manifest.children().iter().map(|child| pair(&push.digest, &child.digest));
    on.execute_each(
        "INSERT INTO manifest_references (parent, child) VALUES ($1, $2)
         ON CONFLICT (parent, child) DO NOTHING",
        &children.collect::<Vec<_>>(),
    )
    .await?;
    Ok(())
}

fn pair(one: &Digest, other: &Digest) -> Vec<Value> {
    vec![one.into(), other.into()]
}

/// What the blobs of the manifest come to, which were charged as they were `before`.
pub(super) async fn charge_blobs(
    on: &mut dyn Statements,
    repository: i64,
    before: &[Charged],
) -> Result<Charge> {
    let changes: Vec<_> = before.iter().filter_map(|blob| blob.becomes(State::Used)).collect();
    usage::of_blobs(on, repository, &changes).await
}

/// Charges a manifest that the repository did not hold, with what its blobs come to.
pub(super) async fn charge_all(
    on: &mut dyn Statements,
    push: &CommitManifest,
    repository: i64,
    before: &[Charged],
    blobs: Charge,
) -> Result<()> {
    let own = i64::try_from(push.payload.len()).unwrap_or(i64::MAX);
    let named: i64 = before.iter().filter_map(|blob| blob.size).sum();
    let manifest = usage::Change {
        referenced: named + own,
        bytes: own,
        manifests: 1,
        ..usage::Change::default()
    };
    // What had room reserved is not kept out by the uploads of others; what had not, as it was deleted before, is.
    let is_reserved = before.iter().all(|blob| blob.state != State::Free || blob.size.is_none());
    let limits = if is_reserved { Limits::Reserved } else { Limits::All };
    charge(on, repository, blobs + Charge::of(manifest), limits).await
}

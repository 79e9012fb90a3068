//! The transactions of a push and of a pull, as the registry takes them: of an image with one layer, of which no byte is stored.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use wharf_core::UploadId;
use wharf_core::blobs::{ObjectKey, Staged};
use wharf_core::clock::SystemRandom;
use wharf_core::metadata::{
    CommitManifest, CommitOutcome, FinishOutcome, FinishUpload, HoldUpload, Metadata, Precondition,
    Progress, ReserveBlob, ReserveOutcome, StartUpload,
};
use wharf_oci::{Algorithm, Digest, Hasher, Manifest, Reference, RepositoryName, Tag};

/// How large each layer pretends to be, in bytes.
const LAYER: u64 = 10_000_000;

/// An image that was pushed.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// Where.
    pub repository: RepositoryName,
    /// Its tag.
    pub tag: Tag,
    /// Its layer.
    pub layer: Digest,
}

/// Pushes an image that `text` makes different from others, under a tag of its own. Its layer is the text.
///
/// # Errors
/// When something of it is refused.
pub async fn push(
    store: &impl Metadata,
    repository: &RepositoryName,
    text: &str,
) -> Result<Pushed> {
    let blob = Hasher::digest(Algorithm::Sha256, text.as_bytes());
    upload(store, repository, blob).await?;
    let payload = serde_json::to_vec(&serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob, "size": LAYER,
        },
        "layers": [],
    }))?;
    let digest = Hasher::digest(Algorithm::Sha256, &payload);
    let hexadecimal = digest.to_string();
    let tag: Tag = hexadecimal.get(7..27).context("a digest is long")?.parse()?;
    let commit = CommitManifest {
        repository: repository.clone(),
        digest,
        manifest: Manifest::parse(&payload, None)?,
        payload: Bytes::from(payload),
        tags: vec![tag.clone()],
        precondition: Precondition::None,
        by: "user:bench".into(),
    };
    let outcome = store.commit_manifest(commit).await?;
    ensure!(outcome == CommitOutcome::Committed, "a manifest was refused: {outcome:?}");
    Ok(Pushed { repository: repository.clone(), tag, layer: blob })
}

/// Pulls it, without a cache. Returns where its layer lies.
///
/// # Errors
/// When something of it is not found.
pub async fn pull(store: &impl Metadata, image: &Pushed) -> Result<ObjectKey> {
    let reference = Reference::Tag(image.tag.clone());
    let manifest = store.find_manifest(image.repository.clone(), reference).await?;
    ensure!(manifest.is_some(), "a manifest was not found");
    let layer = store.find_blob(image.repository.clone(), image.layer).await?;
    Ok(layer.context("a blob was not found")?.key)
}

/// Takes an upload from its first request to its last: POST, PATCH and PUT.
async fn upload(store: &impl Metadata, repository: &RepositoryName, digest: Digest) -> Result<()> {
    let id = UploadId::random(&SystemRandom);
    let hash = Hasher::new(Algorithm::Sha256).state();
    let lifetime = Duration::from_secs(3600);
    let start = StartUpload {
        id,
        repository: repository.clone(),
        principal: "user:bench".to_owned(),
        staged: Staged::default(),
        hash: hash.clone(),
        lifetime,
        announced: None,
    };
    store.start_upload(start).await?;
    let resume = async || {
        let found = store.resume_upload(repository.clone(), id).await?;
        found.context("an upload was lost")
    };
    if resume().await?.is_limited {
        // As the registry holds room for what is announced.
        let held = store.hold_upload(HoldUpload { id, bytes: LAYER }).await?;
        ensure!(held, "an upload was lost");
    }
    let staged = Staged { offset: LAYER, parts: Vec::new() };
    let progress = Progress { id, from_offset: 0, staged, hash, lifetime };
    ensure!(store.record_progress(progress).await?, "an upload was lost");
    resume().await?;
    let reservation = ReserveBlob { id, digest, time_limit: Duration::from_secs(600) };
    let ReserveOutcome::Reserved(key) = store.reserve_blob(reservation).await? else {
        anyhow::bail!("an upload was lost");
    };
    let finished = store.finish_upload(FinishUpload { id, key, size: LAYER }).await?;
    ensure!(finished == FinishOutcome::Finished, "an upload was not finished");
    Ok(())
}

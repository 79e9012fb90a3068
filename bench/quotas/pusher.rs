//! Pushers: each takes the transactions of an image with one layer, as the registry does, and no byte is stored.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures_util::future::try_join_all;
use wharf_core::UploadId;
use wharf_core::blobs::Staged;
use wharf_core::clock::SystemRandom;
use wharf_core::metadata::{
    Accounts, Change, ChangeRequest, CommitManifest, CommitOutcome, FinishOutcome, FinishUpload,
    HoldUpload, Metadata, NewUser, Precondition, Quota, ReserveBlob, ReserveOutcome,
    SetNamespaceQuota, SetRepositoryQuota, StartUpload,
};
use wharf_oci::{Algorithm, Digest, Hasher, Manifest, RepositoryName};

use crate::options::Options;

/// How large each layer pretends to be, in bytes.
const LAYER: u64 = 10_000_000;

/// Far from the limit, as quotas are most of the time.
const QUOTA: Quota = Quota {
    bytes: Some(1_000_000_000_000_000),
    manifests: Some(1_000_000_000),
    tags: Some(1_000_000_000),
};

/// What is pushed to.
pub trait Store: Metadata + Accounts {}

impl<T: Metadata + Accounts> Store for T {}

/// All pushers at once, to one repository of a new namespace. Returns how many images a second they pushed.
pub async fn round(
    store: &Arc<impl Store>,
    namespace: &str,
    limited: bool,
    options: &Options,
) -> Result<f64> {
    let name = namespace.parse()?;
    let user = NewUser { name, email: None, password_hash: None, site_admin: false };
    change(&**store, user).await?;
    let repository: RepositoryName = format!("{namespace}/app").parse()?;
    push(&**store, &repository, "the first").await?;
    if limited {
        let (namespace, expected) = (namespace.parse()?, None);
        change(&**store, SetNamespaceQuota { namespace, quota: QUOTA, expected }).await?;
        let (namespace, repository) = (repository.namespace().parse()?, repository.clone());
        change(&**store, SetRepositoryQuota { repository, namespace, quota: QUOTA, expected })
            .await?;
    }
    let begin = Instant::now();
    let pushers = (0..options.pushers).map(|pusher| {
        let (store, repository, images) = (Arc::clone(store), repository.clone(), options.images);
        tokio::spawn(async move {
            for image in 0..images {
                push(&*store, &repository, &format!("{repository} {pusher} {image}")).await?;
            }
            anyhow::Ok(())
        })
    });
    for pusher in try_join_all(pushers).await? {
        pusher?;
    }
    Ok((options.pushers * options.images) as f64 / begin.elapsed().as_secs_f64())
}

async fn change(
    accounts: &impl Accounts,
    change: impl Into<wharf_core::metadata::AccountChange>,
) -> Result<()> {
    let request = ChangeRequest { change: change.into(), by: "system".into(), once: None };
    ensure!(accounts.change(request).await? == Change::Done, "a change was refused");
    Ok(())
}

async fn push(store: &impl Metadata, repository: &RepositoryName, text: &str) -> Result<()> {
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
    let tag = hexadecimal.get(7..27).context("a digest is long")?.parse()?;
    let commit = CommitManifest {
        repository: repository.clone(),
        digest,
        manifest: Manifest::parse(&payload, None)?,
        payload: Bytes::from(payload),
        tags: vec![tag],
        precondition: Precondition::None,
        by: "user:bench".into(),
    };
    let outcome = store.commit_manifest(commit).await?;
    ensure!(outcome == CommitOutcome::Committed, "a manifest was refused: {outcome:?}");
    Ok(())
}

async fn upload(store: &impl Metadata, repository: &RepositoryName, digest: Digest) -> Result<()> {
    let id = UploadId::random(&SystemRandom);
    let start = StartUpload {
        id,
        repository: repository.clone(),
        principal: "user:bench".to_owned(),
        staged: Staged::default(),
        hash: Hasher::new(Algorithm::Sha256).state(),
        lifetime: Duration::from_secs(3600),
    };
    if store.start_upload(start).await? {
        // As the registry holds room: at first, for what is announced, and for what came.
        for bytes in [1, LAYER] {
            ensure!(store.hold_upload(HoldUpload { id, bytes }).await?, "an upload was lost");
        }
    }
    let reservation = ReserveBlob { id, digest, time_limit: Duration::from_secs(600) };
    let ReserveOutcome::Reserved(key) = store.reserve_blob(reservation).await? else {
        anyhow::bail!("an upload was lost");
    };
    let finished = store.finish_upload(FinishUpload { id, key, size: LAYER }).await?;
    ensure!(finished == FinishOutcome::Finished, "an upload was not finished");
    Ok(())
}

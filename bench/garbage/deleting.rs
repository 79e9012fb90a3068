//! How fast objects are deleted: by a collection, and plainly by whatever deletes fastest in that store, by turns.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::aws::AmazonS3;
use wharf_blobs::{FileBlobs, ObjectBlobs};
use wharf_core::UploadId;
use wharf_core::blobs::{Blobs, ObjectKey};
use wharf_core::clock::SystemRandom;
use wharf_core::metadata::{Garbage, Integrity, Metadata};
use wharf_oci::{Algorithm, Hasher};

use crate::collector::Collector;
use crate::options::Options;

/// How many objects are put in place at once.
const AT_ONCE: usize = 32;

/// A store, beside what deletes in it plainly.
pub enum Store {
    /// Files below a folder.
    Files(Arc<FileBlobs>, PathBuf),
    /// A bucket.
    Bucket(Arc<ObjectBlobs>, Arc<AmazonS3>),
}

/// Objects deleted a second, plainly and by a collection, round by round.
pub type Rates = Vec<(f64, f64)>;

pub async fn measure<D: Metadata + Garbage + Integrity>(
    store: &Store,
    database: &Arc<D>,
    options: &Options,
) -> Result<Rates> {
    let collector = Collector::new(Arc::clone(database) as _, store.blobs());
    let (mut rates, count) = (Rates::new(), options.objects);
    // The first warms up and does not count.
    for round in 0..=options.rounds {
        eprintln!("{}: deletes, round {round} of {}", store.name(), options.rounds);
        let keys = store.put(&format!("plain {round}"), count).await?;
        let began = Instant::now();
        store.delete_plainly(keys).await?;
        let plainly = count as f64 / began.elapsed().as_secs_f64();
        let keys = store.put(&format!("collected {round}"), count).await?;
        for some in keys.chunks(1000) {
            database.mark_unexplained(some.to_vec()).await?;
        }
        let began = Instant::now();
        let collected = collector.run(&**database).await?;
        let by_collection = count as f64 / began.elapsed().as_secs_f64();
        ensure!(collected.deleted == count as u64, "a collection of {count}: {collected:?}");
        if let Some(key) = keys.last() {
            ensure!(store.blobs().head(key).await?.is_none(), "{key} is there still");
        }
        if round > 0 {
            rates.push((plainly, by_collection));
        }
    }
    Ok(rates)
}

/// Puts objects in place that nobody holds, and returns who collects them.
pub async fn prepare<D: Metadata + Integrity>(
    store: &Store,
    database: &Arc<D>,
    objects: usize,
) -> Result<Collector> {
    for some in store.put("among others", objects).await?.chunks(1000) {
        database.mark_unexplained(some.to_vec()).await?;
    }
    Ok(Collector::new(Arc::clone(database) as _, store.blobs()))
}

impl Store {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Files(..) => "files",
            Self::Bucket(..) => "SeaweedFS",
        }
    }

    pub fn blobs(&self) -> Arc<dyn Blobs> {
        match self {
            Self::Files(blobs, _) => Arc::clone(blobs) as _,
            Self::Bucket(blobs, _) => Arc::clone(blobs) as _,
        }
    }

    /// Puts so many small objects in place.
    async fn put(&self, name: &str, count: usize) -> Result<Vec<ObjectKey>> {
        stream::iter((0..count).map(|number| async move {
            let content = Bytes::from(format!("{name} {number}"));
            let key = ObjectKey::canonical(Hasher::digest(Algorithm::Sha256, &content));
            match self {
                Self::Files(blobs, _) => {
                    let id = UploadId::random(&SystemRandom);
                    let staged = blobs.stage(&id).await?;
                    let mut chunks = stream::iter([content]);
                    let staged = blobs.append(&id, &staged, Box::pin(&mut chunks)).await?;
                    blobs.finish(&id, &staged, &key).await?;
                }
                // As the store of objects names them.
                Self::Bucket(_, bucket) => {
                    bucket.put(&key.to_string().into(), content.into()).await?;
                }
            }
            anyhow::Ok(key)
        }))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
    }

    async fn delete_plainly(&self, keys: Vec<ObjectKey>) -> Result<()> {
        match self {
            Self::Files(_, folder) => {
                let paths = keys.iter().map(|key| folder.join(key.to_string())).collect();
                tokio::task::spawn_blocking(move || remove(paths)).await?
            }
            // The library's own bulk deletes, of 1000 keys each and many at once.
            Self::Bucket(_, bucket) => {
                use object_store::ObjectStore;
                let paths = keys.iter().map(|key| Ok(key.to_string().into())).collect::<Vec<_>>();
                let deleted = bucket.delete_stream(stream::iter(paths).boxed());
                deleted.try_for_each(|_| std::future::ready(Ok(()))).await.context("bulk deletes")
            }
        }
    }
}

fn remove(paths: Vec<PathBuf>) -> Result<()> {
    let remove = |path: &Path| {
        std::fs::remove_file(path).with_context(|| format!("removing {}", path.display()))
    };
    paths.iter().try_for_each(|path| remove(path))
}

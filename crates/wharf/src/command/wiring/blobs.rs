//! The object store that a configuration asks for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use wharf_blobs::{FileBlobs, Limits, ObjectBlobs, StoreRequests};
use wharf_core::blobs::{Blobs, Leftovers, MappedReads};
use wharf_core::delivery::SignedUrls;
use wharf_core::direct::DirectStore;

use crate::config::{BlobsUrl, Config};

/// A store, and what only some can do.
pub struct Store {
    pub blobs: Arc<dyn Blobs>,
    pub mapped: Option<Arc<dyn MappedReads>>,
    pub signed: Option<Arc<dyn SignedUrls>>,
    pub direct: Option<DirectStore>,
    pub leftovers: Option<Arc<dyn Leftovers>>,
    pub requests: Option<Arc<StoreRequests>>,
}

/// Opens the store, and tries it: what is wrong with a bucket is told at the start.
pub async fn open(config: &Config) -> anyhow::Result<Store> {
    if let BlobsUrl::Bucket(url) = &config.blobs.url {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let limits = Limits::of_requests(config.blobs.timeout.get());
        let blobs = Arc::new(ObjectBlobs::open(url, variables, limits)?);
        blobs
            .check_rights()
            .await
            .with_context(|| format!("the bucket {url} cannot be read and written (blobs.url)"))?;
        return Ok(Store {
            blobs: Arc::clone(&blobs) as _,
            mapped: None,
            signed: Some(Arc::clone(&blobs) as _),
            requests: Some(blobs.requests()),
            direct: blobs.direct_uploads(),
            leftovers: Some(blobs),
        });
    }
    let folder = folder(config).context("blobs.url names no store")?;
    let blobs = FileBlobs::open(&folder).with_context(|| {
        format!("the blob folder {} cannot be used (blobs.url)", folder.display())
    })?;
    let blobs = Arc::new(blobs);
    Ok(Store {
        blobs: Arc::clone(&blobs) as _,
        mapped: Some(Arc::clone(&blobs) as _),
        signed: None,
        direct: Some(blobs.direct_uploads()),
        leftovers: Some(blobs),
        requests: None,
    })
}

/// The folder of blobs that are files.
pub fn folder(config: &Config) -> Option<PathBuf> {
    match &config.blobs.url {
        BlobsUrl::DataFolder => {
            let folder: &Path = config.data.folder.as_ref();
            Some(folder.join("blobs"))
        }
        BlobsUrl::Folder(folder) => Some(folder.as_ref().to_owned()),
        BlobsUrl::Bucket(_) => None,
    }
}

//! The object store that a configuration asks for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use wharf_blobs::FileBlobs;
use wharf_core::blobs::{Blobs, MappedReads};
use wharf_core::delivery::SignedUrls;

use crate::config::{BlobsUrl, Config};

/// A store, and what only some can do.
pub struct Store {
    pub blobs: Arc<dyn Blobs>,
    pub mapped: Option<Arc<dyn MappedReads>>,
    pub signed: Option<Arc<dyn SignedUrls>>,
}

/// Opens the store.
pub fn open(config: &Config) -> anyhow::Result<Store> {
    let folder = folder(config).context("blobs.url names no store")?;
    let blobs = FileBlobs::open(&folder).with_context(|| {
        format!("the blob folder {} cannot be used (blobs.url)", folder.display())
    })?;
    let blobs = Arc::new(blobs);
    Ok(Store { blobs: Arc::clone(&blobs) as _, mapped: Some(blobs), signed: None })
}

/// The folder of blobs that are files.
pub fn folder(config: &Config) -> Option<PathBuf> {
    match &config.blobs.url {
        BlobsUrl::DataFolder => {
            let folder: &Path = config.data.folder.as_ref();
            Some(folder.join("blobs"))
        }
        BlobsUrl::Folder(folder) => Some(folder.as_ref().to_owned()),
    }
}

//! The object store that a configuration asks for.

use std::sync::Arc;

use anyhow::Context;
use wharf_blobs::FileBlobs;
use wharf_core::blobs::{Blobs, MappedReads};

use super::inside;
use crate::config::{BlobsUrl, Config};
use crate::data_folder::DataFolder;

/// The store, and the same as mapped pages where it can give them so.
type Store = (Arc<dyn Blobs>, Option<Arc<dyn MappedReads>>);

/// Opens the store.
pub fn open(config: &Config, folder: Option<&DataFolder>) -> anyhow::Result<Store> {
    let objects = match &config.blobs.url {
        BlobsUrl::DataFolder => inside(folder, "blobs")?,
        BlobsUrl::Folder(objects) => objects.as_ref().to_owned(),
    };
    let blobs = FileBlobs::open(&objects).with_context(|| {
        format!("the blob folder {} cannot be used (blobs.url)", objects.display())
    })?;
    let blobs = Arc::new(blobs);
    Ok((Arc::clone(&blobs) as _, Some(blobs)))
}

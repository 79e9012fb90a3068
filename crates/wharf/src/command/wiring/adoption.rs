//! The other registry's store that a configuration names, and what takes it over.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use wharf_blobs::{Limits, OldBucket, OldFolder};
use wharf_core::Registry;
use wharf_core::adoption::Adopter;
use wharf_core::delivery::SignedUrls;
use wharf_core::metadata::Adoptions;
use wharf_core::old_store::{OldPath, OldStore};

use super::blobs::variables;
use crate::config::{AdoptedUrl, Config};

/// How long an adoption goes on before the queue is asked again. Well below the longest run of a job.
const SLICE: Duration = Duration::from_secs(600);

/// Another registry's store, and what only some can do.
pub struct Old {
    pub store: Arc<dyn OldStore>,
    pub urls: Option<Arc<dyn SignedUrls>>,
}

/// Opens the store, and looks whether it is one.
pub async fn open(url: &AdoptedUrl, request: Duration) -> anyhow::Result<Old> {
    let old = match url {
        AdoptedUrl::Folder(folder) => {
            let folder: &Path = folder.as_ref();
            let store = OldFolder::open(folder)
                .with_context(|| format!("the folder {} cannot be used", folder.display()))?;
            Old { store: Arc::new(store), urls: None }
        }
        AdoptedUrl::Bucket(url) => {
            let bucket = OldBucket::open(url, variables(), Limits::of_requests(request))?;
            let bucket = Arc::new(bucket);
            Old { store: Arc::clone(&bucket) as _, urls: Some(bucket) }
        }
    };
    let root = OldPath::root();
    let entries = old.store.list(&root).await;
    let entries = entries.with_context(|| format!("{root} in {url} cannot be listed"))?;
    ensure!(
        !entries.is_empty(),
        "there is no {root} in {url}: name the folder or prefix that the other registry was given \
         (its storage.filesystem.rootdirectory, or the bucket with storage.s3.rootdirectory)"
    );
    Ok(old)
}

/// What takes the store over that is set, if one is.
pub fn adopter(
    config: &Config,
    registry: &Arc<Registry>,
    adoptions: Arc<dyn Adoptions>,
    old: Option<Arc<dyn OldStore>>,
) -> Option<Arc<Adopter>> {
    let (url, store) = (config.blobs.adopted.0.as_ref()?, old?);
    let (registry, source) = (Arc::clone(registry), url.to_string());
    Some(Arc::new(Adopter {
        registry,
        adoptions,
        store,
        source,
        bytes_per_second: config.blobs.adopted_rate.get(),
        slice: SLICE,
    }))
}

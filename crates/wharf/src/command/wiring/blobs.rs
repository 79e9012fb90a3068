//! The object store that a configuration asks for, with the one that it adopts behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use wharf_blobs::{AdoptedBlobs, AdoptedUrls, FileBlobs, Limits, ObjectBlobs, StoreRequests};
use wharf_core::blobs::{Blobs, Leftovers, MappedReads, StoredObjects};
use wharf_core::delivery::SignedUrls;
use wharf_core::direct::DirectStore;
use wharf_core::metadata::Integrity;
use wharf_core::old_store::OldStore;
use wharf_core::scrub::{AdoptedCopies, CopySource, OtherObjects};

use super::adoption::{self, Old};
use crate::config::{BlobsUrl, Config};

/// A store, and what only some can do.
pub struct Store {
    pub blobs: Arc<dyn Blobs>,
    pub mapped: Option<Arc<dyn MappedReads>>,
    pub signed: Option<Arc<dyn SignedUrls>>,
    pub direct: Option<DirectStore>,
    pub leftovers: Option<Arc<dyn Leftovers>>,
    pub requests: Option<Arc<StoreRequests>>,
    /// Its objects, without those of the other registry.
    pub objects: Arc<dyn StoredObjects>,
    /// The other registry's store behind it.
    pub old: Option<Arc<dyn OldStore>>,
}

impl Store {
    /// Where an object that is damaged may have a second copy. What lies in the other registry's store is likelier to be one.
    pub fn copies(&self, integrity: &Arc<dyn Integrity>) -> Vec<Arc<dyn CopySource>> {
        let (blobs, integrity) = (Arc::clone(&self.blobs), Arc::clone(integrity));
        let adopted = self.old.clone().map(|old| Arc::new(AdoptedCopies(old)) as _);
        adopted.into_iter().chain([Arc::new(OtherObjects { blobs, integrity }) as _]).collect()
    }
}

/// Opens the store, and tries it: what is wrong with a bucket is told at the start.
pub async fn open(config: &Config) -> anyhow::Result<Store> {
    let own = own(config).await?;
    let Some(url) = &config.blobs.adopted.0 else { return Ok(own) };
    let old = adoption::open(url, config.blobs.timeout.get()).await;
    let old = old.context("the other registry's store cannot be used (blobs.adopted)")?;
    Ok(before(own, old, config.blobs.adopted_delete))
}

/// Wharf's own store.
async fn own(config: &Config) -> anyhow::Result<Store> {
    if let BlobsUrl::Bucket(url) = &config.blobs.url {
        let limits = Limits::of_requests(config.blobs.timeout.get());
        let blobs = Arc::new(ObjectBlobs::open(url, variables(), limits)?);
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
            leftovers: Some(Arc::clone(&blobs) as _),
            objects: blobs,
            old: None,
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
        leftovers: Some(Arc::clone(&blobs) as _),
        objects: blobs,
        requests: None,
        old: None,
    })
}

/// The same store with the other registry's behind it.
fn before(own: Store, old: Old, deletes_old: bool) -> Store {
    let has_mapped = own.mapped.is_some();
    let both = AdoptedBlobs::new(Arc::clone(&own.blobs), own.mapped, Arc::clone(&old.store));
    let both = Arc::new(both.deleting_old(deletes_old));
    let signed = own.signed.zip(old.urls).map(|(own_urls, old_urls)| {
        Arc::new(AdoptedUrls { own: own.blobs, own_urls, old_urls }) as Arc<dyn SignedUrls>
    });
    Store {
        blobs: Arc::clone(&both) as _,
        mapped: has_mapped.then_some(both as _),
        signed,
        direct: own.direct,
        leftovers: own.leftovers,
        requests: own.requests,
        objects: own.objects,
        old: Some(old.store),
    }
}

/// The environment, as far as it is text: where buckets have their credentials from.
pub fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
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

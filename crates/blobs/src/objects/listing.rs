//! The objects in the bucket, a page at a time in the order of their keys, which is that of their digests.

use std::time::SystemTime;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use wharf_core::StoreError;
use wharf_core::blobs::{ObjectKey, StoredObject, StoredObjects, StoredPage};
use wharf_oci::{Algorithm, Digest};

use super::ObjectBlobs;
use super::failure::store_error;

const DOING: &str = "listing objects";

#[async_trait]
impl StoredObjects for ObjectBlobs {
    /// S3 and Google Cloud Storage begin behind a key; on Azure each page costs a list of all before it.
    async fn list_objects(
        &self,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<StoredPage, StoreError> {
        let mut page = StoredPage::default();
        for algorithm in Algorithm::ALL {
            if after.is_none_or(|after| algorithm >= after.algorithm())
                && !self.list_algorithm(algorithm, after, limit, &mut page).await?
            {
                page.up_to = page.objects.last().map(|last| last.key.digest);
                break;
            }
        }
        // Of one digest the keys are in the order of their texts.
        page.objects.sort_by_key(|object| (object.key.digest, object.key.incarnation));
        Ok(page)
    }
}

impl ObjectBlobs {
    /// Adds the objects of one algorithm. `false` when the page is full before they end.
    async fn list_algorithm(
        &self,
        algorithm: Algorithm,
        after: Option<Digest>,
        limit: usize,
        page: &mut StoredPage,
    ) -> Result<bool, StoreError> {
        let folder = self.path(algorithm.name());
        let behind = after.filter(|after| after.algorithm() == algorithm);
        let mut listed = match behind {
            Some(after) => {
                let offset = self.object_path(&ObjectKey::canonical(after));
                self.service.list_with_offset(Some(&folder), &offset)
            }
            None => self.service.list(Some(&folder)),
        };
        loop {
            let next = self.within(DOING, listed.try_next()).await?;
            let next = next.map_err(|error| store_error(DOING, &error))?;
            let Some(found) = next else { return Ok(true) };
            let Some(key) = self.key_of(found.location.as_ref()) else {
                page.unknown += 1;
                continue;
            };
            if behind.is_some_and(|after| key.digest <= after) {
                continue;
            }
            let last = page.objects.last().map(|last| last.key.digest);
            if page.objects.len() >= limit && last != Some(key.digest) {
                return Ok(false);
            }
            let modified = SystemTime::from(found.last_modified);
            page.objects.push(StoredObject { key, size: found.size, modified });
        }
    }

    fn key_of(&self, path: &str) -> Option<ObjectKey> {
        let prefix = self.prefix.as_ref();
        let below = path.strip_prefix(prefix)?;
        ObjectKey::of_path(if prefix.is_empty() { below } else { below.strip_prefix('/')? })
    }
}

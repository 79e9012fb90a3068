//! Leftovers in the store: dropped once no upload names them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use wharf_cache::MemoryCache;
use wharf_core::blobs::Leftovers;
use wharf_core::clock::SystemRandom;
use wharf_core::permissions::Everyone;
use wharf_core::{Parts, Registry, Rules, StoreError, UploadId};

use crate::stand::Stand;

/// A store with something staged for these uploads.
struct Staged(Mutex<Vec<UploadId>>);

#[async_trait]
impl Leftovers for Staged {
    async fn staged_before(
        &self,
        age: Duration,
        limit: usize,
    ) -> Result<Vec<UploadId>, StoreError> {
        assert!(age >= Rules::default().upload_lifetime, "{age:?} is too young");
        Ok(self.0.lock().unwrap().iter().take(limit).copied().collect())
    }

    async fn drop_leftovers(&self, upload: &UploadId) -> Result<(), StoreError> {
        self.0.lock().unwrap().retain(|staged| staged != upload);
        Ok(())
    }
}

#[tokio::test]
async fn what_no_upload_names_is_dropped_and_what_one_names_stays() {
    let stand = Stand::new();
    let known = [stand.start("a").await.unwrap(), stand.start("b").await.unwrap()];
    // More than one transaction looks for.
    let gone = (0..450).map(|_| UploadId::random(&SystemRandom));
    let staged = Arc::new(Staged(Mutex::new(known.into_iter().chain(gone).collect())));
    let parts = Parts {
        leftovers: Some(staged.clone()),
        ..Parts::new(
            stand.metadata.clone(),
            stand.blobs.clone(),
            Arc::new(MemoryCache::new(0)),
            Arc::new(Everyone),
        )
    };
    let registry = Registry::new(parts, Rules::default());
    assert_eq!(registry.collect_leftovers(10_000).await.unwrap(), 450);
    assert_eq!(*staged.0.lock().unwrap(), known);
    assert_eq!(registry.collect_leftovers(10_000).await.unwrap(), 0);
    // A store that leaves nothing has nothing to be collected.
    assert_eq!(stand.registry.collect_leftovers(10_000).await.unwrap(), 0);
}

//! The steps of a collection, each timed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{
    Garbage, GarbageCounts, HeldPlace, Judged, ManifestRules, MarkedBlob, Taken,
};

/// Collects by another, and remembers which step took longest. A step is a transaction, so no statement took longer than that.
pub struct Timed<G> {
    inner: Arc<G>,
    longest: Mutex<(&'static str, Duration)>,
}

impl<G: Garbage> Timed<G> {
    pub fn new(inner: Arc<G>) -> Self {
        Self { inner, longest: Mutex::new(("nothing", Duration::ZERO)) }
    }

    /// The step that took longest.
    pub fn longest(&self) -> (&'static str, Duration) {
        *self.longest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn timed<T>(&self, name: &'static str, step: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let result = step.await;
        let took = began.elapsed();
        let mut longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        if took > longest.1 {
            *longest = (name, took);
        }
        result
    }
}

#[async_trait]
impl<G: Garbage> Garbage for Timed<G> {
    async fn sweep_memberships(
        &self,
        after: Option<HeldPlace>,
        grace: Duration,
        limit: usize,
    ) -> Result<Taken, StoreError> {
        self.timed("sweep", self.inner.sweep_memberships(after, grace, limit)).await
    }

    async fn condemn_blobs(&self, grace: Duration, limit: usize) -> Result<Judged, StoreError> {
        self.timed("judge", self.inner.condemn_blobs(grace, limit)).await
    }

    async fn condemned_blobs(
        &self,
        after: Option<ObjectKey>,
        limit: usize,
    ) -> Result<Vec<ObjectKey>, StoreError> {
        self.timed("list", self.inner.condemned_blobs(after, limit)).await
    }

    async fn confirm_deleted(&self, keys: Vec<ObjectKey>) -> Result<u64, StoreError> {
        self.timed("confirm", self.inner.confirm_deleted(keys)).await
    }

    async fn forget_deleted(&self, latest: Duration, limit: usize) -> Result<u64, StoreError> {
        self.timed("forget", self.inner.forget_deleted(latest, limit)).await
    }

    async fn mark_found(&self, keys: Vec<ObjectKey>) -> Result<u64, StoreError> {
        self.timed("mark", self.inner.mark_found(keys)).await
    }

    async fn empty_trash(&self, rules: ManifestRules, limit: usize) -> Result<Taken, StoreError> {
        self.timed("empty the trash", self.inner.empty_trash(rules, limit)).await
    }

    async fn collect_manifests(
        &self,
        after: Option<HeldPlace>,
        rules: ManifestRules,
        limit: usize,
    ) -> Result<Taken, StoreError> {
        self.timed("collect manifests", self.inner.collect_manifests(after, rules, limit)).await
    }

    async fn list_marked(
        &self,
        after: Option<ObjectKey>,
        limit: usize,
    ) -> Result<Vec<MarkedBlob>, StoreError> {
        self.inner.list_marked(after, limit).await
    }

    async fn count_garbage(&self) -> Result<GarbageCounts, StoreError> {
        self.inner.count_garbage().await
    }
}

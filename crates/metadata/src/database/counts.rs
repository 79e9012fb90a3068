//! The trait of counts on any engine.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    CountAt, CountBatch, Counts, CountsOf, Span, Step, TopList, TopManifest, TopRepository, Trend,
};
use wharf_oci::{Digest, RepositoryName};

use super::{Database, Result};
use crate::engine::Engine;
use crate::transactions::counts::{self, asked, expiry};

#[async_trait]
impl<E: Engine> Counts for Database<E> {
    async fn add_counts(&self, batch: CountBatch) -> Result<bool> {
        self.engine.write(counts::Add(batch)).await
    }

    async fn count_range(
        &self,
        of: CountsOf,
        span: Span,
        step: Step,
        limit: usize,
    ) -> Result<Vec<CountAt>> {
        self.engine.read(asked::Range { of, span, step, limit }).await
    }

    async fn count_trend(&self, of: CountsOf, period: Duration) -> Result<Trend> {
        self.engine.read(asked::FindTrend { of, period }).await
    }

    async fn top_repositories(&self, list: TopList) -> Result<Vec<TopRepository>> {
        self.engine.read(asked::TopRepositories(list)).await
    }

    async fn top_manifests(&self, list: TopList) -> Result<Vec<TopManifest>> {
        self.engine.read(asked::TopManifests(list)).await
    }

    async fn last_pulled(
        &self,
        repository: RepositoryName,
        digests: Vec<Digest>,
    ) -> Result<Vec<(Digest, Timestamp)>> {
        self.engine.read(asked::LastPulled { repository, digests }).await
    }

    async fn make_room_for_counts(&self) -> Result<u64> {
        self.engine.write(expiry::MakeRoom).await
    }

    async fn expire_counts(&self, age: Duration, limit: usize) -> Result<u64> {
        self.engine.write(expiry::Expire { age, limit }).await
    }

    async fn forget_batches(&self, limit: usize) -> Result<u64> {
        self.engine.write(expiry::ForgetBatches { limit }).await
    }
}

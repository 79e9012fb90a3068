//! The trait of retention on any engine.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    DropOutcome, DropTag, Retention, RetentionBasis, RetentionRecord, RetentionRun, TagKey,
    UntaggedPage,
};
use wharf_core::retention::TagFacts;
use wharf_oci::{Digest, RepositoryName, Tag};

use super::{Database, Result};
use crate::engine::Engine;
use crate::transactions::retention::{self, facts, untagged};

#[async_trait]
impl<E: Engine> Retention for Database<E> {
    async fn find_retention(&self, repository: RepositoryName) -> Result<Option<RetentionRecord>> {
        self.engine.read(retention::Find(repository)).await
    }

    async fn list_retention(
        &self,
        after: Option<RepositoryName>,
        limit: usize,
    ) -> Result<Vec<RepositoryName>> {
        self.engine.read(retention::ListEnabled { after, limit }).await
    }

    async fn retention_basis(&self, repository: RepositoryName) -> Result<Option<RetentionBasis>> {
        self.engine.read(facts::Basis(repository)).await
    }

    async fn retention_keys(
        &self,
        repository: RepositoryName,
        after: Option<Tag>,
        limit: usize,
    ) -> Result<Vec<TagKey>> {
        self.engine.read(facts::Keys { repository, after, limit }).await
    }

    async fn retention_facts(
        &self,
        repository: RepositoryName,
        after: Option<Tag>,
        limit: usize,
        pulled_since: Timestamp,
    ) -> Result<Vec<TagFacts>> {
        self.engine.read(facts::Facts { repository, after, limit, pulled_since }).await
    }

    async fn untagged_manifests(
        &self,
        repository: RepositoryName,
        for_long: Duration,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<UntaggedPage> {
        self.engine.write(untagged::Untagged { repository, for_long, after, limit }).await
    }

    async fn drop_tag(&self, drop: DropTag) -> Result<DropOutcome> {
        self.engine.write(drop).await
    }

    async fn record_retention_run(
        &self,
        repository: RepositoryName,
        run: RetentionRun,
    ) -> Result<()> {
        self.engine.write(retention::RecordRun { repository, run }).await
    }

    async fn forget_running(&self, limit: usize) -> Result<u64> {
        self.engine.write(retention::ForgetRunning { limit }).await
    }
}

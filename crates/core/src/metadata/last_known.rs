//! What a copy of the metadata knows while the metadata themselves cannot be asked: for pulls that go on.

use async_trait::async_trait;
use wharf_oci::{Digest, Reference, RepositoryName, Tag};

use crate::blobs::ObjectKey;
use crate::metadata::{ListReferrers, Referrer, StoredManifest};

/// A copy of the metadata that may lag behind them: a capability of some databases, asked only after the metadata
/// themselves said that they are away.
///
/// What it says may be older than what was acknowledged, so it is never cached, and nothing is decided by it. It
/// says `None` where it does not know: what a copy does not hold may have been acknowledged all the same. It says
/// `None` of everything while the metadata answer.
#[async_trait]
pub trait LastKnown: Send + Sync + 'static {
    /// A manifest by tag or digest.
    async fn last_manifest(
        &self,
        repository: RepositoryName,
        reference: Reference,
    ) -> Option<StoredManifest>;

    /// Where the repository's blob lay.
    async fn last_blob(&self, repository: RepositoryName, digest: Digest) -> Option<ObjectKey>;

    /// The first `limit` tags after `after`, in byte order.
    async fn last_tags(
        &self,
        repository: RepositoryName,
        after: Option<String>,
        limit: usize,
    ) -> Option<Vec<Tag>>;

    /// Referrers in the order of their digests.
    async fn last_referrers(&self, query: ListReferrers) -> Option<Vec<Referrer>>;

    /// The first `limit` names after `after`, in byte order, of repositories that held a manifest.
    async fn last_repositories(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Option<Vec<RepositoryName>>;
}

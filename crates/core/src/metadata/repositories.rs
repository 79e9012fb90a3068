//! Repositories: which there are.

use async_trait::async_trait;
use wharf_oci::RepositoryName;

use crate::StoreError;

/// The repositories. They come into being with the first upload or manifest.
#[async_trait]
pub trait Repositories: Send + Sync + 'static {
    /// The first `limit` names after `after`, in byte order, of repositories that hold a manifest.
    async fn list_repositories(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<RepositoryName>, StoreError>;

    /// Whether metadata can be read and written now: what `/readyz` asks.
    async fn check(&self) -> Result<(), StoreError>;
}

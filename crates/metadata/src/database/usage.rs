//! `UsageMetadata` on any engine.

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{
    BlobSize, Counted, NumberedScope, RegistryUsage, Scope, ScopeKind, ScopeUsage, StoredCount,
    UsageMetadata,
};
use wharf_core::permissions::AccountName;
use wharf_oci::{Digest, RepositoryName};

use crate::Database;
use crate::engine::Engine;
use crate::transactions::usage;

type Result<T> = std::result::Result<T, StoreError>;

#[async_trait]
impl<E: Engine> UsageMetadata for Database<E> {
    async fn find_usage(&self, scope: Scope) -> Result<Option<ScopeUsage>> {
        self.engine.read(usage::Find(scope)).await
    }

    async fn list_usage(
        &self,
        namespace: Option<AccountName>,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<(RepositoryName, ScopeUsage)>> {
        self.engine.read(usage::List { namespace, after, limit }).await
    }

    async fn registry_usage(&self) -> Result<RegistryUsage> {
        self.engine.read(usage::OfAll).await
    }

    async fn unsized_blobs(&self, after: Option<Digest>, limit: usize) -> Result<Vec<ObjectKey>> {
        self.engine.read(usage::Unsized { after, limit }).await
    }

    async fn record_sizes(&self, sizes: Vec<BlobSize>) -> Result<u64> {
        self.engine.write(usage::Record(sizes)).await
    }

    async fn count_scopes(
        &self,
        kind: ScopeKind,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Counted> {
        match kind {
            ScopeKind::Repositories => {
                self.engine.write(usage::CountRepositories { after, limit }).await
            }
            ScopeKind::Namespaces => {
                self.engine.write(usage::CountNamespaces { after, limit }).await
            }
        }
    }

    async fn next_scope(
        &self,
        kind: ScopeKind,
        after: Option<i64>,
    ) -> Result<Option<NumberedScope>> {
        self.engine.read(usage::NextScope { kind, after }).await
    }

    async fn count_stored(&self, count: StoredCount, limit: usize) -> Result<Option<StoredCount>> {
        self.engine.write(usage::CountStored { count, limit }).await
    }
}

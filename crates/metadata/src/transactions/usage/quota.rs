//! Quotas: set by who may, and dealt out anew.

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::metadata::{Change, Quota, SetNamespaceQuota, SetRepositoryQuota};

use super::escrow::{self, BYTES, MANIFESTS, TAGS, TOTAL};
use super::scopes::{self, ScopeRow, Which};
use crate::engine::{Result, Statements, arguments};
use crate::transactions::accounts::{Apply, fresh, namespace};
use crate::transactions::events::{self, Event, Of};
use crate::transactions::repositories;

#[async_trait]
impl Apply for SetNamespaceQuota {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        if namespace(on, &self.namespace).await?.is_none() {
            return Ok(Change::NotFound);
        }
        let scope = scopes::find_or_make_namespace(on, self.namespace.as_str()).await?;
        let change = set(on, &scope, &self.quota, self.expected).await?;
        tell(on, change, Of::Namespace(&self.namespace), &self.quota, by).await
    }
}

#[async_trait]
impl Apply for SetRepositoryQuota {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        if self.repository.namespace() != self.namespace.as_str() {
            return Ok(Change::NotFound);
        }
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(Change::NotFound);
        };
        let scope = scopes::find_or_make(on, repository, Which::Repository).await?;
        let change = set(on, &scope, &self.quota, self.expected).await?;
        tell(on, change, Of::Repository(repository), &self.quota, by).await
    }
}

/// Tells readers of events of a quota that was set.
async fn tell(
    on: &mut dyn Statements,
    change: Change,
    of: Of<'_>,
    quota: &Quota,
    by: &Actor,
) -> Result<Change> {
    if change == Change::Done {
        let now = on.now().await?;
        events::record_of(on, of, Event::QuotaSet(quota), &by.by, now).await?;
    }
    Ok(change)
}

/// Sets the limits of a scope. Every shard is written, so that whoever charges one by what it was before begins again.
async fn set(
    on: &mut dyn Statements,
    scope: &ScopeRow,
    quota: &Quota,
    expected: Option<i64>,
) -> Result<Change> {
    if !fresh(scope.version, expected) {
        return Ok(Change::Stale);
    }
    scopes::make_pool(on, scope).await?;
    let mut shards = scopes::shards(on, scope.id).await?;
    let number = |limit: Option<u64>| {
        limit.map(|limit| i64::try_from(limit.min(Quota::LARGEST)).unwrap_or(i64::MAX))
    };
    let limits = [
        (BYTES, number(quota.bytes)),
        (TOTAL, number(quota.bytes)),
        (MANIFESTS, number(quota.manifests)),
        (TAGS, number(quota.tags)),
    ];
    for (meter, limit) in limits {
        escrow::limit_to(&mut shards, meter, limit);
    }
    on.execute(
        "UPDATE usage_scopes SET max_bytes = $1, max_manifests = $2, max_tags = $3, version = version + 1
         WHERE id = $4",
        arguments![number(quota.bytes), number(quota.manifests), number(quota.tags), scope.id],
    )
    .await?;
    // None is as before: all are written.
    scopes::write(on, scope, &[], &shards, (escrow::POOL, 0)).await?;
    Ok(Change::Done)
}

//! Usage and quotas, as they are told.

use async_trait::async_trait;
use wharf_core::metadata::{Quota, RegistryUsage, Scope, ScopeUsage, Usage};
use wharf_core::permissions::AccountName;
use wharf_oci::RepositoryName;

use super::Change;
use crate::engine::{Result, Row, Statements, Transaction, arguments};
use crate::transactions::repositories;

/// The sums of a [`Change`] over the shards `h`.
macro_rules! held_columns {
    () => {
        "CAST(coalesce(sum(h.referenced), 0) AS bigint), CAST(coalesce(sum(h.bytes), 0) AS bigint),
         CAST(coalesce(sum(h.total), 0) - coalesce(sum(h.bytes), 0) AS bigint),
         CAST(coalesce(sum(h.manifests), 0) AS bigint), CAST(coalesce(sum(h.tags), 0) AS bigint)"
    };
}
pub(super) use held_columns;

/// The limits of a scope `s`, the version of them, and whether it was counted.
macro_rules! quota_columns {
    () => {
        "s.max_bytes, s.max_manifests, s.max_tags, s.version,
         CASE WHEN s.counted_at IS NULL THEN 0 ELSE 1 END"
    };
}

pub(super) fn change(row: &Row) -> Result<Change> {
    Ok(Change {
        referenced: row.int(0)?,
        bytes: row.int(1)?,
        reserved: row.int(2)?,
        manifests: row.int(3)?,
        tags: row.int(4)?,
    })
}

/// What shards hold together. While they are counted for the first time a number may be below nothing.
fn usage(row: &Row) -> Result<Usage> {
    let Change { referenced, bytes, reserved, manifests, tags } = change(row)?;
    let size = |number: i64| u64::try_from(number).unwrap_or_default();
    Ok(Usage {
        referenced: size(referenced),
        bytes: size(bytes),
        reserved: size(reserved),
        manifests: size(manifests),
        tags: size(tags),
    })
}

/// A row of [`held_columns`] and [`quota_columns`].
fn scope_usage(row: &Row) -> Result<ScopeUsage> {
    let limit = |column: usize| -> Result<Option<u64>> {
        Ok(row.optional_int(column)?.and_then(|limit| u64::try_from(limit).ok()))
    };
    Ok(ScopeUsage {
        usage: usage(row)?,
        quota: Quota { bytes: limit(5)?, manifests: limit(6)?, tags: limit(7)? },
        version: row.int(8)?,
        is_complete: row.int(9)? != 0,
    })
}

/// `UsageMetadata::find_usage`
pub(crate) struct Find(pub(crate) Scope);

#[async_trait]
impl Transaction for Find {
    type Output = Option<ScopeUsage>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let (namespace, repository) = match &self.0 {
            Scope::Namespace(name) => (name.as_str(), 0),
            Scope::Repository(name) => match repositories::find(on, name).await? {
                Some(repository) => (name.namespace(), repository),
                None => return Ok(None),
            },
        };
        let rows = on
            .query(
                concat!(
                    "SELECT ",
                    held_columns!(),
                    ", ",
                    quota_columns!(),
                    " FROM usage_scopes s LEFT JOIN usage_shards h ON h.scope = s.id
                      WHERE s.namespace = $1 AND s.repository_id = $2 GROUP BY s.id"
                ),
                arguments![namespace, repository],
            )
            .await?;
        rows.first()
            .map_or_else(|| Ok(Some(ScopeUsage::default())), |row| scope_usage(row).map(Some))
    }
}

/// `UsageMetadata::list_usage`
pub(crate) struct List {
    pub(crate) namespace: Option<AccountName>,
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for List {
    type Output = Vec<(RepositoryName, ScopeUsage)>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let rows = on
            .query(
                concat!(
                    "SELECT ",
                    held_columns!(),
                    ", ",
                    quota_columns!(),
                    ", r.name FROM (
                         SELECT r.id, r.name FROM repositories r
                         JOIN usage_scopes o ON o.repository_id = r.id
                         WHERE r.name > $1 AND r.name < '~' AND ($2 IS NULL OR o.namespace = $2)
                         ORDER BY r.name LIMIT $3) r
                      JOIN usage_scopes s ON s.repository_id = r.id
                      LEFT JOIN usage_shards h ON h.scope = s.id
                      GROUP BY s.id, r.name ORDER BY r.name"
                ),
                arguments![
                    self.after.as_deref().unwrap_or_default(),
                    self.namespace.as_ref().map(AccountName::as_str),
                    self.limit,
                ],
            )
            .await?;
        rows.iter().map(|row| Ok((row.parsed(10)?, scope_usage(row)?))).collect()
    }
}

/// `UsageMetadata::registry_usage`
pub(crate) struct OfAll;

#[async_trait]
impl Transaction for OfAll {
    type Output = RegistryUsage;

    async fn run(&self, on: &mut dyn Statements) -> Result<RegistryUsage> {
        let rows = on
            .query(
                concat!(
                    "SELECT ",
                    held_columns!(),
                    " FROM usage_scopes s JOIN usage_shards h ON h.scope = s.id
                      WHERE s.repository_id = 0 AND s.namespace < '~'"
                ),
                &[],
            )
            .await?;
        let all = rows.first().map_or_else(|| Ok(Usage::default()), usage)?;
        let rows = on.query("SELECT bytes, blobs, counted_at FROM stored_usage", &[]).await?;
        let mut found = RegistryUsage {
            referenced: all.referenced,
            once_each_namespace: all.bytes,
            manifests: all.manifests,
            tags: all.tags,
            ..RegistryUsage::default()
        };
        if let Some(row) = rows.first() {
            found.stored = row.size(0)?;
            found.blobs = row.size(1)?;
            found.counted_at = row.optional_int(2)?;
        }
        Ok(found)
    }
}

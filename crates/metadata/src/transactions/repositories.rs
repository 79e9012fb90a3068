//! Repositories: found, made, listed.

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::permissions::AccountName;
use wharf_oci::RepositoryName;

use crate::engine::{Reads, Result, Statements, Transaction, arguments};
use crate::transactions::usage;

/// A repository's row.
pub(crate) async fn find(on: &mut dyn Statements, name: &RepositoryName) -> Result<Option<i64>> {
    let rows =
        on.query("SELECT id FROM repositories WHERE name = $1", arguments![name.as_str()]).await?;
    rows.first().map(|row| row.int(0)).transpose()
}

/// A repository's row, made if there is none. Two that make it at once meet at its name: the later one begins
/// again and finds it.
pub(crate) async fn find_or_create(
    on: &mut dyn Statements,
    name: &RepositoryName,
    now: Timestamp,
) -> Result<i64> {
    if let Some(id) = find(on, name).await? {
        return Ok(id);
    }
    let made = on
        .query(
            "INSERT INTO repositories (name, created_at, visibility) VALUES ($1, $2, coalesce(
                 (SELECT default_visibility FROM namespaces WHERE name = $3), 'private'))
             ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id",
            arguments![name.as_str(), now, name.namespace()],
        )
        .await?;
    match made.first() {
        Some(row) => {
            let id = row.int(0)?;
            usage::begin(on, id).await?;
            Ok(id)
        }
        None => Err(wharf_core::StoreError::Corrupt("a repository was not made".into())),
    }
}

/// A repository that was looked for: the one `found`, or made.
pub(crate) async fn or_create(
    on: &mut dyn Statements,
    found: Option<i64>,
    name: &RepositoryName,
    now: Timestamp,
) -> Result<i64> {
    match found {
        Some(repository) => Ok(repository),
        None => find_or_create(on, name, now).await,
    }
}

/// The bounds of the names below a namespace: behind the first, before the second.
pub(crate) fn below(namespace: &AccountName) -> (String, String) {
    // The byte behind a slash ends what begins with one.
    (format!("{namespace}/"), format!("{namespace}0"))
}

/// `Repositories::list_repositories`
pub(crate) struct List {
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for List {
    type Output = Vec<RepositoryName>;

    const READS: Reads = Reads::Replica;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let after = self.after.as_deref().unwrap_or_default();
        let rows = on
            .query(
                "SELECT name FROM repositories
                 WHERE name > $1 AND name < '~' AND EXISTS
                     (SELECT 1 FROM repository_manifests WHERE repository_id = repositories.id)
                 ORDER BY name LIMIT $2",
                arguments![after, self.limit],
            )
            .await?;
        rows.iter().map(|row| row.parsed(0)).collect()
    }
}

/// `Repositories::check`: the database answers, and takes a transaction.
pub(crate) struct Check;

#[async_trait]
impl Transaction for Check {
    type Output = ();

    async fn run(&self, on: &mut dyn Statements) -> Result<()> {
        on.query("SELECT max(version) FROM schema_migrations", &[]).await.map(drop)
    }
}

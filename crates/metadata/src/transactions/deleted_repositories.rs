//! Repositories that are deleted, listed, and brought back. One that is deleted keeps its row and all that hangs on it: only its name is
//! taken away, for one that no request can say, and its visibility. So whatever asks by name finds nothing, and what goes by numbers or
//! over all repositories passes over the names from `~` on.

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    DeleteRepository, DeletedRepository, ListDeletedRepositories, RepositoryDeletion,
    RepositoryRestoration, RestoreRepository,
};

use crate::engine::{Result, Row, Statements, Transaction, arguments};
use crate::transactions::accounts::takes_repositories;
use crate::transactions::events::{self, Event};
use crate::transactions::garbage::EVERYWHERE;
use crate::transactions::immutability::any_frozen;
use crate::transactions::repositories::find;
use crate::transactions::usage::{self, Change, Charge, Limits, charge};
use crate::transactions::writes::{self, Work};
use crate::transactions::{audit, pins};

/// What the row of a deleted repository is called, and the namespace to which it is charged meanwhile, which is its own. All names
/// that a request can say are before it.
pub(crate) fn hidden_name(repository: i64) -> String {
    format!("~deleted/{repository}")
}

#[async_trait]
impl Transaction for DeleteRepository {
    type Output = RepositoryDeletion;

    /// The row is held before anything is read of the repository, as whoever adds to it refers to the row; and before that its uploads, as by
    /// whoever ends one. What was added while this waited has charged the repository, or changed the row: as every shard is written and the name
    /// is part of a key, the later of the two begins again.
    async fn run(&self, on: &mut dyn Statements) -> Result<RepositoryDeletion> {
        let name = &self.repository;
        let Some(repository) = writes::enter(on, name, Work::Change).await? else {
            return Ok(RepositoryDeletion::NoRepository);
        };
        let held = held_by_uploads(on, repository).await?;
        let sql = "SELECT visibility FROM repositories WHERE id = $1";
        let rows = on.query_locked(sql, arguments![repository]).await?;
        let Some(row) = rows.first() else { return Ok(RepositoryDeletion::NoRepository) };
        let (visibility, now) = (row.text(0)?, on.now().await?);
        if let Some(kept) = pins::any(on, repository, now).await? {
            return Ok(RepositoryDeletion::Pinned(kept));
        }
        if let Some(frozen) = any_frozen(on, repository, name).await? {
            return Ok(RepositoryDeletion::Frozen(Box::new(frozen)));
        }
        let hidden = hidden_name(repository);
        usage::relocate(on, repository, name, &hidden).await?;
        end_uploads(on, repository, held, now).await?;
        on.execute(
            "INSERT INTO deleted_repositories
                 (repository_id, name, namespace, visibility, deleted_by, deleted_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            arguments![
                repository,
                name.as_str(),
                name.namespace(),
                visibility,
                self.by.by.as_str(),
                now
            ],
        )
        .await?;
        on.execute(
            "UPDATE repositories SET name = $1, visibility = 'private',
                 settings_version = settings_version + 1 WHERE id = $2",
            arguments![hidden, repository],
        )
        .await?;
        let (by, target) = (&self.by, format!("repository:{name}"));
        events::record(on, repository, Event::RepositoryDeleted(name), &by.by, now).await?;
        let detail = format!("number={repository}");
        audit::record(on, by, "repository.delete", target, name.namespace(), detail).await?;
        Ok(RepositoryDeletion::Deleted)
    }
}

/// With how many bytes the uploads of a repository are charged. Locks them.
async fn held_by_uploads(on: &mut dyn Statements, repository: i64) -> Result<i64> {
    let sql = "SELECT held FROM uploads WHERE repository_id = $1 ORDER BY id";
    let rows = on.query_locked(sql, arguments![repository]).await?;
    rows.iter().map(|row| row.int(0)).sum()
}

/// Has the uploads of a repository expire, and charges it with none of them, which came to `held`.
async fn end_uploads(
    on: &mut dyn Statements,
    repository: i64,
    held: i64,
    now: Timestamp,
) -> Result<()> {
    on.execute(
        "UPDATE uploads SET held = 0, expires_at = CASE WHEN expires_at < $1 THEN expires_at ELSE $1 END
         WHERE repository_id = $2",
        arguments![now, repository],
    )
    .await?;
    let freed = Charge::of(Change { reserved: -held, ..Change::default() });
    charge(on, repository, freed, Limits::None).await
}

#[async_trait]
impl Transaction for ListDeletedRepositories {
    type Output = Vec<DeletedRepository>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let before = on.now().await?.before(self.grace);
        let after = self.after.unwrap_or(i64::MIN);
        let rows = on
            .query(
                "SELECT repository_id, name, deleted_by, deleted_at FROM deleted_repositories
                 WHERE namespace = $1 AND repository_id > $2 AND state = 'whole' AND deleted_at > $3
                 ORDER BY repository_id LIMIT $4",
                arguments![self.namespace.as_str(), after, before, self.limit],
            )
            .await?;
        let deleted = |row: &Row| {
            Ok(DeletedRepository {
                number: row.int(0)?,
                name: row.parsed(1)?,
                deleted_by: row.text(2)?.to_owned(),
                deleted_at: Timestamp(row.int(3)?),
            })
        };
        rows.iter().map(deleted).collect()
    }
}

#[async_trait]
impl Transaction for RestoreRepository {
    type Output = RepositoryRestoration;

    async fn run(&self, on: &mut dyn Statements) -> Result<RepositoryRestoration> {
        writes::require(on, EVERYWHERE, Work::Change).await?;
        let now = on.now().await?;
        let Some((repository, visibility)) = deleted(self, on, now).await? else {
            return Ok(RepositoryRestoration::NotDeleted);
        };
        let to = self.to.as_ref().unwrap_or(&self.repository);
        if find(on, to).await?.is_some() {
            return Ok(RepositoryRestoration::Taken);
        }
        if !takes_repositories(on, to.namespace()).await? {
            return Ok(RepositoryRestoration::NoNamespace);
        }
        // Two that take one name at once meet at it: the later one begins again and finds it taken.
        on.execute(
            "UPDATE repositories SET name = $1, visibility = $2, settings_version = settings_version + 1
             WHERE id = $3",
            arguments![to.as_str(), visibility, repository],
        )
        .await?;
        usage::relocate(on, repository, to, to.namespace()).await?;
        usage::forget_namespace(on, &hidden_name(repository)).await?;
        let sql = "DELETE FROM deleted_repositories WHERE repository_id = $1";
        on.execute(sql, arguments![repository]).await?;
        let by = &self.by;
        events::record(on, repository, Event::RepositoryRestored(to), &by.by, now).await?;
        let target = format!("repository:{}", self.repository);
        let detail = format!("number={repository} as={to}");
        let namespace = self.repository.namespace();
        audit::record(on, by, "repository.restore", target, namespace, detail).await?;
        Ok(RepositoryRestoration::Restored)
    }
}

/// The number and visibility of the repository that is to be brought back.
async fn deleted(
    restore: &RestoreRepository,
    on: &mut dyn Statements,
    now: Timestamp,
) -> Result<Option<(i64, String)>> {
    let RestoreRepository { repository, number, grace, .. } = restore;
    let rows = on
        .query_locked(
            "SELECT repository_id, visibility FROM deleted_repositories
             WHERE namespace = $1 AND name = $2 AND ($3 IS NULL OR repository_id = $3)
               AND state = 'whole' AND deleted_at > $4
             ORDER BY deleted_at DESC, repository_id DESC LIMIT 1",
            arguments![repository.namespace(), repository.as_str(), *number, now.before(*grace)],
        )
        .await?;
    rows.first().map(|row| Ok((row.int(0)?, row.text(1)?.to_owned()))).transpose()
}

//! Changes of the policy of a repository, and reports of what runs. A policy drops nothing before somebody has seen what that
//! very version would drop, and has enabled it.

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::metadata::{
    Change, EnableRetention, MOST_RUNNING, PreviewRetention, Refusal, RemoveRetention,
    ReportRunning, SetRetention,
};
use wharf_oci::RepositoryName;

use super::{Apply, fresh};
use crate::engine::{Result, Statements, arguments};
use crate::transactions::events::{self, Event};
use crate::transactions::manifests::is_held;
use crate::transactions::repositories::find;

/// A policy's row.
struct Standing {
    repository: i64,
    version: i64,
    state: String,
}

/// The policy of a repository, locked; also one that was taken away. A drop that is under way ends first, and the next one
/// finds what is changed here.
async fn standing(on: &mut dyn Statements, repository: i64) -> Result<Option<Standing>> {
    let sql = "SELECT version, state FROM retention_policies WHERE repository_id = $1";
    let rows = on.query_locked(sql, arguments![repository]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Standing { repository, version: row.int(0)?, state: row.text(1)?.to_owned() }))
}

/// The policy of a repository that was not taken away.
async fn in_place(on: &mut dyn Statements, name: &RepositoryName) -> Result<Option<Standing>> {
    let Some(repository) = find(on, name).await? else { return Ok(None) };
    Ok(standing(on, repository).await?.filter(|standing| standing.state != "removed"))
}

/// The same of the version that somebody means, or why there is none.
async fn of_version(
    on: &mut dyn Statements,
    name: &RepositoryName,
    version: i64,
) -> Result<std::result::Result<Standing, Change>> {
    Ok(match in_place(on, name).await? {
        None => Err(Change::NotFound),
        Some(standing) if standing.version != version => Err(Change::Stale),
        Some(standing) => Ok(standing),
    })
}

#[async_trait]
impl Apply for SetRetention {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let Some(repository) = find(on, &self.repository).await? else {
            return Ok(Change::NotFound);
        };
        let standing = standing(on, repository).await?;
        let current = standing.as_ref().filter(|standing| standing.state != "removed");
        let is_stale = match current {
            Some(current) => !fresh(current.version, self.expected),
            None => self.expected.is_some(),
        };
        if is_stale {
            return Ok(Change::Stale);
        }
        let version = standing.map_or(1, |standing| standing.version + 1);
        let now = on.now().await?;
        // Two that make it at once meet at its key: the later one begins again and finds it.
        on.execute(
            "INSERT INTO retention_policies
                 (repository_id, document, version, state, updated_by, updated_at)
             VALUES ($1, $2, $3, 'draft', $4, $5)
             ON CONFLICT (repository_id) DO UPDATE SET
                 document = excluded.document, version = excluded.version, state = excluded.state,
                 updated_by = excluded.updated_by, updated_at = excluded.updated_at",
            arguments![repository, self.policy.to_json(), version, by.by.as_str(), now],
        )
        .await?;
        events::record(on, repository, Event::RetentionSet(version), &by.by, now).await?;
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for PreviewRetention {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let standing = match of_version(on, &self.repository, self.version).await? {
            Ok(standing) => standing,
            Err(refused) => return Ok(refused),
        };
        if standing.state == "draft" {
            let sql = "UPDATE retention_policies SET state = 'previewed' WHERE repository_id = $1";
            on.execute(sql, arguments![standing.repository]).await?;
        }
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for EnableRetention {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let standing = match of_version(on, &self.repository, self.version).await? {
            Ok(standing) => standing,
            Err(refused) => return Ok(refused),
        };
        match standing.state.as_str() {
            "draft" => return Ok(Change::Refused(Refusal::NotPreviewed)),
            "enabled" => return Ok(Change::Done),
            _ => {}
        }
        let sql = "UPDATE retention_policies SET state = 'enabled' WHERE repository_id = $1";
        on.execute(sql, arguments![standing.repository]).await?;
        let (now, event) = (on.now().await?, Event::RetentionEnabled(standing.version));
        events::record(on, standing.repository, event, &by.by, now).await?;
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for RemoveRetention {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let Some(standing) = in_place(on, &self.repository).await? else {
            return Ok(Change::NotFound);
        };
        let now = on.now().await?;
        on.execute(
            "UPDATE retention_policies
             SET document = '', version = version + 1, state = 'removed', updated_by = $1, updated_at = $2
             WHERE repository_id = $3",
            arguments![by.by.as_str(), now, standing.repository],
        )
        .await?;
        let event = Event::RetentionRemoved(standing.version + 1);
        events::record(on, standing.repository, event, &by.by, now).await?;
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for ReportRunning {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let Some(repository) = find(on, &self.repository).await? else {
            return Ok(Change::NotFound);
        };
        if !is_held(on, repository, &self.digest).await? {
            return Ok(Change::NotFound);
        }
        let reporter = self.reporter.as_str();
        let now = on.now().await?;
        let known = on
            .execute(
                "UPDATE running_manifests SET ends_at = $1
                 WHERE repository_id = $2 AND digest = $3 AND reporter = $4",
                arguments![now.after(self.lasts.get()), repository, self.digest, reporter],
            )
            .await?;
        if known > 0 {
            return Ok(Change::Done);
        }
        let sql = "SELECT CAST(count(*) AS bigint) FROM running_manifests WHERE repository_id = $1";
        let rows = on.query(sql, arguments![repository]).await?;
        let count = rows.first().map_or(Ok(0), |row| row.size(0))?;
        if count >= MOST_RUNNING as u64 {
            return Ok(Change::Refused(Refusal::TooManyRunning));
        }
        on.execute(
            "INSERT INTO running_manifests (repository_id, digest, reporter, ends_at)
             VALUES ($1, $2, $3, $4) ON CONFLICT (repository_id, digest, reporter)
                 DO UPDATE SET ends_at = excluded.ends_at",
            arguments![repository, self.digest, reporter, now.after(self.lasts.get())],
        )
        .await?;
        Ok(Change::Done)
    }
}

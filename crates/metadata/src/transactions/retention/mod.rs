//! Retention: policies found, and what their runs did. The facts that tags are judged by, and what is dropped, is beside.

pub(crate) mod dropping;
pub(crate) mod facts;
pub(crate) mod untagged;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::metadata::{RetentionRecord, RetentionRun, RetentionState};
use wharf_core::writes::{Closed, WriteScope};
use wharf_oci::RepositoryName;

use crate::engine::{Result, Row, Statements, Transaction, arguments};
use crate::transactions::{repositories, writes};

/// `Retention::find_retention`
pub(crate) struct Find(pub(crate) RepositoryName);

#[async_trait]
impl Transaction for Find {
    type Output = Option<RetentionRecord>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let rows = on
            .query(
                "SELECT p.document, p.version, p.state, p.updated_by, p.updated_at,
                        u.version, u.ended_at, u.kept, u.dropped, u.problem
                 FROM repositories r JOIN retention_policies p ON p.repository_id = r.id
                 LEFT JOIN retention_runs u ON u.repository_id = r.id
                 WHERE r.name = $1 AND p.state <> 'removed'",
                arguments![self.0.as_str()],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let closed = writes::Ask(WriteScope::Repository(self.0.clone())).run(on).await?;
        record(row, closed).map(Some)
    }
}

fn record(row: &Row, closed: Option<Closed>) -> Result<RetentionRecord> {
    let state = row.text(2)?;
    let state = RetentionState::ALL.into_iter().find(|known| known.name() == state);
    let state =
        state.ok_or_else(|| StoreError::Corrupt("a policy is in a state that is none".into()))?;
    let last_run = match row.optional_int(5)? {
        Some(version) => Some(RetentionRun {
            version,
            ended_at: wharf_core::clock::Timestamp(row.int(6)?),
            kept: row.size(7)?,
            dropped: row.size(8)?,
            problem: row.optional_text(9)?,
        }),
        None => None,
    };
    Ok(RetentionRecord {
        document: row.text(0)?.to_owned(),
        version: row.int(1)?,
        state,
        updated_by: row.text(3)?.to_owned(),
        updated_at: wharf_core::clock::Timestamp(row.int(4)?),
        last_run,
        closed,
    })
}

/// `Retention::list_retention`
pub(crate) struct ListEnabled {
    pub(crate) after: Option<RepositoryName>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for ListEnabled {
    type Output = Vec<RepositoryName>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let after = self.after.as_ref().map(RepositoryName::as_str).unwrap_or_default();
        let rows = on
            .query(
                "SELECT r.name FROM repositories r JOIN retention_policies p ON p.repository_id = r.id
                 WHERE r.name > $1 AND r.name < '~' AND p.state = 'enabled' AND r.write_mode = 'writable'
                   AND EXISTS (SELECT 1 FROM site_writes WHERE mode = 'writable')
                 ORDER BY r.name LIMIT $2",
                arguments![after, self.limit],
            )
            .await?;
        rows.iter().map(|row| row.parsed(0)).collect()
    }
}

/// `Retention::record_retention_run`
pub(crate) struct RecordRun {
    pub(crate) repository: RepositoryName,
    pub(crate) run: RetentionRun,
}

#[async_trait]
impl Transaction for RecordRun {
    type Output = ();

    async fn run(&self, on: &mut dyn Statements) -> Result<()> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(());
        };
        let RetentionRun { version, kept, dropped, problem, .. } = &self.run;
        let now = on.now().await?;
        on.execute(
            "INSERT INTO retention_runs (repository_id, version, ended_at, kept, dropped, problem)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (repository_id) DO UPDATE SET
                 version = excluded.version, ended_at = excluded.ended_at, kept = excluded.kept,
                 dropped = excluded.dropped, problem = excluded.problem",
            arguments![repository, *version, now, *kept, *dropped, problem.clone()],
        )
        .await
        .map(drop)
    }
}

/// `Retention::forget_running`
pub(crate) struct ForgetRunning {
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for ForgetRunning {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        let now = on.now().await?;
        on.execute(
            "DELETE FROM running_manifests WHERE (repository_id, digest, reporter) IN (
                 SELECT repository_id, digest, reporter FROM running_manifests
                 WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2) AND ends_at <= $1",
            arguments![now, self.limit],
        )
        .await
    }
}

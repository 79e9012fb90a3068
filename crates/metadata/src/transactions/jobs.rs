//! The queue of jobs: claimed by one runner at a time, each claim with a number by which its holder is told from
//! one that was too slow.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{ClaimedJob, JobCount, JobOutcome, JobState, JobStatus, Lease, NewJob};

use crate::engine::{Dialect, Result, Row, Sees, Statements, Transaction, arguments};

#[async_trait]
impl Transaction for NewJob {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let due = on.now().await?.after(self.delay);
        let added = on
            .execute(
                "INSERT INTO jobs (kind, key, payload, due_at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (kind, key) DO NOTHING",
                arguments![self.kind.as_str(), self.key.as_str(), self.payload.as_str(), due],
            )
            .await?;
        Ok(added > 0)
    }
}

/// `Jobs::claim_job`
pub(crate) struct Claim {
    pub(crate) kinds: Vec<String>,
    pub(crate) lease: Duration,
}

/// When a job of each of the kinds in `$1`, a JSON array, is due first, the earliest before the others. Each costs
/// one look into the index, however many jobs of other kinds or of later times there are.
pub(crate) const fn first_due(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT kinds.value, (SELECT min(due_at) FROM jobs WHERE kind = kinds.value AND due_at IS NOT NULL) AS due
             FROM json_each($1) AS kinds ORDER BY due"
        }
        Dialect::Postgres => {
            "SELECT kinds.value, (SELECT min(due_at) FROM jobs WHERE kind = kinds.value AND due_at IS NOT NULL) AS due
             FROM jsonb_array_elements_text($1::text::jsonb) AS kinds (value) ORDER BY due"
        }
    }
}

/// The job of the kind `$1` that is due longest at `$2`.
pub(crate) const DUE_LONGEST: &str = "SELECT id, key, payload, attempts, claims FROM jobs
     WHERE kind = $1 AND due_at <= $2 ORDER BY due_at, id LIMIT 1";

#[async_trait]
impl Transaction for Claim {
    type Output = Option<ClaimedJob>;

    const SEES: Sees = Sees::EachCommit;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let now = on.now().await?;
        let (sql, kinds) = (first_due(on.dialect()), json!(self.kinds).to_string());
        for kind in on.query(sql, arguments![kinds]).await? {
            // Only one row is ever held, so that nobody passes over a job that is not claimed then.
            if kind.optional_int(1)?.is_some_and(|due| due <= now.0)
                && let Some(claimed) = self.claim(on, kind.text(0)?, now).await?
            {
                return Ok(Some(claimed));
            }
        }
        Ok(None)
    }
}

impl Claim {
    async fn claim(
        &self,
        on: &mut dyn Statements,
        kind: &str,
        now: Timestamp,
    ) -> Result<Option<ClaimedJob>> {
        let rows = on.query_free(DUE_LONGEST, arguments![kind, now]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let lease = Lease { id: row.int(0)?, claim: row.int(4)? + 1 };
        let attempt = row.int(3)? + 1;
        on.execute(
            "UPDATE jobs SET due_at = $1, leased = 1, attempts = $2, claims = $3 WHERE id = $4",
            arguments![now.after(self.lease), attempt, lease.claim, lease.id],
        )
        .await?;
        Ok(Some(ClaimedJob {
            lease,
            kind: kind.to_owned(),
            key: row.text(1)?.to_owned(),
            payload: row.text(2)?.to_owned(),
            attempt: count(attempt),
        }))
    }
}

fn count(attempts: i64) -> u32 {
    u32::try_from(attempts).unwrap_or(u32::MAX)
}

/// `Jobs::extend_lease`
pub(crate) struct Extend {
    pub(crate) held: Lease,
    pub(crate) lease: Duration,
}

#[async_trait]
impl Transaction for Extend {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let end = on.now().await?.after(self.lease);
        let changed = on
            .execute(
                "UPDATE jobs SET due_at = $1 WHERE id = $2 AND claims = $3 AND leased = 1",
                arguments![end, self.held.id, self.held.claim],
            )
            .await?;
        Ok(changed > 0)
    }
}

/// The longest reason of a failure that is kept, in bytes.
const LONGEST_ERROR: usize = 2000;

/// `Jobs::end_job`
pub(crate) struct End {
    pub(crate) held: Lease,
    pub(crate) outcome: JobOutcome,
}

#[async_trait]
impl Transaction for End {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let Lease { id, claim } = self.held;
        let now = on.now().await?;
        let changed = match &self.outcome {
            JobOutcome::Done => {
                on.execute(
                    "DELETE FROM jobs WHERE id = $1 AND claims = $2 AND leased = 1",
                    arguments![id, claim],
                )
                .await?
            }
            JobOutcome::Again(after) => {
                on.execute(
                    "UPDATE jobs SET due_at = $1, leased = 0, attempts = 0, last_error = NULL
                     WHERE id = $2 AND claims = $3 AND leased = 1",
                    arguments![now.after(*after), id, claim],
                )
                .await?
            }
            JobOutcome::Retry { after, error } => {
                self.failed(on, Some(now.after(*after)), error).await?
            }
            JobOutcome::Dead { error } => self.failed(on, None, error).await?,
            JobOutcome::GivenBack => {
                on.execute(
                    "UPDATE jobs SET due_at = $1, leased = 0, attempts = attempts - 1
                     WHERE id = $2 AND claims = $3 AND leased = 1",
                    arguments![now, id, claim],
                )
                .await?
            }
        };
        Ok(changed > 0)
    }
}

impl End {
    async fn failed(
        &self,
        on: &mut dyn Statements,
        due: Option<Timestamp>,
        error: &str,
    ) -> Result<u64> {
        on.execute(
            "UPDATE jobs SET due_at = $1, leased = 0, last_error = $2
             WHERE id = $3 AND claims = $4 AND leased = 1",
            arguments![
                due,
                &error[..error.floor_char_boundary(LONGEST_ERROR)],
                self.held.id,
                self.held.claim
            ],
        )
        .await
    }
}

/// `Jobs::list_jobs`
pub(crate) struct List {
    pub(crate) after: i64,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for List {
    type Output = Vec<JobStatus>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let now = on.now().await?;
        let rows = on
            .query(
                "SELECT id, kind, key, due_at, leased, attempts, last_error FROM jobs
                 WHERE id > $1 ORDER BY id LIMIT $2",
                arguments![self.after, self.limit],
            )
            .await?;
        rows.iter().map(|row| status(row, now)).collect()
    }
}

fn status(row: &Row, now: Timestamp) -> Result<JobStatus> {
    let due = row.optional_int(3)?.map(Timestamp);
    let state = match (due, row.int(4)?) {
        (None, _) => JobState::Dead,
        (Some(end), 1) if end > now => JobState::Running,
        (Some(_), _) => JobState::Waiting,
    };
    Ok(JobStatus {
        id: row.int(0)?,
        kind: row.text(1)?.to_owned(),
        key: row.text(2)?.to_owned(),
        state,
        attempts: count(row.int(5)?),
        due,
        last_error: row.optional_text(6)?,
    })
}

/// `Jobs::count_jobs`
pub(crate) struct Count;

#[async_trait]
impl Transaction for Count {
    type Output = Vec<JobCount>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let now = on.now().await?;
        let rows = on
            .query(
                "SELECT kind, CAST(CASE WHEN due_at IS NULL THEN 2 WHEN leased = 1 AND due_at > $1 THEN 1
                     ELSE 0 END AS bigint), count(*)
                 FROM jobs GROUP BY 1, 2",
                arguments![now],
            )
            .await?;
        let counted = rows.iter().map(|row| {
            let state = match row.int(1)? {
                0 => JobState::Waiting,
                1 => JobState::Running,
                _ => JobState::Dead,
            };
            Ok(JobCount { kind: row.text(0)?.to_owned(), state, count: row.size(2)? })
        });
        counted.collect()
    }
}

/// `Jobs::revive_job`
pub(crate) struct Revive(pub(crate) i64);

#[async_trait]
impl Transaction for Revive {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let now = on.now().await?;
        let changed = on
            .execute(
                "UPDATE jobs SET due_at = $1, attempts = 0 WHERE id = $2 AND due_at IS NULL",
                arguments![now, self.0],
            )
            .await?;
        Ok(changed > 0)
    }
}

/// `Jobs::hasten_job`
pub(crate) struct Hasten(pub(crate) NewJob);

#[async_trait]
impl Transaction for Hasten {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let NewJob { kind, key, payload, .. } = &self.0;
        let now = on.now().await?;
        // One that is due already keeps its place; one whose lease has ended is still its runner's until another comes.
        let changed = on
            .execute(
                "INSERT INTO jobs (kind, key, payload, due_at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (kind, key) DO UPDATE SET
                     due_at = CASE WHEN jobs.due_at < excluded.due_at THEN jobs.due_at ELSE excluded.due_at END,
                     attempts = CASE WHEN jobs.leased = 1 THEN jobs.attempts ELSE 0 END
                 WHERE jobs.due_at IS NULL OR jobs.leased = 0 OR jobs.due_at <= excluded.due_at",
                arguments![kind.as_str(), key.as_str(), payload.as_str(), now],
            )
            .await?;
        Ok(changed > 0)
    }
}

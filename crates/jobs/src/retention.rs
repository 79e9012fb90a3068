//! Runs the policies of retention: a job that looks which repositories have one, and one job for each of these, which nodes share.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::metadata::{JobOutcome, Jobs, NewJob, Retention};
use wharf_core::retention::{PullsKnown, RunOutcome, Sweeper};

use crate::Handler;
use crate::upkeep::{again, until_nothing};

/// The kind of the job that looks which repositories have a policy.
pub(crate) const SCHEDULE: &str = "retention.schedule";

/// The kind of the jobs of single repositories.
const RUN: &str = "retention.run";

/// How many repositories are looked for at once, and how many reports are forgotten in one go.
const BATCH: usize = 500;

/// How policies are run.
#[derive(Clone, Copy, Debug)]
pub struct RetentionRules {
    /// How long it rests between two runs of all policies.
    pub interval: Duration,
    /// How long it rests after each tag that is dropped.
    pub pause: Duration,
    /// For how long pulls are known.
    pub pulls: PullsKnown,
}

impl Default for RetentionRules {
    /// Once a day, up to a hundred tags a second.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        let pulls = PullsKnown { keep: Some(DAY * 400) };
        Self { interval: DAY, pause: Duration::from_millis(10), pulls }
    }
}

/// Makes the job of each repository with an enabled policy due.
pub struct RetentionSchedule {
    retention: Arc<dyn Retention>,
    jobs: Arc<dyn Jobs>,
    interval: Duration,
}

impl RetentionSchedule {
    /// Does so every `interval`.
    pub const fn new(
        retention: Arc<dyn Retention>,
        jobs: Arc<dyn Jobs>,
        interval: Duration,
    ) -> Self {
        Self { retention, jobs, interval }
    }

    async fn look(&self) -> Result<(), StoreError> {
        until_nothing(|| self.retention.forget_running(BATCH)).await?;
        let mut after = None;
        loop {
            let found = self.retention.list_retention(after.take(), BATCH).await?;
            for repository in &found {
                let (kind, key) = (RUN.to_owned(), repository.to_string());
                let payload = serde_json::json!({ "repository": key }).to_string();
                // One that was set aside, as its policy could not be read, is tried again: it may have been mended.
                let job = NewJob { kind, key, payload, delay: Duration::ZERO };
                self.jobs.hasten_job(job).await?;
            }
            if found.len() < BATCH {
                return Ok(());
            }
            after = found.into_iter().last();
        }
    }
}

#[async_trait]
impl Handler for RetentionSchedule {
    fn kind(&self) -> &'static str {
        SCHEDULE
    }

    async fn run(&self, _: &str) -> JobOutcome {
        again(self.look().await, self.interval)
    }
}

/// Runs the policy of one repository.
pub struct RetentionRun {
    sweeper: Sweeper,
}

impl RetentionRun {
    /// By this sweeper.
    pub const fn new(sweeper: Sweeper) -> Self {
        Self { sweeper }
    }
}

#[async_trait]
impl Handler for RetentionRun {
    fn kind(&self) -> &'static str {
        RUN
    }

    async fn run(&self, payload: &str) -> JobOutcome {
        let payload: serde_json::Value = serde_json::from_str(payload).unwrap_or_default();
        let Some(repository) = payload["repository"].as_str() else {
            return JobOutcome::Dead { error: "its payload names no repository".into() };
        };
        match self.sweeper.run(repository).await {
            Ok(RunOutcome::Idle) => JobOutcome::Done,
            Ok(RunOutcome::Done(turn)) => {
                if turn.dropped > 0 {
                    let (dropped, kept) = (turn.dropped, turn.kept);
                    tracing::info!(repository, dropped, kept, "a retention policy dropped tags");
                }
                JobOutcome::Done
            }
            Ok(RunOutcome::More(_)) => JobOutcome::Again(Duration::ZERO),
            Ok(RunOutcome::Refused(error)) => JobOutcome::Dead { error },
            Err(fault) => JobOutcome::Retry { after: Duration::ZERO, error: fault.to_string() },
        }
    }
}

//! One job that this runner holds: its work, and the lease that is extended for as long as it takes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use wharf_core::metadata::{ClaimedJob, JobOutcome, Jobs};

use crate::backoff::part;
use crate::counters::RunEnd;
use crate::runner::RunnerRules;
use crate::{Handler, RunCounters};

/// How long work that was told to end may take to do so.
const LETTING_GO: Duration = Duration::from_secs(5);

/// The pause between two tries to tell the queue how a run ended.
const PAUSE: Duration = Duration::from_secs(1);

/// A job that this runner holds.
pub(crate) struct Hold {
    pub(crate) jobs: Arc<dyn Jobs>,
    pub(crate) rules: RunnerRules,
    pub(crate) job: ClaimedJob,
    /// Whether it is never set aside.
    pub(crate) recurring: bool,
    pub(crate) counters: Arc<RunCounters>,
    /// Until when it is this runner's for certain.
    pub(crate) until: Instant,
}

/// How the work ended.
enum Ended {
    /// With an outcome.
    With(JobOutcome),
    /// The job is another runner's, or may be by now; or the work does not stop.
    Lost,
}

impl Hold {
    /// Runs the job and tells the queue how it ended. `stopping` turns true when the process is to stop.
    pub(crate) async fn run(mut self, handler: Arc<dyn Handler>, stopping: watch::Receiver<bool>) {
        let (kind, began) = (handler.kind(), Instant::now());
        let counters = Arc::clone(&self.counters);
        let count = |end| counters.count(kind, end, began.elapsed());
        let attempt = self.job.attempt;
        if attempt > self.rules.attempts && !self.recurring {
            let error = format!("its runner ended {} times without a word", attempt - 1);
            count(RunEnd::Dead);
            return self.end(JobOutcome::Dead { error }).await;
        }
        let payload = self.job.payload.clone();
        // In a task of its own, so that a panic of it is one failure and no more.
        let mut work = Work(tokio::spawn(async move { handler.run(&payload).await }));
        match self.watch(&mut work, stopping).await {
            Ended::With(outcome) => {
                let outcome = self.after_rules(outcome);
                count(RunEnd::of(&outcome));
                self.end(outcome).await;
            }
            Ended::Lost => {
                count(RunEnd::Lost);
                tracing::warn!(
                    kind,
                    key = self.job.key,
                    "a job is left to whichever runner claims it next"
                );
            }
        }
    }

    async fn watch(&mut self, work: &mut Work, mut stopping: watch::Receiver<bool>) -> Ended {
        let limit = Instant::now() + self.rules.run_limit;
        let mut extend = self.until - self.rules.lease * 2 / 3;
        let mut stop = None;
        loop {
            let last = stop.map_or(limit, |stop: Instant| stop.min(limit));
            tokio::select! {
                biased;
                done = &mut work.0 => {
                    return Ended::With(done.unwrap_or_else(|_| retry("it panicked")));
                }
                () = sleep_until(last) => {
                    let outcome = if last < limit {
                        JobOutcome::GivenBack
                    } else {
                        retry(&format!("it took longer than {:?}", self.rules.run_limit))
                    };
                    return if work.let_go().await { Ended::With(outcome) } else { Ended::Lost };
                }
                () = sleep_until(extend) => {
                    if !self.extend().await {
                        work.let_go().await;
                        return Ended::Lost;
                    }
                    let rest = self.until.saturating_duration_since(Instant::now());
                    extend = Instant::now() + rest / 3;
                }
                () = told(&mut stopping), if stop.is_none() => {
                    stop = Some(Instant::now() + self.rules.grace);
                }
            }
        }
    }

    /// Extends the lease. `false` when the job is not this runner's any more, or may not be.
    async fn extend(&mut self) -> bool {
        let asked = Instant::now();
        let patience = self.until.saturating_duration_since(asked) / 2;
        let extending = self.jobs.extend_lease(self.job.lease, self.rules.lease);
        match timeout(patience, extending).await {
            Ok(Ok(true)) => self.until = asked + self.rules.lease,
            Ok(Ok(false)) => return false,
            Ok(Err(error)) => {
                tracing::warn!(kind = self.job.kind, %error, "a lease was not extended")
            }
            Err(_) => tracing::warn!(kind = self.job.kind, "a lease was not extended in time"),
        }
        // So near its end that asking again makes no sense.
        self.until.saturating_duration_since(Instant::now()) > self.rules.lease / 20
    }

    /// What the rules make of an outcome: waits that grow, an end to tries.
    fn after_rules(&self, outcome: JobOutcome) -> JobOutcome {
        let backoff =
            |error| JobOutcome::Retry { after: self.rules.backoff.pause(self.job.attempt), error };
        match outcome {
            JobOutcome::Retry { error, .. }
                if self.job.attempt >= self.rules.attempts && !self.recurring =>
            {
                JobOutcome::Dead { error }
            }
            JobOutcome::Retry { after, error } => JobOutcome::Retry {
                after: after.max(self.rules.backoff.pause(self.job.attempt)),
                error,
            },
            JobOutcome::Dead { error } if self.recurring => backoff(error),
            other => other,
        }
    }

    /// Tells the queue how the run ended, for as long as the job is this runner's.
    async fn end(&self, outcome: JobOutcome) {
        let ClaimedJob { kind, key, attempt, lease, .. } = &self.job;
        match &outcome {
            JobOutcome::Retry { after, error } => {
                tracing::warn!(
                    kind,
                    key,
                    attempt,
                    error,
                    "a job failed; it is tried again after {after:?}"
                );
            }
            JobOutcome::Dead { error } => {
                tracing::error!(
                    kind,
                    key,
                    attempt,
                    error,
                    "a job was set aside until it is revived"
                );
            }
            _ => {}
        }
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            match timeout(left, self.jobs.end_job(*lease, outcome.clone())).await {
                Ok(Ok(true)) => return,
                Ok(Ok(false)) => break,
                Ok(Err(error)) => {
                    tracing::warn!(kind, key, %error, "the end of a job was not taken")
                }
                Err(_) => break,
            }
            sleep(part(PAUSE)).await;
        }
        tracing::warn!(kind, key, "a job had ended, and another runner does it once more");
    }
}

/// Waits until the process is to stop; a sender that is gone tells the same.
async fn told(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn retry(error: &str) -> JobOutcome {
    JobOutcome::Retry { after: Duration::ZERO, error: error.to_owned() }
}

/// The task of a handler. Dropped, it is told to end.
struct Work(JoinHandle<JobOutcome>);

impl Work {
    /// Tells it to end. `false` when it does not: work that never waits cannot be stopped.
    async fn let_go(&mut self) -> bool {
        self.0.abort();
        timeout(LETTING_GO, &mut self.0).await.is_ok()
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.abort();
    }
}

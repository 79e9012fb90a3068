//! The runner: claims jobs that are due, a bounded number at once, and hands each to the code of its kind.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use wharf_core::metadata::{Jobs, NewJob};

use crate::backoff::part;
use crate::hold::Hold;
use crate::{Backoff, Handler, RunCounters};

/// How long the queue is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The waits while the queue cannot be reached.
const AWAY: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };

/// How a queue is worked off.
#[derive(Clone, Copy, Debug)]
pub struct RunnerRules {
    /// How many jobs run at once.
    pub concurrency: usize,
    /// How long a job is held at a time: how long it rests when this process dies.
    pub lease: Duration,
    /// How long to wait, at most, before looking again into a queue where nothing was due.
    pub poll: Duration,
    /// How long one run may take.
    pub run_limit: Duration,
    /// How often a job is tried before it is set aside.
    pub attempts: u32,
    /// How long to wait before a job that failed is tried again.
    pub backoff: Backoff,
    /// How long jobs may go on when the process is to stop.
    pub grace: Duration,
}

impl Default for RunnerRules {
    fn default() -> Self {
        Self {
            concurrency: 4,
            lease: Duration::from_secs(60),
            poll: Duration::from_secs(2),
            run_limit: Duration::from_secs(3600),
            attempts: 12,
            backoff: Backoff { first: Duration::from_secs(5), longest: Duration::from_secs(900) },
            grace: Duration::from_secs(10),
        }
    }
}

/// A runner of jobs. Any number of them may share a queue.
pub struct Runner {
    jobs: Arc<dyn Jobs>,
    rules: RunnerRules,
    kinds: BTreeMap<&'static str, Kind>,
    counters: Arc<RunCounters>,
}

#[derive(Clone)]
struct Kind {
    handler: Arc<dyn Handler>,
    recurring: bool,
}

impl Runner {
    /// A runner that knows no kind of job yet.
    pub fn new(jobs: Arc<dyn Jobs>, rules: RunnerRules) -> Self {
        Self { jobs, rules, kinds: BTreeMap::new(), counters: Arc::default() }
    }

    /// Counts runs there.
    #[must_use]
    pub fn counting(self, counters: Arc<RunCounters>) -> Self {
        Self { counters, ..self }
    }

    /// Runs jobs of this kind.
    #[must_use]
    pub fn handling(self, handler: impl Handler) -> Self {
        self.with(handler, false)
    }

    /// Runs the one job of this kind, which is there from the start and comes
    /// [`Again`](wharf_core::metadata::JobOutcome::Again) and again. Whatever fails, it is never set aside.
    #[must_use]
    pub fn recurring(self, handler: impl Handler) -> Self {
        self.with(handler, true)
    }

    fn with(mut self, handler: impl Handler, recurring: bool) -> Self {
        self.kinds.insert(handler.kind(), Kind { handler: Arc::new(handler), recurring });
        self
    }

    /// Works the queue off until `stop`. Jobs that run then may go on for a while; one that does not end in that
    /// time is given back.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let (stopping, watching) = watch::channel(false);
        let mut running = JoinSet::new();
        let recurring = self.kinds.iter().filter(|(_, kind)| kind.recurring);
        let mut missing: Vec<_> = recurring.map(|(kind, _)| *kind).collect();
        let (mut pause, mut failures) = (Duration::ZERO, 0);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = running.join_next() => continue,
                () = sleep(pause), if running.len() < self.rules.concurrency.max(1) => {}
            }
            let looked = match self.enqueue(&mut missing).await {
                Ok(()) => self.claim().await,
                Err(error) => Err(error),
            };
            pause = match looked {
                Ok(Some((hold, handler))) => {
                    failures = 0;
                    running.spawn(hold.run(handler, watching.clone()));
                    Duration::ZERO
                }
                Ok(None) => {
                    failures = 0;
                    part(self.rules.poll)
                }
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        tracing::warn!(error, "the queue of jobs cannot be reached");
                    }
                    AWAY.pause(failures)
                }
            };
        }
        stopping.send_replace(true);
        while running.join_next().await.is_some() {}
    }

    /// Sees to it that the jobs of recurring kinds are there.
    async fn enqueue(&self, missing: &mut Vec<&'static str>) -> Result<(), String> {
        while let Some(kind) = missing.last() {
            let (kind, key) = ((*kind).to_owned(), String::new());
            let job = NewJob { kind, key, payload: "{}".into(), delay: Duration::ZERO };
            in_time(self.jobs.enqueue_job(job)).await?;
            missing.pop();
        }
        Ok(())
    }

    async fn claim(&self) -> Result<Option<(Hold, Arc<dyn Handler>)>, String> {
        let kinds = self.kinds.keys().map(|kind| (*kind).to_owned()).collect();
        let until = Instant::now() + self.rules.lease;
        let Some(job) = in_time(self.jobs.claim_job(kinds, self.rules.lease)).await? else {
            return Ok(None);
        };
        let Some(Kind { handler, recurring }) = self.kinds.get(job.kind.as_str()).cloned() else {
            return Err(format!("the queue gave a job of the kind {:?}", job.kind));
        };
        let (jobs, counters) = (Arc::clone(&self.jobs), Arc::clone(&self.counters));
        Ok(Some((Hold { jobs, rules: self.rules, job, recurring, counters, until }, handler)))
    }
}

async fn in_time<T, E: ToString>(asking: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match timeout(PATIENCE, asking).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("it did not answer within {PATIENCE:?}")),
    }
}

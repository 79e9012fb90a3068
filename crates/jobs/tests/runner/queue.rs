//! A queue in memory by the runtime's clock, which can be away, and whose runners can be robbed of their jobs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use wharf_core::StoreError;
use wharf_core::metadata::{ClaimedJob, JobCount, JobOutcome, JobStatus, Jobs, Lease, NewJob};

#[derive(Clone, Debug)]
pub struct Job {
    pub id: i64,
    pub kind: String,
    pub key: String,
    payload: String,
    /// `None` where it was set aside.
    pub due: Option<Instant>,
    pub leased: bool,
    pub attempts: u32,
    claims: i64,
    pub last_error: Option<String>,
}

#[derive(Default)]
pub struct Queue {
    jobs: Mutex<Vec<Job>>,
    pub away: AtomicBool,
}

impl Queue {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn jobs(&self) -> Vec<Job> {
        self.jobs.lock().unwrap().clone()
    }

    /// The one job there is.
    pub fn only(&self) -> Job {
        let mut jobs = self.jobs();
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        jobs.remove(0)
    }

    /// Lets another runner have every job.
    pub fn rob(&self) {
        for job in &mut *self.jobs.lock().unwrap() {
            job.claims += 1;
        }
    }

    /// As if runners had died with the job that often.
    pub fn set_attempts(&self, attempts: u32) {
        for job in &mut *self.jobs.lock().unwrap() {
            job.attempts = attempts;
        }
    }

    fn open(&self) -> Result<std::sync::MutexGuard<'_, Vec<Job>>, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("away, on purpose".into()));
        }
        Ok(self.jobs.lock().unwrap())
    }
}

#[async_trait]
impl Jobs for Queue {
    async fn enqueue_job(&self, new: NewJob) -> Result<bool, StoreError> {
        let mut jobs = self.open()?;
        if jobs.iter().any(|job| job.kind == new.kind && job.key == new.key) {
            return Ok(false);
        }
        let id = jobs.len() as i64 + 1;
        jobs.push(Job {
            id,
            kind: new.kind,
            key: new.key,
            payload: new.payload,
            due: Some(Instant::now() + new.delay),
            leased: false,
            attempts: 0,
            claims: 0,
            last_error: None,
        });
        Ok(true)
    }

    async fn claim_job(
        &self,
        kinds: Vec<String>,
        lease: Duration,
    ) -> Result<Option<ClaimedJob>, StoreError> {
        let mut jobs = self.open()?;
        let due = |job: &&mut Job| {
            kinds.contains(&job.kind) && job.due.is_some_and(|due| due <= Instant::now())
        };
        let Some(job) = jobs.iter_mut().filter(due).min_by_key(|job| job.due) else {
            return Ok(None);
        };
        job.due = Some(Instant::now() + lease);
        job.leased = true;
        job.attempts += 1;
        job.claims += 1;
        Ok(Some(ClaimedJob {
            lease: Lease { id: job.id, claim: job.claims },
            kind: job.kind.clone(),
            key: job.key.clone(),
            payload: job.payload.clone(),
            attempt: job.attempts,
        }))
    }

    async fn extend_lease(&self, held: Lease, lease: Duration) -> Result<bool, StoreError> {
        let mut jobs = self.open()?;
        let job = jobs.iter_mut().find(|job| job.id == held.id && job.claims == held.claim);
        Ok(job.map(|job| job.due = Some(Instant::now() + lease)).is_some())
    }

    async fn end_job(&self, held: Lease, outcome: JobOutcome) -> Result<bool, StoreError> {
        let mut jobs = self.open()?;
        let place =
            jobs.iter().position(|job| job.id == held.id && job.claims == held.claim && job.leased);
        let Some(place) = place else { return Ok(false) };
        let job = &mut jobs[place];
        job.leased = false;
        match outcome {
            JobOutcome::Done => drop(jobs.remove(place)),
            JobOutcome::Again(after) => {
                job.due = Some(Instant::now() + after);
                job.attempts = 0;
                job.last_error = None;
            }
            JobOutcome::Retry { after, error } => {
                job.due = Some(Instant::now() + after);
                job.last_error = Some(error);
            }
            JobOutcome::Dead { error } => {
                job.due = None;
                job.last_error = Some(error);
            }
            JobOutcome::GivenBack => {
                job.due = Some(Instant::now());
                job.attempts -= 1;
            }
        }
        Ok(true)
    }

    async fn list_jobs(&self, _: i64, _: usize) -> Result<Vec<JobStatus>, StoreError> {
        unreachable!("a runner lists nothing")
    }

    async fn count_jobs(&self) -> Result<Vec<JobCount>, StoreError> {
        unreachable!("a runner counts nothing")
    }

    async fn hasten_job(&self, _: NewJob) -> Result<bool, StoreError> {
        unreachable!("a runner hastens nothing")
    }

    async fn revive_job(&self, _: i64) -> Result<bool, StoreError> {
        unreachable!("a runner revives nothing")
    }
}

//! The queue of background work: durable, shared by all nodes, one runner per job at a time.

use std::time::Duration;

use async_trait::async_trait;

use crate::StoreError;
use crate::clock::Timestamp;

/// Work to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// What is to be done: chooses the code that does it.
    pub kind: String,
    /// What it is to be done to. Of one kind and key there is one job at most.
    pub key: String,
    /// What the code needs to know, as JSON.
    pub payload: String,
    /// How long it waits first.
    pub delay: Duration,
}

/// A job that this runner holds until its lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedJob {
    /// What proves that it is this runner's.
    pub lease: Lease,
    /// Its kind.
    pub kind: String,
    /// Its key.
    pub key: String,
    /// Its payload.
    pub payload: String,
    /// Which try this is, from 1.
    pub attempt: u32,
}

/// The hold on a job. Whoever was too slow and lost it changes nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The job's number.
    pub id: i64,
    /// How often the job had been claimed by then, this time included.
    pub claim: i64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    /// It is done, and forgotten.
    Done,
    /// It is done for now, and due again after a while.
    Again(Duration),
    /// It failed and is tried again after a while.
    Retry {
        /// After how long.
        after: Duration,
        /// Why it failed, for operators.
        error: String,
    },
    /// It failed and is set aside until someone asks for it to be run again.
    Dead {
        /// Why it failed, for operators.
        error: String,
    },
    /// The runner stops before the job is done: it is due at once, as if this run had not been.
    GivenBack,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It waits for its time or for a runner.
    Waiting,
    /// A runner holds it.
    Running,
    /// It was set aside.
    Dead,
}

/// A job as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobStatus {
    /// Its number.
    pub id: i64,
    /// Its kind.
    pub kind: String,
    /// Its key.
    pub key: String,
    /// Where it stands.
    pub state: JobState,
    /// How often it was begun since it last succeeded.
    pub attempts: u32,
    /// When it is due, or when its lease ends; `None` where it was set aside.
    pub due: Option<Timestamp>,
    /// Why it last failed.
    pub last_error: Option<String>,
}

/// How many jobs of a kind stand somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCount {
    /// The kind.
    pub kind: String,
    /// Where they stand.
    pub state: JobState,
    /// How many.
    pub count: u64,
}

/// The queue.
#[async_trait]
pub trait Jobs: Send + Sync + 'static {
    /// Adds a job. `false` when there is one of that kind and key already, which stays as it is.
    async fn enqueue_job(&self, job: NewJob) -> Result<bool, StoreError>;

    /// Claims the job of one of `kinds` that is due longest, for `lease`; jobs that another runner claims at
    /// this moment are passed over. A job whose runner let its lease end is due again.
    async fn claim_job(
        &self,
        kinds: Vec<String>,
        lease: Duration,
    ) -> Result<Option<ClaimedJob>, StoreError>;

    /// Holds a job for `lease` from now, also where its lease has ended and nobody else has claimed it yet.
    /// `false` when the job is not this runner's any more.
    async fn extend_lease(&self, held: Lease, lease: Duration) -> Result<bool, StoreError>;

    /// Ends a run. `false` when the job was not this runner's any more; nothing changes then.
    async fn end_job(&self, held: Lease, outcome: JobOutcome) -> Result<bool, StoreError>;

    /// Jobs with numbers behind `after`, in their order.
    async fn list_jobs(&self, after: i64, limit: usize) -> Result<Vec<JobStatus>, StoreError>;

    /// How many jobs there are, by kind and where they stand; kinds and states without any are left out.
    async fn count_jobs(&self) -> Result<Vec<JobCount>, StoreError>;

    /// Makes a job that was set aside due now, with its attempts forgotten. `false` when none is.
    async fn revive_job(&self, id: i64) -> Result<bool, StoreError>;

    /// Makes the job of that kind and key due now, with its attempts forgotten; adds it, whatever its delay, where there
    /// is none. `false` when a runner holds it: it runs already, and stays as it is.
    async fn hasten_job(&self, job: NewJob) -> Result<bool, StoreError>;
}

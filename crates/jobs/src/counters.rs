//! How runs of jobs ended and how long they took, by kind: counted since the process began.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wharf_core::metadata::JobOutcome;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunEnd {
    /// It did what was to be done.
    Done,
    /// It failed and is tried again.
    Failed,
    /// It failed and was set aside.
    Dead,
    /// The process stopped before it was done.
    GivenBack,
    /// Another runner has the job, or may have it.
    Lost,
}

impl RunEnd {
    pub(crate) const fn of(outcome: &JobOutcome) -> Self {
        match outcome {
            JobOutcome::Done | JobOutcome::Again(_) => Self::Done,
            JobOutcome::Retry { .. } => Self::Failed,
            JobOutcome::Dead { .. } => Self::Dead,
            JobOutcome::GivenBack => Self::GivenBack,
        }
    }
}

/// Runs of one kind that ended alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// How many.
    pub count: u64,
    /// How long they took together.
    pub time: Duration,
}

/// The counts: as many as the code knows kinds of jobs, times the ways to end.
#[derive(Debug, Default)]
pub struct RunCounters(Mutex<Counts>);

type Counts = BTreeMap<(&'static str, RunEnd), Runs>;

impl RunCounters {
    /// All runs that have ended so far, by kind and end.
    pub fn all(&self) -> Vec<(&'static str, RunEnd, Runs)> {
        let counts = self.counts();
        counts.iter().map(|((kind, end), runs)| (*kind, *end, *runs)).collect()
    }

    pub(crate) fn count(&self, kind: &'static str, end: RunEnd, time: Duration) {
        let mut counts = self.counts();
        let runs = counts.entry((kind, end)).or_default();
        runs.count += 1;
        runs.time += time;
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

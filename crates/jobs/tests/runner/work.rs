//! A handler that notes what it was asked, takes as long as it is told, and ends as it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};
use wharf_core::metadata::JobOutcome;
use wharf_jobs::Handler;

/// What was seen of a handler.
#[derive(Default)]
pub struct Notes {
    /// When each run began, with its payload.
    pub begun: Mutex<Vec<(Instant, String)>>,
    /// How many runs came to their end.
    pub ended: Mutex<usize>,
    /// How many run now, and how many did at most.
    at_once: Mutex<(usize, usize)>,
}

impl Notes {
    pub fn begun(&self) -> usize {
        self.begun.lock().unwrap().len()
    }

    pub fn ended(&self) -> usize {
        *self.ended.lock().unwrap()
    }

    pub fn running(&self) -> usize {
        self.at_once.lock().unwrap().0
    }

    pub fn most_at_once(&self) -> usize {
        self.at_once.lock().unwrap().1
    }

    /// How long it was between the beginnings of runs.
    pub fn pauses(&self) -> Vec<Duration> {
        let begun = self.begun.lock().unwrap();
        begun.iter().zip(&begun[1..]).map(|(one, next)| next.0 - one.0).collect()
    }
}

pub struct Work {
    pub kind: &'static str,
    pub takes: Duration,
    pub ends: Box<dyn Fn() -> JobOutcome + Send + Sync>,
    pub notes: Arc<Notes>,
}

impl Work {
    pub fn new(
        notes: &Arc<Notes>,
        takes: Duration,
        ends: impl Fn() -> JobOutcome + Send + Sync + 'static,
    ) -> Self {
        Self { kind: "work", takes, ends: Box::new(ends), notes: notes.clone() }
    }
}

/// Counts a run for as long as it lives, however it ends.
struct Here(Arc<Notes>);

impl Here {
    fn new(notes: &Arc<Notes>) -> Self {
        let mut at_once = notes.at_once.lock().unwrap();
        at_once.0 += 1;
        at_once.1 = at_once.1.max(at_once.0);
        Self(notes.clone())
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.0.at_once.lock().unwrap().0 -= 1;
    }
}

#[async_trait]
impl Handler for Work {
    fn kind(&self) -> &'static str {
        self.kind
    }

    async fn run(&self, payload: &str) -> JobOutcome {
        let _here = Here::new(&self.notes);
        self.notes.begun.lock().unwrap().push((Instant::now(), payload.to_owned()));
        sleep(self.takes).await;
        *self.notes.ended.lock().unwrap() += 1;
        (self.ends)()
    }
}

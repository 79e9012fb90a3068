//! Scrubs: a job for each pass over store and database, which goes on where the last turn was recorded, and rests when it came to the end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::metadata::{FoundKind, JobOutcome, Jobs, NewJob, Pass};
use wharf_core::scrub::{Scrubbed, Scrubber, TurnEnd};

use crate::Handler;

/// How often what is done.
#[derive(Clone, Copy, Debug)]
pub struct ScrubSettings {
    /// How many bytes a second are read to be hashed, at most.
    pub bytes_per_second: u64,
    /// How long it rests when all objects, or all references, were looked at.
    pub interval: Duration,
    /// How long it rests when the contents of all blobs, or of all manifests, were.
    pub contents_interval: Duration,
}

impl Default for ScrubSettings {
    /// Looks at objects and references every day, and at contents every 30 days, with 10 MiB a second.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self { bytes_per_second: 10 << 20, interval: DAY, contents_interval: DAY * 30 }
    }
}

/// The kind of the job of a pass.
pub const fn scrub_kind(pass: Pass) -> &'static str {
    match pass {
        Pass::Objects => "scrub.objects",
        Pass::Quarantined => "scrub.quarantined",
        Pass::References => "scrub.references",
        Pass::Manifests => "scrub.manifests",
        Pass::Contents => "scrub.contents",
    }
}

/// What was scrubbed in this process.
#[derive(Debug, Default)]
pub struct ScrubCounters(Mutex<ScrubFigures>);

/// The figures of [`ScrubCounters`].
#[derive(Clone, Debug, Default)]
pub struct ScrubFigures {
    /// What was done here, by pass.
    pub done: BTreeMap<Pass, Scrubbed>,
    /// How many findings of each kind were open when a turn last ended here.
    pub open: Option<Vec<(FoundKind, u64)>>,
}

impl ScrubCounters {
    /// What was done so far.
    pub fn figures(&self) -> ScrubFigures {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, ScrubFigures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The job of a pass.
pub struct Scrub {
    scrubber: Scrubber,
    pass: Pass,
    interval: Duration,
    queue: Arc<dyn Jobs>,
    counters: Arc<ScrubCounters>,
}

impl Scrub {
    /// The jobs of all passes, of this queue.
    pub fn all(
        scrubber: &Scrubber,
        queue: &Arc<dyn Jobs>,
        settings: &ScrubSettings,
        counters: &Arc<ScrubCounters>,
    ) -> [Self; Pass::ALL.len()] {
        Pass::ALL.map(|pass| Self {
            scrubber: scrubber.clone(),
            pass,
            interval: match pass {
                Pass::Manifests | Pass::Contents => settings.contents_interval,
                _ => settings.interval,
            },
            queue: Arc::clone(queue),
            counters: Arc::clone(counters),
        })
    }

    /// Has copies looked for of what was just taken out of use. Where that fails they are looked for in time.
    async fn hasten_repairs(&self) {
        let kind = scrub_kind(Pass::Quarantined).to_owned();
        let (key, payload) = (String::new(), "{}".to_owned());
        let job = NewJob { kind, key, payload, delay: Duration::ZERO };
        if let Err(error) = self.queue.hasten_job(job).await {
            tracing::warn!(%error, "copies of what is quarantined are not looked for at once");
        }
    }
}

#[async_trait]
impl Handler for Scrub {
    fn kind(&self) -> &'static str {
        scrub_kind(self.pass)
    }

    async fn run(&self, _: &str) -> JobOutcome {
        let mut done = Scrubbed::default();
        let ended = self.scrubber.turn(self.pass, &mut done).await;
        let open = self.scrubber.integrity.count_findings().await;
        let (pass, faults, unknown) = (self.pass.name(), done.faults(), done.unknown);
        let repaired = done.repaired_blobs + done.repaired_manifests;
        if faults + unknown + done.restored + repaired + done.resolved > 0 {
            let Scrubbed { restored, resolved, .. } = done;
            tracing::info!(pass, faults, unknown, restored, repaired, resolved, "scrubbed");
        }
        if self.pass != Pass::Quarantined && done.has_quarantined() {
            self.hasten_repairs().await;
        }
        {
            let mut figures = self.counters.lock();
            *figures.done.entry(self.pass).or_default() += done;
            // What the database does not say stays as it was.
            figures.open = open.ok().or(figures.open.take());
        }
        match ended {
            Ok(TurnEnd::Whole) => JobOutcome::Again(self.interval),
            Ok(TurnEnd::Part) => JobOutcome::Again(Duration::ZERO),
            Err(fault) => JobOutcome::Retry { after: Duration::ZERO, error: fault.to_string() },
        }
    }
}

//! Background work: the runner of the durable queue of jobs, and each job that a registry has, in a file of its own.
//!
//! A job may run twice: its process can end between the work and the word that it is done. So whatever a handler
//! does, it does in a way that may be done again.

mod account_upkeep;
mod adoption;
mod audit_export;
mod backoff;
mod count_upkeep;
mod counters;
mod drains;
mod event_upkeep;
mod expired_uploads;
mod garbage;
mod garbage_counters;
mod handler;
mod hold;
mod leftovers;
mod retention;
mod runner;
mod scrub;
mod tag_history;
mod upkeep;
mod usage_count;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use wharf_core::Registry;
use wharf_core::adoption::Adopter;
use wharf_core::blobs::StoredObjects;
use wharf_core::metadata::{
    Accounts, AuditReaders, Counts, EventLog, Garbage, Integrity, Jobs, KeepEvents, Pass,
    Retention, UsageMetadata, WriteModes,
};
use wharf_core::retention::Sweeper;
use wharf_core::scrub::{CopySource, ScrubRules, Scrubber};

pub use account_upkeep::AccountUpkeep;
pub use adoption::{Adoption, adoption_job};
pub use audit_export::{
    AuditExport, BadReceiver, SyslogReceiver, SyslogSettings, document as audit_document,
};
pub use backoff::Backoff;
pub use count_upkeep::CountUpkeep;
pub use counters::{RunCounters, RunEnd, Runs};
pub use drains::Drains;
pub use event_upkeep::EventUpkeep;
pub use expired_uploads::ExpiredUploads;
pub use garbage::{CollectGarbage, CollectManifests, Collector, GarbageSettings};
pub use garbage_counters::GarbageCounters;
pub use handler::Handler;
pub use leftovers::Leftovers;
pub use retention::{RetentionRules, RetentionRun, RetentionSchedule};
pub use runner::{Runner, RunnerRules};
pub use scrub::{Scrub, ScrubCounters, ScrubFigures, ScrubSettings, scrub_kind};
pub use tag_history::TagHistory;
pub use usage_count::{Figures, UsageCount, UsageCounters};

/// How long a scrub goes on before it makes room for other jobs: it always has something to do, and must not hold a place in the runner.
const SCRUB_TURN: Duration = Duration::from_secs(60);

/// What background work is done on.
pub struct Parts {
    /// The registry.
    pub registry: Arc<Registry>,
    /// The queue.
    pub jobs: Arc<dyn Jobs>,
    /// The log of events.
    pub events: Arc<dyn EventLog>,
    /// The accounts.
    pub accounts: Arc<dyn Accounts>,
    /// The audit log.
    pub audit: Arc<dyn AuditReaders>,
    /// The counts of pulls and pushes.
    pub counts: Arc<dyn Counts>,
    /// What is garbage.
    pub garbage: Arc<dyn Garbage>,
    /// The policies of retention.
    pub retention: Arc<dyn Retention>,
    /// What may be written.
    pub writes: Arc<dyn WriteModes>,
    /// What takes over another registry's store, where this node knows one.
    pub adopter: Option<Arc<Adopter>>,
    /// What is held, and may be.
    pub usage: Arc<dyn UsageMetadata>,
    /// What counts of it found.
    pub usage_counters: Arc<UsageCounters>,
    /// The objects of the store.
    pub objects: Arc<dyn StoredObjects>,
    /// What is known of whether store and database agree.
    pub integrity: Arc<dyn Integrity>,
    /// Where what scrubs find damaged may have a second copy.
    pub copies: Vec<Arc<dyn CopySource>>,
    /// What scrubs found.
    pub scrubbed: Arc<ScrubCounters>,
    /// Where runs are counted.
    pub counters: Arc<RunCounters>,
    /// Where is counted what was collected.
    pub collected: Arc<GarbageCounters>,
}

/// The settings of background work.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How the queue is worked off.
    pub runner: RunnerRules,
    /// What garbage goes when.
    pub garbage: GarbageSettings,
    /// How long events are kept.
    pub keep_events: KeepEvents,
    /// How long changes of tags are kept that later ones follow; for ever without it.
    pub keep_tag_history: Option<Duration>,
    /// How long the audit log is kept.
    pub keep_audit: Duration,
    /// How long counts of pulls and pushes are kept.
    pub keep_counts: Duration,
    /// How often it is counted what is held.
    pub count_usage: Duration,
    /// Where the audit log is sent, if it is.
    pub export_audit: Option<SyslogSettings>,
    /// How policies of retention are run.
    pub retention: RetentionRules,
    /// How store and database are scrubbed, if they are.
    pub scrub: Option<ScrubSettings>,
}

impl Default for Rules {
    /// Events that all readers have passed for a week, others for a month, the history of tags for ever, the audit log and
    /// counts for a year and a month.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            runner: RunnerRules::default(),
            garbage: GarbageSettings::default(),
            keep_events: KeepEvents { at_least: DAY * 7, at_most: DAY * 30 },
            keep_tag_history: None,
            keep_audit: DAY * 400,
            keep_counts: DAY * 400,
            count_usage: DAY / 4,
            export_audit: None,
            retention: RetentionRules::default(),
            scrub: Some(ScrubSettings::default()),
        }
    }
}

/// The kinds of the jobs that [`run`] does by these rules: there is one job of each, with an empty key.
pub fn kinds(rules: &Rules) -> Vec<&'static str> {
    let always = [
        expired_uploads::KIND,
        leftovers::KIND,
        event_upkeep::KIND,
        account_upkeep::KIND,
        count_upkeep::KIND,
        garbage::COLLECT,
        garbage::MANIFESTS,
        retention::SCHEDULE,
        drains::KIND,
        usage_count::KIND,
    ];
    let history = rules.keep_tag_history.map(|_| tag_history::KIND);
    let export = rules.export_audit.as_ref().map(|_| audit_export::KIND);
    let scrub = rules.scrub.iter().flat_map(|_| Pass::ALL.map(scrub_kind));
    always.into_iter().chain(history).chain(export).chain(scrub).collect()
}

/// Works off the queue until `stop`; on any number of nodes at once. Returns when no job runs here any more, which
/// takes [`RunnerRules::grace`] at most and a few seconds more where the database does not answer.
pub async fn run(parts: Parts, rules: Rules, stop: impl Future<Output = ()>) {
    let collector = Collector {
        registry: Arc::clone(&parts.registry),
        garbage: parts.garbage,
        settings: rules.garbage,
        counters: parts.collected,
    };
    let sweeper = Sweeper {
        registry: Arc::clone(&parts.registry),
        store: Arc::clone(&parts.retention),
        pulls: rules.retention.pulls,
        pause: rules.retention.pause,
        turn: rules.runner.run_limit / 2,
    };
    let scrub = rules.scrub.map(|settings| {
        let scrubber = Scrubber {
            registry: Arc::clone(&parts.registry),
            objects: parts.objects,
            integrity: parts.integrity,
            copies: parts.copies,
            rules: ScrubRules {
                bytes_per_second: settings.bytes_per_second,
                grace: rules.garbage.rules.grace,
                turn: SCRUB_TURN.min(rules.runner.run_limit / 2),
                repair: rules.runner.run_limit / 2,
            },
        };
        Scrub::all(&scrubber, &parts.jobs, &settings, &parts.scrubbed)
    });
    let schedule =
        RetentionSchedule::new(parts.retention, Arc::clone(&parts.jobs), rules.retention.interval);
    let mut runner = Runner::new(parts.jobs, rules.runner)
        .counting(parts.counters)
        .recurring(ExpiredUploads::new(Arc::clone(&parts.registry)))
        .recurring(Leftovers::new(Arc::clone(&parts.registry)))
        .recurring(UsageCount::new(
            parts.registry,
            parts.usage,
            parts.usage_counters,
            rules.count_usage,
        ))
        .recurring(EventUpkeep::new(Arc::clone(&parts.events), rules.keep_events))
        .recurring(AccountUpkeep::new(parts.accounts, parts.audit.clone(), rules.keep_audit))
        .recurring(CountUpkeep::new(parts.counts, rules.keep_counts))
        .recurring(CollectGarbage(collector.clone()))
        .recurring(CollectManifests(collector))
        .recurring(schedule)
        .handling(RetentionRun::new(sweeper))
        .recurring(Drains::new(parts.writes));
    if let Some(age) = rules.keep_tag_history {
        runner = runner.recurring(TagHistory::new(parts.events, age));
    }
    if let Some(settings) = rules.export_audit {
        runner = runner.recurring(AuditExport::new(parts.audit, settings));
    }
    for pass in scrub.into_iter().flatten() {
        runner = runner.recurring(pass);
    }
    if let Some(adopter) = parts.adopter {
        runner = runner.handling(Adoption::new(adopter));
    }
    runner.run(stop).await;
}

//! What Prometheus is told of the parts that know nothing of it: caches, the database, the store, jobs, events.

mod scopes;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use tokio::time::{sleep, timeout};
use wharf_blobs::StoreRequests;
use wharf_cache::{Answer, CacheStatus, EventTail, SharedLimiter};
use wharf_core::Registry;
use wharf_core::cache::Kind;
use wharf_core::metadata::{CountKind, FaultKind, JobCount, JobState, Jobs, Pass, UsageMetadata};
use wharf_core::scrub::Scrubbed;
use wharf_core::tally::Tally;
use wharf_jobs::{GarbageCounters, RunCounters, RunEnd, ScrubCounters, UsageCounters};
use wharf_metadata::Connections;

pub use scopes::Scopes;

/// How often the queue of jobs is counted, and what single scopes hold is asked.
const INTERVAL: Duration = Duration::from_secs(15);

/// How long that may take.
const COUNTED_WITHIN: Duration = Duration::from_secs(5);

/// What is looked at when someone asks.
#[derive(Clone)]
pub struct Watched {
    pub registry: Arc<Registry>,
    pub tally: Arc<Tally>,
    pub cache: Arc<dyn CacheStatus>,
    /// Who keeps count of limits, where nodes do so together.
    pub limiter: Option<Arc<SharedLimiter>>,
    pub tail: Option<Arc<EventTail>>,
    pub connections: Option<Connections>,
    pub requests: Option<Arc<StoreRequests>>,
    pub runs: Arc<RunCounters>,
    pub collected: Arc<GarbageCounters>,
    /// What scrubs found.
    pub scrubbed: Arc<ScrubCounters>,
    /// What counts of usage found.
    pub usage: Arc<UsageCounters>,
    /// What single namespaces and repositories hold.
    pub scopes: Arc<Scopes>,
    /// The queue as it was counted last.
    pub queue: Arc<Mutex<Vec<JobCount>>>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Watched")
    }
}

/// Counts the queue and asks for the usage of scopes now and then, for ever.
pub async fn count(jobs: Arc<dyn Jobs>, usage: Arc<dyn UsageMetadata>, watched: Watched) {
    loop {
        // What the database does not say stays as it was.
        if let Ok(Ok(counts)) = timeout(COUNTED_WITHIN, jobs.count_jobs()).await {
            *watched.queue.lock().unwrap_or_else(PoisonError::into_inner) = counts;
        }
        watched.scopes.ask(&*usage).await;
        sleep(INTERVAL).await;
    }
}

impl Collector for Watched {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut to = Families(&mut encoder);
        self.cache(&mut to)?;
        self.jobs(&mut to)?;
        self.counts(&mut to)?;
        self.usage(&mut to)?;
        self.scopes.tell(&mut to)?;
        self.scrub(&mut to)?;
        if let Some(limiter) = &self.limiter {
            let help = "Whether limits are counted in Redis, for all nodes; else this node counts for itself";
            to.gauge("limits_shared", help, if limiter.is_alone() { 0.0 } else { 1.0 })?;
            let (shared, alone) = limiter.takes();
            to.counters(
                "limits_takes",
                "How often something was counted for limits, by where",
                [([("counted", "shared")], shared), ([("counted", "alone")], alone)],
            )?;
        }
        if let Some(connections) = &self.connections {
            let counts = connections.count();
            let states = [("in_use", counts.in_use), ("idle", counts.idle)];
            to.gauges(
                "database_connections",
                "Connections to the database",
                states.map(|(state, count)| ([("state", state)], count as f64)),
            )?;
            to.gauge(
                "database_connections_most",
                "The most that there may be",
                counts.most as f64,
            )?;
            let help = "Transactions that wait for a connection to the database";
            to.gauge("database_waiting", help, counts.waiting as f64)?;
        }
        if let Some(requests) = &self.requests {
            let all = requests.all();
            let of = |doing| [("request", doing)];
            to.counters(
                "store_requests",
                "Requests to the object store that ended, by what for",
                all.iter().map(|(doing, requests)| (of(*doing), requests.count)),
            )?;
            to.counters(
                "store_requests_late",
                "Those that were not answered in time",
                all.iter().map(|(doing, requests)| (of(*doing), requests.late)),
            )?;
            let help = "How long they took together";
            let times = all.iter().map(|(doing, requests)| (of(*doing), requests.time));
            to.seconds("store_request_time", help, times)?;
        }
        if let Some(tail) = &self.tail {
            to.counter("events_followed", "Events read from the log", tail.events())?;
            if let Some(behind) = tail.behind() {
                let help = "How long ago this node had read all of the log of events";
                to.gauge("events_behind_seconds", help, behind.as_secs_f64())?;
            }
        }
        Ok(())
    }
}

const KINDS: [(Kind, &str); 2] = [(Kind::Manifest, "manifest"), (Kind::Blob, "blob")];

impl Watched {
    fn cache(&self, to: &mut Families<'_, '_>) -> fmt::Result {
        let counters = self.cache.counters();
        let lookups = KINDS.iter().flat_map(|(kind, name)| {
            Answer::ALL.map(|answer| {
                ([("kind", *name), ("answer", answered(answer))], counters.get(*kind, answer))
            })
        });
        to.counters("cache_lookups", "Look-ups in the cache, by what answered them", lookups)?;
        let joined =
            KINDS.map(|(kind, name)| ([("kind", name)], self.registry.look_ups_joined(kind)));
        let help = "Look-ups in the database that were spared, since one of the same was under way";
        to.counters("lookups_joined", help, joined)?;
        let kept = self.cache.kept();
        to.gauge("cache_kept_entries", "What this process's memory holds", kept.entries as f64)?;
        to.gauge("cache_kept_bytes", "How much of it that takes", kept.bytes as f64)?;
        if let Some(redis) = self.cache.redis() {
            let number = |is| if is { 1.0 } else { 0.0 };
            let help = "Whether Redis answers; else it is left alone but for a try now and then";
            to.gauge("cache_redis_answers", help, number(redis.answers))?;
            let help = "Whether what is in Redis may be read; not while all nodes leave it alone";
            to.gauge("cache_redis_in_use", help, number(redis.in_use))?;
        }
        Ok(())
    }

    fn counts(&self, to: &mut Families<'_, '_>) -> fmt::Result {
        let totals = self.tally.totals();
        let counted = CountKind::ALL.into_iter().zip(totals.counted);
        to.counters(
            "counts_counted",
            "Pulls and pushes of manifests counted here",
            counted.map(|(kind, count)| ([("kind", counted_as(kind))], count)),
        )?;
        to.counter("counts_flushed", "How many of them are in the database", totals.added)?;
        let help = "How many were lost, since the database was away for too long";
        to.counter("counts_lost", help, totals.lost)?;
        to.gauge("counts_waiting", "How many are still to be written", totals.waiting() as f64)
    }

    fn usage(&self, to: &mut Families<'_, '_>) -> fmt::Result {
        let figures = self.usage.figures();
        let help = "Repositories and namespaces whose usage a count of their rows corrected";
        to.counter("usage_corrected", help, figures.corrected)?;
        let help = "By how many bytes, manifests and tags together";
        to.counter("usage_drift", help, figures.drift)?;
        let help =
            "Repositories and namespaces that a count passed over, since it could not be done";
        to.counter("usage_passed_over", help, figures.passed_over)?;
        let Some(all) = figures.last else { return Ok(()) };
        to.gauges(
            "usage_bytes",
            "What manifests name, what namespaces hold of it, and what is stored, when this node last counted",
            [
                ([("kind", "referenced")], all.referenced as f64),
                ([("kind", "namespaces")], all.once_each_namespace as f64),
                ([("kind", "stored")], all.stored as f64),
            ],
        )
    }

    fn scrub(&self, to: &mut Families<'_, '_>) -> fmt::Result {
        let figures = self.scrubbed.figures();
        let of = |pass: &Pass| [("pass", pass.name())];
        let passes = figures.done.iter();
        to.counters(
            "scrub_looked_at",
            "Objects, blobs and manifests that scrubs here have looked at",
            passes.clone().map(|(pass, done)| (of(pass), done.looked_at)),
        )?;
        to.counters(
            "scrub_hashed_bytes",
            "Bytes that scrubs here have read and hashed",
            passes.clone().map(|(pass, done)| (of(pass), done.bytes)),
        )?;
        let mut all = Scrubbed::default();
        passes.for_each(|(_, done)| all += done.clone());
        to.counters(
            "scrub_found",
            "Faults that scrubs here have found and that were not known",
            FaultKind::ALL.map(|kind| {
                ([("kind", kind.name())], all.found.get(&kind).copied().unwrap_or_default())
            }),
        )?;
        to.counter("scrub_unknown", "Things among the objects that are none", all.unknown)?;
        to.counter("scrub_restored", "Objects that left quarantine", all.restored)?;
        to.counters(
            "scrub_repaired",
            "What scrubs here have repaired from another copy",
            [
                ([("what", "blob")], all.repaired_blobs),
                ([("what", "manifest")], all.repaired_manifests),
            ],
        )?;
        to.counter("scrub_resolved", "Findings whose fault was gone", all.resolved)?;
        let Some(open) = figures.open else { return Ok(()) };
        let known = FaultKind::ALL.iter().map(|kind| {
            let found = open.iter().find(|(found, _)| found.known() == Some(*kind));
            (kind.name(), found.map_or(0, |(_, count)| *count))
        });
        let newer = open.iter().filter(|(kind, _)| kind.known().is_none());
        let newer = newer.map(|(kind, count)| (kind.name(), *count));
        to.gauges(
            "scrub_findings",
            "Findings that are open, when a scrub last ended here",
            known.chain(newer).map(|(kind, count)| ([("kind", kind)], count as f64)),
        )
    }

    fn jobs(&self, to: &mut Families<'_, '_>) -> fmt::Result {
        let all = self.runs.all();
        let labels = |kind, end| [("kind", kind), ("outcome", ended(end))];
        let runs = all.iter().map(|(kind, end, runs)| (labels(*kind, *end), runs.count));
        let collected = self.collected.all();
        to.counters(
            "garbage_collected",
            "What garbage collection here has taken away",
            [
                ([("what", "manifest")], collected.manifests),
                ([("what", "deleted_manifest")], collected.forgotten),
                ([("what", "deleted_repository")], collected.repositories),
                ([("what", "membership")], collected.memberships),
                ([("what", "blob")], collected.condemned),
                ([("what", "object")], collected.deleted),
                ([("what", "failed_delete")], collected.failed),
            ],
        )?;
        to.counters("job_runs", "Runs of background jobs here, by how they ended", runs)?;
        let times = all.iter().map(|(kind, end, runs)| (labels(*kind, *end), runs.time));
        to.seconds("job_run_time", "How long they took together", times)?;
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let jobs = queue.iter().map(|job| {
            let state = match job.state {
                JobState::Waiting => "waiting",
                JobState::Running => "running",
                JobState::Dead => "dead",
            };
            ([("kind", job.kind.as_str()), ("state", state)], job.count as f64)
        });
        to.gauges("jobs", "Jobs in the queue that all nodes share, now and then", jobs)
    }
}

const fn answered(answer: Answer) -> &'static str {
    match answer {
        Answer::Memory => "memory",
        Answer::Redis => "redis",
        Answer::Absent => "absent",
        Answer::Miss => "miss",
        Answer::Bypassed => "bypassed",
    }
}

const fn counted_as(kind: CountKind) -> &'static str {
    match kind {
        CountKind::Pull => "pull",
        CountKind::Push => "push",
        CountKind::IndexPull => "index_pull",
    }
}

const fn ended(end: RunEnd) -> &'static str {
    match end {
        RunEnd::Done => "done",
        RunEnd::Failed => "failed",
        RunEnd::Dead => "dead",
        RunEnd::GivenBack => "given_back",
        RunEnd::Lost => "lost",
    }
}

/// Writes families of metrics.
struct Families<'a, 'b>(&'a mut DescriptorEncoder<'b>);

type Labels<'a, const N: usize> = [(&'a str, &'a str); N];

impl Families<'_, '_> {
    fn counters<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        each: impl IntoIterator<Item = (Labels<'a, N>, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, count) in each {
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, u64>(&count, None)?;
        }
        Ok(())
    }

    fn seconds<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        each: impl IntoIterator<Item = (Labels<'a, N>, Duration)>,
    ) -> fmt::Result {
        let seconds = Some(&Unit::Seconds);
        let mut family = self.0.encode_descriptor(name, help, seconds, MetricType::Counter)?;
        for (labels, time) in each {
            let time = time.as_secs_f64();
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, f64, u64>(&time, None)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, u64, u64>(&count, None)
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn gauges<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        each: impl IntoIterator<Item = (Labels<'a, N>, f64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in each {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }
}

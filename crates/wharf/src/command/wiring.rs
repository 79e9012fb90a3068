//! The wiring: which stores, settings and server a configuration asks for.

pub mod access;
pub mod adoption;
pub mod blobs;
mod browser;
mod cache;
pub mod decision;
mod delivery;
pub mod ldap;
pub mod limits;
mod management;
pub mod metadata;
pub mod metrics;
mod syslog;
pub mod workloads;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use wharf_core::adoption::Adopter;
use wharf_core::blobs::{Blobs, StoredObjects};
use wharf_core::clock::SystemRandom;
use wharf_core::limits::Limiter;
use wharf_core::metadata::{
    Accounts, AuditReaders, Counts, Directory, EventLog, Garbage, ImmutabilityPolicies, Integrity,
    Jobs, KeepEvents, Retention, TrustRules, UsageMetadata, WriteModes,
};
use wharf_core::retention::PullsKnown;
use wharf_core::scrub::CopySource;
use wharf_core::tally::{Tally, TallyRules};
use wharf_core::{GarbageRules, Parts, Registry, Rules};
use wharf_http::api;
use wharf_http::origin::{IpNet, Origin};
use wharf_http::serve;
use wharf_jobs::{GarbageSettings, ScrubSettings};

use crate::config::{Config, Role, keeps_data_folder};
use crate::data_folder::DataFolder;
use crate::telemetry;

/// What a node works on.
pub struct Node {
    pub registry: Arc<Registry>,
    pub jobs: Arc<dyn Jobs>,
    pub events: Arc<dyn EventLog>,
    pub accounts: Arc<dyn Accounts>,
    pub directory: Arc<dyn Directory>,
    pub immutability: Arc<dyn ImmutabilityPolicies>,
    pub trust: Arc<dyn TrustRules>,
    pub audit: Arc<dyn AuditReaders>,
    pub people: browser::People,
    pub counts: Arc<dyn Counts>,
    pub garbage: Arc<dyn Garbage>,
    pub retention: Arc<dyn Retention>,
    pub writes: Arc<dyn WriteModes>,
    /// What takes over another registry's store, where one is set.
    pub adopter: Option<Arc<Adopter>>,
    pub usage: Arc<dyn UsageMetadata>,
    /// What a scrub looks at, and where it writes down what it finds.
    pub objects: Arc<dyn StoredObjects>,
    pub integrity: Arc<dyn Integrity>,
    /// Where what is damaged may have a second copy.
    pub copies: Vec<Arc<dyn CopySource>>,
    /// Who keeps count of what is limited.
    pub limiter: Arc<dyn Limiter>,
    /// What is counted here and not written yet.
    pub tally: Arc<Tally>,
    /// What only metrics look at.
    pub watched: metrics::Watched,
}

/// Opens the stores. What of them lies in the data folder needs [`data_folder`] to be opened first, and kept.
pub async fn node(config: &Config) -> anyhow::Result<Node> {
    let stores = metadata::open(config).await?;
    let store = blobs::open(config).await?;
    let cache = cache::open(config, stores.epochs, Arc::clone(&stores.events)).await?;
    let copies = store.copies(&stores.integrity);
    // All of them, by name: what a node could have is not left out unseen.
    let parts = Parts {
        metadata: stores.metadata,
        last_known: stores.last_known,
        signed: delivery::signed(config, store.signed)?,
        blobs: store.blobs,
        mapped: store.mapped,
        direct: store.direct.filter(|_| config.uploads.direct),
        leftovers: store.leftovers,
        cache: cache.cache,
        permissions: access::permissions(config),
        random: Arc::new(SystemRandom),
    };
    let tally = Arc::new(Tally::new(tally(config), Arc::new(SystemRandom)));
    let mut registry = Registry::new(parts, rules(config));
    if config.counts.enabled {
        registry = registry.counting_in(Arc::clone(&tally));
    }
    let registry = Arc::new(registry);
    let adopter = adoption::adopter(config, &registry, stores.adoptions, store.old);
    let watched = metrics::Watched {
        registry: Arc::clone(&registry),
        tally: Arc::clone(&tally),
        cache: cache.status,
        limiter: cache.limiter.clone(),
        tail: cache.tail.map(Arc::new),
        connections: stores.connections,
        requests: store.requests,
        runs: Arc::default(),
        collected: Arc::default(),
        scrubbed: Arc::default(),
        usage: Arc::default(),
        scopes: Arc::new(metrics::Scopes::of(&config.metrics.usage)),
        queue: Arc::default(),
    };
    let (jobs, events) = (stores.jobs, stores.events);
    let (accounts, directory) = (stores.accounts, stores.directory);
    let (trust, audit, counts, people) = (stores.trust, stores.audit, stores.counts, stores.people);
    let garbage = stores.garbage;
    let retention = stores.retention;
    let usage = stores.usage;
    let (objects, integrity) = (store.objects, stores.integrity);
    let (limiter, writes) = (limits::limiter(cache.limiter), stores.writes);
    Ok(Node {
        registry,
        jobs,
        events,
        accounts,
        directory,
        immutability: stores.immutability,
        trust,
        audit,
        people,
        counts,
        garbage,
        retention,
        writes,
        adopter,
        usage,
        objects,
        integrity,
        copies,
        limiter,
        tally,
        watched,
    })
}

/// Opens the object store alone.
pub async fn open_blobs(config: &Config) -> anyhow::Result<Arc<dyn Blobs>> {
    Ok(blobs::open(config).await?.blobs)
}

/// Opens the data folder, unless nothing is kept in it and nothing relies on its lock.
pub fn data_folder(config: &Config) -> anyhow::Result<Option<DataFolder>> {
    keeps_data_folder(config).then(|| DataFolder::open(config.data.folder.as_ref())).transpose()
}

fn rules(config: &Config) -> Rules {
    Rules {
        max_manifest_size: config.registry.max_manifest_size.get(),
        max_blob_size: config.registry.max_blob_size.get(),
        upload_lifetime: config.uploads.lifetime.get(),
        move_time_limit: config.uploads.move_time_limit.get(),
        max_uploads_in_flight: config.uploads.max_in_flight.get(),
        allow_delete: config.registry.delete,
        page_size: config.registry.page_size.get(),
        cache_life: config.cache.life.get(),
        grace: config.garbage.grace.get(),
    }
}

/// How pulls and pushes are counted.
fn tally(config: &Config) -> TallyRules {
    TallyRules { interval: config.counts.flush.get(), ..TallyRules::default() }
}

/// What garbage goes when.
fn garbage(config: &Config) -> GarbageSettings {
    let garbage = &config.garbage;
    let per_second = garbage.deletes_per_second.as_ref().map(|count| count.get());
    let rules = GarbageRules {
        grace: garbage.grace.get(),
        untagged_after: garbage.untagged_after.as_ref().map(|age| age.get()),
        deletes_per_second: per_second.and_then(|count| NonZeroU32::new(count as u32)),
    };
    GarbageSettings { rules, interval: garbage.interval.get() }
}

/// How store and database are scrubbed.
fn scrub(config: &Config) -> Option<ScrubSettings> {
    let scrub = &config.scrub;
    scrub.enabled.then(|| ScrubSettings {
        bytes_per_second: scrub.rate.get(),
        interval: scrub.interval.get(),
        contents_interval: scrub.contents_interval.get(),
    })
}

/// For how long pulls are known. Where this process counts none, others may count as little.
pub fn pulls(config: &Config) -> PullsKnown {
    PullsKnown { keep: config.counts.enabled.then(|| config.counts.keep.get()) }
}

/// The settings of background work.
pub fn jobs(config: &Config) -> anyhow::Result<wharf_jobs::Rules> {
    let keep_events = KeepEvents {
        at_least: config.events.keep.get(),
        at_most: config.events.keep_at_most.get(),
    };
    let keep_tag_history = config.tags.keep_history.map(|age| age.get());
    Ok(wharf_jobs::Rules {
        garbage: garbage(config),
        keep_events,
        keep_tag_history,
        keep_audit: config.audit.keep.get(),
        keep_counts: config.counts.keep.get(),
        count_usage: config.usage.count_interval.get(),
        export_audit: syslog::settings(config)?,
        retention: wharf_jobs::RetentionRules {
            interval: config.retention.interval.get(),
            pause: Duration::from_micros(1_000_000 / config.retention.rate.get() as u64),
            pulls: pulls(config),
        },
        scrub: scrub(config),
        ..wharf_jobs::Rules::default()
    })
}

/// The settings of the API.
pub fn api(
    config: &Config,
    access: Option<api::Access>,
    limiter: Arc<dyn Limiter>,
) -> anyhow::Result<api::Settings> {
    let http = &config.http;
    let trusted_proxies: Vec<IpNet> =
        http.trusted_proxies.iter().map(|network| network.get()).collect();
    let make_span =
        config.traces.endpoint.is_some().then(|| Box::new(telemetry::request_span) as _);
    Ok(api::Settings {
        origin: Origin { external_url: http.external_url.0.clone(), trusted_proxies },
        registry: config.node.roles.contains(&Role::Registry),
        access,
        image_limits: limits::of_images(config, limiter),
        delivery: delivery::rules(config)?,
        tag_max_age: http.tag_max_age.get(),
        min_chunk: config.uploads.min_chunk.get(),
        body_stall: http.body_stall_timeout.get(),
        min_body_rate: http.min_body_rate.get(),
        make_span,
    })
}

/// The settings of the server.
pub fn server(config: &Config) -> serve::Settings {
    let http = &config.http;
    let tls = match (&http.tls_certificate.0, &http.tls_key.0) {
        (Some(certificate), Some(key)) => {
            Some(serve::TlsFiles::new(certificate.as_ref(), key.as_ref()))
        }
        _ => None,
    };
    serve::Settings {
        listen: vec![http.listen],
        tls,
        max_connections: http.max_connections.get(),
        header_read_timeout: http.header_timeout.get(),
        idle_timeout: http.idle_timeout.get(),
        write_stall_timeout: http.write_stall_timeout.get(),
        min_reply_rate: http.min_reply_rate.get(),
        drain_timeout: http.drain_timeout.get(),
        ..serve::Settings::default()
    }
}

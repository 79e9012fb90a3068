//! The wiring: which stores, settings and server a configuration asks for.

pub mod access;
mod blobs;
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

use std::sync::Arc;

use wharf_core::clock::SystemRandom;
use wharf_core::limits::Limiter;
use wharf_core::metadata::{
    Accounts, AuditReaders, Counts, Directory, EventLog, Jobs, KeepEvents, TrustRules,
    UsageMetadata,
};
use wharf_core::tally::{Tally, TallyRules};
use wharf_core::{Parts, Registry, Rules};
use wharf_http::api;
use wharf_http::origin::{IpNet, Origin};
use wharf_http::serve;

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
    pub trust: Arc<dyn TrustRules>,
    pub audit: Arc<dyn AuditReaders>,
    pub people: browser::People,
    pub counts: Arc<dyn Counts>,
    pub usage: Arc<dyn UsageMetadata>,
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
    let watched = metrics::Watched {
        registry: Arc::clone(&registry),
        tally: Arc::clone(&tally),
        cache: cache.status,
        limiter: cache.limiter.clone(),
        tail: cache.tail.map(Arc::new),
        connections: stores.connections,
        requests: store.requests,
        runs: Arc::default(),
        usage: Arc::default(),
        queue: Arc::default(),
    };
    let (jobs, events) = (stores.jobs, stores.events);
    let (accounts, directory) = (stores.accounts, stores.directory);
    let (trust, audit, counts, people) = (stores.trust, stores.audit, stores.counts, stores.people);
    let usage = stores.usage;
    let limiter = limits::limiter(cache.limiter);
    Ok(Node {
        registry,
        jobs,
        events,
        accounts,
        directory,
        trust,
        audit,
        people,
        counts,
        usage,
        limiter,
        tally,
        watched,
    })
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
        max_uploads_in_flight: config.uploads.max_in_flight.get(),
        allow_delete: config.registry.delete,
        page_size: config.registry.page_size.get(),
        cache_life: config.cache.life.get(),
        ..Rules::default()
    }
}

/// How pulls and pushes are counted.
fn tally(config: &Config) -> TallyRules {
    TallyRules { interval: config.counts.flush.get(), ..TallyRules::default() }
}

/// The settings of background work.
pub fn jobs(config: &Config) -> anyhow::Result<wharf_jobs::Rules> {
    let keep_events = KeepEvents {
        at_least: config.events.keep.get(),
        at_most: config.events.keep_at_most.get(),
    };
    let keep_tag_history = config.tags.keep_history.map(|age| age.get());
    Ok(wharf_jobs::Rules {
        keep_events,
        keep_tag_history,
        keep_audit: config.audit.keep.get(),
        keep_counts: config.counts.keep.get(),
        count_usage: config.usage.count_interval.get(),
        export_audit: syslog::settings(config)?,
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

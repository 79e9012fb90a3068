//! The wiring: which stores, settings and server a configuration asks for.

mod blobs;
mod cache;
mod delivery;
pub mod metadata;

use std::sync::Arc;

use wharf_core::clock::SystemRandom;
use wharf_core::metadata::{EventLog, Jobs};
use wharf_core::permissions::Everyone;
use wharf_core::{Parts, Registry, Rules};
use wharf_http::api;
use wharf_http::origin::{IpNet, Origin};
use wharf_http::serve;

use crate::config::{BlobsUrl, Config, DatabaseUrl, Role};
use crate::data_folder::DataFolder;
use crate::telemetry;

/// What a node works on.
pub struct Node {
    pub registry: Arc<Registry>,
    pub jobs: Arc<dyn Jobs>,
    pub events: Arc<dyn EventLog>,
}

/// Opens the stores. What of them lies in the data folder needs [`data_folder`] to be opened first, and kept.
pub async fn node(config: &Config) -> anyhow::Result<Node> {
    let stores = metadata::open(config).await?;
    let store = blobs::open(config).await?;
    let parts = Parts {
        metadata: stores.metadata,
        signed: delivery::signed(config, store.signed)?,
        blobs: store.blobs,
        mapped: store.mapped,
        direct: store.direct.filter(|_| config.uploads.direct),
        leftovers: store.leftovers,
        cache: cache::open(config, stores.epochs)?,
        permissions: Arc::new(Everyone),
        random: Arc::new(SystemRandom),
    };
    let registry = Arc::new(Registry::new(parts, rules(config)));
    Ok(Node { registry, jobs: stores.jobs, events: stores.events })
}

/// Opens the data folder, unless nothing is kept in it and nothing relies on its lock.
pub fn data_folder(config: &Config) -> anyhow::Result<Option<DataFolder>> {
    let local = matches!(config.database.url, DatabaseUrl::DataFolder | DatabaseUrl::Sqlite(_))
        || matches!(config.blobs.url, BlobsUrl::DataFolder);
    local.then(|| DataFolder::open(config.data.folder.as_ref())).transpose()
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

/// The settings of the API.
pub fn api(config: &Config) -> anyhow::Result<api::Settings> {
    let http = &config.http;
    let trusted_proxies: Vec<IpNet> =
        http.trusted_proxies.iter().map(|network| network.get()).collect();
    let make_span =
        config.traces.endpoint.is_some().then(|| Box::new(telemetry::request_span) as _);
    Ok(api::Settings {
        origin: Origin { external_url: http.external_url.0.clone(), trusted_proxies },
        registry: config.node.roles.contains(&Role::Registry),
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

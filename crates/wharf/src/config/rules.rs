//! Rules between settings, each of which would be sound alone.

use std::net::SocketAddr;

use super::delivery::DeliveryMode;
use super::layers::Layers;
use super::ldap;
use super::nearest::exact;
use super::place::{AdoptedUrl, BlobsUrl, DatabaseUrl};
use super::problem::Problem;
use super::table::Config;

/// The most scopes whose usage metrics tell.
const MOST_SCOPES: usize = 100;

/// What is wrong between settings that are each sound.
pub fn broken(config: &Config) -> Vec<Problem> {
    let http = &config.http;
    let one_of = |present: &str, missing: &str| {
        Problem::new(format!("{present} is set and {missing} is not: TLS needs both, or neither"))
    };
    let mut problems = match (&http.tls_certificate.0, &http.tls_key.0) {
        (Some(_), None) => vec![one_of("http.tls_certificate", "http.tls_key")],
        (None, Some(_)) => vec![one_of("http.tls_key", "http.tls_certificate")],
        _ => Vec::new(),
    };
    problems.extend(undeliverable(config).map(Problem::new));
    problems.extend(unadoptable(config).map(Problem::new));
    if config.events.keep_at_most.get() < config.events.keep.get() {
        problems.push(Problem::new(
            "events.keep_at_most is less than events.keep: events would go before they may; \
             set it to events.keep or more"
                .to_owned(),
        ));
    }
    problems.extend(hasty(config));
    let told = config.metrics.usage.len();
    if told > MOST_SCOPES {
        problems.push(Problem::new(format!(
            "metrics.usage has {told} names, more than {MOST_SCOPES}: each is asked for every 15 seconds; \
             `wharf du` and the API tell the usage of all"
        )));
    }
    let database = &config.database;
    if !database.replica_urls.is_empty() && !matches!(database.url, DatabaseUrl::Postgres(_)) {
        problems.push(Problem::new(
            "database.replica_urls is set and database.url names no PostgreSQL database: \
             there is nothing that they could be replicas of",
        ));
    }
    if config.access.control && config.http.open {
        problems.push(Problem::new(
            "http.open and access.control are both set: either everyone is served, or only who was granted it",
        ));
    }
    if config.access.control && config.access.keys.is_none() && !keeps_data_folder(config) {
        problems.push(Problem::new(
            "access.control is set and access.keys is not: nodes without a data folder share keys that you give them",
        ));
    }
    problems.extend(ldap::broken(config));
    if config.access.decision_listen.is_some() && config.access.decision_secret_file.is_none() {
        problems.push(Problem::new(
            "access.decision_listen is set and access.decision_secret_file is not: whoever can connect could ask who may do what; \
             make a secret by `openssl rand -hex 32`",
        ));
    }
    problems.extend(super::oidc::broken(config).into_iter().map(Problem::new));
    if config.node.roles.is_empty() {
        problems.push(Problem::new("node.roles is empty: this process would do nothing"));
    }
    problems
}

/// What a push under way may rely on must outlast it: blobs that it was told of, and what its transaction saw.
fn hasty(config: &Config) -> Option<Problem> {
    let least = config.uploads.lifetime.get()
        + config.uploads.move_time_limit.get()
        + config.database.timeout.get();
    (config.garbage.grace.get() <= least).then(|| {
        Problem::new(format!(
            "garbage.grace = \"{}\" is not longer than uploads.lifetime, uploads.move_time_limit and database.timeout together \
             ({} s): what a push still relies on could be collected; set it to more, or those to less",
            config.garbage.grace,
            least.as_secs_f64()
        ))
    })
}

/// Whether something is kept in the data folder, so that it is there after the next start.
pub fn keeps_data_folder(config: &Config) -> bool {
    matches!(config.database.url, DatabaseUrl::DataFolder | DatabaseUrl::Sqlite(_))
        || matches!(config.blobs.url, BlobsUrl::DataFolder)
}

/// What keeps blobs from being carried as `delivery.mode` says.
fn undeliverable(config: &Config) -> Option<&'static str> {
    let Config { delivery, blobs, .. } = config;
    let files = matches!(blobs.url, BlobsUrl::DataFolder | BlobsUrl::Folder(_));
    match delivery.mode {
        DeliveryMode::Redirect if delivery.cdn_url.is_some() => {
            (delivery.cdn_key_id.is_none() || delivery.cdn_key_file.is_none()).then_some(
                "delivery.cdn_url is set, and delivery.cdn_key_id or delivery.cdn_key_file is not: \
                 the CDN takes only URLs that are signed",
            )
        }
        DeliveryMode::Redirect if files => Some(
            "delivery.mode is redirect and blobs are files: nobody else serves them; set \
             delivery.cdn_url or blobs.url, or use stream or x-accel",
        ),
        DeliveryMode::XAccel | DeliveryMode::XSendfile if !files => Some(
            "delivery.mode hands files to the proxy in front, and blobs are in an object store; \
             use stream or redirect",
        ),
        _ => None,
    }
}

/// What keeps adopted blobs from being carried as `delivery.mode` says, or would delete what nobody asked for.
fn unadoptable(config: &Config) -> Option<&'static str> {
    let Config { delivery, blobs, .. } = config;
    let Some(adopted) = &blobs.adopted.0 else {
        return blobs.adopted_delete.then_some(
            "blobs.adopted_delete is set and blobs.adopted is not: there is nothing to delete from",
        );
    };
    match delivery.mode {
        DeliveryMode::XAccel | DeliveryMode::XSendfile => Some(
            "delivery.mode hands files to the proxy in front, which knows nothing of those of blobs.adopted; \
             use stream until nothing is left there",
        ),
        DeliveryMode::Redirect if delivery.cdn_url.is_some() => Some(
            "delivery.cdn_url stands before blobs.url and not before blobs.adopted; redirect to the bucket, or \
             use stream, until nothing is left there",
        ),
        DeliveryMode::Redirect if matches!(adopted, AdoptedUrl::Folder(_)) => Some(
            "delivery.mode is redirect and blobs.adopted is a folder: nobody else serves what lies there; use \
             stream until nothing is left there",
        ),
        _ => None,
    }
}

/// Whether more than this machine could connect to the address.
pub fn is_wide(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

/// The refusal to serve everyone without having been told to: without access control,
/// listening on more than this machine means that whoever can connect can push and delete.
pub fn not_open(config: &Config, layers: &Layers) -> Option<Problem> {
    let listen = config.http.listen;
    if config.http.open || config.access.control || !is_wide(listen) {
        return None;
    }
    let origin = exact("http.listen").map(|setting| layers.get(setting).origin.to_string());
    Some(Problem::new(format!(
        "http.listen = \"{listen}\" (from {}) can be reached from other machines and no access \
         control is configured: everyone could push and pull; set access.control, add --open (or set http.open) to \
         serve everyone, or listen on 127.0.0.1:{}",
        origin.unwrap_or_default(),
        listen.port()
    )))
}

//! How a server behaves by its settings and towards those who run it: limits, probes, signals, the stop, proxies.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "serving/counts.rs"]
mod counts;
#[path = "serving/limits.rs"]
mod limits;
#[path = "serving/metrics.rs"]
mod metrics;
#[path = "serving/probes.rs"]
mod probes;
#[path = "api_routes_served.rs"]
mod served;
#[path = "serving/settings.rs"]
mod settings;
#[path = "serving/signals.rs"]
mod signals;
#[path = "serving/stop.rs"]
mod stop;
// Its stores, of which only some of what they note is looked at here.
#[allow(dead_code)]
#[path = "api_routes_stores.rs"]
mod stores;
mod support;
#[path = "api/wire.rs"]
mod wire;

//! What Wharf tells Prometheus: the registry, and how others add to it.

mod endpoint;
mod requests;

use std::sync::Arc;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::{Registry, Unit};

pub use endpoint::{CONTENT_TYPE, Endpoint, serve};
pub use requests::Measurement;

use crate::serve::Counters;
use requests::Requests;

/// All metrics of the process. Their names begin with `wharf_`.
pub struct Metrics {
    registry: Registry,
    requests: Arc<Requests>,
    connections: Counters,
    log_lines_dropped: Counter,
}

impl Metrics {
    /// Metrics of requests for these operations, whose names become the label `operation`.
    pub fn new(operations: &[&'static str]) -> Self {
        let requests = Arc::new(Requests::new(operations));
        let connections = Counters::default();
        let log_lines_dropped = Counter::default();
        let mut registry = Registry::with_prefix("wharf");
        registry.register_collector(Box::new(Arc::clone(&requests)));
        register_connections(&mut registry, &connections);
        registry.register(
            "access_log_lines_dropped",
            "Lines of the access log that were lost because they could not be written in time",
            log_lines_dropped.clone(),
        );
        Self { registry, requests, connections, log_lines_dropped }
    }

    /// Where other parts register theirs, before the metrics are shared.
    pub fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// For [`Server::with_counters`](crate::serve::Server::with_counters).
    pub fn connections(&self) -> Counters {
        self.connections.clone()
    }

    /// For [`AccessLog::start`](crate::access_log::AccessLog::start).
    pub fn log_lines_dropped(&self) -> Counter {
        self.log_lines_dropped.clone()
    }

    /// Starts to measure one request. An operation that [`Metrics::new`] was not told counts as `other`.
    pub fn begin(&self, operation: &'static str) -> Measurement {
        Measurement::begin(&self.requests, operation)
    }

    /// All metrics as OpenMetrics text.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        // Writing to a string fails only where a collector does.
        if let Err(error) = encode(&mut text, &self.registry) {
            tracing::error!(%error, "metrics could not be written");
        }
        text
    }
}

fn register_connections(registry: &mut Registry, connections: &Counters) {
    registry.register("connections_open", "Connections open now", connections.open.clone());
    registry.register(
        "connections_accepted",
        "Connections accepted, refused ones included",
        connections.accepted.clone(),
    );
    registry.register(
        "connections_refused",
        "Connections refused because too many were open",
        connections.refused.clone(),
    );
    registry.register(
        "connections_too_slow",
        "Connections closed because the client was too slow",
        connections.too_slow.clone(),
    );
    registry.register(
        "tls_handshakes_failed",
        "TLS handshakes that failed",
        connections.handshake_failed.clone(),
    );
    registry.register_with_unit(
        "received",
        "Bytes read from sockets",
        Unit::Bytes,
        connections.bytes_received.clone(),
    );
    registry.register_with_unit(
        "sent",
        "Bytes written to sockets",
        Unit::Bytes,
        connections.bytes_sent.clone(),
    );
}

//! What the server counts of its connections.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

/// Counts of one or more servers; a clone counts into the same numbers.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    /// Connections open now.
    pub open: Gauge,
    /// Connections accepted.
    pub accepted: Counter,
    /// Connections refused because too many were open.
    pub refused: Counter,
    /// Connections closed because the client was too slow: handshake, head of a request, or reading a reply.
    pub too_slow: Counter,
    /// TLS handshakes that failed.
    pub handshake_failed: Counter,
    /// Bytes read from sockets, TLS and framing included.
    pub bytes_received: Counter,
    /// Bytes written to sockets, TLS and framing included.
    pub bytes_sent: Counter,
}

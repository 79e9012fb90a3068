//! What the server may be told: addresses, certificate, limits. Nothing here is read at request time from elsewhere.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Where the certificate and its key are found, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, leaf first.
    pub certificate_chain: PathBuf,
    /// The private key of the leaf: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
    /// How often both files are looked at for a change. Default: 5 s.
    pub poll_interval: Duration,
}

impl TlsFiles {
    /// These two files, looked at every 5 seconds.
    pub fn new(certificate_chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            certificate_chain: certificate_chain.into(),
            key: key.into(),
            poll_interval: Duration::from_secs(5),
        }
    }
}

/// Settings of a [`Server`](super::Server). The default listens on 127.0.0.1:8080 in plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Addresses to listen on; port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// With it every connection is TLS 1.2 or 1.3, without it none is.
    pub tls: Option<TlsFiles>,
    /// Connections waiting in the kernel to be accepted.
    pub backlog: i32,
    /// Open connections over all addresses; one more is answered `503` and closed.
    pub max_connections: usize,
    /// How long the TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long a client may take from a request's first byte (or the connection's start) to the
    /// end of its head. HTTP/1 only: HTTP/2 has [`Settings::idle_timeout`].
    pub header_read_timeout: Duration,
    /// How large a request's head may be, in bytes. Beyond: `431`.
    pub max_header_bytes: usize,
    /// How long a connection without a request stays open.
    pub idle_timeout: Duration,
    /// How long the client's machine may leave sent bytes unacknowledged, or its receive window
    /// shut while bytes wait; the kernel measures it (`TCP_USER_TIMEOUT`), so that any reader
    /// who reads at all starts it anew.
    pub write_stall_timeout: Duration,
    /// How long a reply may wait for the client without progress that this process can see. It
    /// sees far less than the kernel (megabytes lie in buffers and HTTP/2 windows between), so
    /// that this must be many times [`Settings::write_stall_timeout`]. It ends HTTP/2
    /// streams whose window a client never opens again.
    pub reply_stall_timeout: Duration,
    /// The least bytes a second that a client must take of its replies: it may fall behind this rate by
    /// [`Settings::reply_stall_timeout`], counting only time spent waiting for it. 0 sets no rate.
    pub min_reply_rate: u64,
    /// What a client may send ahead on one HTTP/2 stream, in bytes. The protocol's 64 KiB would cap an
    /// upload at 0.8 MB/s over 80 ms.
    pub h2_stream_window_bytes: u32,
    /// What a client may send ahead on one HTTP/2 connection, in bytes.
    pub h2_connection_window_bytes: u32,
    /// The largest HTTP/2 frame a client may send, in bytes: 16,384 to 16,777,215.
    pub h2_max_frame_bytes: u32,
    /// Requests at once on one HTTP/2 connection.
    pub h2_max_concurrent_streams: u32,
    /// How often a ping asks whether an HTTP/2 client is still there.
    pub h2_ping_interval: Duration,
    /// How long an HTTP/2 client may take to answer a ping.
    pub h2_ping_timeout: Duration,
    /// Streams reset by a client before we took them up; one more ends the connection
    /// ("rapid reset", CVE-2023-44487).
    pub h2_max_pending_resets: usize,
    /// Streams reset by us for a client's protocol errors; one more ends the connection.
    pub h2_max_local_resets: usize,
    /// How long running requests may go on once the server was told to stop.
    pub drain_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))],
            tls: None,
            backlog: 4096,
            max_connections: 10_000,
            handshake_timeout: Duration::from_secs(10),
            header_read_timeout: Duration::from_secs(10),
            max_header_bytes: 64 * 1024,
            idle_timeout: Duration::from_secs(75),
            write_stall_timeout: Duration::from_secs(60),
            reply_stall_timeout: Duration::from_secs(600),
            min_reply_rate: 512,
            h2_stream_window_bytes: 4 * 1024 * 1024,
            h2_connection_window_bytes: 8 * 1024 * 1024,
            h2_max_frame_bytes: 64 * 1024,
            h2_max_concurrent_streams: 100,
            h2_ping_interval: Duration::from_secs(30),
            h2_ping_timeout: Duration::from_secs(20),
            h2_max_pending_resets: 20,
            h2_max_local_resets: 1024,
            drain_timeout: Duration::from_secs(30),
        }
    }
}

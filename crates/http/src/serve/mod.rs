//! The serving layer: everything between the listening socket and the handler of a request.
//!
//! [`Server`] accepts connections, speaks TLS, HTTP/1.1 and HTTP/2, keeps the limits of
//! [`Settings`], and hands each request to the one [`Handler`]. What a request *means* is not
//! known here.

mod activity;
mod beside;
mod connection;
mod counters;
mod drain;
mod exchange;
pub mod incoming;
mod refusal;
mod server;
mod settings;
mod socket;
mod tls;
mod watch;
mod watchdog;

use std::net::SocketAddr;

use http::{Request, Response};
use hyper::body::Incoming;

pub use beside::serve_beside;
pub use counters::Counters;
pub use server::{ServeError, Server};
pub use settings::{Settings, TlsFiles};
pub use tls::{Certificate, TlsError};
pub use watch::{OnEnd, Watch};

use crate::body::Body;

/// What answers requests. One value serves all connections at once.
///
/// The future is dropped when the client goes away before the reply is ready. A panic ends the
/// connection (HTTP/2: the stream), never the process.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. A [`Watch`] among the reply's extensions is told how its sending ended.
    fn handle(
        &self,
        request: Request<Incoming>,
        connection: &Connection,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// What is known of the connection that a request came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// The other end of the socket: the client, or a proxy in front of us.
    pub peer: SocketAddr,
    /// Our end of the socket.
    pub local: SocketAddr,
    /// Whether the bytes are encrypted on this socket.
    pub tls: bool,
    /// Whether the bytes of a reply go to the kernel just as they lie in memory (plain text and
    /// HTTP/1), so that nothing in this process reads them.
    pub zero_copy: bool,
}

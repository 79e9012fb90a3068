//! One request out, one reply in: TCP, TLS, HTTP/1.1 and HTTP/2, and the time that each may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::Instant;

use crate::{ClientOptions, Error};

/// The body of every request.
pub(crate) type RequestBody = UnsyncBoxBody<Bytes, Error>;

/// HTTP/2's window for one stream and for the connection: 64 KiB, the default, would cap a pull
/// at 0.8 MB/s where a reply takes 80 ms.
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 32 << 20;

pub(crate) struct Transport {
    pool: Pool<HttpsConnector<HttpConnector>, RequestBody>,
    /// Why no certificate can be trusted, where that is so.
    no_roots: Option<String>,
}

impl Transport {
    pub(crate) fn new(options: &ClientOptions) -> Result<Self, Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(options.connect_timeout));
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        let (tls, no_roots) = tls()?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .timer(TokioTimer::new())
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .build(connector);
        Ok(Self { pool, no_roots })
    }

    /// Sends a request and waits for the reply's head: at most `patience` since the last sign of `activity`.
    pub(crate) async fn send(
        &self,
        request: Request<RequestBody>,
        activity: &Activity,
        patience: Duration,
    ) -> Result<Response<Incoming>, Error> {
        let uri = request.uri().clone();
        let reply = self.pool.request(request);
        tokio::select! {
            reply = reply => reply.map_err(|error| self.explain(&uri, error)),
            () = activity.ends(patience) => {
                Err(Error::Silent { host: host_of(&uri), after: patience })
            }
        }
    }

    fn explain(&self, uri: &Uri, error: hyper_util::client::legacy::Error) -> Error {
        let host = host_of(uri);
        let reason = innermost(&error);
        if !error.is_connect() {
            return Error::Broken { host, reason };
        }
        let Some(tls) = tls_error(&error) else { return Error::Unreachable { host, reason } };
        let is_plain = matches!(tls, rustls::Error::InvalidMessage(_));
        let why = self.no_roots.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
        Error::Tls { host, is_plain, reason: format!("{tls}{why}") }
    }
}

/// The error of TLS in an error's causes. One of I/O hides it from [`std::error::Error::source`].
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut error = error;
    loop {
        if let Some(tls) = error.downcast_ref() {
            return Some(tls);
        }
        error = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => inner,
            None => error.source()?,
        };
    }
}

/// TLS with the system's certificates. A machine that has none can still speak plain HTTP to itself.
fn tls() -> Result<(ClientConfig, Option<String>), Error> {
    let builder = || {
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Setup(format!("TLS cannot be set up: {error}")))
    };
    match builder()?.with_native_roots() {
        Ok(builder) => Ok((builder.with_no_client_auth(), None)),
        Err(error) => {
            let why = format!("no trusted certificates were found: {error}");
            let config = builder()?.with_root_certificates(RootCertStore::empty());
            Ok((config.with_no_client_auth(), Some(why)))
        }
    }
}

/// Host and port for messages.
pub(super) fn host_of(uri: &Uri) -> String {
    uri.authority().map_or_else(|| "the registry".to_owned(), ToString::to_string)
}

/// The cause at the bottom, which says the most.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// When a request's body last moved. A long upload is not silence.
#[derive(Clone)]
pub(crate) struct Activity {
    started: Instant,
    /// Milliseconds after `started`.
    last: Arc<AtomicU64>,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), last: Arc::default() }
    }

    /// Something moved just now.
    pub(crate) fn moved(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(elapsed, Ordering::Relaxed);
    }

    /// Ends when nothing moved for `patience`.
    async fn ends(&self, patience: Duration) {
        loop {
            let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
            let deadline = self.started + last + patience;
            if deadline <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(deadline).await;
        }
    }
}

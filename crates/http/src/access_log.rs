//! The access log: one line for each request, written when its reply has ended or broken off.

mod line;
mod request_id;
mod writer;

use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Instant, SystemTime};

use http::header::USER_AGENT;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, StatusCode};
use prometheus_client::metrics::counter::Counter;

pub use line::Format;
pub use request_id::{RequestId, RequestIds};
pub use writer::LogThread;

use crate::serve::OnEnd;
use line::Line;
use writer::Queue;

/// Where finished requests are noted. A clone writes to the same place.
#[derive(Clone)]
pub struct AccessLog(Option<Sink>);

#[derive(Clone)]
struct Sink {
    queue: Arc<Queue>,
    format: Format,
}

impl AccessLog {
    /// A log that nobody writes.
    pub const fn off() -> Self {
        Self(None)
    }

    /// Starts the thread that writes to `writer`, which may block: lines that do not fit into the
    /// megabyte that waits for it are dropped and counted by `dropped`.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(
        format: Format,
        writer: impl Write + Send + 'static,
        dropped: Counter,
    ) -> io::Result<(Self, LogThread)> {
        let (queue, thread) = writer::start(writer, dropped)?;
        Ok((Self(Some(Sink { queue, format })), thread))
    }

    /// [`AccessLog::start`] on the standard output.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn to_stdout(format: Format, dropped: Counter) -> io::Result<(Self, LogThread)> {
        Self::start(format, io::stdout(), dropped)
    }

    /// Notes `request`, whose time starts now. `client` is the address after
    /// [`Origin::client_address`](crate::origin::Origin::client_address).
    pub fn begin<B>(&self, request: &Request<B>, id: RequestId, client: IpAddr) -> Entry {
        let noted = self.0.as_ref().map(|sink| Noted {
            sink: sink.clone(),
            started: Instant::now(),
            id,
            client,
            method: request.method().clone(),
            target: request.uri().path_and_query().cloned(),
            user_agent: request.headers().get(USER_AGENT).cloned(),
            operation: "-",
            principal: None,
            status: None,
            bytes: AtomicU64::new(0),
            complete: AtomicBool::new(false),
        });
        Entry(noted)
    }
}

/// The entry of one request, written when it is dropped. Put it into the reply's
/// [`Watch`](crate::serve::Watch), so that this is when the reply has ended; when the client goes
/// away before, the entry is dropped with the handler and says so by a status `-`.
pub struct Entry(Option<Noted>);

/// Cloning methods, targets and header values copies a pointer, seldom bytes.
struct Noted {
    sink: Sink,
    started: Instant,
    id: RequestId,
    client: IpAddr,
    method: Method,
    target: Option<PathAndQuery>,
    user_agent: Option<HeaderValue>,
    operation: &'static str,
    principal: Option<Arc<str>>,
    status: Option<StatusCode>,
    bytes: AtomicU64,
    complete: AtomicBool,
}

impl Entry {
    /// What was asked for.
    pub fn set_operation(&mut self, operation: &'static str) {
        if let Some(noted) = &mut self.0 {
            noted.operation = operation;
        }
    }

    /// Who asked; `-` if it is never said.
    pub fn set_principal(&mut self, principal: Arc<str>) {
        if let Some(noted) = &mut self.0 {
            noted.principal = Some(principal);
        }
    }

    /// What was answered.
    pub fn set_status(&mut self, status: StatusCode) {
        if let Some(noted) = &mut self.0 {
            noted.status = Some(status);
        }
    }
}

impl OnEnd for Entry {
    fn ended(&self, bytes: u64, complete: bool) {
        if let Some(noted) = &self.0 {
            noted.bytes.store(bytes, Relaxed);
            noted.complete.store(complete, Relaxed);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let Some(noted) = &self.0 else { return };
        let line = Line {
            time: SystemTime::now(),
            id: noted.id,
            client: noted.client,
            principal: noted.principal.as_deref().unwrap_or("-"),
            method: noted.method.as_str(),
            target: noted.target.as_ref().map_or("*", shown),
            status: noted.status,
            bytes: noted.bytes.load(Relaxed),
            complete: noted.complete.load(Relaxed),
            duration: noted.started.elapsed(),
            operation: noted.operation,
            user_agent: noted.user_agent.as_ref().map(HeaderValue::as_bytes),
        };
        line.format(noted.sink.format, |bytes| noted.sink.queue.push(bytes));
    }
}

/// What is written of a target. A query is written below `/v2/` alone: elsewhere, as at `/token`, some client may have put
/// a secret into it.
fn shown(target: &PathAndQuery) -> &str {
    if target.path().starts_with("/v2/") { target.as_str() } else { target.path() }
}

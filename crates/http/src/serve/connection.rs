//! One connection from its acceptance to its end.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsAcceptor;

use super::activity::Activity;
use super::counters::Counters;
use super::drain::{Drain, Phase};
use super::exchange::Exchanges;
use super::settings::Settings;
use super::socket::Socket;
use super::watchdog::{Limits, Verdict, Watchdog};
use super::{Connection, Handler};

/// How many bytes of a reply wait in a connection for its socket, or in an HTTP/2 stream for its window. hyper's
/// own choice, some 400 KB, would keep that much of a blob resident for every client that reads slowly.
const REPLY_BUFFER: usize = 256 * 1024;

/// What all connections of a server share.
pub(super) struct Shared<H> {
    pub(super) handler: Arc<H>,
    pub(super) drain: Arc<Drain>,
    pub(super) counters: Counters,
    pub(super) acceptor: Option<TlsAcceptor>,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    limits: Limits,
    handshake_timeout: Duration,
    header_read_timeout: Duration,
    min_reply_rate: u64,
}

impl<H: Handler> Shared<H> {
    pub(super) fn new(
        handler: H,
        settings: &Settings,
        drain: Arc<Drain>,
        counters: Counters,
        acceptor: Option<TlsAcceptor>,
    ) -> Self {
        Self {
            handler: Arc::new(handler),
            drain,
            counters,
            acceptor,
            http1: http1(settings),
            http2: http2(settings),
            limits: Limits::of(settings),
            handshake_timeout: settings.handshake_timeout,
            header_read_timeout: settings.header_read_timeout,
            min_reply_rate: settings.min_reply_rate,
        }
    }

    /// Serves `stream` until it is closed.
    pub(super) async fn serve(&self, stream: TcpStream, connection: Connection) {
        let activity = Arc::new(Activity::new(self.min_reply_rate));
        let socket = Socket::new(stream, Arc::clone(&activity), self.counters.clone());
        let Some(acceptor) = &self.acceptor else {
            return self.serve_plain(socket, connection, activity).await;
        };
        match self.before_stop(self.handshake_timeout, acceptor.accept(socket)).await {
            Some(Ok(stream)) => {
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.speak(stream, connection, activity, http2).await;
            }
            Some(Err(error)) => {
                self.counters.handshake_failed.inc();
                tracing::debug!(peer = %connection.peer, %error, "TLS handshake failed");
            }
            None => {}
        }
    }

    async fn serve_plain(
        &self,
        mut socket: Socket,
        connection: Connection,
        activity: Arc<Activity>,
    ) {
        match self.before_stop(self.header_read_timeout, socket.opens_http2()).await {
            Some(Ok(http2)) => self.speak(socket, connection, activity, http2).await,
            Some(Err(error)) => {
                tracing::debug!(peer = %connection.peer, %error, "nothing to read");
            }
            None => {}
        }
    }

    /// What `opening` yields; nothing if it takes longer than `limit` or the server stops.
    async fn before_stop<T>(
        &self,
        limit: Duration,
        opening: impl Future<Output = io::Result<T>>,
    ) -> Option<io::Result<T>> {
        let mut stop = pin!(self.drain.changed().notified());
        stop.as_mut().enable();
        if self.drain.phase() != Phase::Running {
            return None;
        }
        tokio::select! {
            opened = timeout(limit, opening) => {
                if opened.is_err() {
                    self.counters.too_slow.inc();
                }
                opened.ok()
            }
            () = stop => None,
        }
    }

    async fn speak<S>(
        &self,
        stream: S,
        connection: Connection,
        activity: Arc<Activity>,
        http2: bool,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connection = Connection { zero_copy: !connection.tls && !http2, ..connection };
        let exchanges = Arc::new(Exchanges {
            handler: Arc::clone(&self.handler),
            connection,
            activity: Arc::clone(&activity),
            http2,
        });
        let service = service_fn(move |request| exchanges.answer(request));
        let watchdog = Watchdog::new(activity, &self.drain, self.limits, http2);
        let io = TokioIo::new(stream);
        let ended = if http2 {
            let hyper = pin!(self.http2.serve_connection(io, service));
            drive(hyper, http2::Connection::graceful_shutdown, watchdog).await
        } else {
            let hyper = pin!(self.http1.serve_connection(io, service));
            drive(hyper, http1::Connection::graceful_shutdown, watchdog).await
        };
        match ended {
            Ok(()) => {}
            Err(End::Hyper(error)) => {
                // Clients close early as they please: nothing that an operator must know.
                tracing::debug!(peer = %connection.peer, %error, "connection broke");
            }
            Err(End::Verdict(verdict)) => {
                if verdict == Verdict::TooSlow {
                    self.counters.too_slow.inc();
                }
                tracing::debug!(peer = %connection.peer, ?verdict, "connection closed");
            }
        }
    }
}

enum End {
    Hyper(hyper::Error),
    Verdict(Verdict),
}

/// Polls the connection and then its watchdog, in one task, until either ends it.
async fn drive<C>(
    mut connection: Pin<&mut C>,
    finish: fn(Pin<&mut C>),
    mut watchdog: Watchdog<'_>,
) -> Result<(), End>
where
    C: Future<Output = hyper::Result<()>>,
{
    poll_fn(|context| {
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(context) {
                return Poll::Ready(ended.map_err(End::Hyper));
            }
            match watchdog.poll(context) {
                Poll::Ready(Verdict::Finish) => finish(connection.as_mut()),
                Poll::Ready(verdict) => return Poll::Ready(Err(End::Verdict(verdict))),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}

/// Reading a head has no timer of hyper's here: the watchdog has one for all of a connection.
fn http1(settings: &Settings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(REPLY_BUFFER)
        .max_header_size(settings.max_header_bytes);
    builder
}

fn http2(settings: &Settings) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(settings.h2_stream_window_bytes)
        .initial_connection_window_size(settings.h2_connection_window_bytes)
        .max_frame_size(settings.h2_max_frame_bytes)
        .max_concurrent_streams(settings.h2_max_concurrent_streams)
        .max_send_buf_size(REPLY_BUFFER)
        .max_header_list_size(u32::try_from(settings.max_header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(settings.h2_ping_interval)
        .keep_alive_timeout(settings.h2_ping_timeout)
        .max_pending_accept_reset_streams(settings.h2_max_pending_resets)
        .max_local_error_reset_streams(settings.h2_max_local_resets);
    builder
}

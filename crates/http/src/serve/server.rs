//! The server: listening sockets, the accept loop, the stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::join_all;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::connection::Shared;
use super::counters::Counters;
use super::drain::{Drain, Phase};
use super::refusal::Refusals;
use super::settings::Settings;
use super::tls::{Certificate, TlsError};
use super::{Connection, Handler};

/// How long accepting pauses when the process has no file descriptor or memory left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long cut connections may take to be gone.
const CUT_LIMIT: Duration = Duration::from_secs(1);

/// Why a server could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address could not be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address of the settings.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The certificate could not be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A server that listens, but does not serve before [`Server::run`].
pub struct Server {
    settings: Settings,
    listeners: Vec<(TcpListener, SocketAddr)>,
    certificate: Option<Arc<Certificate>>,
    counters: Counters,
}

impl Server {
    /// Loads the certificate and listens on all addresses. Clients may connect from here on.
    pub async fn bind(settings: Settings) -> Result<Self, ServeError> {
        let certificate = match &settings.tls {
            Some(files) => Some(Arc::new(Certificate::load(files.clone())?)),
            None => None,
        };
        let listen = |address: &SocketAddr| {
            listen(*address, settings.backlog)
                .map_err(|source| ServeError::Listen { address: *address, source })
        };
        let listeners = settings.listen.iter().map(listen).collect::<Result<_, _>>()?;
        Ok(Self { settings, listeners, certificate, counters: Counters::default() })
    }

    /// Counts into `counters` instead of its own.
    #[must_use]
    pub fn with_counters(self, counters: Counters) -> Self {
        Self { counters, ..self }
    }

    /// What this server counts.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The first address listened on, with the port that was taken for port 0.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addrs().next()
    }

    /// All addresses listened on, in the order of the settings.
    pub fn local_addrs(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.listeners.iter().map(|(_, address)| *address)
    }

    /// The certificate, so that it can be loaded anew at a signal.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.certificate.clone()
    }

    /// Serves until `shutdown` is over: then nothing new is accepted, running requests go on
    /// for at most the drain timeout, and the rest is cut. Returns how many connections were cut.
    pub async fn run<H: Handler>(self, handler: H, shutdown: impl Future<Output = ()>) -> usize {
        let Self { settings, listeners, certificate, counters } = self;
        let drain = Arc::new(Drain::new(counters.clone()));
        let acceptor = certificate.as_ref().map(|tls| TlsAcceptor::from(tls.server_config()));
        let shared =
            Arc::new(Shared::new(handler, &settings, Arc::clone(&drain), counters, acceptor));
        let refusals = Refusals::new();
        let accepting = listeners
            .iter()
            .map(|(listener, local)| accept(listener, *local, &settings, &shared, &refusals));
        tokio::select! {
            () = shutdown => {}
            _ = join_all(accepting) => {}
            () = follow(certificate.as_deref()) => {}
        }
        drop(listeners);
        drain.enter(Phase::Draining);
        if timeout(settings.drain_timeout, drain.emptied()).await.is_ok() {
            return 0;
        }
        let cut = drain.open();
        drain.enter(Phase::Cut);
        let _ = timeout(CUT_LIMIT, drain.emptied()).await;
        cut
    }
}

/// Loads the certificate anew whenever its files change; without one, waits for ever.
async fn follow(certificate: Option<&Certificate>) {
    match certificate {
        Some(certificate) => certificate.follow().await,
        None => std::future::pending().await,
    }
}

fn listen(address: SocketAddr, backlog: i32) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    let listener = TcpListener::from_std(socket.into())?;
    let local = listener.local_addr()?;
    Ok((listener, local))
}

async fn accept<H: Handler>(
    listener: &TcpListener,
    local: SocketAddr,
    settings: &Settings,
    shared: &Arc<Shared<H>>,
    refusals: &Refusals,
) {
    let tls = shared.acceptor.is_some();
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                failed_to_accept(&error).await;
                continue;
            }
        };
        shared.counters.accepted.inc();
        let Some(admission) = shared.drain.admit(settings.max_connections) else {
            shared.counters.refused.inc();
            refusals.refuse(stream, tls);
            continue;
        };
        if let Err(error) = prepare(&stream, settings) {
            tracing::debug!(%peer, %error, "socket options");
        }
        let shared = Arc::clone(shared);
        let connection = Connection { peer, local, tls, zero_copy: !tls };
        tokio::spawn(async move {
            let _admission = admission;
            shared.serve(stream, connection).await;
        });
    }
}

fn prepare(stream: &TcpStream, settings: &Settings) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    SockRef::from(stream).set_tcp_user_timeout(Some(settings.write_stall_timeout))?;
    Ok(())
}

/// A client that went before it was accepted is its own affair; anything else will not be better at once.
async fn failed_to_accept(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        return;
    }
    tracing::warn!(%error, "cannot accept connections for the moment");
    sleep(ACCEPT_PAUSE).await;
}

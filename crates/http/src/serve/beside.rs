//! A small listener beside the one for clients: for scrapers, and for services of a private network.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Handler, ServeError, Server, Settings};

/// How long running requests may hold up the stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Listens on `address` and has `handler` answer there until `shutdown` is over, with so many connections at most. Returns
/// at once with the address bound and what does the serving, which yields how many requests it left unanswered.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve_beside<H: Handler>(
    address: SocketAddr,
    max_connections: usize,
    handler: H,
    shutdown: impl Future<Output = ()>,
) -> Result<(SocketAddr, impl Future<Output = usize>), ServeError> {
    let settings = Settings {
        listen: vec![address],
        max_connections,
        drain_timeout: DRAIN_TIMEOUT,
        ..Settings::default()
    };
    let server = Server::bind(settings).await?;
    let bound = server.local_addr().unwrap_or(address);
    Ok((bound, server.run(handler, shutdown)))
}

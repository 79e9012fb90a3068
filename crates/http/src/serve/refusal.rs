//! The answer to a connection too many: a short 503, itself bounded in number and time.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Duration, timeout};

/// Refusals written at once; beyond it a connection is closed without a word.
const AT_ONCE: usize = 64;

/// How long one refusal may take.
const LIMIT: Duration = Duration::from_secs(1);

/// What of the client's request is read, so that closing does not reset the connection before
/// the client has read our answer. In bytes.
const READ_AT_MOST: usize = 16 * 1024;

const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    Retry-After: 1\r\n\
    Connection: close\r\n\
    Content-Length: 0\r\n\
    \r\n";

/// Refuses connections.
#[derive(Clone)]
pub(super) struct Refusals(Arc<Semaphore>);

impl Refusals {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// Answers and closes `stream` in a task of its own; over TLS it is only closed.
    pub(super) fn refuse(&self, stream: TcpStream, tls: bool) {
        if tls {
            return;
        }
        let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() else { return };
        tokio::spawn(async move {
            let _ = timeout(LIMIT, answer(stream)).await;
            drop(permit);
        });
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(ANSWER).await?;
    stream.shutdown().await?;
    let mut buffer = [0; 1024];
    let mut left = READ_AT_MOST;
    while left > 0 {
        match stream.read(&mut buffer).await? {
            0 => break,
            count => left = left.saturating_sub(count),
        }
    }
    Ok(())
}

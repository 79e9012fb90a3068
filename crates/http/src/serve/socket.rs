//! A TCP stream that counts, notes when it is stuck, and can look at its first bytes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::activity::Activity;
use super::counters::Counters;

/// What an HTTP/2 client sends first (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) struct Socket {
    stream: TcpStream,
    activity: Arc<Activity>,
    counters: Counters,
    /// Bytes that were looked at and not yet read: `first[given..seen]`.
    first: [u8; PREFACE.len()],
    seen: usize,
    given: usize,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>, counters: Counters) -> Self {
        Self { stream, activity, counters, first: [0; PREFACE.len()], seen: 0, given: 0 }
    }

    /// Whether the client opens with HTTP/2's preface. Reads no more than it needs to tell, and
    /// gives it again to whoever reads next. Call it before anything else is read.
    pub(super) async fn opens_http2(&mut self) -> io::Result<bool> {
        while self.seen < PREFACE.len() && self.first[..self.seen] == PREFACE[..self.seen] {
            if std::future::poll_fn(|context| self.poll_first(context)).await? == 0 {
                break;
            }
        }
        Ok(self.first == *PREFACE)
    }

    fn poll_first(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(&mut self.first[self.seen..]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        let count = buffer.filled().len();
        self.seen += count;
        self.counters.bytes_received.inc_by(count as u64);
        Poll::Ready(Ok(count))
    }

    /// The kernel gives up on who takes nothing for too long; it says so once, to whoever asks first.
    fn note_error(&self, error: &io::Error) {
        if error.kind() == io::ErrorKind::TimedOut {
            self.counters.too_slow.inc();
        }
    }

    fn note_write(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(Ok(count)) => {
                self.activity.bytes_went(*count);
                self.counters.bytes_sent.inc_by(*count as u64);
            }
            Poll::Ready(Err(error)) => self.note_error(error),
            Poll::Pending => self.activity.blocked(),
        }
        result
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.given < this.seen {
            let count = buffer.remaining().min(this.seen - this.given);
            buffer.put_slice(&this.first[this.given..this.given + count]);
            this.given += count;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))
            .inspect_err(|error| this.note_error(error))?;
        let count = buffer.filled().len() - before;
        if count > 0 {
            this.activity.bytes_came();
            this.counters.bytes_received.inc_by(count as u64);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note_write(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note_write(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

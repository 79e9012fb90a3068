//! The one body type of every reply: nothing, bytes at hand, or a stream of bytes of known length.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::Stream;
use http_body::{Body as HttpBody, Frame, SizeHint};

/// Why a body could not be sent to its end; the connection is closed and the reason logged.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A stream of the bytes of a reply.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// The body of a reply. Its length is always known, so `Content-Length` is always sent.
pub enum Body {
    /// Bytes at hand; empty for none.
    Bytes(Bytes),
    /// Bytes to come, `remaining` of them.
    Stream {
        /// How many bytes are still to come.
        remaining: u64,
        /// Where they come from.
        stream: ByteStream,
    },
}

impl Body {
    /// A body without bytes.
    pub const fn empty() -> Self {
        Self::Bytes(Bytes::new())
    }

    /// A body of `length` bytes that `stream` yields.
    pub fn stream(
        length: u64,
        stream: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
    ) -> Self {
        Self::Stream { remaining: length, stream: Box::pin(stream) }
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream { remaining: 0, .. } => Poll::Ready(None),
            Self::Stream { remaining, stream } => match stream.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(bytes))) => {
                    *remaining = remaining.saturating_sub(bytes.len() as u64);
                    Poll::Ready(Some(Ok(Frame::data(bytes))))
                }
                Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => {
                    Poll::Ready(Some(Err("the stored bytes ended before the blob did".into())))
                }
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Stream { remaining, .. } => *remaining == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream { remaining, .. } => SizeHint::with_exact(*remaining),
        }
    }
}

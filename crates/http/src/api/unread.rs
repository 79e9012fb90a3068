//! The body of a request, which may be answered before it was read to its end.
//!
//! A socket that is closed with bytes unread is reset, and a reset takes the reply with it: a client that was still
//! sending would see a broken pipe instead of the 404, 413 or 416 that it was sent. So what is left of a body is read
//! and thrown away for a while, in the background.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long a client may go on sending what nobody wants.
const LONGEST: Duration = Duration::from_secs(3);

/// How many bytes of that are read.
const MOST_BYTES: usize = 64 << 20;

/// A body whose rest is thrown away when it is dropped.
pub(super) struct Unread {
    body: Option<Incoming>,
    /// Places for rests being thrown away; `None` where the rest does not matter.
    places: Option<Arc<Semaphore>>,
}

impl Unread {
    pub(super) const fn new(body: Incoming, places: Option<Arc<Semaphore>>) -> Self {
        Self { body: Some(body), places }
    }
}

impl Body for Unread {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        let place = self.places.take().and_then(|places| places.try_acquire_owned().ok());
        if let Some(place) = place {
            tokio::spawn(async move {
                let _ = timeout(LONGEST, throw_away(body)).await;
                drop(place);
            });
        }
    }
}

async fn throw_away(mut body: Incoming) {
    let mut left = MOST_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

//! The body of a request: bytes at hand, or a stream of known length that tells when it moves.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full};

use super::call::Payload;
use super::transport::{Activity, RequestBody};
use crate::{BlobStream, Error};

/// The body to send. A stream is taken, so that a second request would send none of it.
pub(super) fn outgoing(payload: &mut Payload, activity: &Activity) -> (u64, RequestBody) {
    match payload {
        Payload::Bytes(bytes) => {
            let body = Full::new(bytes.clone()).map_err(|never| match never {});
            (bytes.len() as u64, body.boxed_unsync())
        }
        Payload::Stream(length, stream) => {
            let stream = std::mem::replace(stream, Box::pin(futures_util::stream::empty()));
            let body = Outgoing { stream, remaining: *length, activity: activity.clone() };
            (*length, body.boxed_unsync())
        }
    }
}

/// No body.
pub(super) fn empty() -> RequestBody {
    Full::default().map_err(|never| match never {}).boxed_unsync()
}

/// A body of known length that tells when it moves.
struct Outgoing {
    stream: BlobStream,
    remaining: u64,
    activity: Activity,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.activity.moved();
        let next = std::task::ready!(self.stream.as_mut().poll_next(context));
        Poll::Ready(next.map(|result| {
            let bytes = result?;
            self.remaining = self.remaining.saturating_sub(bytes.len() as u64);
            Ok(Frame::data(bytes))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

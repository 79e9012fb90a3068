//! One request and its reply, between hyper and the handler.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::activity::InFlight;
use super::watch::Watch;
use crate::body::{Body, BodyError};

/// The body of a reply on its way out: counts, keeps the request in flight, tells the watch.
pub(super) struct Outgoing {
    body: Body,
    sent: u64,
    watch: Option<Watch>,
    /// Without bytes on the wire whatever its head says: `HEAD`, 204, 304.
    bodiless: bool,
    http2: bool,
    /// HTTP/2: handed over bytes and was not asked for more since.
    waits: bool,
    in_flight: InFlight,
}

impl Outgoing {
    /// Wraps the body of `response`; `method` is the request's.
    pub(super) fn wrap(
        mut response: Response<Body>,
        method: &Method,
        http2: bool,
        in_flight: InFlight,
    ) -> Response<Self> {
        let watch = match response.extensions().is_empty() {
            true => None,
            false => response.extensions_mut().remove::<Watch>(),
        };
        let bodiless = method == Method::HEAD
            || matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if bodiless {
            leave_body_out(&mut response, method);
        }
        response.map(|body| Self { body, sent: 0, watch, bodiless, http2, waits: false, in_flight })
    }

    fn stop_waiting(&mut self) {
        if std::mem::take(&mut self.waits) {
            self.in_flight.activity().reply_moves();
        }
    }
}

/// Over HTTP/2 nobody else would: a client takes bytes behind the head of such a reply for a broken stream.
fn leave_body_out(response: &mut Response<Body>, method: &Method) {
    let body = std::mem::replace(response.body_mut(), Body::empty());
    if method == Method::HEAD
        && !body.is_end_stream()
        && let Some(length) = body.size_hint().exact()
    {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(HeaderValue::from(length));
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.stop_waiting();
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.sent += frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
                if self.http2 {
                    self.waits = true;
                    self.in_flight.activity().reply_waits();
                }
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::warn!(%error, sent = self.sent, "a reply broke off");
            }
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.stop_waiting();
        if let Some(watch) = self.watch.take() {
            watch.ended(self.sent, self.bodiless || self.body.is_end_stream());
        }
    }
}

/// What all requests of one connection share.
pub(super) struct Exchanges<H> {
    pub(super) handler: Arc<H>,
    pub(super) connection: super::Connection,
    pub(super) activity: Arc<super::activity::Activity>,
    pub(super) http2: bool,
}

impl<H: super::Handler> Exchanges<H> {
    /// Answers one request.
    pub(super) fn answer(
        self: &Arc<Self>,
        request: http::Request<hyper::body::Incoming>,
    ) -> impl Future<Output = Result<Response<Outgoing>, std::convert::Infallible>> + Send + use<H>
    {
        let in_flight = InFlight::begin(&self.activity);
        let shared = Arc::clone(self);
        async move {
            let method = request.method().clone();
            let response = shared.handler.handle(request, &shared.connection).await;
            Ok(Outgoing::wrap(response, &method, shared.http2, in_flight))
        }
    }
}

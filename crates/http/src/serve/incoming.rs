//! The body of a request, with limits: how long, how slow, how broken.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::stream::Stream;
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use tokio::time::{Duration, Instant, Sleep, sleep_until};

/// Why a request's body cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IncomingError {
    /// More bytes than allowed, or announced.
    #[error("the body is longer than {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The client sent nothing, or too little, for too long.
    #[error("the body came too slowly")]
    TooSlow,
    /// The client went away, or its framing is wrong, before the body's end.
    #[error("the body broke off")]
    Broken,
}

/// Limits of a request's body. Only time spent waiting for the client counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long it may be, in bytes.
    pub max_bytes: u64,
    /// How long the client may send nothing.
    pub stall: Duration,
    /// How far the client may fall behind `min_bytes_per_second`.
    pub grace: Duration,
    /// The least rate.
    pub min_bytes_per_second: u64,
}

impl Limits {
    /// At most `max_bytes`; 30 s without a byte; 512 bytes a second after the first 30 s.
    pub fn up_to(max_bytes: u64) -> Self {
        Self {
            max_bytes,
            stall: Duration::from_secs(30),
            grace: Duration::from_secs(30),
            min_bytes_per_second: 512,
        }
    }
}

/// The bytes of a request's body, until it ends or breaks a limit. After an error it is over.
pub struct IncomingBody<B = Incoming> {
    body: B,
    limits: Limits,
    received: u64,
    /// How long the client was waited for beyond what its bytes have earned, without the wait that is on.
    waited: Duration,
    waiting_since: Option<Instant>,
    /// Fires at the first time a limit could be broken, or earlier: it is not set anew at each wait.
    timer: Option<Pin<Box<Sleep>>>,
    over: bool,
}

impl<B> IncomingBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    /// Reads `body` within `limits`.
    pub fn new(body: B, limits: Limits) -> Self {
        Self {
            body,
            limits,
            received: 0,
            waited: Duration::ZERO,
            waiting_since: None,
            timer: None,
            over: false,
        }
    }

    /// Bytes received so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The length that the client announced, if it did.
    pub fn announced(&self) -> Option<u64> {
        self.body.size_hint().exact().map(|rest| rest.saturating_add(self.received))
    }

    /// The whole body, of at most `limit` bytes. A longer one that was announced is refused
    /// before a byte is read.
    ///
    /// # Errors
    /// [`IncomingError`]; the limit on length is the smaller one of `limit` and the limits'.
    pub async fn collect(mut self, limit: u64) -> Result<Bytes, IncomingError> {
        self.limits.max_bytes = self.limits.max_bytes.min(limit);
        let Some(first) = self.next_bytes().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.next_bytes().await? else { return Ok(first) };
        let mut whole = BytesMut::with_capacity(self.gathered_capacity());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        while let Some(bytes) = self.next_bytes().await? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole.freeze())
    }

    /// The next bytes, or none at the end.
    ///
    /// # Errors
    /// [`IncomingError`], after which there is nothing more.
    pub async fn next_bytes(&mut self) -> Result<Option<Bytes>, IncomingError> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await.transpose()
    }

    /// What to reserve, in bytes: never much more than what has already come.
    fn gathered_capacity(&self) -> usize {
        let announced = self.announced().unwrap_or(0).min(self.received.saturating_mul(4));
        usize::try_from(announced.max(self.received)).unwrap_or(0)
    }

    fn poll_bytes(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, IncomingError>>> {
        let limit = self.limits.max_bytes;
        if self.body.size_hint().lower() > limit.saturating_sub(self.received) {
            return Poll::Ready(Some(Err(IncomingError::TooLong { limit })));
        }
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                ready!(self.poll_too_slow(context));
                return Poll::Ready(Some(Err(IncomingError::TooSlow)));
            };
            if let Some(since) = self.waiting_since.take() {
                self.waited += since.elapsed();
            }
            let Some(frame) = frame else { return Poll::Ready(None) };
            let Ok(frame) = frame else { return Poll::Ready(Some(Err(IncomingError::Broken))) };
            // Trailers say nothing here; empty frames are not worth waking anyone.
            let Ok(bytes) = frame.into_data() else { continue };
            if bytes.is_empty() {
                continue;
            }
            self.received = self.received.saturating_add(bytes.len() as u64);
            self.waited = self.waited.saturating_sub(self.earned(bytes.len()));
            return Poll::Ready(Some(match self.received > limit {
                true => Err(IncomingError::TooLong { limit }),
                false => Ok(bytes),
            }));
        }
    }

    /// Ready when the client, for whom we wait, has broken a limit.
    fn poll_too_slow(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let since = *self.waiting_since.get_or_insert(now);
        let due = since + self.limits.stall.min(self.patience());
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        loop {
            if now >= due {
                return Poll::Ready(());
            }
            if timer.deadline() > due {
                timer.as_mut().reset(due);
            }
            ready!(timer.as_mut().poll(context));
            timer.as_mut().reset(due);
            if Instant::now() >= due {
                return Poll::Ready(());
            }
        }
    }

    /// How much longer the client may send nothing and still keep the rate. Bytes pay for waits before
    /// them, never for waits to come: a fast start buys no slow end.
    fn patience(&self) -> Duration {
        if self.limits.min_bytes_per_second == 0 {
            return Duration::MAX;
        }
        self.limits.grace.saturating_sub(self.waited)
    }

    /// The time that so many bytes may take.
    fn earned(&self, bytes: usize) -> Duration {
        match self.limits.min_bytes_per_second {
            0 => Duration::MAX,
            rate => Duration::from_secs_f64(bytes as f64 / rate as f64),
        }
    }
}

impl<B> Stream for IncomingBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    type Item = Result<Bytes, IncomingError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, IncomingError>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let polled = ready!(self.poll_bytes(context));
        self.over = !matches!(polled, Some(Ok(_)));
        Poll::Ready(polled)
    }
}

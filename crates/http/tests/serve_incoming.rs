//! Bodies of requests: too long, too slow, broken.

#![allow(clippy::unwrap_used)]

mod serve_support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use serve_support::*;
use tokio::io::AsyncWriteExt;
use wharf_http::body::Body;
use wharf_http::serve::incoming::{IncomingBody, IncomingError, Limits};
use wharf_http::serve::{Connection, Handler};

const SHORT: Duration = Duration::from_millis(300);

/// Notes how each body ended.
struct Sink {
    limits: Limits,
    ends: Arc<Mutex<Vec<Result<usize, IncomingError>>>>,
}

impl Handler for Sink {
    async fn handle(&self, request: Request<Incoming>, _: &Connection) -> Response<Body> {
        let collected = IncomingBody::new(request.into_body(), self.limits).collect(1 << 20).await;
        let end = collected.map(|bytes: Bytes| bytes.len());
        self.ends.lock().unwrap().push(end);
        Response::new(Body::from(format!("{end:?}")))
    }
}

async fn sink(limits: Limits) -> (Running, impl AsyncFn() -> Result<usize, IncomingError>) {
    let ends = Arc::new(Mutex::new(Vec::new()));
    let server = Running::with(settings(), Sink { limits, ends: Arc::clone(&ends) }).await;
    let end = async move || {
        until(|| !ends.lock().unwrap().is_empty()).await;
        ends.lock().unwrap().remove(0)
    };
    (server, end)
}

#[tokio::test]
async fn a_body_within_limits_is_whole() {
    let (server, end) = sink(Limits::up_to(1000)).await;
    let mut stream = server.connect().await;
    send(&mut stream, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    send(&mut stream, "5\r\nhello\r\n").await;
    send(&mut stream, "6\r\n world\r\n1\r\n!\r\n0\r\n\r\n").await;
    assert_eq!(end().await, Ok(12));
    assert_eq!(reply(&mut stream).await.1, b"Ok(12)");
}

#[tokio::test]
async fn a_body_announced_too_long_is_refused_before_it_comes() {
    let (server, end) = sink(Limits::up_to(10)).await;
    let mut stream = server.connect().await;
    send(&mut stream, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n").await;
    assert_eq!(end().await, Err(IncomingError::TooLong { limit: 10 }));
}

#[tokio::test]
async fn a_body_that_grows_too_long_is_refused() {
    let (server, end) = sink(Limits::up_to(10)).await;
    let mut stream = server.connect().await;
    send(&mut stream, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    send(&mut stream, "b\r\nhello world\r\n").await;
    assert_eq!(end().await, Err(IncomingError::TooLong { limit: 10 }));
}

#[tokio::test]
async fn a_sender_who_stops_is_too_slow() {
    let (server, end) = sink(Limits { stall: SHORT, ..Limits::up_to(1000) }).await;
    let mut stream = server.connect().await;
    send(&mut stream, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nsome").await;
    assert_eq!(end().await, Err(IncomingError::TooSlow));
}

#[tokio::test]
async fn a_sender_who_trickles_is_too_slow() {
    let limits = Limits { grace: SHORT, min_bytes_per_second: 1 << 20, ..Limits::up_to(1 << 20) };
    let (server, end) = sink(limits).await;
    let mut stream = server.connect().await;
    send(&mut stream, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n").await;
    let trickle = tokio::spawn(async move {
        let mut pace = tokio::time::interval(SHORT / 10);
        while stream.write_all(b"x").await.is_ok() {
            pace.tick().await;
        }
    });
    assert_eq!(end().await, Err(IncomingError::TooSlow));
    trickle.abort();
}

#[tokio::test]
async fn a_fast_start_buys_no_slow_end() {
    let limits = Limits {
        stall: Duration::from_secs(3600),
        grace: SHORT,
        min_bytes_per_second: 1000,
        ..Limits::up_to(1 << 20)
    };
    let (server, end) = sink(limits).await;
    let mut stream = server.connect().await;
    send(&mut stream, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n").await;
    // At the least rate these would last for a minute and a half.
    stream.write_all(&[b'x'; 90_000]).await.unwrap();
    let asked = std::time::Instant::now();
    assert_eq!(end().await, Err(IncomingError::TooSlow));
    assert!(asked.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_a_broken_body() {
    let (server, end) = sink(Limits::up_to(1000)).await;
    let mut stream = server.connect().await;
    send(&mut stream, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nsome").await;
    drop(stream);
    assert_eq!(end().await, Err(IncomingError::Broken));
}

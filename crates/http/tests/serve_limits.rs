//! Limits: slow heads, idle connections, stuck and slow readers, connections too many.

#![allow(clippy::unwrap_used)]

mod serve_support;

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serve_support::*;
use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;
use wharf_http::serve::Settings;

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_slow_head_is_not_waited_for() {
    let server = Running::start(Settings { header_read_timeout: SHORT, ..settings() }).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET / HTTP/1.1\r\nHost").await;
    assert_eq!(closed(&mut stream).await, b"");
    let mut silent = server.connect().await;
    assert_eq!(closed(&mut silent).await, b"");
    assert_eq!(server.counters.too_slow.get(), 2);
}

#[tokio::test]
async fn the_second_head_of_a_connection_has_the_same_limit() {
    let server = Running::start(Settings { header_read_timeout: SHORT, ..settings() }).await;
    let mut stream = server.connect().await;
    get(&mut stream, "/").await;
    send(&mut stream, "GET / HTTP/1.1\r\nHost").await;
    assert_eq!(closed(&mut stream).await, b"");
    assert_eq!(server.counters.too_slow.get(), 1);
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_is_not_called_slow() {
    let server = Running::start(Settings { idle_timeout: SHORT, ..settings() }).await;
    let mut stream = server.connect().await;
    get(&mut stream, "/").await;
    assert_eq!(closed(&mut stream).await, b"");
    until(|| server.counters.open.get() == 0).await;
    assert_eq!(server.counters.too_slow.get(), 0);
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed() {
    let server = Running::start(Settings { idle_timeout: SHORT, ..settings() }).await;
    let io = TokioIo::new(server.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("http://a/").body(Empty::<bytes::Bytes>::new()).unwrap();
    let response = within(client.send_request(request)).await.unwrap();
    response.into_body().collect().await.unwrap();
    within(connection).await.unwrap().unwrap();
    until(|| server.counters.open.get() == 0).await;
}

#[tokio::test]
async fn a_request_that_takes_its_time_is_not_idle() {
    let short = Settings { idle_timeout: SHORT, header_read_timeout: SHORT, ..settings() };
    let server = Running::start(short).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /gate HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut idle = server.connect().await;
    // Another connection's end shows that the limit is over.
    closed(&mut idle).await;
    server.gate.add_permits(1);
    assert_eq!(reply(&mut stream).await.1, b"through");
}

#[tokio::test]
async fn a_reader_who_stops_is_cut() {
    let server = Running::start(Settings { write_stall_timeout: SHORT, ..settings() }).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until(|| server.counters.open.get() == 1 && server.counters.bytes_sent.get() > 0).await;
    until(|| server.counters.open.get() == 0).await;
    assert_eq!(server.counters.too_slow.get(), 1);
    assert!((closed(&mut stream).await.len() as u64) < LARGE);
}

#[tokio::test]
async fn a_reader_who_is_slow_but_reads_is_not_cut() {
    let limit = Duration::from_secs(1);
    let kernel = Settings { write_stall_timeout: limit, ..settings() };
    let stall = Settings { reply_stall_timeout: limit * 2, min_reply_rate: 1 << 20, ..kernel };
    let server = Running::start(stall).await;
    let mut stream = slow_reader(&server).await;
    // Read a little at a time for longer than the limits, then see that the rest still comes.
    let mut pace = tokio::time::interval(limit / 10);
    let mut read = 0;
    let mut chunk = vec![0; 256 * 1024];
    for _ in 0..30 {
        pace.tick().await;
        read += stream.read_exact(&mut chunk).await.unwrap() as u64;
    }
    read += closed_at(&mut stream, LARGE - read).await;
    assert_eq!(read, LARGE);
    assert_eq!(server.counters.too_slow.get(), 0);
}

#[tokio::test]
async fn a_reader_who_trickles_is_cut() {
    let stall = Settings { reply_stall_timeout: SHORT, ..settings() };
    let server = Running::start(Settings { min_reply_rate: 100 << 20, ..stall }).await;
    let mut stream = slow_reader(&server).await;
    // Never still for as long as the limit, and far below the rate.
    let mut pace = tokio::time::interval(SHORT / 30);
    let mut chunk = vec![0; 64 * 1024];
    let mut read = 0;
    while server.counters.open.get() > 0 {
        pace.tick().await;
        match stream.read(&mut chunk).await {
            Ok(count @ 1..) => read += count as u64,
            _ => break,
        }
        assert!(read < LARGE, "it was let take everything");
    }
    until(|| server.counters.too_slow.get() == 1).await;
}

/// A client that asked for a large reply, has its head, and keeps little in its own buffer.
async fn slow_reader(server: &Running) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    send(&mut stream, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    head(&mut stream).await;
    stream
}

async fn closed_at(stream: &mut tokio::net::TcpStream, length: u64) -> u64 {
    let mut rest = stream.take(length);
    within(tokio::io::copy(&mut rest, &mut tokio::io::sink())).await.unwrap()
}

#[tokio::test]
async fn an_http2_window_that_never_opens_is_cut() {
    let server = Running::start(Settings { reply_stall_timeout: SHORT, ..settings() }).await;
    let io = TokioIo::new(server.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://a/large").body(Empty::<bytes::Bytes>::new()).unwrap();
    let response = within(client.send_request(request)).await.unwrap();
    until(|| server.counters.open.get() == 0).await;
    assert_eq!(server.counters.too_slow.get(), 1);
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test]
async fn an_http2_window_that_opens_a_crack_is_cut() {
    let stall = Settings { reply_stall_timeout: SHORT, ..settings() };
    let server = Running::start(Settings { min_reply_rate: 100 << 20, ..stall }).await;
    let io = TokioIo::new(server.connect().await);
    let (mut client, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(16 * 1024)
        .handshake(io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://a/large").body(Empty::<bytes::Bytes>::new()).unwrap();
    let mut body = within(client.send_request(request)).await.unwrap().into_body();
    let mut pace = tokio::time::interval(SHORT / 30);
    let mut read = 0;
    while let Some(Ok(frame)) = within(body.frame()).await {
        pace.tick().await;
        read += frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
    }
    assert!(read < LARGE, "it was let take everything");
    until(|| server.counters.too_slow.get() == 1).await;
}

#[tokio::test]
async fn one_connection_too_many_is_told_to_come_again() {
    let server = Running::start(Settings { max_connections: 1, ..settings() }).await;
    let mut first = server.connect().await;
    get(&mut first, "/").await;
    let mut second = server.connect().await;
    let head = head(&mut second).await;
    assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{head}");
    assert!(head.contains("\r\nRetry-After: 1\r\n"), "{head}");
    assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
    assert_eq!(closed(&mut second).await, b"");
    assert_eq!(server.counters.refused.get(), 1);
    drop(first);
    until(|| server.counters.open.get() == 0).await;
    let mut third = server.connect().await;
    assert_eq!(get(&mut third, "/").await.1, b"hello");
}

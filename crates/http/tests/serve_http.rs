//! HTTP/1.1 and HTTP/2 over plain text: what a handler sees, and what it cannot break.

#![allow(clippy::unwrap_used)]

mod serve_support;

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serve_support::*;

#[tokio::test]
async fn one_connection_carries_many_http1_requests() {
    let server = Running::start(settings()).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        let (head, body) = get(&mut stream, "/").await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(body, b"hello");
    }
    let (_, facts) = get(&mut stream, "/connection").await;
    assert_eq!(facts, b"tls=false zero_copy=true");
    assert_eq!(server.counters.accepted.get(), 1);
}

#[tokio::test]
async fn http2_is_spoken_to_who_knows() {
    let server = Running::start(settings()).await;
    let io = TokioIo::new(server.connect().await);
    let executor = TokioExecutor::new();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://a/connection").body(Empty::<bytes::Bytes>::new()).unwrap();
    let response = within(client.send_request(request)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&body[..], b"tls=false zero_copy=false");
}

#[tokio::test]
async fn a_large_reply_arrives_over_http2() {
    let server = Running::start(settings()).await;
    let io = TokioIo::new(server.connect().await);
    let executor = TokioExecutor::new();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://a/large").body(Empty::<bytes::Bytes>::new()).unwrap();
    let response = within(client.send_request(request)).await.unwrap();
    let body = within(response.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(body.len() as u64, LARGE);
}

#[tokio::test]
async fn a_panic_ends_its_connection_only() {
    let server = Running::start(settings()).await;
    let mut other = server.connect().await;
    get(&mut other, "/").await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(closed(&mut stream).await, b"");
    assert_eq!(get(&mut other, "/").await.1, b"hello");
    until(|| server.counters.open.get() == 1).await;
}

#[tokio::test]
async fn a_head_too_large_is_refused() {
    let server = Running::start(settings()).await;
    let mut stream = server.connect().await;
    let value = "a".repeat(70 * 1024);
    send(&mut stream, &format!("GET / HTTP/1.1\r\nHost: a\r\nX: {value}\r\n\r\n")).await;
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn a_head_request_gets_no_body() {
    let server = Running::start(settings()).await;
    let mut stream = server.connect().await;
    send(&mut stream, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(head(&mut stream).await.contains("content-length: 5\r\n"));
    assert_eq!(get(&mut stream, "/").await.1, b"hello");
}

//! Stopping: what runs goes on, what idles is closed, what takes too long is cut.

#![allow(clippy::unwrap_used)]

mod serve_support;

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serve_support::*;
use tokio::net::TcpStream;
use wharf_http::serve::Settings;

#[tokio::test]
async fn a_running_request_ends_and_nothing_new_is_taken() {
    let mut server = Running::start(settings()).await;
    let mut idle = server.connect().await;
    get(&mut idle, "/").await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /gate HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.entered().await;
    server.begin_stop();
    assert_eq!(closed(&mut idle).await, b"");
    assert!(TcpStream::connect(server.address).await.is_err());
    server.gate.add_permits(1);
    let (head, body) = reply(&mut stream).await;
    assert!(head.contains("connection: close\r\n"), "{head}");
    assert_eq!(body, b"through");
    assert_eq!(closed(&mut stream).await, b"");
    assert_eq!(server.stopped().await, 0);
}

#[tokio::test]
async fn a_running_transfer_goes_on_to_its_end() {
    let mut server = Running::start(settings()).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    head(&mut stream).await;
    server.begin_stop();
    assert_eq!(closed(&mut stream).await.len() as u64, LARGE);
    assert_eq!(server.stopped().await, 0);
}

#[tokio::test]
async fn an_http2_request_ends_after_the_goaway() {
    let mut server = Running::start(settings()).await;
    let io = TokioIo::new(server.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("http://a/large").body(Empty::<bytes::Bytes>::new()).unwrap();
    let response = within(client.send_request(request)).await.unwrap();
    server.begin_stop();
    let body = within(response.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(body.len() as u64, LARGE);
    within(connection).await.unwrap().unwrap();
    assert_eq!(server.stopped().await, 0);
}

#[tokio::test]
async fn what_takes_too_long_is_cut_and_counted() {
    let drain_timeout = Duration::from_millis(200);
    let mut server = Running::start(Settings { drain_timeout, ..settings() }).await;
    let mut stream = server.connect().await;
    send(&mut stream, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    head(&mut stream).await;
    server.begin_stop();
    assert_eq!(server.stopped().await, 1);
    assert!((closed(&mut stream).await.len() as u64) < LARGE);
}

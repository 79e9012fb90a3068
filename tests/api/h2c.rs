//! HTTP/2 without TLS: a request, and its reply as HTTP/1.1 would show it.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::request::Request;
use super::wire::{LONGEST_WAIT, Reply};

/// Sends the request over a connection of its own.
pub fn exchange(port: u16, request: &Request) -> Reply {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(LONGEST_WAIT, answer(port, request)).await.unwrap() })
}

async fn answer(port: u16, request: &Request) -> Reply {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut client, connection) =
        handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut sent = http::Request::builder()
        .method(request.method)
        .uri(format!("http://registry.test{}", request.target));
    for (name, value) in request.headers() {
        sent = sent.header(name, value);
    }
    let body = Full::<Bytes>::from(request.content().to_owned());
    let (head, body) = client.send_request(sent.body(body).unwrap()).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    drop(client);
    connection.await.unwrap().unwrap();
    let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let mut headers: Vec<(String, String)> = head.headers.iter().map(text).collect();
    let has_length = head.headers.contains_key("content-length");
    if body.is_empty() && !has_length && !matches!(head.status.as_u16(), 204 | 304) {
        // The frame of the headers says that there is no body; HTTP/1.1 needs a header for it.
        headers.push(("content-length".to_owned(), "0".to_owned()));
    }
    headers.sort_by(|(one, _), (other, _)| one.cmp(other));
    let reason = head.status.canonical_reason().unwrap_or_default().to_owned();
    Reply { status: head.status.as_u16(), reason, headers, body }
}

//! A reply that is ready before the body has come reaches the client all the same, and does not break its sending.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use support::server::Server;

/// More than sockets buffer, so that the reply comes while the client still sends.
const BODY: usize = 20 << 20;

/// Sends a whole request whatever is answered meanwhile, as clients do that read only then; returns the status line.
fn answered(server: &Server, line: &str, framing: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    write!(stream, "{line} HTTP/1.1\r\nHost: registry.test\r\n{framing}\r\n\r\n").unwrap();
    stream.write_all(body).expect("the connection is not reset under the body");
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status).expect("the reply is there to be read");
    status.trim().to_owned()
}

fn of_length(server: &Server, line: &str) -> String {
    answered(server, line, &format!("Content-Length: {BODY}"), &vec![b'x'; BODY])
}

fn in_chunks(server: &Server, line: &str) -> String {
    let mut body = format!("{BODY:x}\r\n").into_bytes();
    body.resize(body.len() + BODY, b'x');
    body.extend_from_slice(b"\r\n0\r\n\r\n");
    answered(server, line, "Transfer-Encoding: chunked", &body)
}

#[test]
fn a_client_that_still_sends_gets_its_reply() {
    let server = Server::start();
    let unknown = "PATCH /v2/a/blobs/uploads/6ba7b810-9dad-41d1-80b4-00c04fd430c8";
    for (line, status) in [
        (unknown, "HTTP/1.1 404 Not Found"),
        ("PUT /v2/a/manifests/latest", "HTTP/1.1 413 Payload Too Large"),
        ("PUT /nowhere", "HTTP/1.1 404 Not Found"),
        ("POST /v2/a/tags/list", "HTTP/1.1 405 Method Not Allowed"),
    ] {
        for _ in 0..5 {
            assert_eq!(of_length(&server, line), status, "{line} with a length");
            assert_eq!(in_chunks(&server, line), status, "{line} in chunks");
        }
    }
}

#[test]
fn the_connection_can_be_used_again_once_the_rest_has_come() {
    let server = Server::start();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    write!(stream, "PUT /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY}\r\n\r\n").unwrap();
    stream.write_all(&vec![b'x'; BODY]).unwrap();
    write!(stream, "GET /v2/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).unwrap();
    assert!(replies.starts_with("HTTP/1.1 404"), "{replies}");
    assert!(replies.contains("HTTP/1.1 200 OK"), "{replies}");
}

//! A token may end while what it began goes on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ureq::http::Method;

use crate::forging::{LIFE, SKEW, signed_ago};
use crate::house::{House, bearer, scope};
use crate::support::program::wait_until;
use crate::support::registry::digest;

/// How long the token of a test is good from when it was made.
const LEFT: Duration = Duration::from_secs(3);

/// Longer than a token has left, and than a busy machine takes to look.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_token_that_ends_during_a_long_upload_does_not_break_it() {
    let house = House::start();
    let repository = "team/private";
    let asked = format!("repository:{repository}:pull,push");
    let keys = house.data().join("keys");
    let opened = house.ask(
        Method::POST,
        &format!("/v2/{repository}/blobs/uploads/"),
        &bearer(&house.token("writer", &asked)),
    );
    let place = opened.header("Location").unwrap();
    let short = bearer(&signed_ago(&keys, LIFE + SKEW - LEFT, "user:writer", &asked));
    let layer = vec![b'l'; 1 << 20];

    // Half of the layer is on its way when the token ends.
    let mut socket = TcpStream::connect(house.server.address()).unwrap();
    let (method, length) = ("PATCH", layer.len());
    let head = format!(
        "{method} {place} HTTP/1.1\r\nHost: {}\r\nAuthorization: {short}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
        house.server.address()
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(&layer[..length / 2]).unwrap();
    let state = || house.ask(Method::GET, "/v2/", &short).status;
    assert_eq!(state(), 200, "it is good when the upload begins");
    wait_until("the token has ended", PATIENCE, || state() == 401);
    socket.write_all(&layer[length / 2..]).unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 202 "), "{reply}");

    // The next request needs a fresh one, and is told so.
    let end = format!("{place}?digest={}", digest(&layer));
    let refused = house.ask(Method::PUT, &end, &short);
    assert_eq!(refused.status, 401, "{}", refused.text());
    let challenge = refused.header("WWW-Authenticate").unwrap();
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    assert_eq!(scope(&refused), asked);
    let fresh = bearer(&house.token("writer", &scope(&refused)));
    let finished = house.ask(Method::PUT, &end, &fresh);
    assert_eq!(finished.status, 201, "{}", finished.text());
    let blob = format!("/v2/{repository}/blobs/{}", digest(&layer));
    assert_eq!(house.ask(Method::GET, &blob, &fresh).body, layer);
}

/// A pull that has begun goes on as well: what is sent was asked for in time.
#[test]
fn a_token_that_ends_during_a_long_pull_does_not_break_it() {
    let house = House::start();
    let repository = "team/private";
    let asked = format!("repository:{repository}:pull,push");
    let fresh = bearer(&house.token("writer", &asked));
    // More than sockets hold, so that most of it is still to be sent when the token ends.
    let layer = vec![b'l'; 32 << 20];
    let target = format!("/v2/{repository}/blobs/uploads/?digest={}", digest(&layer));
    let headers = [("Authorization", fresh.as_str())];
    let pushed = house.registry.send(Method::POST, &target, &headers, Some(&layer)).unwrap();
    assert_eq!(pushed.status, 201, "{}", pushed.text());

    let keys = house.data().join("keys");
    let short = bearer(&signed_ago(&keys, LIFE + SKEW - LEFT, "user:reader", &asked));
    let mut socket = TcpStream::connect(house.server.address()).unwrap();
    let blob = format!("/v2/{repository}/blobs/{}", digest(&layer));
    let address = house.server.address();
    write!(
        socket,
        "GET {blob} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {short}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut first = [0; 4096];
    socket.read_exact(&mut first).unwrap();
    assert!(first.starts_with(b"HTTP/1.1 200 "));
    wait_until("the token has ended", PATIENCE, || {
        house.ask(Method::GET, "/v2/", &short).status == 401
    });
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).unwrap();
    let body = [&first[..], &rest].concat();
    let start = body.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(body[start..].len(), layer.len());
    assert_eq!(house.ask(Method::GET, &blob, &short).status, 401);
}

//! How `wharf serve` greets people, and its traces up to the last.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod config_process;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use config_process::{Server, run, wharf};

/// The longest wait for a trace that was sent.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn the_greeting_says_where_and_how_to_push() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", "data"];
    let server = Server::start(&mut wharf(folder.path(), &arguments));
    let lines: Vec<_> = server.greeting.lines().collect();
    let [listens, data, push] = lines[..] else { panic!("{lines:?}") };
    let address = listens.rsplit_once("http://").unwrap().1;
    assert_ne!(address, "127.0.0.1:0");
    assert!(data.starts_with("data folder: /") && data.ends_with("/data"), "{data}");
    assert_eq!(push, format!("first push:  docker push {address}/hello:latest"));
    let messages = server.stop();
    assert!(!messages.contains("warning"), "{messages}");
}

#[test]
fn serving_everyone_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["serve", "--listen", "0.0.0.0:0", "--open"];
    let server = Server::start(&mut wharf(folder.path(), &arguments));
    assert!(server.greeting.contains("docker push 127.0.0.1:"), "{}", server.greeting);
    let messages = server.stop();
    assert!(messages.contains("everyone who can connect to 0.0.0.0:"), "{messages}");
}

#[test]
fn a_taken_address_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, _, err) = run(&mut wharf(folder.path(), &["serve", "--listen", &address]));
    assert_eq!(code, 1);
    assert!(err.contains(&format!("cannot listen on {address} (http.listen): ")), "{err}");
}

#[test]
fn the_last_traces_arrive_before_the_end() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let (sender, received) = mpsc::channel();
    thread::spawn(move || {
        for connection in collector.incoming() {
            let sent = sender.send(receive(connection.unwrap()));
            if sent.is_err() {
                return;
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let mut command = wharf(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    let server = Server::start(command.env("WHARF_TRACES_ENDPOINT", endpoint));
    let messages = server.stop();
    let (request, body) = received.recv_timeout(PATIENCE).expect(&messages);
    assert!(request.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains("content-type: application/x-protobuf"), "{request}");
    let text = String::from_utf8_lossy(&body);
    for part in ["service.name", "wharf", env!("CARGO_PKG_VERSION"), "open data folder"] {
        assert!(text.contains(part), "{part} in {text:?}");
    }
}

#[test]
fn a_collector_that_is_away_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = wharf(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    // The near end of a connection: nobody listens there, and nobody else gets that port meanwhile.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let away = taken.local_addr().unwrap();
    command.env("WHARF_TRACES_ENDPOINT", format!("http://{away}"));
    let messages = Server::start(&mut command).stop();
    assert!(messages.contains("the last traces were not sent"), "{messages}");
}

/// Receives one OTLP request with a `Content-Length` and accepts it; returns its head and body.
fn receive(connection: TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(connection);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
    });
    let mut body = vec![0; length.unwrap()];
    reader.read_exact(&mut body).unwrap();
    let reply = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\
                  connection: close\r\n\r\n";
    reader.into_inner().write_all(reply).unwrap();
    (head, body)
}

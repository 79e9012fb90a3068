//! Limits on what clients may hold: places for manifests and uploads, silent bodies, connections.

use std::process::Command;
use std::time::Duration;

use crate::support::program::wait_until;
use crate::support::server::{Process, Server, program};
use crate::wire::{Reply, Wire};

const PATIENCE: Duration = Duration::from_secs(30);

/// Half of the places for manifests (`MOST_MANIFESTS`): what one client may hold.
const MANIFESTS_OF_ONE: usize = 64;

/// Clients are told apart by what a proxy on this machine says.
const BEHIND_A_PROXY: (&str, &str) = ("WHARF_HTTP_TRUSTED_PROXIES", "127.0.0.1");

/// Sends the head of a request of this client's, and this much of a body that has so many bytes.
fn send(server: &Server, client: u8, line: &str, length: usize, body: &str) -> Wire {
    send_with(server, client, line, "", length, body)
}

/// The same with further headers, each of which ends its line.
fn send_with(
    server: &Server,
    client: u8,
    line: &str,
    headers: &str,
    length: usize,
    body: &str,
) -> Wire {
    let mut wire = Wire::to(server.port());
    let head = format!(
        "{line} HTTP/1.1\r\nHost: registry.test\r\nX-Forwarded-For: 192.0.2.{client}\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    );
    wire.send(head.as_bytes());
    wire
}

fn answer(server: &Server, client: u8, line: &str, body: &str) -> Reply {
    send(server, client, line, body.len(), body).reply(false).unwrap()
}

/// Holds one more and one more until it is enough. A look whether it is takes a place for a moment, so that one
/// of those may be refused meanwhile.
fn hold_until(what: &str, hold: impl Fn() -> Wire, enough: impl Fn() -> bool) -> Vec<Wire> {
    let mut held = Vec::new();
    wait_until(what, PATIENCE, || {
        let is_enough = enough();
        if !is_enough {
            held.push(hold());
        }
        is_enough
    });
    held
}

fn message(reply: &Reply) -> String {
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    body["errors"][0]["message"].as_str().unwrap().to_owned()
}

#[test]
fn so_many_manifests_are_received_at_once_and_half_of_them_for_one_client() {
    let server = Server::start_with(&[BEHIND_A_PROXY]);
    let push = "PUT /v2/app/manifests/latest";
    let status = |client| answer(&server, client, push, "{}").status;
    let hold = |client| send(&server, client, push, 100, "{");

    let first = hold_until("the first client holds its share", || hold(1), || status(1) == 503);
    assert!(first.len() >= MANIFESTS_OF_ONE, "{}", first.len());
    let refused = answer(&server, 1, push, "{}");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(message(&refused), "as many pushes are under way as one client may have at once");
    assert_eq!(status(2), 400, "another client's push is looked at");

    let second = hold_until("all places are taken", || hold(2), || status(3) == 503);
    assert!(second.len() >= MANIFESTS_OF_ONE, "{}", second.len());
    let refused = answer(&server, 3, push, "{}");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let full = "as many manifests are being received as this registry takes at once";
    assert_eq!(message(&refused), full);

    drop(second);
    wait_until("there are places again", PATIENCE, || status(3) == 400);
}

#[test]
fn one_client_cannot_hold_all_places_for_uploads() {
    let server = Server::start_with(&[BEHIND_A_PROXY, ("WHARF_UPLOADS_MAX_IN_FLIGHT", "4")]);
    let open = |client| {
        let begun = answer(&server, client, "POST /v2/app/blobs/uploads/", "");
        begun.header("location").unwrap().to_owned()
    };
    // A chunk in the wrong place is refused once there is a place for it, and changes nothing.
    let (mine, other) = (open(1), open(2));
    let status = |client, place: &str| {
        let (line, range) = (format!("PATCH {place}"), "Content-Range: 7-7\r\n");
        send_with(&server, client, &line, range, 1, "x").reply(false).unwrap().status
    };
    assert_eq!(status(1, &mine), 416);

    let hold = |client| send(&server, client, &format!("PATCH {}", open(client)), 100, "");
    let full = || status(1, &mine) == 503;
    let held = hold_until("the first client holds its share", || hold(1), full);
    assert!(held.len() >= 2);
    assert_eq!(status(2, &other), 416, "another client's chunk is looked at");
    let full = || status(2, &other) == 503;
    let _held_too = hold_until("all places are taken", || hold(2), full);
    drop(held);
    wait_until("there are places again", PATIENCE, || status(1, &mine) == 416);
}

#[test]
fn a_body_that_stops_coming_is_answered_and_an_upload_keeps_what_came() {
    let server = Server::start_with(&[("WHARF_HTTP_BODY_STALL_TIMEOUT", "300ms")]);
    let place = server.registry().open_upload("app").unwrap();
    for (line, code) in [
        (format!("PATCH {place}"), "BLOB_UPLOAD_INVALID"),
        ("PUT /v2/app/manifests/latest".to_owned(), "MANIFEST_INVALID"),
    ] {
        let reply = send(&server, 1, &line, 100, "hello").reply(false).unwrap();
        assert_eq!(reply.status, 408, "{line}: {}", reply.text());
        assert!(reply.text().contains(code), "{line}: {}", reply.text());
    }
    let status = server.registry().get(&place).unwrap();
    assert_eq!(status.header("upload-offset"), Some("5"));
}

#[test]
fn no_more_connections_are_taken_than_there_are_files_for() {
    let folder = tempfile::tempdir().unwrap();
    // 128 are for the server itself, two for each connection.
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 148; exec \"$0\" \"$@\"", &program()]);
    let server = Process::launch_by(shell, &folder.path().join("data"), &[]).ready();
    let warning =
        "http.max_connections is 10000, but this process may open 148 files only: 10 connections";
    assert!(server.log().contains(warning), "{}", server.log());

    let mut held = Vec::new();
    for _ in 0..10 {
        let mut wire = Wire::to(server.port());
        wire.send(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(wire.reply(false).unwrap().status, 200);
        held.push(wire);
    }
    let refused = Wire::to(server.port()).reply(false).unwrap();
    assert_eq!((refused.status, refused.header("Retry-After")), (503, Some("1")));
}

//! The stop: announced before it happens, and nothing that came is lost when it cuts somebody off.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::program::wait_until;
use crate::support::random::Random;
use crate::support::registry::digest;
use crate::support::server::{Process, Server};
use crate::wire::Wire;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_stop_is_announced_while_requests_are_still_taken() {
    let mut server = Server::start_with(&[("WHARF_HTTP_STOP_DELAY", "1h")]);
    let registry = server.registry();
    assert_eq!(registry.get("/readyz").unwrap().status, 200);
    server.begin_stop();
    wait_until("the stop is announced", PATIENCE, || {
        registry.get("/readyz").unwrap().status == 503
    });
    let said = registry.get("/readyz").unwrap().text();
    assert_eq!(said, r#"{"faults":{"server":"stopping"},"ready":false}"#);
    assert_eq!(registry.get("/healthz").unwrap().status, 200);
    assert_eq!(server.registry().push_blob("app", b"late").unwrap().status, 201, "a new client");
    server.begin_stop();
    assert_eq!(server.ended().code(), Some(128 + 15), "the second signal ends it at once");
}

#[test]
fn a_stop_happens_when_the_delay_is_over() {
    let delay = Duration::from_millis(700);
    let mut server = Server::start_with(&[("WHARF_HTTP_STOP_DELAY", "700ms")]);
    let asked = Instant::now();
    server.begin_stop();
    assert!(server.ended().success(), "{}", server.log());
    assert!(asked.elapsed() >= delay, "{:?}", asked.elapsed());
}

#[test]
fn what_came_before_a_cut_is_recorded_before_the_end() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let blob = Random::seeded(3).bytes(12 << 20);
    let came = 5 << 20;
    let mut server = Process::launch(&data, &[("WHARF_HTTP_DRAIN_TIMEOUT", "200ms")]).ready();
    let place = server.registry().open_upload("app").unwrap();
    let mut wire = Wire::to(server.port());
    let head =
        format!("PATCH {place} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", blob.len());
    wire.send(head.as_bytes());
    wire.send(&blob[..came]);
    wait_until("the bytes are in the staging folder", PATIENCE, || {
        staged_bytes(&data.join("blobs/staging")) >= came as u64
    });

    server.begin_stop();

    assert!(server.ended().success(), "{}", server.log());
    assert!(server.log().contains("connections were cut"), "{}", server.log());
    drop(server);
    let registry = Server::start_in(&data);
    let registry = registry.registry();
    let status = registry.get(&place).unwrap();
    assert_eq!(status.header("upload-offset"), Some(came.to_string().as_str()));
    let closed = registry.close_upload(&place, &digest(&blob), &blob[came..]).unwrap();
    assert_eq!(closed.status, 201, "{}", closed.text());
}

fn staged_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => staged_bytes(&entry.path()),
            // A file may go away while it is looked at.
            about => about.map_or(0, |about| about.len()),
        })
        .sum()
}

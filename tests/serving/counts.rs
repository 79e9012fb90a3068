//! Pulls and pushes, counted by a server and read from its database once it has ended.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::json;
use ureq::http::Method;
use wharf_core::clock::{SystemClock, Timestamp};
use wharf_core::metadata::{CountKind, Counts, CountsOf, Span, Step};
use wharf_metadata::{Database, Sqlite};

use crate::support::metrics::{LISTEN, value};
use crate::support::program::wait_until;
use crate::support::registry::{Registry, digest, image_manifest};
use crate::support::server::{Process, Server};

const PATIENCE: Duration = Duration::from_secs(30);

/// A setting by which a server writes counts when it stops, and not before.
const ONLY_AT_THE_STOP: (&str, &str) = ("WHARF_COUNTS_FLUSH", "10m");

/// The sums of the repository, or of a manifest of it, by kind: pulls, pushes, pulls of indexes.
fn counted(data: &Path, repository: &str, manifest: Option<&str>) -> [u64; 3] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sqlite = Sqlite::open(&data.join("metadata.sqlite"), Arc::new(SystemClock)).unwrap();
    let database = Database::on_sqlite(sqlite);
    let span = Span { from: Timestamp(0), to: Timestamp(i64::MAX) };
    CountKind::ALL.map(|kind| {
        let repository = repository.parse().unwrap();
        let manifest = manifest.map(|digest| digest.parse().unwrap());
        let of = CountsOf { repository, manifest, kind };
        let asked = runtime.block_on(database.count_range(of, span, Step::Hour, 1000)).unwrap();
        asked.iter().map(|hour| hour.count).sum()
    })
}

/// Pushes an image under a tag; its digest.
fn push(registry: &Registry, tag: &str) -> String {
    assert_eq!(registry.push_blob("app", tag.as_bytes()).unwrap().status, 201);
    let manifest = image_manifest(&[(digest(tag.as_bytes()), tag.len())], tag);
    assert_eq!(registry.push_manifest("app", tag, &[], &manifest).unwrap().status, 201);
    digest(&manifest)
}

#[test]
fn each_pull_is_counted_once_when_many_pull_and_the_server_is_stopped() {
    const CLIENTS: usize = 8;
    const EACH: usize = 50;
    let folder = tempfile::TempDir::new().unwrap();
    let data = folder.path().join("data");
    let mut server = Process::launch(&data, &[ONLY_AT_THE_STOP]).ready();
    let digests = ["one", "two"].map(|tag| push(&server.registry(), tag));
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (registry, digests) = (server.registry(), &digests);
            scope.spawn(move || {
                for _ in 0..EACH {
                    let reference = if client % 2 == 0 { "one" } else { digests[1].as_str() };
                    assert_eq!(registry.manifest("app", reference).unwrap().status, 200);
                }
            });
        }
    });
    server.begin_stop();
    assert!(server.ended().success(), "{}", server.log());
    drop(server);
    let half = (CLIENTS / 2 * EACH) as u64;
    assert_eq!(counted(&data, "app", None), [half * 2, 2, 0]);
    for digest in &digests {
        assert_eq!(counted(&data, "app", Some(digest)), [half, 1, 0]);
    }
}

/// Neither a question nor what the client has; an index is a pull of its own kind.
#[test]
fn what_counts_is_a_manifest_that_was_sent_or_stored() {
    let mut server = Server::start_with(&[ONLY_AT_THE_STOP]);
    let registry = server.registry();
    let image = push(&registry, "one");
    let size = registry.manifest("app", "one").unwrap().body.len();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": image, "size": size,
        }],
    });
    let index = serde_json::to_vec(&index).unwrap();
    let of_index = [("Content-Type", "application/vnd.oci.image.index.v1+json")];
    let path = "/v2/app/manifests/all";
    assert_eq!(registry.send(Method::PUT, path, &of_index, Some(&index)).unwrap().status, 201);
    assert_eq!(registry.manifest("app", "all").unwrap().status, 200);
    let path = format!("/v2/app/manifests/{image}");
    let etag = format!("\"{image}\"");
    let asked = registry.send(Method::HEAD, &path, &[], None).unwrap();
    assert_eq!(asked.status, 200);
    let had = registry.send(Method::GET, &path, &[("If-None-Match", &etag)], None).unwrap();
    assert_eq!(had.status, 304);
    assert_eq!(registry.manifest("app", "none").unwrap().status, 404);
    let refused = registry.push_manifest("app", "bad", &[], b"{}").unwrap();
    assert_eq!(refused.status, 400);
    server.begin_stop();
    assert!(server.ended().success(), "{}", server.log());
    let sums = [None, Some(image), Some(digest(&index))]
        .map(|manifest| counted(server.data(), "app", manifest.as_deref()));
    assert_eq!(sums, [[1, 2, 1], [1, 1, 0], [0, 1, 1]]);
}

/// And while it runs, a crash loses no more than an interval's.
#[test]
fn what_was_written_outlives_a_crash() {
    let folder = tempfile::TempDir::new().unwrap();
    let data = folder.path().join("data");
    let server = Process::launch(&data, &[LISTEN, ("WHARF_COUNTS_FLUSH", "100ms")]).ready();
    push(&server.registry(), "one");
    for _ in 0..5 {
        assert_eq!(server.registry().manifest("app", "one").unwrap().status, 200);
    }
    wait_until("all is written", PATIENCE, || value(&server, "wharf_counts_flushed_total") == 6.0);
    assert_eq!(value(&server, r#"wharf_counts_counted_total{kind="pull"}"#), 5.0);
    assert_eq!(value(&server, "wharf_counts_waiting"), 0.0);
    assert_eq!(value(&server, "wharf_counts_lost_total"), 0.0);
    server.kill();
    assert_eq!(counted(&data, "app", None), [5, 1, 0]);
}

#[test]
fn a_server_that_is_told_not_to_counts_nothing() {
    let mut server = Server::start_with(&[("WHARF_COUNTS_ENABLED", "false")]);
    push(&server.registry(), "one");
    assert_eq!(server.registry().manifest("app", "one").unwrap().status, 200);
    server.begin_stop();
    assert!(server.ended().success(), "{}", server.log());
    assert_eq!(counted(server.data(), "app", None), [0, 0, 0]);
}

//! Direct uploads (docs/direct-upload.md): through three nodes straight into a bucket, and through one into files.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "access/forging.rs"]
mod forging;
#[path = "access/house.rs"]
mod house;
#[path = "direct_uploads/quotas.rs"]
mod quotas;
#[path = "soak/store.rs"]
mod store;
mod support;

use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use support::engines::Shared;
use support::layout::{write_blob, write_image_over};
use support::nodes::Nodes;
use support::program::run;
use support::random::Random;
use support::registry::{Registry, Reply, digest};
use support::server::{Server, program};
use tempfile::TempDir;
use ureq::http::Method;

const UPLOADS: &str = "/v2/team/app/_wharf/direct/uploads/";

/// Three parts and a bit.
const SIZE: usize = (24 << 20) + 5;

/// Each test has its own: what is known of a name in Redis, all of them share.
fn bytes(length: usize, seed: u64) -> Vec<u8> {
    Random::seeded(seed).bytes(length)
}

/// A client of direct uploads by raw requests.
struct Sender {
    registry: Registry,
    upload: String,
    plan: Value,
    bytes: Vec<u8>,
}

impl Sender {
    fn begin(registry: Registry, bytes: Vec<u8>) -> Sender {
        let document = json!({ "size": bytes.len() }).to_string();
        let reply = registry.send(Method::POST, UPLOADS, &[], Some(document.as_bytes())).unwrap();
        assert_eq!(reply.status, 201, "{}", reply.text());
        let upload = reply.header("Location").unwrap();
        let upload = &upload[upload.find("/v2/").unwrap()..];
        Sender { registry, upload: upload.to_owned(), plan: reply.json(), bytes }
    }

    /// The address of a part, asked for by a request of its own.
    fn address(&self, number: usize) -> Value {
        let document = json!({ "parts": [number] }).to_string();
        let target = format!("{}/parts", self.upload);
        let reply =
            self.registry.send(Method::POST, &target, &[], Some(document.as_bytes())).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("Cache-Control"), Some("no-store"));
        reply.json()["parts"][0].clone()
    }

    fn part(&self, number: usize) -> &[u8] {
        let size = self.plan["partSize"].as_u64().unwrap() as usize;
        self.bytes.chunks(size).nth(number - 1).unwrap()
    }

    /// Sends a part, and returns where it went.
    fn send(&self, number: usize) -> String {
        let address = self.address(number);
        let (url, part) = (address["url"].as_str().unwrap(), self.part(number));
        assert_eq!(address["size"], part.len());
        let reply = self.registry.send(Method::PUT, url, &[], Some(part)).unwrap();
        assert!([200, 201].contains(&reply.status), "{} {}", reply.status, reply.text());
        assert!(reply.header("ETag").is_some());
        url.to_owned()
    }

    /// Sends all parts, the last first.
    fn send_all(&self) -> Vec<String> {
        let count = self.plan["parts"].as_u64().unwrap() as usize;
        (1..=count).rev().map(|number| self.send(number)).collect()
    }

    fn status(&self) -> Reply {
        self.registry.get(&self.upload).unwrap()
    }

    /// Ends it with what the registry says has come.
    fn end(&self, digest: &str) -> Reply {
        let received = self.status().json()["received"].clone();
        self.end_with(digest, &received)
    }

    fn end_with(&self, digest: &str, parts: &Value) -> Reply {
        let document = json!({ "parts": parts }).to_string();
        let target = format!("{}?digest={digest}", self.upload);
        self.registry.send(Method::PUT, &target, &[], Some(document.as_bytes())).unwrap()
    }

    /// That the repository holds the blob.
    fn arrived(&self) {
        let pulled = self.registry.blob("team/app", &digest(&self.bytes)).unwrap();
        assert!(pulled.status == 200 && pulled.body == self.bytes, "{}", pulled.status);
    }
}

#[test]
fn each_request_goes_to_another_node_and_each_part_past_them() {
    let shared = Shared::new();
    let nodes = Nodes::start(3, &shared.settings());
    let sender = Sender::begin(nodes.registry(), bytes(SIZE, 100));
    let (named, wanted) = (sender.plan.clone(), SIZE as u64);
    assert_eq!((named["size"].as_u64(), named["parts"].as_u64()), (Some(wanted), Some(4)));
    let urls = sender.send_all();
    let received = sender.status().json()["received"].clone();
    let name = digest(&sender.bytes);
    let ended = sender.end(&name);
    assert_eq!(ended.status, 201, "{}", ended.text());
    assert_eq!(ended.header("Docker-Content-Digest"), Some(name.as_str()));
    sender.arrived();
    // As a client that lost the reply.
    assert_eq!(sender.end_with(&name, &received).status, 201);
    assert_eq!(sender.status().status, 404);
    // The URLs, which are still young, are worth nothing.
    for (url, number) in urls.iter().zip([4, 3, 2, 1]) {
        assert!(url.contains("X-Amz-Signature="), "{url}");
        let reply = sender.registry.send(Method::PUT, url, &[], Some(sender.part(number))).unwrap();
        assert_eq!(reply.status, 404, "{}", reply.text());
    }
    for index in 0..3 {
        let log = nodes.node(index).log();
        assert!(log.contains("address_parts") && log.contains("/_wharf/direct/"), "{log}");
        assert!(!log.contains("X-Amz") && !log.contains(" put_part "), "{log}");
    }
}

#[test]
fn ends_on_all_nodes_at_once_are_one_blob() {
    let shared = Shared::new();
    let nodes = Nodes::start(3, &shared.settings());
    for seed in 0..3 {
        let sender = Sender::begin(nodes.registry(), bytes(SIZE, 200 + seed));
        sender.send_all();
        let (name, parts) = (digest(&sender.bytes), sender.status().json()["received"].clone());
        thread::scope(|scope| {
            for client in 0..6 {
                let (sender, name, parts) = (&sender, &name, &parts);
                let node = Sender {
                    registry: nodes.node(client % 3).registry(),
                    upload: sender.upload.clone(),
                    plan: Value::Null,
                    bytes: Vec::new(),
                };
                scope.spawn(move || {
                    // One that met another in a step asks again, as the reply says.
                    for _ in 0..60 {
                        let ended = node.end_with(name, parts);
                        if ended.status == 201 {
                            return;
                        }
                        assert!([202, 503].contains(&ended.status), "{}", ended.text());
                        thread::sleep(Duration::from_millis(100));
                    }
                    panic!("the end does not come");
                });
            }
        });
        sender.arrived();
    }
}

#[test]
fn a_node_killed_in_the_middle_costs_nothing() {
    let shared = Shared::new();
    let mut nodes = Nodes::start(3, &shared.settings());
    let sender = Sender::begin(nodes.node(0).registry(), bytes(SIZE, 300));
    sender.send(3);
    sender.send(1);
    nodes.kill(0);
    let sender = Sender { registry: nodes.node(1).registry(), ..sender };
    let received = sender.status().json()["received"].clone();
    let numbers: Vec<_> = received.as_array().unwrap().iter().map(|it| &it["number"]).collect();
    assert_eq!(numbers, [1, 3]);
    sender.send(4);
    sender.send(2);
    let ended = sender.end(&digest(&sender.bytes));
    assert_eq!(ended.status, 201, "{}", ended.text());
    let sender = Sender { registry: nodes.node(2).registry(), ..sender };
    sender.arrived();
}

#[test]
fn what_is_not_its_digest_leaves_nothing_and_nobody_else_can_touch_an_upload() {
    let shared = Shared::new();
    let nodes = Nodes::start(1, &shared.settings());
    let sender = Sender::begin(nodes.registry(), bytes(SIZE, 400));
    let urls = sender.send_all();
    let name = digest(&sender.bytes);
    let elsewhere = Sender {
        registry: sender.registry.clone(),
        upload: sender.upload.replace("/team/app/", "/other/app/"),
        plan: Value::Null,
        bytes: Vec::new(),
    };
    let parts = sender.status().json()["received"].clone();
    assert_eq!(elsewhere.status().status, 404);
    assert_eq!(elsewhere.end_with(&name, &parts).status, 404);
    assert_eq!(elsewhere.registry.delete(&elsewhere.upload).unwrap().status, 404);
    let standard = sender.upload.replace("/_wharf/direct/", "/blobs/");
    let registry = &sender.registry;
    assert_eq!(registry.get(&standard).unwrap().status, 404);
    assert_eq!(registry.close_upload(&standard, &name, b"").unwrap().status, 404);
    assert_eq!(registry.delete(&standard).unwrap().status, 404);

    let other = digest(b"something else");
    let ended = sender.end(&other);
    assert_eq!(ended.status, 400, "{}", ended.text());
    assert_eq!(ended.json()["errors"][0]["code"], "DIGEST_INVALID");
    for name in [&name, &other] {
        assert_eq!(registry.blob("team/app", name).unwrap().status, 404);
    }
    assert_eq!(sender.end_with(&name, &parts).status, 404);
    for url in urls {
        let reply = registry.send(Method::PUT, &url, &[], Some(b"x")).unwrap();
        assert!([403, 404].contains(&reply.status), "{}", reply.text());
    }
}

/// An image with one large layer.
fn layout(seed: u64) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let layer = bytes((33 << 20) + 7, seed);
    let name = write_blob(folder.path(), &layer);
    write_image_over(folder.path(), &[(name.clone(), layer.len() as u64)]);
    (folder, name)
}

fn push(folder: &TempDir, to: &str, flags: &[&str]) {
    run(Command::new(program()).arg("push").args(flags).arg(folder.path()).arg(to));
}

#[test]
fn wharf_push_sends_large_layers_straight_into_the_bucket() {
    let shared = Shared::new();
    let nodes = Nodes::start(3, &shared.settings());
    let logs = || (0..3).map(|index| nodes.node(index).log()).collect::<String>();
    let (folder, name) = layout(1);
    push(&folder, &format!("{}/team/app:v1", nodes.address()), &[]);
    let pulled = nodes.registry().blob("team/app", &name).unwrap();
    assert_eq!((pulled.status, digest(&pulled.body)), (200, name.clone()));
    assert!(logs().contains(" finish_direct_upload ") && !logs().contains("\"PATCH "));
    let (folder, name) = layout(2);
    push(&folder, &format!("{}/team/app:v2", nodes.address()), &["--no-direct"]);
    let pulled = nodes.registry().blob("team/app", &name).unwrap();
    assert_eq!((pulled.status, digest(&pulled.body)), (200, name));
    assert!(logs().contains("\"PATCH "));
}

#[test]
fn wharf_push_sends_parts_through_a_node_into_files_where_that_is_offered() {
    let server = Server::start();
    let (folder, name) = layout(1);
    push(&folder, &format!("{}/team/app:v1", server.address()), &[]);
    let pulled = server.registry().blob("team/app", &name).unwrap();
    assert_eq!((pulled.status, digest(&pulled.body)), (200, name.clone()));
    assert!(server.log().contains(" put_part ") && !server.log().contains("\"PATCH "));

    let server = Server::start_with(&[("WHARF_UPLOADS_DIRECT", "false")]);
    let extensions = server.registry().get("/v2/_oci/ext/discover").unwrap();
    assert!(!extensions.text().contains("_wharf"), "{}", extensions.text());
    push(&folder, &format!("{}/team/app:v1", server.address()), &[]);
    let pulled = server.registry().blob("team/app", &name).unwrap();
    assert_eq!((pulled.status, digest(&pulled.body)), (200, name));
    assert!(server.log().contains("\"PATCH ") && !server.log().contains("direct"));
}

#[test]
fn parts_that_were_acknowledged_outlive_the_process() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let server = Server::start_in(&data);
    let sender = Sender::begin(server.registry(), bytes(SIZE, 700));
    sender.send(4);
    sender.send(2);
    server.kill();
    let server = Server::start_in(&data);
    let sender = Sender { registry: server.registry(), ..sender };
    let received = sender.status().json()["received"].clone();
    let numbers: Vec<_> = received.as_array().unwrap().iter().map(|it| &it["number"]).collect();
    assert_eq!(numbers, [2, 4]);
    sender.send(1);
    sender.send(3);
    let ended = sender.end(&digest(&sender.bytes));
    assert_eq!(ended.status, 201, "{}", ended.text());
    sender.arrived();
    assert_eq!(std::fs::read_dir(data.join("blobs/staging")).unwrap().count(), 0);
}

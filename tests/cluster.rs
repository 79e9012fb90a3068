//! Three nodes that share PostgreSQL, S3 and Redis, behind one nginx that gives each request to the next of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "cluster/caches.rs"]
mod caches;
#[path = "access/forging.rs"]
mod forging;
#[path = "access/house.rs"]
mod house;
#[path = "cluster/lifecycle.rs"]
mod lifecycle;
#[path = "cluster/operating.rs"]
mod operating;
#[path = "access/cluster.rs"]
mod people;
mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::engines::{Proxies, Shared};
use support::nodes::Nodes;
use support::program::wait_until;
use support::proxy::Fault;
use support::random::Random;
use support::registry::{Registry, Reply, digest, image_manifest};

/// How often a client asks again by itself.
const TRIES: usize = 8;

fn bytes(length: usize, seed: u64) -> Vec<u8> {
    Random::seeded(seed).bytes(length)
}

/// Asks as clients do: again after a lost connection or a reply that says to come back.
fn patiently(mut ask: impl FnMut() -> Result<Reply, ureq::Error>) -> Reply {
    let mut last = String::new();
    for round in 0..TRIES {
        match ask() {
            Ok(reply) if ![502, 503, 504].contains(&reply.status) => return reply,
            Ok(reply) => last = format!("{} {}", reply.status, reply.text()),
            Err(error) => last = error.to_string(),
        }
        // As clients do; nothing is awaited here.
        thread::sleep(Duration::from_millis(50 << round));
    }
    panic!("it failed {TRIES} times: {last}");
}

/// Pushes a blob and a manifest over it, and returns the manifest's digest.
fn push_image(registry: &Registry, repository: &str, tag: &str, content: &[u8]) -> String {
    let pushed = patiently(|| registry.push_blob(repository, content));
    assert_eq!(pushed.status, 201, "{}", pushed.text());
    let manifest = image_manifest(&[(digest(content), content.len())], tag);
    let pushed = patiently(|| registry.push_manifest(repository, tag, &[], &manifest));
    assert_eq!(pushed.status, 201, "{}", pushed.text());
    digest(&manifest)
}

#[test]
fn each_request_of_an_upload_goes_to_another_node() {
    let shared = Shared::new();
    let nodes = Nodes::start(3, &shared.settings());
    let registry = nodes.registry();
    let content = bytes((23 << 20) + 77, 1);
    for size in [content.len(), 9 << 20, 3_000_001, 1 << 20] {
        let content = [&content[..], &size.to_be_bytes()].concat();
        let pushed = registry.push_chunks("team/app", &content, size).unwrap();
        assert_eq!(pushed.status, 201, "{}", pushed.text());
        let pulled = registry.blob("team/app", &digest(&content)).unwrap();
        assert!(pulled.status == 200 && pulled.body == content, "{}", pulled.status);
    }
    let (from, to) = (5_000_000, 15_000_000);
    let name = digest(&[&content[..], &content.len().to_be_bytes()].concat());
    let range = format!("bytes={from}-{to}");
    let target = format!("/v2/team/app/blobs/{name}");
    let part = registry.send(ureq::http::Method::GET, &target, &[("Range", &range)], None).unwrap();
    assert!(part.status == 206 && part.body == content[from..=to], "{}", part.status);
}

#[test]
fn of_racing_compare_and_swaps_on_several_nodes_one_wins() {
    let shared = Shared::new();
    let nodes = Nodes::start(3, &shared.settings());
    let blob = bytes(1000, 1);
    let mut current = push_image(&nodes.registry(), "team/app", "latest", &blob);
    for round in 0..5 {
        let won = AtomicUsize::new(0);
        let winner = std::sync::Mutex::new(String::new());
        thread::scope(|scope| {
            for client in 0..12 {
                let registry = nodes.node(client % 3).registry();
                let (won, winner, current, blob) = (&won, &winner, &current, &blob);
                scope.spawn(move || {
                    let mark = format!("{round}-{client}");
                    let manifest = image_manifest(&[(digest(blob), blob.len())], &mark);
                    let expected = format!("\"{current}\"");
                    let headers = [("If-Match", expected.as_str())];
                    let pushed =
                        registry.push_manifest("team/app", "latest", &headers, &manifest).unwrap();
                    match pushed.status {
                        201 => {
                            won.fetch_add(1, Ordering::SeqCst);
                            *winner.lock().unwrap() = digest(&manifest);
                        }
                        412 => {}
                        other => panic!("{other}: {}", pushed.text()),
                    }
                });
            }
        });
        assert_eq!(won.load(Ordering::SeqCst), 1, "round {round}");
        current = winner.into_inner().unwrap();
        let now = nodes.registry().manifest("team/app", "latest").unwrap();
        assert_eq!(digest(&now.body), current);
    }
}

#[test]
fn a_node_killed_in_the_middle_of_an_upload_costs_a_retry() {
    let shared = Shared::new();
    let mut nodes = Nodes::start(3, &shared.settings());
    let registry = nodes.registry();
    let content = bytes(20 << 20, 1);
    let mut place = registry.open_upload("team/app").unwrap();
    let mut start = 0;
    for (index, chunk) in content.chunks(4 << 20).enumerate() {
        if index == 2 {
            nodes.kill(1);
        }
        let range = format!("{start}-{}", start + chunk.len() - 1);
        let headers = [("Content-Range", range.as_str())];
        let sent = patiently(|| {
            let sent = registry.send(ureq::http::Method::PATCH, &place, &headers, Some(chunk))?;
            if sent.status != 416 {
                return Ok(sent);
            }
            // The bytes had come, and their reply was lost.
            registry.get(&place)
        });
        assert!([202, 204].contains(&sent.status), "{} {}", sent.status, sent.text());
        place = sent.header("Location").unwrap().to_owned();
        start += chunk.len();
    }
    let closed = patiently(|| registry.close_upload(&place, &digest(&content), b""));
    assert_eq!(closed.status, 201, "{}", closed.text());
    let pulled = patiently(|| registry.blob("team/app", &digest(&content)));
    assert!(pulled.body == content);
}

#[test]
fn a_rolling_restart_under_traffic_fails_no_request_that_a_client_would_not_repeat() {
    let shared = Shared::new().with("WHARF_HTTP_STOP_DELAY", "200ms");
    let mut nodes = Nodes::start(3, &shared.settings());
    let registry = nodes.registry();
    let blob = bytes(100_000, 1);
    push_image(&registry, "team/app", "latest", &blob);
    let over = AtomicBool::new(false);
    let requests = AtomicUsize::new(0);
    thread::scope(|scope| {
        for client in 0..4 {
            let (registry, over, requests, blob) = (registry.clone(), &over, &requests, &blob);
            scope.spawn(move || {
                let mut round = 0;
                while !over.load(Ordering::SeqCst) {
                    round += 1;
                    let tag = format!("t{client}-{round}");
                    let content = bytes(10_000, client * 1_000_000 + round);
                    let pushed = push_image(&registry, "team/app", &tag, &content);
                    let pulled = patiently(|| registry.manifest("team/app", &tag));
                    assert_eq!(digest(&pulled.body), pushed);
                    let pulled = patiently(|| registry.blob("team/app", &digest(blob)));
                    assert!(pulled.body == *blob);
                    requests.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let began = Instant::now();
        for index in 0..3 {
            let before = requests.load(Ordering::SeqCst);
            nodes.stop(index);
            nodes.start_again(index);
            // Traffic goes on before the next.
            while requests.load(Ordering::SeqCst) < before + 8 {
                assert!(began.elapsed() < Duration::from_secs(120), "traffic has stopped");
                thread::sleep(Duration::from_millis(5));
            }
        }
        over.store(true, Ordering::SeqCst);
    });
}

#[test]
fn pulls_go_on_while_the_database_is_away_and_all_is_well_when_it_is_back() {
    let (shared, Proxies { database, .. }) = Shared::new().behind_proxies();
    let nodes = Nodes::start(1, &shared.settings());
    let registry = nodes.node(0).registry();
    let blob = bytes(100_000, 1);
    let pushed = push_image(&registry, "team/app", "latest", &blob);
    for reference in ["latest", &pushed] {
        assert_eq!(registry.manifest("team/app", reference).unwrap().status, 200);
    }
    assert!(registry.blob("team/app", &digest(&blob)).unwrap().body == blob);

    database.fail(Fault::Cut);
    wait_until("the node has noticed", Duration::from_secs(60), || {
        registry.get("/readyz").unwrap().status == 503
    });
    for reference in ["latest", &pushed] {
        let pulled = registry.manifest("team/app", reference).unwrap();
        assert_eq!((pulled.status, digest(&pulled.body)), (200, pushed.clone()), "{reference}");
    }
    assert!(registry.blob("team/app", &digest(&blob)).unwrap().body == blob);
    let manifest = image_manifest(&[(digest(&blob), blob.len())], "another");
    let refused = registry.push_manifest("team/app", "latest", &[], &manifest).unwrap();
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.header("Retry-After").is_some());
    assert_eq!(registry.manifest("team/app", "other").unwrap().status, 503);

    database.heal();
    wait_until("the node is well again", Duration::from_secs(60), || {
        registry.get("/readyz").unwrap().status == 200
    });
    let taken = registry.push_manifest("team/app", "latest", &[], &manifest).unwrap();
    assert_eq!(taken.status, 201, "{}", taken.text());
    assert_eq!(registry.manifest("team/app", "latest").unwrap().body, manifest);
}

#[test]
fn registries_that_meet_in_one_redis_know_nothing_of_each_other() {
    let (one, other) = (Shared::new(), Shared::new());
    let [one, other] = [one, other].map(|shared| Nodes::start(1, &shared.settings()));
    let (holder, stranger) = (one.node(0).registry(), other.node(0).registry());
    let blob = bytes(1000, 1);
    let manifest = push_image(&holder, "team/app", "latest", &blob);
    assert!(holder.blob("team/app", &digest(&blob)).unwrap().body == blob);
    for reference in ["latest", &manifest] {
        assert_eq!(holder.manifest("team/app", reference).unwrap().status, 200);
        assert_eq!(stranger.manifest("team/app", reference).unwrap().status, 404);
    }
    let target = format!("/v2/team/app/blobs/{}", digest(&blob));
    let asked = stranger.send(ureq::http::Method::HEAD, &target, &[], None).unwrap();
    assert_eq!(asked.status, 404);
}

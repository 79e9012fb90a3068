//! Many clients at once on one tag and on one digest: nobody is lied to, and one state is left.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use support::random::Random;
use support::registry::{Registry, Reply, digest, image_manifest};
use support::server::Server;

const CLIENTS: usize = 32;
const ROUNDS: usize = 10;
const REPOSITORY: &str = "race/track";

#[test]
fn racing_moves_of_one_tag_all_succeed_and_leave_it_at_one_of_them() {
    let server = Server::start();
    let blobs = push_blobs(&server.registry());
    for round in 0..ROUNDS {
        let manifests = manifests_of_round(&blobs, round);

        let replies =
            race(&server, |client, registry| put(registry, "latest", &[], &manifests[client]));

        for (reply, manifest) in replies.iter().zip(&manifests) {
            assert_eq!(reply.status, 201, "{}", reply.text());
            assert_eq!(reply.header("Docker-Content-Digest"), Some(digest(manifest).as_str()));
        }
        let left = server.registry().manifest(REPOSITORY, "latest").unwrap();
        assert!(manifests.contains(&left.body), "the tag is at none of the manifests pushed");
        for manifest in &manifests {
            let found = server.registry().manifest(REPOSITORY, &digest(manifest)).unwrap();
            assert_eq!(&found.body, manifest);
        }
    }
}

#[test]
fn of_racing_compare_and_swaps_exactly_one_wins_each_round() {
    let server = Server::start();
    let blobs = push_blobs(&server.registry());
    let first = image_manifest(&blobs, "first");
    assert_eq!(put(&server.registry(), "latest", &[], &first).status, 201);
    let mut current = digest(&first);
    for round in 0..ROUNDS {
        let manifests = manifests_of_round(&blobs, round);
        let expected = format!("\"{current}\"");

        let replies = race(&server, |client, registry| {
            put(registry, "latest", &[("If-Match", &expected)], &manifests[client])
        });

        current = digest(&manifests[the_one_winner(&replies)]);
        assert_losers_are_told(&replies, &current);
        let left = server.registry().manifest(REPOSITORY, "latest").unwrap();
        assert_eq!(digest(&left.body), current);
    }
}

#[test]
fn of_racing_creations_of_one_tag_exactly_one_creates_it() {
    let server = Server::start();
    let blobs = push_blobs(&server.registry());
    for round in 0..ROUNDS {
        let manifests = manifests_of_round(&blobs, round);
        let tag = format!("release-{round}");

        let replies = race(&server, |client, registry| {
            put(registry, &tag, &[("If-None-Match", "*")], &manifests[client])
        });

        let winner = digest(&manifests[the_one_winner(&replies)]);
        assert_losers_are_told(&replies, &winner);
        let left = server.registry().manifest(REPOSITORY, &tag).unwrap();
        assert_eq!(digest(&left.body), winner);
    }
}

#[test]
fn racing_pushes_of_one_blob_all_succeed_and_leave_one_object() {
    let server = Server::start();
    for round in 0..ROUNDS {
        let bytes = Random::seeded(round as u64).bytes(300_000 + round);

        let replies = race(&server, |client, registry| {
            let repository = format!("race/lane-{}", client % 4);
            match client % 2 {
                0 => registry.push_blob(&repository, &bytes).unwrap(),
                _ => registry.push_chunks(&repository, &bytes, 100_000).unwrap(),
            }
        });

        for reply in &replies {
            assert_eq!(reply.status, 201, "{}", reply.text());
        }
        for lane in 0..4 {
            let repository = format!("race/lane-{lane}");
            let found = server.registry().blob(&repository, &digest(&bytes)).unwrap();
            assert_eq!(found.body, bytes);
        }
        assert_eq!(count_files_with(server.data(), &bytes), 1, "objects with these bytes");
    }
}

/// Runs this many clients, each with a warm connection, from one starting line.
fn race(server: &Server, run: impl Fn(usize, &Registry) -> Reply + Sync) -> Vec<Reply> {
    let line = Barrier::new(CLIENTS);
    thread::scope(|scope| {
        let start = |client| {
            let (line, run) = (&line, &run);
            scope.spawn(move || {
                let registry = server.registry();
                assert_eq!(registry.get("/v2/").unwrap().status, 200);
                line.wait();
                run(client, &registry)
            })
        };
        let runners: Vec<_> = (0..CLIENTS).map(start).collect();
        runners.into_iter().map(|runner| runner.join().unwrap()).collect()
    })
}

fn push_blobs(registry: &Registry) -> Vec<(String, usize)> {
    let push = |bytes: &[u8]| {
        assert_eq!(registry.push_blob(REPOSITORY, bytes).unwrap().status, 201);
        (digest(bytes), bytes.len())
    };
    vec![push(b"{}"), push(b"a layer")]
}

/// A manifest for each client, unlike every other.
fn manifests_of_round(blobs: &[(String, usize)], round: usize) -> Vec<Vec<u8>> {
    let mark = |client| format!("round {round}, client {client}");
    (0..CLIENTS).map(|client| image_manifest(blobs, &mark(client))).collect()
}

fn put(registry: &Registry, tag: &str, headers: &[(&str, &str)], bytes: &[u8]) -> Reply {
    registry.push_manifest(REPOSITORY, tag, headers, bytes).unwrap()
}

fn the_one_winner(replies: &[Reply]) -> usize {
    let mut winners = (0..replies.len()).filter(|client| replies[*client].status == 201);
    let winner = winners.next().expect("somebody wins");
    assert_eq!(winners.next(), None, "and nobody else");
    winner
}

fn assert_losers_are_told(replies: &[Reply], current: &str) {
    for reply in replies.iter().filter(|reply| reply.status != 201) {
        assert_eq!(reply.status, 412, "{}", reply.text());
        assert_eq!(reply.header("Docker-Content-Digest"), Some(current));
    }
}

fn count_files_with(folder: &Path, bytes: &[u8]) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count += count_files_with(&path, bytes);
        } else if fs::read(&path).is_ok_and(|found| found == bytes) {
            count += 1;
        }
    }
    count
}

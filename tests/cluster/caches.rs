//! What one node changed and the others see: at once, or within moments where they may believe for a while.

use std::time::Duration;

use crate::support::engines::Shared;
use crate::support::nodes::Nodes;
use crate::support::program::wait_until;
use crate::support::registry::{Registry, digest, image_manifest};
use crate::{bytes, push_image};

#[test]
fn what_one_node_acknowledged_every_node_shows_at_once() {
    let shared = Shared::new();
    let nodes = Nodes::start(3, &shared.settings());
    let each: Vec<Registry> = (0..3).map(|index| nodes.node(index).registry()).collect();
    let blob = bytes(1000, 1);
    assert_eq!(each[0].push_blob("team/app", &blob).unwrap().status, 201);
    for round in 0..30 {
        let writer = &each[round % 3];
        let manifest = image_manifest(&[(digest(&blob), blob.len())], &format!("round {round}"));
        let pushed = writer.push_manifest("team/app", "latest", &[], &manifest).unwrap();
        assert_eq!(pushed.status, 201, "{}", pushed.text());
        for reader in &each {
            let pulled = reader.manifest("team/app", "latest").unwrap();
            assert_eq!(digest(&pulled.body), digest(&manifest), "round {round}");
        }
    }
    let gone = each[1].delete_manifest("team/app", "latest").unwrap();
    assert_eq!(gone.status, 202);
    for reader in &each {
        assert_eq!(reader.manifest("team/app", "latest").unwrap().status, 404);
    }
}

#[test]
fn what_every_node_looked_for_in_vain_is_there_once_one_of_them_acknowledged_it() {
    let shared = Shared::new();
    let nodes = Nodes::start(3, &shared.settings());
    let each: Vec<Registry> = (0..3).map(|index| nodes.node(index).registry()).collect();
    for round in 0..12 {
        let (repository, content) = (format!("team/app-{}", round % 4), bytes(1000, 50 + round));
        let manifest = image_manifest(&[(digest(&content), content.len())], "");
        let (blob, tag) = (digest(&content), format!("v{round}"));
        let statuses = |of_blob: u16, of_manifest: u16| {
            for reader in each.iter().chain(&each) {
                assert_eq!(reader.blob(&repository, &blob).unwrap().status, of_blob);
                for reference in [&tag, &digest(&manifest)] {
                    let found = reader.manifest(&repository, reference).unwrap();
                    assert_eq!(found.status, of_manifest, "{reference}");
                }
            }
        };
        statuses(404, 404);
        let writer = &each[round as usize % 3];
        assert_eq!(writer.push_blob(&repository, &content).unwrap().status, 201);
        statuses(200, 404);
        let pushed = writer.push_manifest(&repository, &tag, &[], &manifest).unwrap();
        assert_eq!(pushed.status, 201, "{}", pushed.text());
        statuses(200, 200);
    }
}

/// What a node believes without asking ends when the log tells of a change: well before its time, which is an hour
/// for tags here.
#[test]
fn what_a_node_believes_ends_when_another_node_changes_it() {
    for cache in [wharf_engines::redis(), "memory:".to_owned()] {
        let shared = Shared::new()
            .with("WHARF_CACHE_URL", &cache)
            .with("WHARF_CACHE_LIFE", "1h")
            .with("WHARF_CACHE_EVENTUAL", "mirror/*")
            .with("WHARF_CACHE_EVENTUAL_LIFE", "1h");
        let nodes = Nodes::start(2, &shared.settings());
        let (writer, reader) = (nodes.node(0).registry(), nodes.node(1).registry());
        let first = push_image(&writer, "mirror/app", "latest", &bytes(1000, 1));
        let pulled = || digest(&reader.manifest("mirror/app", "latest").unwrap().body);
        assert_eq!(pulled(), first);
        let moved = push_image(&writer, "mirror/app", "latest", &bytes(1000, 2));
        wait_until("the moved tag is seen", Duration::from_secs(20), || pulled() == moved);
        let gone = writer.delete_manifest("mirror/app", &moved).unwrap();
        assert_eq!(gone.status, 202);
        for reference in ["latest", &moved] {
            wait_until("what was deleted is gone", Duration::from_secs(20), || {
                reader.manifest("mirror/app", reference).unwrap().status == 404
            });
        }
        // A strong tag needs no such help.
        for round in 0..10 {
            let pushed = push_image(&writer, "team/app", "latest", &bytes(1000, 10 + round));
            let pulled = reader.manifest("team/app", "latest").unwrap();
            assert_eq!(digest(&pulled.body), pushed, "round {round}");
        }
    }
}

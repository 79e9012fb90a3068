//! A node that reads from a replica of its database: it shows what was pushed at once, and serves pulls while the
//! primary is lost.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::process::Command;
use std::time::Duration;

use support::engines::{Proxies, Shared};
use support::nodes::Nodes;
use support::program::{attempt, wait_until};
use support::proxy::{Fault, Proxy};
use support::registry::{Registry, digest, image_manifest};

const PATIENCE: Duration = Duration::from_secs(60);

const BLOB: &[u8] = b"a layer";

/// Settings of nodes that remember nothing, with a replica of their database.
fn with_replica(shared: Shared, replica: &str) -> Shared {
    let replica = replica.replace("postgres@", "postgres:hidden@");
    let settings = shared.settings();
    let database = settings.iter().find(|(name, _)| *name == "WHARF_DATABASE_URL").unwrap().1;
    let name = database.rsplit_once('/').unwrap().1.to_owned();
    let url = format!("{}/{name}", replica.rsplit_once('/').unwrap().0);
    let shared = shared.with("WHARF_CACHE_URL", "memory:").with("WHARF_CACHE_SIZE", "0");
    shared.with("WHARF_DATABASE_REPLICA_URLS", &url)
}

fn push_image(registry: &Registry, tag: &str) -> Vec<u8> {
    assert_eq!(registry.push_blob("team/app", BLOB).unwrap().status, 201);
    let manifest = image_manifest(&[(digest(BLOB), BLOB.len())], tag);
    let pushed = registry.push_manifest("team/app", tag, &[], &manifest).unwrap();
    assert_eq!(pushed.status, 201, "{}", pushed.text());
    manifest
}

/// Waits until the replica knows of so many tags.
fn wait_for_tags(shared: &Shared, count: usize) {
    let settings = shared.settings();
    let url = settings.iter().find(|(name, _)| *name == "WHARF_DATABASE_REPLICA_URLS").unwrap().1;
    wait_until("the replica has the tags", PATIENCE, || {
        let query = "SELECT count(*) FROM tags";
        let mut ask = Command::new("psql");
        let asked = attempt(ask.args(["--no-psqlrc", "-qAtc", query, url]));
        asked.is_ok_and(|said| said.trim() == count.to_string())
    });
}

#[test]
fn a_lost_primary_leaves_pulls_and_lists_working() {
    let (shared, Proxies { database: primary, .. }) = Shared::new().behind_proxies();
    let shared = with_replica(shared, &wharf_engines::postgres_replica());
    let nodes = Nodes::start(1, &shared.settings());
    let registry = nodes.node(0).registry();
    let manifest = push_image(&registry, "latest");
    wait_for_tags(&shared, 1);

    primary.fail(Fault::Cut);
    wait_until("the node has noticed", PATIENCE, || registry.get("/readyz").unwrap().status == 503);
    for reference in ["latest", &digest(&manifest)] {
        let pulled = registry.manifest("team/app", reference).unwrap();
        assert!(pulled.status == 200 && pulled.body == manifest, "{reference}: {}", pulled.text());
    }
    assert_eq!(registry.blob("team/app", &digest(BLOB)).unwrap().body, BLOB);
    let tags = registry.get("/v2/team/app/tags/list").unwrap();
    assert_eq!(tags.json()["tags"][0], "latest", "{}", tags.text());
    let subject = digest(&manifest);
    let referrers = registry.get(&format!("/v2/team/app/referrers/{subject}")).unwrap();
    assert_eq!((referrers.status, &referrers.json()["manifests"][0]), (200, &().into()));
    let catalog = registry.get("/v2/_catalog").unwrap();
    assert_eq!(catalog.json()["repositories"][0], "team/app", "{}", catalog.text());
    // What the replica does not have may have been pushed all the same.
    assert_eq!(registry.manifest("team/app", "other").unwrap().status, 503);
    let refused = registry.push_manifest("team/app", "latest", &[], &manifest).unwrap();
    assert_eq!(refused.status, 503, "{}", refused.text());

    primary.heal();
    wait_until("the node is well again", PATIENCE, || {
        registry.get("/readyz").unwrap().status == 200
    });
    for round in 0..20 {
        let manifest = push_image(&registry, &format!("round-{round}"));
        let pulled = registry.manifest("team/app", &format!("round-{round}")).unwrap();
        assert_eq!(pulled.body, manifest);
    }
    assert!(!nodes.node(0).log().contains("hidden"), "{}", nodes.node(0).log());
}

#[test]
fn a_lost_replica_fails_nothing() {
    let shared = Shared::new();
    let url = wharf_engines::postgres_replica();
    let (scheme, rest) = url.rsplit_once('@').unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    let replica = Proxy::start(server);
    let shared = with_replica(shared, &format!("{scheme}@{}/{name}", replica.address()));
    let nodes = Nodes::start(2, &shared.settings());
    let [one, other] = [0, 1].map(|index| nodes.node(index).registry());
    for round in 0..30 {
        match round % 10 {
            4 => replica.fail(Fault::Cut),
            7 => replica.heal(),
            _ => {}
        }
        let manifest = push_image(&one, &format!("round-{round}"));
        for registry in [&one, &other] {
            let pulled = registry.manifest("team/app", &format!("round-{round}")).unwrap();
            assert_eq!((pulled.status, &pulled.body), (200, &manifest), "round {round}");
            assert_eq!(registry.blob("team/app", &digest(BLOB)).unwrap().body, BLOB);
        }
    }
    let log = nodes.node(0).log();
    assert!(log.contains("a read replica is left alone"), "{log}");
    assert!(!log.contains("hidden"), "{log}");
}

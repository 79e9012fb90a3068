//! Faults on the way to Redis: they cost time, and nothing else.

use std::time::Duration;

use crate::stand::{Stand, in_time, push_image};
use crate::support::engines::Shared;
use crate::support::metrics::{LISTEN, value};
use crate::support::nodes::Nodes;
use crate::support::program::wait_until;
use crate::support::proxy::Fault;
use crate::support::registry::{digest, image_manifest};

#[test]
fn without_redis_every_node_shows_at_once_what_one_acknowledged() {
    let stand = Stand::of(2);
    let each = [0, 1].map(|node| stand.registry(node));
    let image = push_image(&each[0], "team/app", 10_000, 1);
    let faults = [
        Fault::Cut,
        Fault::Stall,
        Fault::HalfClose,
        Fault::Truncate(0),
        Fault::Truncate(7),
        Fault::Corrupt(2),
        Fault::Delay(Duration::from_millis(60)),
    ];
    for (round, fault) in faults.into_iter().enumerate() {
        println!("{fault:?}");
        for sick in [true, false] {
            match sick {
                true => stand.engines.redis.fail(fault),
                false => stand.engines.redis.heal(),
            }
            for turn in 0..4 {
                let mark = format!("{round} {sick} {turn}");
                let manifest = image_manifest(&[(digest(&image.blob), image.blob.len())], &mark);
                let push = || each[turn % 2].push_manifest("team/app", "latest", &[], &manifest);
                let pushed = in_time(push).unwrap();
                assert_eq!(pushed.status, 201, "{}", pushed.text());
                for registry in &each {
                    let pulled = in_time(|| registry.manifest("team/app", "latest")).unwrap();
                    assert!(pulled.status == 200 && pulled.body == manifest, "{mark}");
                    let pulled = in_time(|| registry.blob("team/app", &digest(&image.blob)));
                    assert!(pulled.unwrap().body == image.blob, "{mark}");
                }
            }
        }
    }
    for node in 0..2 {
        assert!(!stand.nodes.node(node).log().contains("ERROR"), "node {node}");
    }
}

/// Nobody is refused for it who is within limits, and nobody goes without limits.
#[test]
fn without_redis_a_node_counts_for_itself_and_says_so() {
    let (shared, engines) = Shared::new().behind_proxies();
    let shared = shared.with("WHARF_LIMITS_ANONYMOUS_PULLS", "3/10h").with(LISTEN.0, LISTEN.1);
    let nodes = Nodes::start(1, &shared.settings());
    let (server, registry) = (nodes.node(0), nodes.node(0).registry());
    let image = push_image(&registry, "team/app", 1000, 1);
    let pull = || in_time(|| registry.manifest("team/app", "latest")).unwrap().status;
    assert_eq!(value(server, "wharf_limits_shared"), 1.0);
    // One was pulled when it was pushed.
    assert_eq!([pull(), pull(), pull()], [200, 200, 429]);
    engines.redis.fail(Fault::Cut);
    assert_eq!([pull(), pull(), pull(), pull()], [200, 200, 200, 429]);
    assert_eq!(value(server, "wharf_limits_shared"), 0.0);
    assert!(server.log().contains("limits are counted by this node for itself"));
    engines.redis.heal();
    wait_until("the node counts with others again", Duration::from_secs(30), || {
        assert_eq!(pull(), 429);
        value(server, "wharf_limits_shared") == 1.0
    });
    assert!(server.log().contains("limits are counted in Redis again"));
    assert!(value(server, "wharf_limits_takes_total{counted=\"alone\"}") >= 3.0);
    let digest = digest(&image.manifest);
    assert_eq!(in_time(|| registry.manifest("team/app", &digest)).unwrap().status, 429);
}

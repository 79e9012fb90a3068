//! Faults on the way to PostgreSQL.

use std::thread;
use std::time::Duration;

use crate::stand::{LONGEST, Stand, in_time, push_image, refused_for_now, unready};
use crate::support::program::wait_until;
use crate::support::proxy::Fault;
use crate::support::registry::{digest, image_manifest};

#[test]
fn without_the_database_pulls_of_what_is_known_go_on_and_all_else_is_refused_for_now() {
    let faults =
        [Fault::Cut, Fault::Stall, Fault::HalfClose, Fault::Truncate(0), Fault::Truncate(30)];
    for fault in faults {
        println!("{fault:?}");
        let stand = Stand::of(1);
        let registry = stand.registry(0);
        let image = push_image(&registry, "team/app", 100_000, 1);
        stand.engines.database.fail(fault);
        let manifest = image_manifest(&[(digest(&image.blob), image.blob.len())], "another");
        thread::scope(|scope| {
            scope.spawn(|| {
                refused_for_now(|| registry.push_manifest("team/app", "new", &[], &manifest))
            });
            scope.spawn(|| refused_for_now(|| registry.push_blob("team/app", b"another")));
            scope.spawn(|| refused_for_now(|| registry.delete_manifest("team/app", "latest")));
            scope.spawn(|| refused_for_now(|| registry.manifest("team/app", "unknown")));
            scope.spawn(|| refused_for_now(|| registry.get("/v2/team/app/tags/list")));
            scope.spawn(|| unready(&registry));
            scope.spawn(|| image.is_pulled(&registry, "team/app"));
        });
        // Also once nobody believes what was known of the caches.
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| image.is_pulled(&registry, "team/app"));
            }
        });
        stand.engines.database.heal();
        stand.recovers(1);
        let pushed = in_time(|| registry.push_manifest("team/app", "new", &[], &manifest)).unwrap();
        assert_eq!(pushed.status, 201, "{}", pushed.text());
        image.is_pulled(&registry, "team/app");
    }
}

#[test]
fn a_slow_way_to_the_database_costs_time_alone() {
    let stand = Stand::of(1);
    let registry = stand.registry(0);
    stand.engines.database.fail(Fault::Delay(Duration::from_millis(40)));
    for seed in 0..3 {
        push_image(&registry, "team/app", 10_000, seed);
    }
    assert!(!stand.nodes.node(0).log().contains("ERROR"), "{}", stand.nodes.node(0).log());
}

#[test]
fn a_manifest_that_the_database_does_not_give_as_it_was_is_neither_served_nor_kept() {
    let stand = Stand::of(1);
    let registry = stand.registry(0);
    let blob = b"a layer";
    assert_eq!(registry.push_blob("team/app", blob).unwrap().status, 201);
    let manifest = image_manifest(&[(digest(blob), blob.len())], &"long ".repeat(20_000));
    let pushed = registry.push_manifest("team/app", "latest", &[], &manifest).unwrap();
    assert_eq!(pushed.status, 201, "{}", pushed.text());

    stand.engines.database.fail(Fault::Corrupt(50_000));
    for reference in ["latest", &digest(&manifest)] {
        let pulled = in_time(|| registry.manifest("team/app", reference)).unwrap();
        assert_eq!(pulled.status, 500, "{reference}");
        // The next byte that is another one is on the next connection, or after the next fault.
        stand.engines.database.fail(Fault::Corrupt(50_000));
    }
    wait_until("it is reported", LONGEST, || {
        stand.nodes.node(0).log().contains("was read as one of digest")
    });
    stand.engines.database.heal();
    stand.recovers(1);
    for reference in ["latest", &digest(&manifest)] {
        let pulled = registry.manifest("team/app", reference).unwrap();
        assert!(pulled.status == 200 && pulled.body == manifest, "{}", pulled.status);
    }
}

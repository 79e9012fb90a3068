//! Faults on the way to the bucket.

use std::thread;
use std::time::Duration;

use crate::stand::{LONGEST, Stand, in_time, push_image, refused_for_now, unready};
use crate::support::program::wait_until;
use crate::support::proxy::Fault;
use crate::support::random::Random;
use crate::support::registry::digest;

const CHUNK: usize = 3 << 20;

#[test]
fn without_the_bucket_blobs_are_refused_for_now_and_uploads_go_on_afterwards() {
    let stand = Stand::of(1);
    let registry = stand.registry(0);
    let image = push_image(&registry, "team/app", 100_000, 1);
    let faults = [
        Fault::Cut,
        Fault::Stall,
        Fault::HalfClose,
        Fault::Truncate(0),
        Fault::Truncate(100),
        Fault::Answer(500, "InternalError"),
        Fault::Answer(503, "SlowDown"),
    ];
    for (round, fault) in faults.into_iter().enumerate() {
        println!("{fault:?}");
        let content = Random::seeded(100 + round as u64).bytes(2 * CHUNK + round);
        let place = registry.open_upload("team/app").unwrap();
        let sent = registry.push_chunk(&place, 0, &content[..CHUNK]).unwrap();
        assert_eq!(sent.status, 202, "{}", sent.text());
        let place = sent.header("Location").unwrap().to_owned();

        stand.engines.objects.fail(fault);
        thread::scope(|scope| {
            scope.spawn(|| {
                refused_for_now(|| registry.push_chunk(&place, CHUNK, &content[CHUNK..]))
            });
            scope.spawn(|| refused_for_now(|| registry.push_blob("team/app", b"another")));
            scope.spawn(|| refused_for_now(|| registry.blob("team/app", &digest(&image.blob))));
            scope.spawn(|| unready(&registry));
            scope.spawn(|| image.manifest_is_pulled(&registry, "team/app"));
        });
        stand.engines.objects.heal();
        stand.recovers(1);

        image.is_pulled(&registry, "team/app");
        let known = registry.get(&place).unwrap();
        assert_eq!((known.status, known.header("Range")), (204, Some("0-3145727")));
        let sent = registry.push_chunk(&place, CHUNK, &content[CHUNK..]).unwrap();
        assert_eq!(sent.status, 202, "{}", sent.text());
        let place = sent.header("Location").unwrap();
        let closed = registry.close_upload(place, &digest(&content), b"").unwrap();
        assert_eq!(closed.status, 201, "{}", closed.text());
        let pulled = registry.blob("team/app", &digest(&content)).unwrap();
        assert!(pulled.status == 200 && pulled.body == content, "{}", pulled.status);
    }
}

#[test]
fn an_upload_that_could_not_be_finished_is_finished_afterwards() {
    let stand = Stand::of(1);
    let registry = stand.registry(0);
    for (round, fault) in [Fault::Cut, Fault::HalfClose, Fault::Stall].into_iter().enumerate() {
        println!("{fault:?}");
        let content = Random::seeded(round as u64).bytes(7 << 20);
        let place = registry.open_upload("team/app").unwrap();
        let sent = registry.push_chunk(&place, 0, &content).unwrap();
        let place = sent.header("Location").unwrap();
        stand.engines.objects.fail(fault);
        refused_for_now(|| registry.close_upload(place, &digest(&content), b""));
        stand.engines.objects.heal();
        stand.recovers(1);
        let closed = in_time(|| registry.close_upload(place, &digest(&content), b"")).unwrap();
        assert_eq!(closed.status, 201, "{}", closed.text());
        let pulled = registry.blob("team/app", &digest(&content)).unwrap();
        assert!(pulled.status == 200 && pulled.body == content, "{}", pulled.status);
    }
}

#[test]
fn a_slow_way_to_the_bucket_costs_time_alone() {
    let stand = Stand::of(1);
    let registry = stand.registry(0);
    stand.engines.objects.fail(Fault::Delay(Duration::from_millis(20)));
    for seed in 0..3 {
        push_image(&registry, "team/app", 200_000, seed);
    }
    assert!(!stand.nodes.node(0).log().contains("ERROR"), "{}", stand.nodes.node(0).log());
}

#[test]
fn a_blob_that_the_bucket_does_not_give_as_it_was_breaks_off_and_is_reported() {
    let stand = Stand::of(1);
    let registry = stand.registry(0);
    for (round, size) in [20_000, 300_000, 5_000_000].into_iter().enumerate() {
        let image = push_image(&registry, "team/app", size, round as u64);
        stand.engines.objects.fail(Fault::Corrupt(size / 2));
        let broken = in_time(|| registry.blob("team/app", &digest(&image.blob)));
        assert!(broken.is_err(), "{size}: {}", broken.unwrap().status);
        wait_until("it is reported", LONGEST, || {
            let log = stand.nodes.node(0).log();
            log.matches("an object is corrupt: its bytes are not its digest's").count() > round
        });
        stand.engines.objects.heal();
        image.is_pulled(&registry, "team/app");
    }
}

#[test]
fn a_blob_whose_bytes_end_too_early_comes_whole_or_breaks_off() {
    let stand = Stand::of(1);
    let registry = stand.registry(0);
    let image = push_image(&registry, "team/app", 2_000_000, 1);
    for after in [700, 100_000, 1_500_000] {
        stand.engines.objects.fail(Fault::Truncate(after));
        match in_time(|| registry.blob("team/app", &digest(&image.blob))) {
            Ok(pulled) if pulled.status == 200 => assert!(pulled.body == image.blob),
            Ok(refused) => assert_eq!(refused.status, 503, "{}", refused.text()),
            Err(_) => {}
        }
        stand.engines.objects.heal();
        image.is_pulled(&registry, "team/app");
    }
}

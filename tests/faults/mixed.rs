//! Faults at random on all ways at once, while writers and readers go on: what was acknowledged holds.

use std::thread;
use std::time::Duration;

use crate::stand::{Image, Stand, in_time, push_image};
use crate::support::engines::Proxies;
use crate::support::ledger::Ledger;
use crate::support::proxy::{Fault, Proxy};
use crate::support::random::Random;
use crate::support::registry::{Registry, digest};
use crate::support::writer::{Outcome, Writer};

const NODES: usize = 2;
const WRITERS: usize = 4;
/// A writer writes so often in a round, unless it is refused before.
const WRITES: usize = 12;

#[test]
fn what_was_acknowledged_outlives_faults_of_every_kind() {
    let rounds = std::env::var("WHARF_FAULT_ROUNDS").map_or(5, |text| text.parse().unwrap());
    let seed = Random::seed_from("WHARF_FAULT_SEED");
    println!("WHARF_FAULT_SEED={seed} WHARF_FAULT_ROUNDS={rounds}");
    let mut random = Random::seeded(seed);
    let stand = Stand::of(NODES);
    let image = push_image(&stand.registry(0), "stable/app", 100_000, 1);
    let mut ledgers: Vec<Ledger> =
        (0..WRITERS).map(|writer| Ledger::of(format!("faults/writer-{writer}"))).collect();
    for round in 0..rounds {
        let Proxies { database, objects, redis } = &stand.engines;
        println!("round {round}");
        // At first only some of the writes meet it.
        let mut faults: Vec<(&Proxy, Fault, Duration)> = Vec::new();
        for (name, proxy) in [("database", database), ("objects", objects), ("redis", redis)] {
            if random.below(2) == 0 {
                let after = Duration::from_millis(random.below(400));
                let fault = some_fault(&mut random);
                println!("{name}: {fault:?} after {after:?}");
                faults.push((proxy, fault, after));
            }
        }
        thread::scope(|scope| {
            for (proxy, fault, after) in &faults {
                scope.spawn(|| {
                    thread::sleep(*after);
                    proxy.fail(*fault);
                });
            }
            for (writer, ledger) in ledgers.iter_mut().enumerate() {
                let (registry, mut source) =
                    (stand.registry(writer % NODES), Random::seeded(random.next()));
                let (name, shared) =
                    (format!("writer-{writer}-round-{round}"), Random::seeded(seed ^ round));
                scope.spawn(move || {
                    write(Writer::new(name, ledger, registry, shared), &mut source);
                });
            }
            for node in 0..NODES {
                let (registry, image) = (stand.registry(node), &image);
                scope.spawn(move || read(&registry, image));
            }
        });
        for (proxy, ..) in &faults {
            proxy.heal();
        }
        stand.recovers(NODES);
        for (writer, ledger) in ledgers.iter_mut().enumerate() {
            // The other node may believe for some seconds that a digest is held which was deleted here.
            let registry = stand.registry(writer % NODES);
            ledger.settle(&registry);
            ledger.check_recent(&registry);
        }
    }
    for ledger in &ledgers {
        ledger.check_all(&stand.registry(0));
    }
    image.is_pulled(&stand.registry(1), "stable/app");
    let blobs = ledgers.iter().map(|ledger| ledger.blobs.len()).sum::<usize>();
    assert!(blobs > rounds as usize, "the rounds were too short to say anything");
}

fn some_fault(random: &mut Random) -> Fault {
    match random.below(5) {
        0 => Fault::Cut,
        1 => Fault::Stall,
        2 => Fault::HalfClose,
        3 => Fault::Truncate(random.below(3000) as usize),
        _ => Fault::Delay(Duration::from_millis(5 + random.below(40))),
    }
}

/// Writes until something is refused, which must be for now.
fn write(mut writer: Writer<'_>, random: &mut Random) {
    for _ in 0..WRITES {
        match writer.write_one(random) {
            Outcome::Acknowledged => {}
            Outcome::Refused(reply) => {
                assert_eq!(reply.status, 503, "{}", reply.text());
                assert!(reply.header("Retry-After").is_some());
                return;
            }
            Outcome::Unanswered => panic!("a write was not answered"),
        }
    }
}

/// Pulls what was there before: it comes as it is, or not at all for now.
fn read(registry: &Registry, image: &Image) {
    for _ in 0..WRITES / 3 {
        let manifest = in_time(|| registry.manifest("stable/app", "latest")).unwrap();
        assert!([200, 503].contains(&manifest.status), "{}", manifest.text());
        assert!(manifest.status == 503 || manifest.body == image.manifest);
        // A reply whose bytes do not come any more breaks off.
        let Ok(blob) = in_time(|| registry.blob("stable/app", &digest(&image.blob))) else {
            return;
        };
        assert!([200, 503].contains(&blob.status), "{}", blob.text());
        assert!(blob.status == 503 || blob.body == image.blob);
    }
}

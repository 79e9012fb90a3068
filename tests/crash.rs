//! The server is killed at random moments: what it acknowledged is there, the rest is whole or absent.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use support::ledger::Ledger;
use support::program::wait_until;
use support::random::Random;
use support::server::{Process, Server};
use support::writer::{Outcome, Writer};
use tempfile::TempDir;

const WRITERS: usize = 4;
/// A round ends when about so many writes have been acknowledged, over all writers.
const WRITES_PER_ROUND: u64 = 120;

#[test]
fn what_was_acknowledged_survives_a_kill_at_any_moment() {
    let rounds = std::env::var("WHARF_CRASH_ROUNDS").map_or(30, |text| text.parse().unwrap());
    let seed = Random::seed_from("WHARF_CRASH_SEED");
    println!("WHARF_CRASH_SEED={seed} WHARF_CRASH_ROUNDS={rounds}");
    let mut random = Random::seeded(seed);
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let mut ledgers: Vec<Ledger> =
        (0..WRITERS).map(|writer| Ledger::of(format!("crash/writer-{writer}"))).collect();

    for round in 0..rounds {
        if random.below(4) == 0 {
            // Killed while it starts, perhaps while it recovers from the last kill.
            let starting = Process::launch(&data, &[]);
            random.moment(Duration::from_millis(60));
            starting.kill();
        }
        let server = Server::start_in(&data);
        let registry = server.registry();
        for ledger in &mut ledgers {
            ledger.settle(&registry);
            ledger.check_recent(&registry);
        }
        let acknowledged = AtomicU64::new(0);
        thread::scope(|scope| {
            let mut writers = Vec::new();
            for (writer, ledger) in ledgers.iter_mut().enumerate() {
                let mut source = Random::seeded(random.next());
                let registry = server.registry();
                let (acknowledged, shared) = (&acknowledged, Random::seeded(seed ^ round));
                let name = format!("writer-{writer}-round-{round}");
                let run = move || {
                    let mut writer = Writer::new(name, ledger, registry, shared);
                    loop {
                        match writer.write_one(&mut source) {
                            Outcome::Acknowledged => acknowledged.fetch_add(1, Ordering::Relaxed),
                            Outcome::Refused(reply) => panic!("{} {}", reply.status, reply.text()),
                            Outcome::Unanswered => break,
                        };
                    }
                };
                writers.push(scope.spawn(run));
            }
            let enough = random.below(WRITES_PER_ROUND);
            wait_until("enough writes are acknowledged", Duration::from_secs(60), || {
                let given_up = writers.iter().any(|writer| writer.is_finished());
                given_up || acknowledged.load(Ordering::Relaxed) >= enough
            });
            random.moment(Duration::from_millis(5));
            server.kill();
        });
    }

    let server = Server::start_in(&data);
    let registry = server.registry();
    for ledger in &mut ledgers {
        ledger.settle(&registry);
        ledger.check_all(&registry);
    }
    let count = |of: fn(&Ledger) -> usize| ledgers.iter().map(of).sum::<usize>();
    let (blobs, manifests) = (count(|l| l.blobs.len()), count(|l| l.manifests.len()));
    println!("{blobs} blobs and {manifests} manifests outlived {rounds} kills");
    assert!(blobs > rounds as usize, "the rounds were too short to say anything");
}

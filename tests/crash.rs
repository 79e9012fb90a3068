//! The server is killed at random moments: what it acknowledged is there, the rest is whole or absent.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use support::ledger::{Attempt, Ledger};
use support::program::wait_until;
use support::random::Random;
use support::registry::{Registry, Reply, digest, image_manifest};
use support::server::{Process, Server};
use tempfile::TempDir;

const WRITERS: usize = 4;
const TAGS_PER_WRITER: u64 = 6;
const LARGEST_BLOB: u64 = 200_000;
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
                    let mut writer = Writer { name, ledger, registry, shared, count: 0 };
                    while writer.write_one(&mut source).is_some() {
                        acknowledged.fetch_add(1, Ordering::Relaxed);
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

/// The status that a write must have, and the reply that came.
type Answer = (u16, Reply);

/// Writes to its own repository until the connection breaks.
struct Writer<'a> {
    name: String,
    ledger: &'a mut Ledger,
    registry: Registry,
    /// The same for all writers of a round, so that they push the same blobs at the same time.
    shared: Random,
    count: u64,
}

impl Writer<'_> {
    /// One write; `None` when the server did not answer it.
    fn write_one(&mut self, random: &mut Random) -> Option<()> {
        self.count += 1;
        let (expected, reply) = match random.below(20) {
            0..8 => self.push_blob(random)?,
            8..14 => self.push_manifest(random)?,
            14..17 => self.move_tag(random)?,
            17 => self.delete_tag(random)?,
            18 => self.delete_manifest(random)?,
            _ => self.push_wrong_blob(random)?,
        };
        assert_eq!(reply.status, expected, "{}: {}", self.name, reply.text());
        self.ledger.acknowledge();
        Some(())
    }

    fn push_blob(&mut self, random: &mut Random) -> Option<Answer> {
        let source = if random.below(4) == 0 { &mut self.shared } else { &mut *random };
        let length = 1 + source.below(LARGEST_BLOB) as usize;
        let bytes = source.bytes(length);
        self.ledger.begin(Attempt::Blob { digest: digest(&bytes) }, &bytes);
        let repository = &self.ledger.repository;
        let reply = if random.below(2) == 0 {
            self.registry.push_blob(repository, &bytes).ok()?
        } else {
            let size = 1 + random.below(LARGEST_BLOB / 3) as usize;
            self.registry.push_chunks(repository, &bytes, size).ok()?
        };
        Some((201, reply))
    }

    fn push_wrong_blob(&mut self, random: &mut Random) -> Option<Answer> {
        let (bytes, others) = (random.bytes(1000), random.bytes(1000));
        let claimed = digest(&others);
        self.ledger.begin(Attempt::WrongBlob { claimed: claimed.clone() }, &bytes);
        let place = self.registry.open_upload(&self.ledger.repository).ok()?;
        Some((400, self.registry.close_upload(&place, &claimed, &bytes).ok()?))
    }

    fn push_manifest(&mut self, random: &mut Random) -> Option<Answer> {
        let known: Vec<(String, usize)> =
            self.ledger.blobs.iter().map(|(digest, size)| (digest.clone(), *size)).collect();
        let count = 1 + random.below(4) as usize;
        let chosen: Vec<(String, usize)> =
            (0..count).filter_map(|_| random.choose(&known).cloned()).collect();
        if chosen.is_empty() {
            return self.push_blob(random);
        }
        let bytes = image_manifest(&chosen, &format!("{}-{}", self.name, self.count));
        let tag = (random.below(3) > 0).then(|| self.some_tag(random));
        self.put(digest(&bytes), tag, &bytes)
    }

    fn move_tag(&mut self, random: &mut Random) -> Option<Answer> {
        let known: Vec<&String> = self.ledger.manifests.keys().collect();
        let Some(digest) = random.choose(&known).map(|digest| (*digest).clone()) else {
            return self.push_blob(random);
        };
        let bytes = self.ledger.manifests[&digest].clone();
        let tag = self.some_tag(random);
        self.put(digest, Some(tag), &bytes)
    }

    fn put(&mut self, digest: String, tag: Option<String>, bytes: &[u8]) -> Option<Answer> {
        let reference = tag.clone().unwrap_or_else(|| digest.clone());
        self.ledger.begin(Attempt::Manifest { digest, tag }, bytes);
        let repository = &self.ledger.repository;
        let reply = self.registry.push_manifest(repository, &reference, &[], bytes).ok()?;
        Some((201, reply))
    }

    fn delete_tag(&mut self, random: &mut Random) -> Option<Answer> {
        let alive = self.ledger.tags.iter().filter(|(_, place)| place.is_some());
        let alive: Vec<&String> = alive.map(|(tag, _)| tag).collect();
        let Some(tag) = random.choose(&alive).map(|tag| (*tag).clone()) else {
            return self.push_blob(random);
        };
        self.ledger.begin(Attempt::DeleteTag { tag: tag.clone() }, &[]);
        let reply = self.registry.delete_manifest(&self.ledger.repository, &tag).ok()?;
        Some((202, reply))
    }

    fn delete_manifest(&mut self, random: &mut Random) -> Option<Answer> {
        let known: Vec<&String> = self.ledger.manifests.keys().collect();
        let Some(digest) = random.choose(&known).map(|digest| (*digest).clone()) else {
            return self.push_blob(random);
        };
        self.ledger.begin(Attempt::DeleteManifest { digest: digest.clone() }, &[]);
        let reply = self.registry.delete_manifest(&self.ledger.repository, &digest).ok()?;
        Some((202, reply))
    }

    fn some_tag(&self, random: &mut Random) -> String {
        format!("tag-{}", random.below(TAGS_PER_WRITER))
    }
}

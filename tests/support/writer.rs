//! A writer that pushes, moves and deletes at random, and keeps account of what was acknowledged.

use super::ledger::{Attempt, Ledger};
use super::random::Random;
use super::registry::{Registry, Reply, digest, image_manifest};

const TAGS_PER_WRITER: u64 = 6;
const LARGEST_BLOB: u64 = 200_000;

/// The status that a write must have, and the reply that came.
type Answer = (u16, Reply);

/// What became of a write.
pub enum Outcome {
    /// It was answered as it must be.
    Acknowledged,
    /// It was answered otherwise; whether it took place is not known.
    Refused(Reply),
    /// There was no answer.
    Unanswered,
}

/// Writes to its own repository, one write after the other.
pub struct Writer<'a> {
    name: String,
    ledger: &'a mut Ledger,
    registry: Registry,
    /// The same for all writers of a round, so that they push the same blobs at the same time.
    shared: Random,
    count: u64,
}

impl Writer<'_> {
    /// One that answers to this ledger. What it shares with others, it takes from `shared`.
    pub fn new(
        name: String,
        ledger: &mut Ledger,
        registry: Registry,
        shared: Random,
    ) -> Writer<'_> {
        Writer { name, ledger, registry, shared, count: 0 }
    }

    /// One write, as chance will have it.
    pub fn write_one(&mut self, random: &mut Random) -> Outcome {
        self.count += 1;
        match self.attempt(random) {
            Some((expected, reply)) if reply.status == expected => {
                self.ledger.acknowledge();
                Outcome::Acknowledged
            }
            Some((_, reply)) => Outcome::Refused(reply),
            None => Outcome::Unanswered,
        }
    }

    fn attempt(&mut self, random: &mut Random) -> Option<Answer> {
        match random.below(20) {
            0..8 => self.push_blob(random),
            8..14 => self.push_manifest(random),
            14..17 => self.move_tag(random),
            17 => self.delete_tag(random),
            18 => self.delete_manifest(random),
            _ => self.push_wrong_blob(random),
        }
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
        let opened = self.registry.ask_for_upload(&self.ledger.repository).ok()?;
        if opened.status != 202 {
            return Some((202, opened));
        }
        let place = opened.header("Location").unwrap();
        Some((400, self.registry.close_upload(place, &claimed, &bytes).ok()?))
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

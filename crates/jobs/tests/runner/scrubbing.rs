//! Scrubs of a registry in memory, on SQLite: turns of any length, damage of any kind.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use tempfile::TempDir;
use tokio::time::Instant;
use wharf_blobs::{Fault, FaultyBlobs, MemoryBlobs, Method};
use wharf_core::blobs::{Blobs, ObjectKey};
use wharf_core::clock::{SystemClock, SystemRandom};
use wharf_core::metadata::{
    FaultKind, FindingFilter, FinishOutcome, FinishUpload, Integrity, Memberships, Pass,
    ReserveBlob, ReserveOutcome, StartUpload, Uploads,
};
use wharf_core::scrub::{ScrubRules, Scrubbed, Scrubber, TurnEnd};
use wharf_core::{StoreError, UploadId};
use wharf_metadata::{Database, Sqlite};
use wharf_oci::{Algorithm, Digest, Hasher};

use crate::small::Small;

pub struct Node {
    pub scrubber: Scrubber,
    pub database: Arc<Database<Sqlite>>,
    pub blobs: Arc<MemoryBlobs>,
    pub faults: Arc<FaultyBlobs<MemoryBlobs>>,
    pub folder: TempDir,
}

/// As fast as it goes; what is in the store is old at once.
const RULES: ScrubRules = ScrubRules {
    bytes_per_second: 1 << 40,
    grace: Duration::ZERO,
    turn: Duration::from_secs(60),
    repair: Duration::from_secs(60),
};

pub fn digest(bytes: &[u8]) -> Digest {
    Hasher::digest(Algorithm::Sha256, bytes)
}

impl Node {
    pub fn new() -> Self {
        let Small { registry, database, blobs, faults, folder } = Small::new(Arc::new(SystemClock));
        let (objects, integrity) = (blobs.clone(), database.clone());
        let copies = Vec::new();
        let scrubber = Scrubber { registry, objects, integrity, copies, rules: RULES };
        Self { scrubber, database, blobs, faults, folder }
    }

    /// Puts an object into the store, whatever its key says.
    pub async fn put(&self, key: &ObjectKey, bytes: &[u8]) {
        let upload = UploadId::random(&SystemRandom);
        let start = self.blobs.stage(&upload).await.unwrap();
        let chunks = Box::pin(stream::iter([Bytes::copy_from_slice(bytes)]));
        let staged = self.blobs.append(&upload, &start, chunks).await.unwrap();
        self.blobs.finish(&upload, &staged, key).await.unwrap();
    }

    /// Has a repository hold the blob, whose object has the bytes of `stored`; or none.
    pub async fn hold(&self, bytes: &[u8], stored: Option<&[u8]>) -> ObjectKey {
        let id = UploadId::random(&SystemRandom);
        let start = StartUpload {
            id,
            repository: "a".parse().unwrap(),
            principal: "alice".into(),
            staged: Default::default(),
            hash: Hasher::new(Algorithm::Sha256).state(),
            lifetime: Duration::from_secs(60),
            announced: None,
        };
        self.database.start_upload(start).await.unwrap();
        let time_limit = Duration::from_secs(60);
        let reservation = ReserveBlob { id, digest: digest(bytes), time_limit };
        let ReserveOutcome::Reserved(key) = self.database.reserve_blob(reservation).await.unwrap()
        else {
            panic!("no key was given")
        };
        if let Some(stored) = stored {
            self.put(&key, stored).await;
        }
        let finish = FinishUpload { id, key, size: bytes.len() as u64 };
        assert_eq!(self.database.finish_upload(finish).await.unwrap(), FinishOutcome::Finished);
        key
    }

    /// A whole pass in turns. Returns what they did, and how many there were.
    pub async fn scrub(&self, pass: Pass) -> (Scrubbed, u32) {
        let (mut done, mut turns) = (Scrubbed::default(), 1);
        while self.scrubber.turn(pass, &mut done).await.unwrap() == TurnEnd::Part {
            turns += 1;
            assert!(turns < 1000, "it goes on");
        }
        (done, turns)
    }

    pub async fn open(&self) -> Vec<(FaultKind, Digest)> {
        let findings =
            self.database.list_scrub_findings(FindingFilter::default(), None, 100).await.unwrap();
        findings.iter().map(|finding| (finding.kind.known().unwrap(), finding.digest)).collect()
    }

    async fn is_held(&self, key: &ObjectKey) -> bool {
        self.database.find_blob("a".parse().unwrap(), key.digest).await.unwrap().is_some()
    }
}

fn some(number: usize) -> Vec<u8> {
    format!("blob {number}").into_bytes()
}

#[tokio::test]
async fn what_is_as_it_should_be_is_left_alone() {
    let node = Node::new();
    for number in 0..30 {
        node.hold(&some(number), Some(&some(number))).await;
    }
    for pass in Pass::ALL {
        let (done, turns) = node.scrub(pass).await;
        assert_eq!((done.faults(), done.unknown, turns), (0, 0, 1), "{pass:?}");
        let looked_at = if matches!(pass, Pass::Objects | Pass::Contents) { 30 } else { 0 };
        assert_eq!(done.looked_at, looked_at, "{pass:?}");
    }
    assert_eq!(node.blobs.counts().0, 30);
    assert!(node.open().await.is_empty());
}

#[tokio::test]
async fn each_difference_between_store_and_database_is_found_once() {
    let node = Node::new();
    node.hold(b"sound", Some(b"sound")).await;
    let missing = node.hold(b"missing", None).await;
    let short = node.hold(b"too short", Some(b"too")).await;
    let unexplained = ObjectKey { incarnation: 2, ..ObjectKey::canonical(digest(b"sound")) };
    node.put(&unexplained, b"sound").await;
    let (done, _) = node.scrub(Pass::Objects).await;
    let found = done.found.into_iter().collect::<Vec<_>>();
    let kinds = [FaultKind::Unexplained, FaultKind::Missing, FaultKind::WrongSize];
    assert_eq!(found, kinds.map(|kind| (kind, 1)));
    for key in [missing, short] {
        assert!(!node.is_held(&key).await);
    }
    assert_eq!(node.scrub(Pass::Objects).await.0.faults(), 0);
    assert_eq!(node.open().await.len(), 3);
    assert_eq!(node.blobs.counts().0, 3);
    let marks = node.database.passes().await.unwrap();
    assert_eq!((marks.len(), marks[0].0, marks[0].1.looked_at), (1, Pass::Objects, 3));
}

#[tokio::test]
async fn an_object_that_is_young_is_not_asked_why_it_is_there() {
    let mut node = Node::new();
    node.scrubber.rules.grace = Duration::from_secs(600);
    node.put(&ObjectKey::canonical(digest(b"on its way")), b"on its way").await;
    assert_eq!(node.scrub(Pass::Objects).await.0.faults(), 0);
    assert!(node.open().await.is_empty());
}

/// So that a disk which is not mounted takes nothing out of use.
#[tokio::test]
async fn a_store_without_any_of_many_blobs_is_taken_for_the_wrong_one() {
    let node = Node::new();
    let mut keys = Vec::new();
    for number in 0..20 {
        keys.push(node.hold(&some(number), None).await);
    }
    for pass in [Pass::Objects, Pass::Contents, Pass::Contents] {
        let mut done = Scrubbed::default();
        let fault = node.scrubber.turn(pass, &mut done).await.unwrap_err();
        let is_told = |text: &str| text.contains("none of 20 blobs");
        assert!(matches!(&fault, StoreError::Unavailable(text) if is_told(text)), "{fault}");
        assert!(node.open().await.is_empty() && done.faults() == 0);
    }
    // Where one of them is there, the others are missing.
    node.put(&keys[7], &some(7)).await;
    assert_eq!(node.scrub(Pass::Objects).await.0.found[&FaultKind::Missing], 19);
    assert!(node.is_held(&keys[7]).await && !node.is_held(&keys[8]).await);
}

/// Before and behind one that is there, and at the end; also where a turn is over at once.
#[tokio::test]
async fn missing_objects_are_found_by_who_reads_them() {
    for turn in [RULES.turn, Duration::ZERO] {
        let mut node = Node::new();
        node.scrubber.rules.turn = turn;
        let mut keys = Vec::new();
        for number in 0..20 {
            keys.push(node.hold(&some(number), None).await);
        }
        node.put(&keys[7], &some(7)).await;
        let (done, _) = node.scrub(Pass::Contents).await;
        assert_eq!((done.found[&FaultKind::Missing], done.looked_at), (19, 20), "{turn:?}");
        assert!(node.is_held(&keys[7]).await && !node.is_held(&keys[8]).await);
    }
}

/// And goes back into use when it was put right.
#[tokio::test]
async fn wrong_bytes_are_found_and_what_was_put_right_is_served_again() {
    let node = Node::new();
    node.hold(b"sound", Some(b"sound")).await;
    node.hold(b"", Some(b"")).await;
    let key = node.hold(b"a flipped bit", Some(b"a flipped biu")).await;
    assert_eq!(node.scrub(Pass::Objects).await.0.faults(), 0);
    let (done, _) = node.scrub(Pass::Contents).await;
    assert_eq!((done.faults(), done.looked_at), (1, 3));
    // What is wrong is read twice.
    assert_eq!(done.bytes, 5 + 2 * 13);
    assert_eq!(node.open().await, [(FaultKind::WrongDigest, key.digest)]);
    assert!(!node.is_held(&key).await);
    for pass in [Pass::Contents, Pass::Quarantined] {
        let (again, _) = node.scrub(pass).await;
        assert_eq!((again.faults(), again.restored), (0, 0), "{pass:?}");
    }
    node.blobs.delete_all(&[key]).await;
    node.scrub(Pass::Quarantined).await;
    assert!(!node.is_held(&key).await);
    node.put(&key, b"a flipped bit").await;
    let (done, _) = node.scrub(Pass::Quarantined).await;
    assert_eq!((done.restored, node.open().await.len()), (1, 0));
    assert!(node.is_held(&key).await);
    assert_eq!(node.scrub(Pass::Contents).await.0.faults(), 0);
}

/// It is left in use, as it may be read again tomorrow; the rest of the pass is not held up by it.
#[tokio::test]
async fn an_object_that_a_store_which_works_does_not_give_is_unreadable() {
    let node = Node::new();
    for text in ["one", "two", "three"] {
        node.hold(text.as_bytes(), Some(text.as_bytes())).await;
    }
    let mut digests = ["one", "two", "three"].map(|text| digest(text.as_bytes()));
    digests.sort();
    let unreadable = ObjectKey::canonical(digests[1]);
    let refused = || Fault::Fail(StoreError::Unavailable("a sector is bad".into()));
    let broken = || Fault::BreakAfter(2, StoreError::Unavailable("a sector is bad".into()));
    // When it is opened, while it is read, and by its head alone.
    for (round, (method, fault)) in
        [(Method::Read, refused()), (Method::Read, broken()), (Method::Head, refused())]
            .into_iter()
            .enumerate()
    {
        node.faults.script(method, 2, fault);
        let (done, _) = node.scrub(Pass::Contents).await;
        assert_eq!(done.looked_at, 3, "{method:?}");
        let is_new = round == 0;
        assert_eq!(done.found.get(&FaultKind::Unreadable).copied(), is_new.then_some(1));
        assert_eq!(done.faults(), u64::from(is_new), "{method:?}");
        assert_eq!(node.open().await, [(FaultKind::Unreadable, unreadable.digest)]);
        assert!(node.is_held(&unreadable).await, "{method:?}");
    }
    let findings =
        node.database.list_scrub_findings(FindingFilter::default(), None, 100).await.unwrap();
    assert!(findings[0].detail.contains("a sector is bad"), "{:?}", findings[0]);
    assert!(!findings[0].is_quarantined);
    assert_eq!(node.faults.calls(Method::Check), 3);
    // Read again, it is none any more.
    node.scrub(Pass::Contents).await;
    assert!(node.open().await.is_empty());
}

/// Which is no finding: the turn ends, and the next one goes on where it was.
#[tokio::test]
async fn a_store_that_is_away_makes_no_object_unreadable() {
    let node = Node::new();
    let key = node.hold(b"one", Some(b"one")).await;
    let away = || Fault::Fail(StoreError::Unavailable("away".into()));
    node.faults.script(Method::Read, 1, away());
    node.faults.script(Method::Check, 1, away());
    let mut done = Scrubbed::default();
    let fault = node.scrubber.turn(Pass::Contents, &mut done).await.unwrap_err();
    assert!(matches!(&fault, StoreError::Unavailable(text) if text.contains("away")), "{fault}");
    assert!(done.faults() == 0 && node.open().await.is_empty());
    assert_eq!(node.scrub(Pass::Contents).await.0.looked_at, 1);
    assert!(node.is_held(&key).await);
}

/// A turn that is over at once still gets one piece further, and what it hashed is not hashed again.
#[tokio::test]
async fn a_blob_is_hashed_over_many_turns() {
    let mut node = Node::new();
    node.scrubber.rules.turn = Duration::ZERO;
    let large: Vec<u8> = (0..1_000_000_u32).map(|number| (number / 1000) as u8).collect();
    let key = node.hold(&large, Some(&large)).await;
    let other = node.hold(b"damaged", Some(b"damagee")).await;
    let (done, turns) = node.scrub(Pass::Contents).await;
    assert!(turns >= 16, "{turns} turns");
    assert_eq!((done.bytes, done.looked_at), (1_000_000 + 2 * 7, 2));
    assert!(node.is_held(&key).await && !node.is_held(&other).await);
    let passes = node.database.passes().await.unwrap();
    assert_eq!((passes[0].1.bytes, passes[0].1.found), (1_000_014, 1));
    assert!(passes[0].1.ended_at.is_some());
}

/// By the clock of the runtime, which goes on only while all wait for it; of a store that is not slow.
#[tokio::test(start_paused = true)]
async fn contents_are_read_no_faster_than_asked() {
    let bytes = vec![7; 256 << 10];
    for (bytes_per_second, seconds) in [(64 << 10, 4), (1 << 40, 0)] {
        let mut node = Node::new();
        node.scrubber.rules.bytes_per_second = bytes_per_second;
        node.hold(&bytes, Some(&bytes)).await;
        let began = Instant::now();
        let (done, turns) = node.scrub(Pass::Contents).await;
        assert_eq!((done.bytes, done.looked_at, turns), (256 << 10, 1, 1));
        let took = began.elapsed();
        let least = Duration::from_secs(seconds);
        assert!((least..least + Duration::from_secs(1)).contains(&took), "{took:?}");
    }
}

//! Repairs by scrubs of a registry in memory, on SQLite: from copies of any kind, of which none is believed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future, stream};
use tempfile::TempDir;
use wharf_blobs::OldFolder;
use wharf_core::StoreError;
use wharf_core::blobs::{Blobs, Content, ObjectKey};
use wharf_core::metadata::{
    FaultKind, FindingFilter, Integrity, Memberships, Pass, ScrubFinding, Uploads,
};
use wharf_core::scrub::{AdoptedCopies, CopySource, FoundCopy, OtherObjects, Scrubbed};
use wharf_oci::Digest;

use crate::scrubbing::{Node, digest};

/// Copies that somebody has; the bytes of each come in pieces, and break off where one is a fault.
pub struct Shelf {
    copies: Vec<Vec<Result<Bytes, StoreError>>>,
    /// How many copies of the right size lie before those, of which no byte ever comes.
    hanging: usize,
    asked: AtomicU32,
}

impl Shelf {
    pub fn of(copies: &[&[u8]]) -> Arc<Self> {
        let whole = |bytes: &&[u8]| vec![Ok(Bytes::copy_from_slice(bytes))];
        let copies = copies.iter().map(whole).collect();
        Arc::new(Self { copies, hanging: 0, asked: AtomicU32::new(0) })
    }
}

#[async_trait]
impl CopySource for Shelf {
    async fn copies(
        &self,
        _: &Digest,
        _: Option<&ObjectKey>,
    ) -> Result<Vec<FoundCopy>, StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let copies = (0..).zip(&self.copies).map(|(number, pieces)| {
            let size =
                pieces.iter().map(|piece| piece.as_ref().map_or(1, |b| b.len() as u64)).sum();
            let stream = stream::iter(pieces.clone()).boxed();
            let content = async move { Ok(Content { size, range: 0..size, stream }) }.boxed();
            FoundCopy { place: format!("copy {number}"), size, content }
        });
        let size = self.copies.iter().flatten().flatten().map(|piece| piece.len() as u64).sum();
        let hanging = (0..self.hanging).map(|number| {
            let content = Content { size, range: 0..size, stream: stream::pending().boxed() };
            // Some do not even begin.
            let content = match number % 2 {
                0 => future::ready(Ok(content)).boxed(),
                _ => future::pending().boxed(),
            };
            FoundCopy { place: format!("hanging {number}"), size, content }
        });
        Ok(hanging.chain(copies).collect())
    }
}

/// A place that does not answer.
struct Away;

#[async_trait]
impl CopySource for Away {
    async fn copies(
        &self,
        _: &Digest,
        _: Option<&ObjectKey>,
    ) -> Result<Vec<FoundCopy>, StoreError> {
        Err(StoreError::Unavailable("away".into()))
    }
}

impl Node {
    pub fn with_copies(copies: Vec<Arc<dyn CopySource>>) -> Self {
        let mut node = Self::new();
        node.scrubber.copies = copies;
        node
    }

    /// Looks for damage by all passes that take objects out of use, then for copies.
    async fn scrubbed(&self) -> Scrubbed {
        let mut done = Scrubbed::default();
        for pass in [Pass::Objects, Pass::Contents, Pass::Quarantined] {
            done += self.scrub(pass).await.0;
        }
        done
    }

    /// Puts other bytes in an object's place, as no registry does.
    async fn replace(&self, key: &ObjectKey, bytes: &[u8]) {
        assert_eq!(self.blobs.delete_all(&[*key]).await.gone, [*key]);
        self.put(key, bytes).await;
    }

    async fn read(&self, key: &ObjectKey) -> Vec<u8> {
        let content = self.blobs.read(key, None).await.unwrap();
        content.stream.map(Result::unwrap).collect::<Vec<_>>().await.concat()
    }

    /// The key at which the repository holds the blob.
    async fn held(&self, key: &ObjectKey) -> Option<ObjectKey> {
        let found = self.database.find_blob("a".parse().unwrap(), key.digest).await.unwrap();
        found.map(|found| found.key)
    }

    /// From what the findings say that they were repaired.
    pub async fn repaired_from(&self) -> Vec<(FaultKind, Option<String>)> {
        let findings =
            self.database.list_scrub_findings(FindingFilter::ALL, None, 100).await.unwrap();
        let found = |finding: ScrubFinding| (finding.kind.known().unwrap(), finding.repaired_from);
        findings.into_iter().map(found).collect()
    }
}

#[tokio::test]
async fn whatever_is_damaged_is_repaired_from_a_copy() {
    let large: Vec<u8> = (0..3_000_000_u32).map(|number| (number / 1000) as u8).collect();
    let flipped: Vec<u8> = large.iter().map(|byte| byte ^ 1).collect();
    for (stored, kind) in [
        (None, FaultKind::Missing),
        (Some(&large[1..]), FaultKind::WrongSize),
        (Some(&flipped[..]), FaultKind::WrongDigest),
    ] {
        let node = Node::with_copies(vec![Arc::new(Away), Shelf::of(&[&large])]);
        node.hold(b"sound", Some(b"sound")).await;
        let damaged = node.hold(&large, stored).await;
        let done = node.scrubbed().await;
        assert_eq!((done.faults(), done.repaired_blobs), (1, 1), "{kind}");
        let repaired = ObjectKey { incarnation: 1, ..damaged };
        assert_eq!(node.held(&damaged).await, Some(repaired), "{kind}");
        assert!(node.read(&repaired).await == large, "{kind}");
        assert_eq!(node.repaired_from().await, [(kind, Some("copy 0".to_owned()))]);
        assert!(node.open().await.is_empty());
        // The damaged object is as it was.
        if let Some(stored) = stored {
            assert!(node.read(&damaged).await == stored);
        }
        assert_eq!(node.database.count_uploads().await.unwrap(), 0);
        let again = node.scrubbed().await;
        assert_eq!((again.faults(), again.repaired_blobs), (0, 0), "{kind}");
    }
}

/// Neither what is staged of it nor its upload stays.
#[tokio::test]
async fn what_is_no_copy_is_not_taken_for_one() {
    let broken = Shelf {
        copies: vec![vec![Ok("right ".into()), Err(StoreError::Unavailable("cut".into()))]],
        hanging: 0,
        asked: AtomicU32::new(0),
    };
    let wrong = Shelf::of(&[b"wrong bytes", b"another size altogether", b""]);
    let node = Node::with_copies(vec![wrong, Arc::new(broken)]);
    node.blobs.drop_what_is_told();
    let damaged = node.hold(b"right bytes", Some(b"rigth bytes")).await;
    for _ in 0..2 {
        assert_eq!(node.scrubbed().await.repaired_blobs, 0);
        assert_eq!(node.held(&damaged).await, None);
        assert_eq!(node.blobs.counts(), (1, 0));
        assert_eq!(node.database.count_uploads().await.unwrap(), 0);
        assert_eq!(node.open().await, [(FaultKind::WrongDigest, damaged.digest)]);
    }
    let mut node = node;
    node.scrubber.copies.push(Shelf::of(&[b"right bytes"]));
    assert_eq!(node.scrubbed().await.repaired_blobs, 1);
    assert!(node.held(&damaged).await.is_some());
}

/// However many others there are, of which each is waited for no longer than its part of the time.
#[tokio::test]
async fn copies_that_hang_keep_none_from_being_read() {
    let mut shelf = Arc::into_inner(Shelf::of(&[b"right"])).unwrap();
    shelf.hanging = 4;
    let mut node = Node::with_copies(vec![Arc::new(shelf)]);
    node.scrubber.rules.repair = Duration::from_secs(5);
    node.blobs.drop_what_is_told();
    let damaged = node.hold(b"right", Some(b"wrong")).await;
    assert_eq!(node.scrubbed().await.repaired_blobs, 1);
    let from = Some("copy 0".to_owned());
    assert_eq!(node.repaired_from().await, [(FaultKind::WrongDigest, from)]);
    assert!(node.held(&damaged).await.is_some());
    assert_eq!((node.blobs.counts(), node.database.count_uploads().await.unwrap()), ((2, 0), 0));
}

/// What can be read is looked at, and repaired when there is room again.
#[tokio::test]
async fn a_store_that_is_full_does_not_end_the_pass() {
    let node = Node::with_copies(vec![Shelf::of(&[b"right"])]);
    let damaged = node.hold(b"right", Some(b"wrong")).await;
    let sound = node.hold(b"sound", Some(b"other")).await;
    node.scrub(Pass::Contents).await;
    assert_eq!(node.open().await.len(), 2);
    node.replace(&sound, b"sound").await;
    node.blobs.fill(true);
    let (done, turns) = node.scrub(Pass::Quarantined).await;
    assert_eq!((done.looked_at, done.repaired_blobs, done.restored, turns), (2, 0, 1, 1));
    assert_eq!(node.held(&damaged).await, None);
    node.blobs.fill(false);
    assert_eq!(node.scrub(Pass::Quarantined).await.0.repaired_blobs, 1);
    assert!(node.held(&damaged).await.is_some());
    assert_eq!(node.database.count_uploads().await.unwrap(), 0);
}

/// One that is about to be deleted, or whose push did not end.
#[tokio::test]
async fn another_object_of_the_same_blob_is_a_copy() {
    let mut node = Node::new();
    let (blobs, integrity) = (node.blobs.clone(), node.database.clone());
    node.scrubber.copies = vec![Arc::new(OtherObjects { blobs, integrity })];
    let damaged = node.hold(b"right", Some(b"wrong")).await;
    let [one, two] = [3, 4].map(|incarnation| ObjectKey { incarnation, ..damaged });
    node.put(&one, b"right").await;
    node.put(&two, b"write").await;
    // Found by no row until now; what finds them marks them.
    assert_eq!(node.scrub(Pass::Objects).await.0.found[&FaultKind::Unexplained], 2);
    let done = node.scrubbed().await;
    assert_eq!(done.repaired_blobs, 1);
    let repaired = ObjectKey { incarnation: 5, ..damaged };
    assert_eq!(node.held(&damaged).await, Some(repaired));
    let from = format!("the object {one}");
    assert!(node.repaired_from().await.contains(&(FaultKind::WrongDigest, Some(from))));
    assert_eq!(node.read(&repaired).await, b"right");
}

#[tokio::test]
async fn what_lies_in_an_adopted_store_is_a_copy() {
    let old = TempDir::new().unwrap();
    let hex = digest(b"right").hex();
    let folder = format!("docker/registry/v2/blobs/sha256/{}/{hex}", &hex[..2]);
    let folder = old.path().join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("data"), b"right").unwrap();
    let store = Arc::new(OldFolder::open(old.path()).unwrap());
    let node = Node::with_copies(vec![Arc::new(AdoptedCopies(store))]);
    let damaged = node.hold(b"right", Some(b"wrong")).await;
    let lost = node.hold(b"lost", None).await;
    assert_eq!(node.scrubbed().await.repaired_blobs, 1);
    assert!(node.held(&damaged).await.is_some() && node.held(&lost).await.is_none());
    let from = Some("the adopted store".to_owned());
    assert!(node.repaired_from().await.contains(&(FaultKind::WrongDigest, from)));
    assert_eq!(node.open().await, [(FaultKind::Missing, lost.digest)]);
}

/// As where a database was restored that does not know of it: what lies there was never hashed, and stays.
#[tokio::test]
async fn an_object_at_the_next_key_is_not_taken_for_the_copy() {
    let node = Node::with_copies(vec![Shelf::of(&[b"right"])]);
    let damaged = node.hold(b"right", Some(b"wrong")).await;
    let [stray, repaired] = [1, 2].map(|incarnation| ObjectKey { incarnation, ..damaged });
    node.put(&stray, b"stray").await;
    node.scrub(Pass::Contents).await;
    assert_eq!(node.scrub(Pass::Quarantined).await.0.repaired_blobs, 0);
    assert_eq!(node.held(&damaged).await, None);
    assert_eq!(node.scrub(Pass::Quarantined).await.0.repaired_blobs, 1);
    assert_eq!(node.held(&damaged).await, Some(repaired));
    assert_eq!(node.read(&stray).await, b"stray");
}

/// However many turns its object takes to be read.
#[tokio::test]
async fn copies_of_a_blob_are_looked_for_once_in_a_pass() {
    let shelf = Shelf::of(&[]);
    let mut node = Node::with_copies(vec![shelf.clone()]);
    node.scrubber.rules.turn = Duration::ZERO;
    let large = vec![7; 1_000_000];
    let damaged = node.hold(&large, Some(&vec![8; 1_000_000])).await;
    node.scrub(Pass::Contents).await;
    assert_eq!(shelf.asked.load(Ordering::Relaxed), 0);
    let (_, turns) = node.scrub(Pass::Quarantined).await;
    assert!(turns > 10, "{turns} turns");
    assert_eq!(shelf.asked.load(Ordering::Relaxed), 1);
    assert_eq!(node.held(&damaged).await, None);
}

//! Scrubs of the bytes of manifests, on SQLite: what is damaged is found before anybody asks for it, and repaired from whatever has a copy.

use std::sync::Arc;

use bytes::Bytes;
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{
    CommitManifest, CommitOutcome, FaultKind, Integrity, ManifestMetadata, Pass, Precondition,
};
use wharf_core::operation::PullManifest;
use wharf_core::permissions::{Caller, Principal};
use wharf_core::scrub::OtherObjects;
use wharf_core::{Error, StoreError};
use wharf_oci::{Digest, Manifest};

use crate::repairing::Shelf;
use crate::scrubbing::{Node, digest};

fn index(number: usize) -> Bytes {
    let media_type = "application/vnd.oci.image.index.v1+json";
    let annotations = serde_json::json!({ "number": number.to_string() });
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type, "manifests": [], "annotations": annotations,
    });
    Bytes::from(index.to_string())
}

impl Node {
    /// A manifest that a repository holds.
    async fn push(&self, payload: &Bytes) -> Digest {
        let commit = CommitManifest {
            repository: "a".parse().unwrap(),
            digest: digest(payload),
            manifest: Manifest::parse(payload, None).unwrap(),
            payload: payload.clone(),
            tags: Vec::new(),
            precondition: Precondition::None,
            by: "alice".into(),
        };
        let digest = commit.digest;
        assert_eq!(self.database.commit_manifest(commit).await.unwrap(), CommitOutcome::Committed);
        digest
    }

    /// Has the database keep something else of it.
    fn damage(&self, digest: Digest, payload: &[u8], size: usize) {
        let file = rusqlite::Connection::open(self.folder.path().join("metadata.db")).unwrap();
        let sql = "UPDATE manifests SET payload = ?1, size = ?2 WHERE digest = ?3";
        assert_eq!(file.execute(sql, (payload, size as i64, digest.to_binary())).unwrap(), 1);
    }

    async fn pull(&self, digest: Digest) -> Result<Bytes, Error> {
        let reference = wharf_oci::Reference::Digest(digest);
        let operation = PullManifest { repository: "a".parse().unwrap(), reference };
        let caller = Caller::new(Principal::Anonymous);
        let registry = &self.scrubber.registry;
        let operation = registry.permit(caller, operation).await.unwrap();
        registry.pull_manifest(&operation).await.map(|manifest| manifest.payload)
    }
}

/// And whoever asks for it meanwhile is told that it is, and given nothing.
#[tokio::test]
async fn a_damaged_manifest_without_a_copy_is_found_once() {
    let wrong = Shelf::of(&[b"", b"wrong", &index(2)]);
    let node = Node::with_copies(vec![wrong]);
    let manifest = node.push(&index(1)).await;
    node.push(&index(2)).await;
    assert_eq!(node.scrub(Pass::Manifests).await.0.faults(), 0);
    node.damage(manifest, &index(3), index(3).len());
    let (done, _) = node.scrub(Pass::Manifests).await;
    assert_eq!((done.faults(), done.looked_at, done.repaired_manifests), (1, 2, 0));
    assert_eq!(done.bytes, 2 * index(3).len() as u64);
    assert_eq!(node.open().await, [(FaultKind::DamagedManifest, manifest)]);
    let (again, _) = node.scrub(Pass::Manifests).await;
    assert_eq!((again.faults(), again.resolved), (0, 0));
    let pulled = node.pull(manifest).await;
    assert!(matches!(&pulled, Err(Error::Store(StoreError::Corrupt(_)))), "{pulled:?}");
    // Put right by somebody.
    node.damage(manifest, &index(1), index(1).len());
    assert_eq!(node.scrub(Pass::Manifests).await.0.faults(), 0);
    assert!(node.open().await.is_empty());
    assert_eq!(node.pull(manifest).await.unwrap(), index(1));
}

#[tokio::test]
async fn a_damaged_manifest_is_repaired_from_a_copy() {
    let node = Node::with_copies(vec![Shelf::of(&[b"wrong", &index(1)])]);
    let manifest = node.push(&index(1)).await;
    node.damage(manifest, b"damaged", 7);
    let (done, _) = node.scrub(Pass::Manifests).await;
    assert_eq!((done.faults(), done.repaired_manifests), (1, 1));
    let from = Some("copy 1".to_owned());
    assert_eq!(node.repaired_from().await, [(FaultKind::DamagedManifest, from)]);
    assert_eq!(node.pull(manifest).await.unwrap(), index(1));
    let (again, _) = node.scrub(Pass::Manifests).await;
    assert_eq!((again.faults(), again.repaired_manifests), (0, 0));
}

/// As where somebody has pushed it as a blob.
#[tokio::test]
async fn an_object_with_the_bytes_of_a_manifest_is_a_copy() {
    let mut node = Node::new();
    let (blobs, integrity) = (node.blobs.clone(), node.database.clone());
    node.scrubber.copies = vec![Arc::new(OtherObjects { blobs, integrity })];
    let manifest = node.push(&index(1)).await;
    node.damage(manifest, b"damaged", 7);
    assert_eq!(node.scrub(Pass::Manifests).await.0.repaired_manifests, 0);
    let key = node.hold(&index(1), Some(&index(1))).await;
    assert_eq!(key, ObjectKey::canonical(manifest));
    assert_eq!(node.scrub(Pass::Manifests).await.0.repaired_manifests, 1);
    let from = Some(format!("the object {key}"));
    assert_eq!(node.repaired_from().await, [(FaultKind::DamagedManifest, from)]);
    assert_eq!(node.pull(manifest).await.unwrap(), index(1));
}

/// While others find nothing wrong with it.
#[tokio::test]
async fn what_the_cache_knows_of_a_manifest_is_a_copy() {
    let node = Node::new();
    let manifest = node.push(&index(1)).await;
    node.pull(manifest).await.unwrap();
    node.damage(manifest, b"damaged", 7);
    assert_eq!(node.pull(manifest).await.unwrap(), index(1));
    assert_eq!(node.scrub(Pass::Manifests).await.0.repaired_manifests, 1);
    let from = Some("the cache".to_owned());
    assert_eq!(node.repaired_from().await, [(FaultKind::DamagedManifest, from)]);
    let stored = node.database.stored_manifests(None, 1, 0).await.unwrap();
    assert_eq!((stored[0].damage(), &stored[0].payload), (None, &index(1)));
}

#[tokio::test]
async fn the_size_of_a_manifest_is_put_right() {
    let node = Node::new();
    let manifest = node.push(&index(1)).await;
    node.damage(manifest, &index(1), 3);
    let (done, _) = node.scrub(Pass::Manifests).await;
    assert_eq!((done.faults(), done.repaired_manifests), (1, 1));
    let from = Some("its own bytes".to_owned());
    assert_eq!(node.repaired_from().await, [(FaultKind::DamagedManifest, from)]);
    let stored = node.database.stored_manifests(None, 1, 0).await.unwrap();
    assert_eq!(stored[0].size, index(1).len() as u64);
}

#[tokio::test]
async fn manifests_are_hashed_over_many_turns() {
    let mut node = Node::new();
    node.scrubber.rules.turn = std::time::Duration::ZERO;
    for number in 0..20 {
        node.push(&index(number)).await;
    }
    node.damage(digest(&index(7)), b"damaged", 7);
    let (done, turns) = node.scrub(Pass::Manifests).await;
    assert_eq!((done.looked_at, done.faults(), turns), (20, 1, 21));
}

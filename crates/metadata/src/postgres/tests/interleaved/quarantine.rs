//! Blobs in quarantine: pushed and repaired by several at once, found to be sound, let go of, condemned.

use std::time::Duration;

use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{
    CommitOutcome, Damage, FinishOutcome, FinishUpload, RemoveOutcome, RepairManifest,
};
use wharf_oci::Digest;

use super::blobs::removal;
use super::{ALL, Scene};
use crate::contract::samples::{blob, commit, image};
use crate::transactions::garbage::blobs::Condemn;
use crate::transactions::garbage::sweep::Sweep;
use crate::transactions::integrity::quarantine::{Quarantine, Sound};

impl Scene {
    /// A scene in which a blob that a repository holds is in quarantine, and a push of it that is about to end.
    pub(super) async fn with_quarantined() -> (Self, ObjectKey) {
        let scene = Self::new().await;
        let key = scene.stand.hold("a", blob("one")).await;
        assert!(scene.stand.integrity.quarantine(key, Damage::Missing).await.unwrap());
        (scene, key)
    }

    /// At which key repositories hold a blob: all at the same.
    pub(super) async fn held_by_all(&self, repositories: &[&str], digest: Digest) -> ObjectKey {
        let mut keys = Vec::new();
        for repository in repositories {
            let held = self.stand.held(repository, digest).await;
            keys.push(held.unwrap_or_else(|| panic!("{repository} does not hold {digest}")));
        }
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "{repositories:?}: {keys:?}");
        keys[0]
    }

    /// What is about to be deleted once a collector has judged all that is marked.
    pub(super) async fn condemned(&self) -> Vec<ObjectKey> {
        self.stand.clock.advance(Duration::from_secs(1));
        self.stand.garbage.condemn_blobs(Duration::ZERO, 100).await.unwrap();
        self.stand.garbage.condemned_blobs(None, 100).await.unwrap()
    }

    pub(super) async fn placed(&self, repository: &str, digest: Digest) -> FinishUpload {
        let id = self.stand.start(repository).await;
        let key = self.stand.reserve(id, digest).await.unwrap();
        FinishUpload { id, key, size: 3 }
    }
}

/// The key of only one becomes the current one, and both hold the blob at it. What the other has put in place goes.
#[tokio::test]
async fn two_pushes_of_a_quarantined_blob_that_end_at_once() {
    for how in ALL {
        let (scene, key) = Scene::with_quarantined().await;
        let one = scene.placed("b", key.digest).await;
        let two = scene.placed("c", key.digest).await;
        let keys = [one.key, two.key];
        let ended = scene.both(how, one, two).await;
        assert_eq!(ended, (FinishOutcome::Finished, FinishOutcome::Finished), "{how:?}");
        let current = scene.held_by_all(&["a", "b", "c"], key.digest).await;
        let others: Vec<_> = keys.into_iter().filter(|it| *it != current).collect();
        assert_eq!(others.len(), 1, "{how:?}: {current} of {keys:?}");
        assert_eq!(scene.condemned().await, others, "{how:?}");
    }
}

/// As one of two pushes, when the other has ended and whoever holds the blob lets go of it: what it is told that it holds stays.
#[tokio::test]
async fn a_push_whose_place_was_taken_and_the_last_who_lets_go() {
    for how in ALL {
        let (scene, key) = Scene::with_quarantined().await;
        let first = scene.placed("b", key.digest).await;
        let late = scene.placed("c", key.digest).await;
        let (current, placed) = (first.key, late.key);
        assert!(scene.stand.finish(first.id, first.key).await);
        scene.stand.metadata.remove_blob(removal("a", key.digest)).await.unwrap();
        let (ended, removed) = scene.both(how, late, removal("b", key.digest)).await;
        assert_eq!(removed, RemoveOutcome::Removed, "{how:?}");
        let finished = ended == FinishOutcome::Finished;
        let held = scene.stand.held("c", key.digest).await;
        assert_eq!(held, finished.then_some(current), "{how:?}");
        if !finished {
            // Its client sends it again: what it has reserved goes with its upload.
            assert_eq!(ended, FinishOutcome::Lost, "{how:?}");
            continue;
        }
        assert_eq!(scene.condemned().await, [placed], "{how:?}");
        assert_eq!(scene.stand.held("c", key.digest).await, Some(current), "{how:?}");
    }
}

/// Whichever comes first, what repositories hold can be served.
#[tokio::test]
async fn a_push_that_ends_and_a_look_that_finds_the_object_sound() {
    for how in ALL {
        let (scene, key) = Scene::with_quarantined().await;
        let push = scene.placed("b", key.digest).await;
        let placed = push.key;
        let (ended, lifted) = scene.both(how, push, Sound(key)).await;
        assert_eq!(ended, FinishOutcome::Finished, "{how:?}");
        let current = scene.held_by_all(&["a", "b"], key.digest).await;
        assert_eq!(current, if lifted { key } else { placed }, "{how:?}");
    }
}

/// What is about to be deleted is no evidence, and what is evidence is not about to be deleted.
#[tokio::test]
async fn a_quarantine_and_a_condemnation() {
    for how in ALL {
        let scene = Scene::new().await;
        let key = scene.stand.hold("a", blob("one")).await;
        scene.stand.mark(key.digest, 0, "marked").await;
        let condemn = Condemn { grace: Duration::ZERO, limit: 10 };
        let quarantine = Quarantine { key, damage: Damage::Missing };
        let (quarantined, judged) = scene.both(how, quarantine, condemn).await;
        assert!(quarantined && judged.condemned == 0, "{how:?}: {judged:?}");
        assert_eq!(scene.stand.marks(key.digest).await, ["0 quarantined"], "{how:?}");
    }
}

/// As two pushes are.
#[tokio::test]
async fn two_repairs_of_a_blob_that_end_at_once() {
    for how in ALL {
        let (scene, key) = Scene::with_quarantined().await;
        let (one, two) = (scene.stand.repairing(key).await, scene.stand.repairing(key).await);
        let keys = [one.key, two.key];
        let (first, second) = scene.both(how, one, two).await;
        assert!(first != second, "{how:?}: {first}, {second}");
        let current = if first { keys[0] } else { keys[1] };
        assert_eq!(scene.stand.held("a", key.digest).await, Some(current), "{how:?}");
    }
}

/// The place is taken by one of them, and the pusher holds the blob at it either way.
#[tokio::test]
async fn a_repair_and_a_push_that_end_at_once() {
    for how in ALL {
        let (scene, key) = Scene::with_quarantined().await;
        let (repair, push) =
            (scene.stand.repairing(key).await, scene.placed("b", key.digest).await);
        let keys = [repair.key, push.key];
        let (repaired, ended) = scene.both(how, repair, push).await;
        assert_eq!(ended, FinishOutcome::Finished, "{how:?}");
        let current = scene.held_by_all(&["a", "b"], key.digest).await;
        let (taken, other) = if repaired { (keys[0], keys[1]) } else { (keys[1], keys[0]) };
        assert_eq!(current, taken, "{how:?}");
        assert_eq!(scene.condemned().await, [other], "{how:?}");
    }
}

/// Whichever comes first, what nobody holds goes in the end.
#[tokio::test]
async fn a_repair_and_the_last_who_lets_go() {
    for how in ALL {
        let (scene, key) = Scene::with_quarantined().await;
        let repair = scene.stand.repairing(key).await;
        let placed = repair.key;
        let sweep = Sweep { after: None, grace: Duration::ZERO, limit: 10 };
        scene.stand.clock.advance(Duration::from_secs(1));
        let (repaired, taken) = scene.both(how, repair, sweep).await;
        assert!(repaired && taken.count == 1, "{how:?}: {repaired}, {taken:?}");
        let condemned = scene.stand.garbage.condemn_blobs(Duration::ZERO, 10).await.unwrap();
        assert_eq!(condemned.condemned, 1, "{how:?}");
        assert_eq!(scene.stand.garbage.condemned_blobs(None, 10).await.unwrap(), [placed]);
    }
}

/// What was there is kept once.
#[tokio::test]
async fn two_repairs_of_a_manifest_and_a_push_of_it() {
    for how in ALL {
        let scene = Scene::new().await;
        let digest = scene.stand.push("a", "one", &["t"]).await;
        let push = commit("a", &image(&[blob("one")]), &["u"]);
        let repair = |source: &str| RepairManifest {
            digest,
            payload: push.payload.clone(),
            source: source.into(),
        };
        let kept = "SELECT count(*) FROM damaged_manifests";
        scene.stand.damage(digest).await;
        let (one, two) = scene.both(how, repair("one"), repair("two")).await;
        assert!(one != two, "{how:?}: {one}, {two}");
        assert_eq!(scene.stand.rows(kept, &[]).await, ["1"], "{how:?}");
        scene.stand.damage(digest).await;
        let (_, pushed) = scene.both(how, repair("three"), push.clone()).await;
        assert_eq!(pushed, CommitOutcome::Committed, "{how:?}");
        assert_eq!(scene.stand.rows(kept, &[]).await, ["2"], "{how:?}");
        let stored = scene.stand.integrity.stored_manifests(None, 10, u64::MAX).await.unwrap();
        assert_eq!(stored[0].damage(), None, "{how:?}");
    }
}

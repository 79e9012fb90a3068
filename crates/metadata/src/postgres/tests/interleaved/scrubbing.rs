//! What a scrub finds, and what an operator lets go of after one, beside who pushes and mounts the same blob.

use std::time::Duration;

use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{
    FinishOutcome, FinishUpload, MountBlob, ReleaseOutcome, ReserveOutcome,
};
use wharf_core::permissions::Sources;
use wharf_oci::Digest;

use super::blobs::reservation;
use super::{ALL, Scene};
use crate::contract::samples::{blob, name};
use crate::transactions::integrity::objects::Unexplained;
use crate::transactions::integrity::quarantine::Release;
use crate::transactions::uploads::Cancel;

impl Scene {
    /// Has every repository let go of what no manifest needs.
    async fn is_let_go(&self) {
        self.stand.clock.advance(Duration::from_secs(1));
        let garbage = &self.stand.garbage;
        let taken = garbage.sweep_memberships(None, Duration::ZERO, 100).await.unwrap();
        assert_eq!(taken.count, 1);
    }
}

/// A scrub that has found this object in the store.
fn found(key: ObjectKey) -> Unexplained {
    Unexplained { keys: vec![key], marks: true }
}

/// An operator who lets go of what is in quarantine, however young.
fn release(digest: Digest) -> Release {
    Release { digest, by: "user:ada".into(), grace: Duration::ZERO }
}

fn mount(to: &str, from: &str, digest: Digest) -> MountBlob {
    let (from, sources) = (Some(name(from)), Sources::Any);
    MountBlob { repository: name(to), digest, from, sources }
}

/// Whether it is marked depends on who is first; it is there when the upload ends, and stays.
#[tokio::test]
async fn an_object_that_is_found_and_a_push_that_reserves_its_key() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        let key = ObjectKey::canonical(digest);
        let id = scene.stand.start("a").await;
        let (_, reserved) = scene.both(how, found(key), reservation(id, digest)).await;
        assert_eq!(reserved, ReserveOutcome::Reserved(key), "{how:?}");
        assert!(scene.condemned().await.is_empty(), "{how:?}");
        assert!(scene.stand.finish(id, key).await, "{how:?}");
        assert!(scene.condemned().await.is_empty(), "{how:?}");
        assert_eq!(scene.stand.held("a", digest).await, Some(key), "{how:?}");
    }
}

/// It has a row all the time.
#[tokio::test]
async fn an_object_that_is_found_and_a_push_that_ends() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        let id = scene.stand.start("a").await;
        let key = scene.stand.reserve(id, digest).await.unwrap();
        let (found, ended) = scene.both(how, found(key), FinishUpload { id, key, size: 3 }).await;
        assert_eq!((found, ended), (Vec::new(), FinishOutcome::Finished), "{how:?}");
        assert!(scene.condemned().await.is_empty(), "{how:?}");
        assert_eq!(scene.stand.held("a", digest).await, Some(key), "{how:?}");
    }
}

/// It goes, whoever has marked it.
#[tokio::test]
async fn an_object_that_is_found_and_a_push_that_is_given_up() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        let id = scene.stand.start("a").await;
        let key = scene.stand.reserve(id, digest).await.unwrap();
        scene.both(how, found(key), Cancel(id)).await;
        assert_eq!(scene.condemned().await, [key], "{how:?}");
    }
}

/// Of the blob that nobody holds any more. What is let go of is at no key that a push is told of; where a push met it on its way, it is sent again.
#[tokio::test]
async fn evidence_let_go_of_and_a_push_that_reserves_a_key() {
    for how in ALL {
        let (scene, damaged) = Scene::with_quarantined().await;
        let digest = damaged.digest;
        scene.is_let_go().await;
        let id = scene.stand.start("b").await;
        let (released, reserved) = scene.both(how, release(digest), reservation(id, digest)).await;
        let ReserveOutcome::Reserved(key) = reserved else { panic!("{how:?}: {reserved:?}") };
        assert_eq!(key, ObjectKey { incarnation: 1, ..damaged }, "{how:?}");
        let going = scene.condemned().await;
        let is_released = released == ReleaseOutcome::Released(1);
        assert_eq!(going, if is_released { vec![damaged] } else { Vec::new() }, "{how:?}");
        assert!(scene.stand.finish(id, key).await, "{how:?}: {released:?}");
        assert_eq!(scene.stand.held("b", digest).await, Some(key), "{how:?}");
    }
}

/// Where it is the current one until the push ends: it is evidence, or the push has the place.
#[tokio::test]
async fn evidence_let_go_of_and_a_push_that_ends() {
    for is_held in [true, false] {
        for how in ALL {
            let (scene, damaged) = Scene::with_quarantined().await;
            let digest = damaged.digest;
            if !is_held {
                scene.is_let_go().await;
            }
            let push = scene.placed("b", digest).await;
            let placed = push.key;
            let (released, ended) = scene.both(how, release(digest), push).await;
            assert_eq!(ended, FinishOutcome::Finished, "{how:?}: {released:?}");
            let holders = if is_held { &["a", "b"][..] } else { &["b"] };
            assert_eq!(scene.held_by_all(holders, digest).await, placed, "{how:?}");
            let is_released = released == ReleaseOutcome::Released(1);
            let going = if is_released { vec![damaged] } else { Vec::new() };
            assert_eq!(scene.condemned().await, going, "{how:?}: {released:?}");
            assert_eq!(scene.held_by_all(holders, digest).await, placed, "{how:?}");
        }
    }
}

/// A mount is of the object that was pushed since, and of none where there is none.
#[tokio::test]
async fn evidence_let_go_of_and_a_mount() {
    for how in ALL {
        let (scene, damaged) = Scene::with_quarantined().await;
        let digest = damaged.digest;
        let (released, mounted) = scene.both(how, release(digest), mount("c", "a", digest)).await;
        assert_eq!((released, mounted), (ReleaseOutcome::StillNeeded, false), "{how:?}");

        let push = scene.placed("b", digest).await;
        let placed = push.key;
        assert!(scene.stand.finish(push.id, push.key).await);
        let (released, mounted) = scene.both(how, release(digest), mount("c", "b", digest)).await;
        assert_eq!((released, mounted), (ReleaseOutcome::Released(1), true), "{how:?}");
        assert_eq!(scene.condemned().await, [damaged], "{how:?}");
        assert_eq!(scene.held_by_all(&["a", "b", "c"], digest).await, placed, "{how:?}");
    }
}

/// Nor is one of what went on its way out.
#[tokio::test]
async fn evidence_let_go_of_by_the_last_who_held_it_and_a_mount() {
    for how in ALL {
        let (scene, damaged) = Scene::with_quarantined().await;
        let digest = damaged.digest;
        scene.is_let_go().await;
        let (released, mounted) = scene.both(how, release(digest), mount("c", "a", digest)).await;
        assert_eq!((released, mounted), (ReleaseOutcome::Released(1), false), "{how:?}");
        assert_eq!(scene.condemned().await, [damaged], "{how:?}");
    }
}

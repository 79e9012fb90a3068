//! Repositories that are deleted, brought back or purged while something else happens to them.

use std::time::Duration;

use wharf_core::immutability::Policy;
use wharf_core::metadata::{
    AccountChange, Change, ChangeRequest, CommitOutcome, NewImmutabilityPolicy, PinManifest,
    PinOutcome, PinTarget, RepositoryDeletion, RepositoryRestoration,
};

use super::{ALL, How, Scene};
use crate::contract::deleted_repositories::{deletion, restoration};
use crate::contract::immutability::{organization, releases, scope};
use crate::contract::samples::{blob, commit, image, name};
use crate::contract::stand::start_by;
use crate::contract::usage::{is_counted_right, push, upload};
use crate::engine::Engine;
use crate::transactions::garbage::purging::Purge;

const APP: &str = "team/app";

/// The image `one` in a repository, with a tag, and in another one of the namespace.
async fn scene() -> Scene {
    let scene = Scene::new().await;
    push(&scene.stand, "team/lib", &[("one", 10)], &["t"]).await.unwrap();
    push(&scene.stand, APP, &[("one", 10)], &["t"]).await.unwrap();
    scene
}

/// The same, deleted.
async fn deleted() -> Scene {
    let scene = scene().await;
    assert_eq!(scene.stand.throw_away_all(APP).await, RepositoryDeletion::Deleted);
    scene
}

/// That the repository is there and holds its image, with its blob.
async fn is_whole(scene: &Scene) -> bool {
    let tag = scene.stand.tag(APP, "t").await.is_some();
    assert_eq!(scene.stand.held(APP, blob("one")).await.is_some(), tag);
    tag
}

/// What was acknowledged goes along, and all is charged once.
#[tokio::test]
async fn an_image_is_pushed_to_a_repository_that_is_deleted() {
    for how in ALL {
        let scene = scene().await;
        upload(&scene.stand, APP, blob("two"), 20).await.unwrap();
        let pushed = commit(APP, &image(&[blob("two")]), &["new"]);
        let (pushed, deleted) = scene.both(how, pushed, deletion(APP)).await;
        assert_eq!(deleted, RepositoryDeletion::Deleted, "{how:?}");
        assert!(!is_whole(&scene).await, "{how:?}");
        is_counted_right(&scene.stand).await;
        let missing = CommitOutcome::Missing(vec![blob("two")]);
        assert!(pushed == CommitOutcome::Committed || pushed == missing, "{how:?}: {pushed:?}");
        let back = scene.engine.write(restoration(APP)).await.unwrap();
        assert_eq!(back, RepositoryRestoration::Restored, "{how:?}");
        assert!(is_whole(&scene).await, "{how:?}");
        let is_there = scene.stand.tag(APP, "new").await.is_some();
        assert_eq!(is_there, pushed == CommitOutcome::Committed, "{how:?}");
        is_counted_right(&scene.stand).await;
    }
}

/// It finishes in a repository that is there, or not at all.
#[tokio::test]
async fn an_upload_begins_in_a_repository_that_is_deleted() {
    for how in ALL {
        let scene = scene().await;
        let start = start_by(APP, "alice");
        let id = start.id;
        scene.both(how, start, deletion(APP)).await;
        let stand = &scene.stand;
        let is_made_anew = stand.directory.find_repository(name(APP)).await.unwrap().is_some();
        let found = stand.metadata.find_upload(name(APP), id).await.unwrap().is_some();
        assert_eq!(found, is_made_anew, "{how:?}");
        assert_eq!(stand.reserve(id, blob("two")).await.is_some(), is_made_anew, "{how:?}");
        is_counted_right(stand).await;
    }
}

/// Either it keeps the repository, or it finds nothing to keep.
#[tokio::test]
async fn a_pin_is_put_in_a_repository_that_is_deleted() {
    for how in ALL {
        let scene = scene().await;
        let pin = PinManifest {
            repository: name(APP),
            name: "keep".parse().unwrap(),
            target: PinTarget::Tag("t".parse().unwrap(), None),
            until: None,
            by: "carol".into(),
        };
        let (pinned, deleted) = scene.both(how, pin, deletion(APP)).await;
        let is_pinned = matches!(pinned, PinOutcome::Pinned { .. });
        let is_kept = matches!(deleted, RepositoryDeletion::Pinned(_));
        assert_eq!((is_pinned, is_kept), (is_kept, is_pinned), "{how:?}: {pinned:?} {deleted:?}");
        assert_eq!(is_whole(&scene).await, is_pinned, "{how:?}");
    }
}

/// Nobody is told that tags are kept which are about to go.
#[tokio::test]
async fn a_policy_is_made_while_a_repository_is_deleted() {
    for of in ["team", APP] {
        for how in ALL {
            let scene = Scene::new().await;
            organization(&scene.stand).await;
            push(&scene.stand, APP, &[("one", 10)], &["t", "v1"]).await.unwrap();
            let policy: Policy = releases(Duration::ZERO);
            let change: AccountChange = NewImmutabilityPolicy { of: scope(of), policy }.into();
            let change = ChangeRequest { change, by: "system".into(), once: None };
            let (made, deleted) = scene.both(how, change, deletion(APP)).await;
            let is_kept = matches!(deleted, RepositoryDeletion::Frozen(_));
            let policy_is_first = matches!(how, How::SecondBegins | How::FirstHolds);
            assert_eq!(is_kept, policy_is_first, "{of} {how:?}: {deleted:?}");
            assert_eq!(is_whole(&scene).await, is_kept, "{of} {how:?}");
            let finds_none = of == APP && !is_kept;
            let expected = if finds_none { Change::NotFound } else { Change::Done };
            assert_eq!(made, expected, "{of} {how:?}");
        }
    }
}

#[tokio::test]
async fn two_delete_a_repository_and_two_bring_it_back() {
    for how in ALL {
        let scene = scene().await;
        let outcomes = scene.both(how, deletion(APP), deletion(APP)).await;
        let (done, none) = (RepositoryDeletion::Deleted, RepositoryDeletion::NoRepository);
        assert!(outcomes == (done.clone(), none.clone()) || outcomes == (none, done), "{how:?}");
        let outcomes = scene.both(how, restoration(APP), restoration(APP)).await;
        let (done, none) = (RepositoryRestoration::Restored, RepositoryRestoration::NotDeleted);
        assert!(outcomes == (done, none) || outcomes == (none, done), "{how:?}: {outcomes:?}");
        assert!(is_whole(&scene).await, "{how:?}");
        is_counted_right(&scene.stand).await;
    }
}

/// The name is that of one of them.
#[tokio::test]
async fn a_repository_comes_back_while_its_name_is_taken() {
    for how in ALL {
        let scene = deleted().await;
        let start = start_by(APP, "alice");
        let id = start.id;
        let (back, _) = scene.both(how, restoration(APP), start).await;
        assert!(scene.stand.metadata.find_upload(name(APP), id).await.unwrap().is_some());
        let restored = back == RepositoryRestoration::Restored;
        assert!(restored || back == RepositoryRestoration::Taken, "{how:?}: {back:?}");
        assert_eq!(is_whole(&scene).await, restored, "{how:?}");
        is_counted_right(&scene.stand).await;
    }
}

/// It comes back whole, or never.
#[tokio::test]
async fn a_repository_comes_back_while_it_is_purged() {
    for how in ALL {
        for limit in [1, 100] {
            let scene = deleted().await;
            let purge = Purge { grace: Duration::ZERO, limit };
            let (back, purged) = scene.both(how, restoration(APP), purge).await;
            let restored = back == RepositoryRestoration::Restored;
            assert!(restored || back == RepositoryRestoration::NotDeleted, "{how:?}: {back:?}");
            assert_eq!(restored, purged.rows == 0, "{how:?}: {purged:?}");
            assert_eq!(is_whole(&scene).await, restored, "{how:?}");
            if restored {
                is_counted_right(&scene.stand).await;
            }
        }
    }
}

/// Each slice is taken once.
#[tokio::test]
async fn two_purge_a_repository() {
    for how in ALL {
        let scene = deleted().await;
        let purge = |limit| Purge { grace: Duration::ZERO, limit };
        let (one, other) = scene.both(how, purge(2), purge(2)).await;
        assert_eq!((one.rows, other.rows), (2, 2), "{how:?}");
        let (one, other) = scene.both(how, purge(100), purge(100)).await;
        assert_eq!(one.repositories + other.repositories, 1, "{how:?}");
        assert_eq!(scene.stand.marks(blob("one")).await, ["0 marked"], "{how:?}");
    }
}

//! Manifests that are pushed while others, or they themselves, are deleted.

use wharf_core::metadata::{CommitOutcome, DeleteOutcome, Precondition};

use super::{ALL, Scene};
use crate::contract::samples::{blob, commit, deletion, image};

/// The tag stands there already, so the push has nothing to write.
#[tokio::test]
async fn the_same_push_again_and_the_deletion_of_its_manifest() {
    for how in ALL {
        let scene = Scene::new().await;
        let digest = scene.stand.push("a", "one", &["t"]).await;
        let push = commit("a", &image(&[blob("one")]), &["t"]);
        let outcome = scene.both(how, push, deletion("a", digest)).await;
        assert_eq!(outcome, (CommitOutcome::Committed, DeleteOutcome::Deleted), "{how:?}");
        let held = scene.stand.has("a", digest).await;
        assert_eq!(scene.stand.tag("a", "t").await, held.then_some(digest), "{how:?}");
        scene.linear("t").await;
    }
}

#[tokio::test]
async fn a_tag_that_moves_to_a_manifest_and_the_deletion_of_that() {
    for how in ALL {
        let scene = Scene::new().await;
        let digest = scene.stand.push("a", "one", &[]).await;
        scene.stand.push("a", "two", &["t"]).await;
        let push = commit("a", &image(&[blob("one")]), &["t"]);
        let outcome = scene.both(how, push, deletion("a", digest)).await;
        assert_eq!(outcome, (CommitOutcome::Committed, DeleteOutcome::Deleted), "{how:?}");
        let held = scene.stand.has("a", digest).await;
        assert_eq!(scene.stand.tag("a", "t").await, held.then_some(digest), "{how:?}");
        scene.linear("t").await;
    }
}

#[tokio::test]
async fn a_tag_that_moves_away_from_a_manifest_and_the_deletion_of_that() {
    for how in ALL {
        let scene = Scene::new().await;
        let digest = scene.stand.push("a", "one", &["t"]).await;
        let other = scene.stand.push("a", "two", &[]).await;
        let push = commit("a", &image(&[blob("two")]), &["t"]);
        let outcome = scene.both(how, push, deletion("a", digest)).await;
        assert_eq!(outcome, (CommitOutcome::Committed, DeleteOutcome::Deleted), "{how:?}");
        assert_eq!(scene.stand.tag("a", "t").await, Some(other), "{how:?}");
        scene.linear("t").await;
    }
}

/// If the push was first, the deletion undid it; if it was last, it was refused.
#[tokio::test]
async fn a_push_of_what_must_exist_and_its_deletion() {
    for how in ALL {
        let scene = Scene::new().await;
        let digest = scene.stand.push("a", "one", &[]).await;
        let mut push = commit("a", &image(&[blob("one")]), &[]);
        push.precondition = Precondition::Exists;
        let (_, deleted) = scene.both(how, push, deletion("a", digest)).await;
        assert_eq!(deleted, DeleteOutcome::Deleted, "{how:?}");
        assert!(!scene.stand.has("a", digest).await, "{how:?}");
    }
}

#[tokio::test]
async fn two_deletions_of_one_manifest() {
    for how in ALL {
        let scene = Scene::new().await;
        let digest = scene.stand.push("a", "one", &["t"]).await;
        let outcomes = scene.both(how, deletion("a", digest), deletion("a", digest)).await;
        assert!(
            matches!(
                outcomes,
                (DeleteOutcome::Deleted, DeleteOutcome::NotFound)
                    | (DeleteOutcome::NotFound, DeleteOutcome::Deleted)
            ),
            "{how:?}: {outcomes:?}"
        );
        let events = "SELECT count(*) FROM events WHERE kind = 'manifest.deleted'";
        assert_eq!(scene.stand.rows(events, &[]).await, ["1"]);
        assert_eq!(scene.linear("t").await, 2);
    }
}

/// Of two repositories, at first: the row that both need is made once.
#[tokio::test]
async fn one_manifest_pushed_twice() {
    for how in ALL {
        for other in ["a", "b"] {
            let scene = Scene::new().await;
            for repository in ["a", "b"] {
                scene.stand.hold(repository, blob("one")).await;
            }
            let manifest = image(&[blob("one")]);
            let pushes = (commit("a", &manifest, &["t"]), commit(other, &manifest, &["t"]));
            let outcome = scene.both(how, pushes.0, pushes.1).await;
            assert_eq!(outcome, (CommitOutcome::Committed, CommitOutcome::Committed), "{how:?}");
            assert!(scene.stand.tag(other, "t").await.is_some());
            assert_eq!(scene.linear("t").await, 1);
            let pushed = "SELECT count(*) FROM events WHERE kind = 'manifest.pushed'";
            let expected = if other == "a" { "1" } else { "2" };
            assert_eq!(scene.stand.rows(pushed, &[]).await, [expected]);
        }
    }
}

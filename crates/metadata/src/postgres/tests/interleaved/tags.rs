//! Tags that two transactions change.

use wharf_core::metadata::{CommitOutcome, DeleteOutcome, DeleteTag, Precondition};

use super::{ALL, Scene};
use crate::contract::samples::{blob, commit, image, name};

fn deletion() -> DeleteTag {
    DeleteTag {
        repository: name("a"),
        tag: "t".parse().unwrap(),
        precondition: Precondition::None,
        by: "bob".into(),
        dropped_by: None,
    }
}

/// Each finds one of the tags where it wants it, and moves the other: together they would swap them.
#[tokio::test]
async fn two_pushes_of_the_same_two_tags() {
    for how in ALL {
        for backwards in [false, true] {
            let scene = Scene::new().await;
            let one = scene.stand.push("a", "one", &["s"]).await;
            let two = scene.stand.push("a", "two", &["t"]).await;
            let mut pushes = (
                commit("a", &image(&[blob("one")]), &["s", "t"]),
                commit("a", &image(&[blob("two")]), &["s", "t"]),
            );
            if backwards {
                pushes.1.tags.reverse();
            }
            let outcome = scene.both(how, pushes.0, pushes.1).await;
            assert_eq!(outcome, (CommitOutcome::Committed, CommitOutcome::Committed), "{how:?}");
            let stands = scene.stand.tag("a", "s").await;
            assert!(stands == Some(one) || stands == Some(two));
            assert_eq!(stands, scene.stand.tag("a", "t").await, "{how:?}");
            scene.linear("s").await;
            scene.linear("t").await;
        }
    }
}

#[tokio::test]
async fn two_pushes_that_make_one_tag() {
    for how in ALL {
        let scene = Scene::new().await;
        scene.stand.push("a", "one", &[]).await;
        scene.stand.push("a", "two", &[]).await;
        let push = |text| {
            let mut push = commit("a", &image(&[blob(text)]), &["t"]);
            push.precondition = Precondition::Absent;
            push
        };
        let outcome = scene.both(how, push("one"), push("two")).await;
        let refused =
            |outcome: &CommitOutcome| matches!(outcome, CommitOutcome::Precondition(_, Some(_)));
        assert!(refused(&outcome.0) != refused(&outcome.1), "{how:?}: {outcome:?}");
        assert_eq!(scene.linear("t").await, 1);
    }
}

#[tokio::test]
async fn a_move_and_a_deletion_of_one_tag() {
    for how in ALL {
        let scene = Scene::new().await;
        scene.stand.push("a", "one", &["t"]).await;
        scene.stand.push("a", "two", &[]).await;
        let push = commit("a", &image(&[blob("two")]), &["t"]);
        let outcome = scene.both(how, push, deletion()).await;
        assert_eq!(outcome, (CommitOutcome::Committed, DeleteOutcome::Deleted), "{how:?}");
        assert_eq!(scene.linear("t").await, 3);
    }
}

/// The snapshot of the push holds neither the tag nor the versions that it had meanwhile.
#[tokio::test]
async fn a_tag_that_is_made_and_deleted_behind_a_snapshot() {
    let scene = Scene::new().await;
    scene.stand.push("a", "one", &[]).await;
    let push = commit("a", &image(&[blob("one")]), &["t"]);
    let outcome = scene
        .around(push, async {
            scene.stand.push("a", "two", &["t"]).await;
            scene.stand.delete_tag("a", "t", Precondition::None).await;
        })
        .await;
    assert_eq!(outcome, CommitOutcome::Committed);
    assert_eq!(scene.linear("t").await, 3);
}

/// The tag is deleted and made again elsewhere; the push compares with what it was.
#[tokio::test]
async fn a_compare_and_swap_against_a_state_that_has_passed() {
    let scene = Scene::new().await;
    let one = scene.stand.push("a", "one", &["t"]).await;
    let two = scene.stand.push("a", "two", &[]).await;
    let mut push = commit("a", &image(&[blob("one")]), &["t"]);
    push.precondition = Precondition::At(vec![one]);
    let outcome = scene
        .around(push, async {
            scene.stand.delete_tag("a", "t", Precondition::None).await;
            scene.stand.push("a", "two", &["t"]).await;
        })
        .await;
    let told = CommitOutcome::Precondition(Some("t".parse().unwrap()), Some(two));
    assert_eq!(outcome, told);
    assert_eq!(scene.linear("t").await, 3);
}

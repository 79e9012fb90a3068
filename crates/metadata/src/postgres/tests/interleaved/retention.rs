//! Tags that a policy drops while somebody else changes them, or the policy.

use wharf_core::metadata::{
    Change, ChangeRequest, CommitOutcome, DropOutcome, PinOutcome, PinTarget, RemoveRetention,
};

use super::{ALL, Scene};
use crate::contract::pins::pin;
use crate::contract::samples::{blob, commit, image, name};
use crate::contract::{drop_of, in_force};

/// Whoever comes first: the tag that is pushed to is there in the end.
#[tokio::test]
async fn a_drop_and_a_push_to_the_tag() {
    for how in ALL {
        let scene = Scene::new().await;
        scene.stand.push("a", "one", &["t"]).await;
        let two = scene.stand.push("a", "two", &[]).await;
        in_force(&scene.stand).await;
        let drop = drop_of(&scene.stand, "t").await;
        let push = commit("a", &image(&[blob("two")]), &["t"]);
        let (dropped, pushed) = scene.both(how, drop, push).await;
        assert_eq!(pushed, CommitOutcome::Committed, "{how:?}");
        assert_eq!(scene.stand.tag("a", "t").await, Some(two), "{how:?}");
        let changes = if dropped == DropOutcome::Dropped { 3 } else { 2 };
        assert_eq!(scene.linear("t").await, changes, "{how:?}: {dropped:?}");
    }
}

/// Once it is acknowledged that the policy is gone, nothing goes by it.
#[tokio::test]
async fn a_drop_and_the_end_of_its_policy() {
    for how in ALL {
        let scene = Scene::new().await;
        scene.stand.push("a", "one", &["t", "u"]).await;
        in_force(&scene.stand).await;
        let (drop, next) = (drop_of(&scene.stand, "t").await, drop_of(&scene.stand, "u").await);
        let change = RemoveRetention { repository: name("a") }.into();
        let end = ChangeRequest { change, by: "user:ada".into(), once: None };
        let (dropped, ended) = scene.both(how, drop, end).await;
        assert_eq!(ended, Change::Done, "{how:?}");
        let is_there = scene.stand.tag("a", "t").await.is_some();
        assert_eq!(is_there, dropped == DropOutcome::Halted, "{how:?}: {dropped:?}");
        assert_eq!(scene.stand.retention.drop_tag(next).await.unwrap(), DropOutcome::Halted);
    }
}

/// Whoever comes first: of a manifest that is pinned by then no tag is dropped.
#[tokio::test]
async fn a_drop_and_a_pin() {
    for how in ALL {
        let scene = Scene::new().await;
        scene.stand.push("a", "one", &["t"]).await;
        in_force(&scene.stand).await;
        let drop = drop_of(&scene.stand, "t").await;
        let pin = pin("keep", PinTarget::Tag("t".parse().unwrap(), None), None);
        let (dropped, pinned) = scene.both(how, drop, pin).await;
        let is_pinned = matches!(pinned, PinOutcome::Pinned { .. });
        assert!(is_pinned || matches!(pinned, PinOutcome::NotFound(_)), "{how:?}: {pinned:?}");
        let expected = if is_pinned { DropOutcome::Left } else { DropOutcome::Dropped };
        assert_eq!(dropped, expected, "{how:?}");
        assert_eq!(scene.stand.tag("a", "t").await.is_some(), is_pinned, "{how:?}");
    }
}

/// Two nodes that run one policy.
#[tokio::test]
async fn two_drops_of_one_tag() {
    for how in ALL {
        let scene = Scene::new().await;
        scene.stand.push("a", "one", &["t"]).await;
        in_force(&scene.stand).await;
        let drop = drop_of(&scene.stand, "t").await;
        let (one, other) = scene.both(how, drop.clone(), drop).await;
        let mut outcomes = [one, other];
        outcomes.sort_by_key(|outcome| *outcome == DropOutcome::Left);
        assert_eq!(outcomes, [DropOutcome::Dropped, DropOutcome::Left], "{how:?}");
        assert_eq!(scene.linear("t").await, 2);
    }
}

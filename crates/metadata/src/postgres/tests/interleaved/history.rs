//! A tag that goes back, and a manifest that is pinned, while another transaction changes what they stand on.

use wharf_core::metadata::{
    CommitOutcome, DeleteOutcome, KnownTag, PinOutcome, PinTarget, Precondition, RollBackOutcome,
    RollBackTag, RollBackTo,
};

use super::{ALL, Scene};
use crate::contract::pins::pin;
use crate::contract::rollback::back;
use crate::contract::samples::{blob, commit, deletion, image, index};

/// One after the other: where the push comes first, what stood before is where the tag stood when the first began.
#[tokio::test]
async fn going_back_and_a_push_of_the_tag() {
    for how in ALL {
        let scene = Scene::new().await;
        for text in ["one", "two"] {
            scene.stand.push("a", text, &["t"]).await;
        }
        scene.stand.push("a", "three", &[]).await;
        let push = commit("a", &image(&[blob("three")]), &["t"]);
        let (rolled, pushed) = scene.both(how, back(RollBackTo::Previous), push).await;
        assert!(matches!(rolled, RollBackOutcome::Done(_)), "{how:?}: {rolled:?}");
        assert_eq!(pushed, CommitOutcome::Committed, "{how:?}");
        assert_eq!(scene.linear("t").await, 4, "{how:?}");
    }
}

/// Who decided by the state before the push does not take it back.
#[tokio::test]
async fn going_back_from_a_state_that_a_push_changes() {
    for how in ALL {
        let scene = Scene::new().await;
        for text in ["one", "two"] {
            scene.stand.push("a", text, &["t"]).await;
        }
        let three = scene.stand.push("a", "three", &[]).await;
        let push = commit("a", &image(&[blob("three")]), &["t"]);
        let expected = Some(KnownTag { version: 2, at: None });
        let asked = RollBackTag { expected, ..back(RollBackTo::Previous) };
        let (rolled, pushed) = scene.both(how, asked, push).await;
        assert_eq!(pushed, CommitOutcome::Committed, "{how:?}");
        match rolled {
            RollBackOutcome::Done(change) => assert_eq!(change.version, 3, "{how:?}"),
            outcome => assert_eq!(outcome, RollBackOutcome::Stale(3), "{how:?}"),
        }
        assert_eq!(scene.stand.tag("a", "t").await, Some(three), "{how:?}");
        scene.linear("t").await;
    }
}

#[tokio::test]
async fn two_go_back_at_once() {
    for how in ALL {
        let scene = Scene::new().await;
        for text in ["one", "two", "three"] {
            scene.stand.push("a", text, &["t"]).await;
        }
        let ways = [1, 2].map(|version| back(RollBackTo::Version(version)));
        let [one, other] = ways;
        let (one, other) = scene.both(how, one, other).await;
        for outcome in [one, other] {
            assert!(matches!(outcome, RollBackOutcome::Done(_)), "{how:?}: {outcome:?}");
        }
        assert_eq!(scene.linear("t").await, 5, "{how:?}");
    }
}

/// A deleted tag comes back while it is pushed anew.
#[tokio::test]
async fn coming_back_and_a_push_that_makes_the_tag() {
    for how in ALL {
        let scene = Scene::new().await;
        scene.stand.push("a", "one", &["t"]).await;
        scene.stand.delete_tag("a", "t", Precondition::None).await;
        scene.stand.push("a", "two", &[]).await;
        let push = commit("a", &image(&[blob("two")]), &["t"]);
        let (rolled, pushed) = scene.both(how, back(RollBackTo::Version(1)), push).await;
        assert!(matches!(rolled, RollBackOutcome::Done(_)), "{how:?}: {rolled:?}");
        assert_eq!(pushed, CommitOutcome::Committed, "{how:?}");
        assert_eq!(scene.linear("t").await, 4, "{how:?}");
    }
}

/// Either the tag does not go back, or it is deleted with what it went back to.
#[tokio::test]
async fn going_back_to_a_manifest_that_is_deleted() {
    for how in ALL {
        let scene = Scene::new().await;
        let one = scene.stand.push("a", "one", &["t"]).await;
        let two = scene.stand.push("a", "two", &["t"]).await;
        let (rolled, deleted) =
            scene.both(how, back(RollBackTo::Previous), deletion("a", one)).await;
        assert_eq!(deleted, DeleteOutcome::Deleted, "{how:?}");
        let stands = scene.stand.tag("a", "t").await;
        match rolled {
            RollBackOutcome::Done(_) => assert_eq!(stands, None, "{how:?}"),
            outcome => {
                assert_eq!(outcome, RollBackOutcome::Gone(one), "{how:?}");
                assert_eq!(stands, Some(two), "{how:?}");
            }
        }
        scene.linear("t").await;
    }
}

/// And a part of what it goes back to: whoever comes first is seen by the other.
#[tokio::test]
async fn going_back_to_an_index_of_which_a_part_is_deleted() {
    for how in ALL {
        let scene = Scene::new().await;
        let child = scene.stand.push("a", "child", &[]).await;
        let whole = commit("a", &index(&[child]), &["t"]);
        let at_index = whole.digest;
        assert_eq!(scene.stand.commit(whole).await, CommitOutcome::Committed);
        scene.stand.push("a", "two", &["t"]).await;
        let (rolled, deleted) =
            scene.both(how, back(RollBackTo::Digest(at_index)), deletion("a", child)).await;
        assert_eq!(deleted, DeleteOutcome::Deleted, "{how:?}");
        let is_first = matches!(rolled, RollBackOutcome::Done(_));
        assert!(is_first || rolled == RollBackOutcome::Gone(child), "{how:?}: {rolled:?}");
        scene.linear("t").await;
    }
}

/// What is pinned is there, and what was deleted is not pinned.
#[tokio::test]
async fn a_pin_and_a_deletion_of_its_manifest() {
    for how in ALL {
        let scene = Scene::new().await;
        let one = scene.stand.push("a", "one", &["t"]).await;
        let asked = pin("keep", PinTarget::Digest(one), None);
        let (put, deleted) = scene.both(how, asked, deletion("a", one)).await;
        let is_pinned = matches!(put, PinOutcome::Pinned { .. });
        assert_eq!(
            is_pinned,
            matches!(deleted, DeleteOutcome::Pinned(_)),
            "{how:?}: {put:?} {deleted:?}"
        );
        assert_eq!(scene.stand.has("a", one).await, is_pinned, "{how:?}");
    }
}

/// What a pinned index needs is there.
#[tokio::test]
async fn a_pin_and_a_deletion_of_what_its_manifest_needs() {
    a_pin_of_an_index_and_a_deletion_of_its_child(&[]).await;
}

/// So many are touched by one statement.
#[tokio::test]
async fn a_pin_and_a_deletion_of_one_of_the_many_that_its_manifest_needs() {
    let others: Vec<_> = (0..120).map(|number| format!("child {number}")).collect();
    a_pin_of_an_index_and_a_deletion_of_its_child(&others).await;
}

async fn a_pin_of_an_index_and_a_deletion_of_its_child(others: &[String]) {
    for how in ALL {
        let scene = Scene::new().await;
        let child = scene.stand.push("a", "child", &[]).await;
        let mut children = vec![child];
        for other in others {
            children.push(scene.stand.push("a", other, &[]).await);
        }
        let whole = commit("a", &index(&children), &[]);
        let digest = whole.digest;
        assert_eq!(scene.stand.commit(whole).await, CommitOutcome::Committed);
        let asked = pin("keep", PinTarget::Digest(digest), None);
        let (put, deleted) = scene.both(how, asked, deletion("a", child)).await;
        let is_pinned = matches!(put, PinOutcome::Pinned { .. });
        assert!(is_pinned || put == PinOutcome::Gone(child), "{how:?}: {put:?}");
        assert_eq!(is_pinned, matches!(deleted, DeleteOutcome::Pinned(_)), "{how:?}: {deleted:?}");
        assert_eq!(scene.stand.has("a", child).await, is_pinned, "{how:?}");
    }
}

/// They meet at the name: one of them finds it taken.
#[tokio::test]
async fn two_pins_of_one_name() {
    for how in ALL {
        let scene = Scene::new().await;
        let one = scene.stand.push("a", "one", &[]).await;
        let two = scene.stand.push("a", "two", &[]).await;
        let ways = [one, two].map(|digest| pin("keep", PinTarget::Digest(digest), None));
        let [first, second] = ways;
        let (first, second) = scene.both(how, first, second).await;
        let is_pinned = |outcome: &PinOutcome| matches!(outcome, PinOutcome::Pinned { .. });
        assert!(is_pinned(&first) != is_pinned(&second), "{how:?}: {first:?} {second:?}");
    }
}

//! Tags that change while policies do, or at the moment at which they freeze.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;
use wharf_core::access::Role;
use wharf_core::metadata::{
    AccountChange, Change, ChangeRequest, CommitManifest, CommitOutcome, CreateOrganization,
    DeleteOutcome, DeleteTag, NewGrant, NewImmutabilityPolicy, NewUser, Precondition, Refusal,
    RemoveImmutabilityPolicy, RenameRepository,
};
use wharf_oci::Digest;

use super::{ALL, At, How, Scene, Stepped};
use crate::contract::immutability::{organization, releases, scope};
use crate::contract::samples::deletion as deletion_of;
use crate::contract::samples::{blob, commit, image, name};
use crate::engine::{Engine, Transaction};

const HOUR: Duration = Duration::from_secs(3600);

/// Where policies hold.
const SCOPES: [&str; 2] = ["team", "team/app"];

/// The organization `team` with a repository of three images, one of which `v1` is at.
async fn scene() -> (Scene, Digest) {
    let scene = Scene::new().await;
    organization(&scene.stand).await;
    for text in ["two", "three"] {
        scene.stand.push("team/app", text, &[]).await;
    }
    let one = scene.stand.push("team/app", "one", &["v1"]).await;
    (scene, one)
}

fn ask(change: impl Into<AccountChange>) -> ChangeRequest {
    ChangeRequest { change: change.into(), by: "system".into(), once: None }
}

fn freeze(of: &str, mutable_for: Duration) -> ChangeRequest {
    ask(NewImmutabilityPolicy { of: scope(of), policy: releases(mutable_for) })
}

fn push(text: &str) -> CommitManifest {
    commit("team/app", &image(&[blob(text)]), &["v1"])
}

fn deletion() -> DeleteTag {
    DeleteTag {
        repository: name("team/app"),
        tag: "v1".parse().unwrap(),
        precondition: Precondition::None,
        by: "bob".into(),
        dropped_by: None,
    }
}

/// Whether the policy comes before the change of the tag, by how they overlap.
fn policy_is_first(how: How) -> bool {
    matches!(how, How::SecondBegins | How::FirstHolds)
}

#[tokio::test]
async fn a_policy_that_is_made_while_a_tag_moves() {
    for of in SCOPES {
        for how in ALL {
            let (scene, one) = scene().await;
            let (made, pushed) = scene.both(how, freeze(of, Duration::ZERO), push("two")).await;
            assert_eq!(made, Change::Done);
            let frozen = matches!(pushed, CommitOutcome::Frozen(_));
            assert_eq!(frozen, policy_is_first(how), "{of} {how:?}: {pushed:?}");
            let stays = scene.stand.tag("team/app", "v1").await == Some(one);
            assert_eq!(stays, frozen, "{of} {how:?}");
        }
    }
}

#[tokio::test]
async fn a_policy_that_is_made_while_a_tag_or_its_manifest_is_deleted() {
    for of in SCOPES {
        for how in ALL {
            let (scene, one) = scene().await;
            let (_, deleted) = scene.both(how, freeze(of, Duration::ZERO), deletion()).await;
            let frozen = matches!(deleted, DeleteOutcome::Frozen(_));
            assert_eq!(frozen, policy_is_first(how), "{of} {how:?}: {deleted:?}");
            assert_eq!(scene.stand.tag("team/app", "v1").await.is_some(), frozen);

            let (scene, digest) = self::scene().await;
            assert_eq!(digest, one);
            let (_, deleted) =
                scene.both(how, freeze(of, Duration::ZERO), deletion_of("team/app", one)).await;
            let frozen = matches!(deleted, DeleteOutcome::Frozen(_));
            assert_eq!(frozen, policy_is_first(how), "{of} {how:?}: {deleted:?}");
            assert_eq!(scene.stand.has("team/app", one).await, frozen);
        }
    }
}

#[tokio::test]
async fn a_policy_that_is_taken_away_while_a_tag_moves() {
    for of in SCOPES {
        for how in ALL {
            let (scene, _) = scene().await;
            let made = scene.engine.write(freeze(of, Duration::ZERO)).await.unwrap();
            assert_eq!(made, Change::Done);
            let (of, name) = (scope(of), "releases".parse().unwrap());
            let removal = ask(RemoveImmutabilityPolicy { of, name, expected: None });
            let (removed, pushed) = scene.both(how, removal, push("two")).await;
            assert_eq!(removed, Change::Done);
            let committed = pushed == CommitOutcome::Committed;
            assert_eq!(committed, policy_is_first(how), "{how:?}: {pushed:?}");
        }
    }
}

/// Whether `inside` waits until `around`, which has done all its work, has committed.
async fn waits<A: Transaction, B: Transaction>(scene: &Scene, around: A, inside: B) -> bool {
    let (reached, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (seen, gone) = (reached.clone(), go.clone());
    let first = AtomicBool::new(true);
    let stepped = Stepped { inner: around, at: At::End, first, reached, go };
    let (one, other) = (scene.engine.clone(), scene.engine.clone());
    let around = tokio::spawn(async move { one.write(stepped).await.unwrap() });
    seen.acquire().await.unwrap().forget();
    let mut inside = tokio::spawn(async move { other.write(inside).await.unwrap() });
    let early = timeout(Duration::from_millis(200), &mut inside).await;
    gone.add_permits(1);
    around.await.unwrap();
    let waits = early.is_err();
    if waits {
        inside.await.unwrap();
    }
    waits
}

/// Nobody is told that a policy holds while a tag that it freezes is still about to move. Pushes do not wait for each other.
#[tokio::test]
async fn a_policy_waits_for_changes_that_did_not_see_it() {
    for of in SCOPES {
        let (scene, _) = scene().await;
        assert!(waits(&scene, push("two"), freeze(of, Duration::ZERO)).await, "{of}");
        let (scene, _) = self::scene().await;
        assert!(waits(&scene, deletion(), freeze(of, Duration::ZERO)).await, "{of}");
    }
    let (scene, _) = scene().await;
    // From another manifest than the other push: two that leave one manifest meet at its row.
    scene.stand.push("team/app", "four", &["v2"]).await;
    let beside = commit("team/app", &image(&[blob("three")]), &["v2"]);
    assert!(!waits(&scene, push("two"), beside).await);
}

/// The one is in time and holds the tag, the other one comes when it is frozen, waits for the tag, and is refused.
#[tokio::test]
async fn two_pushes_of_one_tag_at_the_moment_at_which_it_freezes() {
    let (scene, _) = scene().await;
    scene.engine.write(freeze("team", HOUR)).await.unwrap();
    scene.stand.clock.advance(HOUR - Duration::from_micros(1));
    let (reached, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (seen, gone) = (reached.clone(), go.clone());
    let first = AtomicBool::new(true);
    let stepped = Stepped { inner: push("two"), at: At::End, first, reached, go };
    let (one, other) = (scene.engine.clone(), scene.engine.clone());
    let in_time = tokio::spawn(async move { one.write(stepped).await.unwrap() });
    seen.acquire().await.unwrap().forget();
    scene.stand.clock.advance(Duration::from_micros(1));
    let mut late = tokio::spawn(async move { other.write(push("three")).await.unwrap() });
    timeout(Duration::from_millis(100), &mut late).await.unwrap_err();
    gone.add_permits(1);
    assert_eq!(in_time.await.unwrap(), CommitOutcome::Committed);
    let late = late.await.unwrap();
    assert!(matches!(late, CommitOutcome::Frozen(_)), "{late:?}");
    let two = push("two").digest;
    assert_eq!(scene.stand.tag("team/app", "v1").await, Some(two));
    assert_eq!(scene.stand.history("team/app", "v1").await.len(), 2);
}

/// Both in time: one after the other, and none is lost.
#[tokio::test]
async fn two_pushes_of_one_tag_before_it_freezes() {
    for how in ALL {
        let (scene, _) = scene().await;
        scene.engine.write(freeze("team", HOUR)).await.unwrap();
        let outcome = scene.both(how, push("two"), push("three")).await;
        assert_eq!(outcome, (CommitOutcome::Committed, CommitOutcome::Committed), "{how:?}");
        assert_eq!(scene.stand.history("team/app", "v1").await.len(), 3);
    }
}

/// A namespace that was nobody's when the push began has an owner and a policy by the time it goes on.
#[tokio::test]
async fn a_namespace_that_is_made_with_a_policy_behind_a_snapshot() {
    let scene = Scene::new().await;
    for (text, tags) in [("one", &["v1"][..]), ("two", &[])] {
        scene.stand.push("team/app", text, tags).await;
    }
    let pushed = scene
        .around(push("two"), async {
            let ada = NewUser {
                name: "ada".parse().unwrap(),
                email: None,
                password_hash: None,
                site_admin: true,
            };
            assert_eq!(scene.stand.change(ada).await, Change::Done);
            let (name, owner) = ("team".parse().unwrap(), "ada".parse().unwrap());
            let team = ask(CreateOrganization { name, owner });
            assert_eq!(scene.engine.write(team).await.unwrap(), Change::Done);
            let made = scene.engine.write(freeze("team", Duration::ZERO)).await.unwrap();
            assert_eq!(made, Change::Done);
        })
        .await;
    assert!(matches!(pushed, CommitOutcome::Frozen(_)), "{pushed:?}");
}

/// Who manages a namespace and who pushes there wait for each other, and fail in nothing.
#[tokio::test]
async fn a_grant_that_is_given_while_a_tag_moves() {
    for how in ALL {
        let (scene, _) = scene().await;
        let grant = ask(NewGrant {
            namespace: "team".parse().unwrap(),
            subject: "user:ada".parse().unwrap(),
            role: Role::Admin,
            pattern: None,
        });
        let outcome = scene.both(how, grant, push("two")).await;
        assert_eq!(outcome, (Change::Done, CommitOutcome::Committed), "{how:?}");
    }
}

/// Under its old name, a tag that is frozen at once could be made anew.
#[tokio::test]
async fn a_rename_and_a_new_tag_that_is_frozen() {
    for how in ALL {
        let (scene, _) = scene().await;
        assert_eq!(scene.engine.write(deletion()).await.unwrap(), DeleteOutcome::Deleted);
        let made = scene.engine.write(freeze("team", Duration::ZERO)).await.unwrap();
        assert_eq!(made, Change::Done);
        let (from, to) = (name("team/app"), name("team/moved"));
        let (renamed, pushed) =
            scene.both(how, ask(RenameRepository { from, to }), push("two")).await;
        let under_the_old = scene.stand.tag("team/app", "v1").await;
        match renamed {
            // Only where it was renamed first: then the push made a repository of the old name, or lacked what it needs there.
            Change::Done => assert!(
                under_the_old.is_none() && pushed != CommitOutcome::Committed,
                "{how:?}: {pushed:?}"
            ),
            refused => {
                assert_eq!(refused, Change::Refused(Refusal::ImmutableTags), "{how:?}");
                assert!(under_the_old.is_some(), "{how:?}: {pushed:?}");
            }
        }
    }
}

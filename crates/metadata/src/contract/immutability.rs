//! Rules of immutability: which tags stay as they are, in whatever way they are changed, and who says so.

use std::time::Duration;

use wharf_core::clock::Clock;
use wharf_core::immutability::{Frozen, MutableFor, Policy, PolicyScope};
use wharf_core::metadata::{
    Change, ChangeImmutabilityPolicy, CommitOutcome, CreateOrganization, DeleteManifest,
    DeleteOutcome, DeleteTag, NewImmutabilityPolicy, NewUser, Precondition,
    RemoveImmutabilityPolicy, RollBackOutcome, RollBackTag, RollBackTo, TagImmutability,
};
use wharf_oci::{Digest, Reference, TagSelection};

use super::restoring::restored;
use super::rollback::back;
use super::samples::{blob, commit, image, index, name};
use super::stand::{Stand, TICK};

pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// The scope of a text: `team` is a namespace, `team/app` a repository.
pub(crate) fn scope(of: &str) -> PolicyScope {
    if of.contains('/') {
        PolicyScope::Repository(name(of))
    } else {
        PolicyScope::Namespace(of.parse().unwrap())
    }
}

/// A policy that covers what `v*` does, and no candidates.
pub(crate) fn releases(mutable_for: Duration) -> Policy {
    let tags = TagSelection::new(&["v*"], &["v*-rc*"]).unwrap();
    policy("releases", tags, mutable_for)
}

pub(super) fn policy(name: &str, tags: TagSelection, mutable_for: Duration) -> Policy {
    let mutable_for = MutableFor::from_seconds(mutable_for.as_secs()).unwrap();
    Policy { name: name.parse().unwrap(), tags, mutable_for }
}

/// The organization `team` of `ada`.
pub(crate) async fn organization(stand: &Stand) {
    let name = "ada".parse().unwrap();
    let ada = NewUser { name, email: None, password_hash: None, site_admin: false };
    assert_eq!(stand.change(ada).await, Change::Done);
    let (name, owner) = ("team".parse().unwrap(), "ada".parse().unwrap());
    assert_eq!(stand.change(CreateOrganization { name, owner }).await, Change::Done);
}

pub(super) async fn freeze(stand: &Stand, of: &str, policy: Policy) {
    let new = NewImmutabilityPolicy { of: scope(of), policy };
    assert_eq!(stand.change(new).await, Change::Done);
}

pub(super) async fn remove(stand: &Stand, of: &str, name: &str) -> Change {
    let (of, name) = (scope(of), name.parse().unwrap());
    stand.change(RemoveImmutabilityPolicy { of, name, expected: None }).await
}

/// Pushes an image that the repository has, and moves tags to it.
pub(super) async fn put(stand: &Stand, text: &str, tags: &[&str]) -> CommitOutcome {
    stand.commit(commit("team/app", &image(&[blob(text)]), tags)).await
}

fn is_frozen(outcome: &CommitOutcome, tag: &str) -> bool {
    matches!(outcome, CommitOutcome::Frozen(frozen) if frozen.tag.as_str() == tag)
}

async fn delete(stand: &Stand, tag: &str) -> DeleteOutcome {
    stand.delete_tag("team/app", tag, Precondition::None).await
}

pub(super) async fn look(stand: &Stand, tag: &str) -> TagImmutability {
    let (app, tag) = (name("team/app"), tag.parse().unwrap());
    stand.immutability.tag_immutability(app, tag).await.unwrap().unwrap()
}

/// The organization with a repository of three images, one of which `v1` is at.
pub(super) async fn app(stand: &Stand) -> Digest {
    organization(stand).await;
    for text in ["two", "three"] {
        stand.push("team/app", text, &[]).await;
    }
    stand.push("team/app", "one", &["v1"]).await
}

/// And what is refused changes nothing: neither by a push nor by a deletion of the tag or of its manifest. What is no change,
/// what is new, and what no policy covers is allowed.
pub async fn a_frozen_tag_stays_where_it_is(stand: &Stand) {
    let one = app(stand).await;
    freeze(stand, "team", releases(Duration::ZERO)).await;
    let before = stand.everything().await;
    let CommitOutcome::Frozen(frozen) = put(stand, "two", &["v1"]).await else { panic!() };
    let expected = Frozen {
        repository: name("team/app"),
        tag: "v1".parse().unwrap(),
        of: scope("team"),
        policy: releases(Duration::ZERO),
        since: stand.clock.now(),
    };
    assert_eq!(*frozen, expected);
    assert_eq!(delete(stand, "v1").await, DeleteOutcome::Frozen(frozen.clone()));
    let deleted = stand.delete("team/app", one, Precondition::None).await;
    assert_eq!(deleted, DeleteOutcome::Frozen(frozen));
    assert_eq!(put(stand, "one", &["v1"]).await, CommitOutcome::Committed);
    assert_eq!(stand.everything().await, before);
    for text in ["one", "two"] {
        assert_eq!(put(stand, text, &["v2-rc1", "latest"]).await, CommitOutcome::Committed);
    }
    assert_eq!(delete(stand, "latest").await, DeleteOutcome::Deleted);
    assert_eq!(put(stand, "two", &["v2"]).await, CommitOutcome::Committed);
    assert!(is_frozen(&put(stand, "one", &["v2"]).await, "v2"));
    // Elsewhere all is as it was.
    for text in ["one", "two"] {
        stand.push("other/app", text, &["v1"]).await;
    }
    assert_eq!(remove(stand, "team", "releases").await, Change::Done);
    assert_eq!(put(stand, "two", &["v1"]).await, CommitOutcome::Committed);
}

/// By the database's clock, to the microsecond.
pub async fn a_tag_freezes_as_old_as_its_policy_says(stand: &Stand) {
    app(stand).await;
    freeze(stand, "team/app", releases(HOUR)).await;
    let made = stand.clock.now();
    stand.clock.advance(HOUR - TICK);
    assert_eq!(put(stand, "two", &["v1"]).await, CommitOutcome::Committed);
    stand.clock.advance(TICK);
    assert!(is_frozen(&put(stand, "three", &["v1"]).await, "v1"));
    let DeleteOutcome::Frozen(frozen) = delete(stand, "v1").await else { panic!() };
    assert_eq!((&frozen.of, frozen.since), (&scope("team/app"), made.after(HOUR)));
}

/// Else a push an hour would keep it mutable for ever.
pub async fn a_move_does_not_make_a_tag_younger(stand: &Stand) {
    app(stand).await;
    freeze(stand, "team/app", releases(HOUR)).await;
    let made = stand.clock.now();
    for text in ["two", "three", "one"] {
        stand.clock.advance(HOUR / 4);
        assert_eq!(put(stand, text, &["v1"]).await, CommitOutcome::Committed);
    }
    assert_eq!(look(stand, "v1").await.created_at, made);
    stand.clock.advance(HOUR / 4);
    assert!(is_frozen(&put(stand, "two", &["v1"]).await, "v1"));
    // A row from before there was such a column counts from its last move on, and so do the moves behind that.
    stand.rows("UPDATE tags SET created_at = NULL", &[]).await;
    let moved = stand.clock.now().before(HOUR / 4);
    assert_eq!(look(stand, "v1").await.created_at, moved);
    assert_eq!(put(stand, "two", &["v1"]).await, CommitOutcome::Committed);
    assert_eq!(look(stand, "v1").await.created_at, moved);
}

/// And is a new one then.
pub async fn a_tag_deleted_while_it_was_mutable_may_come_again(stand: &Stand) {
    app(stand).await;
    freeze(stand, "team", releases(HOUR)).await;
    stand.clock.advance(HOUR - TICK);
    assert_eq!(delete(stand, "v1").await, DeleteOutcome::Deleted);
    assert_eq!(put(stand, "two", &["v1"]).await, CommitOutcome::Committed);
    stand.clock.advance(TICK);
    assert_eq!(put(stand, "three", &["v1"]).await, CommitOutcome::Committed);
    stand.clock.advance(HOUR);
    assert!(is_frozen(&put(stand, "two", &["v1"]).await, "v1"));
    assert!(matches!(delete(stand, "v1").await, DeleteOutcome::Frozen(_)));
}

/// In whatever order they are named, and however often.
pub async fn of_several_tags_all_move_or_none(stand: &Stand) {
    app(stand).await;
    assert_eq!(put(stand, "one", &["latest", "edge"]).await, CommitOutcome::Committed);
    freeze(stand, "team/app", releases(Duration::ZERO)).await;
    stand.hold("team/app", blob("four")).await;
    let before = stand.everything().await;
    for tags in [["v1", "latest", "new"], ["latest", "new", "v1"], ["v1", "latest", "v1"]] {
        assert!(is_frozen(&put(stand, "two", &tags).await, "v1"), "{tags:?}");
        // Nor is a manifest stored that was not there.
        let outcome = stand.commit(commit("team/app", &image(&[blob("four")]), &tags)).await;
        assert!(is_frozen(&outcome, "v1"), "{tags:?}");
        assert_eq!(stand.everything().await, before, "{tags:?}");
    }
    let outcome = put(stand, "two", &["latest", "edge", "v1-rc1"]).await;
    assert_eq!(outcome, CommitOutcome::Committed);
}

/// Also where the tag is at an index that it is in, at any depth: what is pulled by the tag must stay whole.
pub async fn a_manifest_that_a_frozen_tag_needs_is_not_deleted(stand: &Stand) {
    let one = app(stand).await;
    let inner = commit("team/app", &index(&[one]), &[]);
    let outer = commit("team/app", &index(&[inner.digest]), &["v2"]);
    let (inner, outer) = (stand.commit(inner.clone()).await, stand.commit(outer).await);
    assert_eq!((inner, outer), (CommitOutcome::Committed, CommitOutcome::Committed));
    assert_eq!(delete(stand, "v1").await, DeleteOutcome::Deleted);
    // The index lies in another repository, too, which needs nothing of this one.
    stand.push("team/other", "one", &["v1"]).await;
    freeze(stand, "team/app", releases(Duration::ZERO)).await;
    let before = stand.everything().await;
    let DeleteOutcome::Frozen(frozen) = stand.delete("team/app", one, Precondition::None).await
    else {
        panic!()
    };
    assert_eq!(frozen.tag.as_str(), "v2");
    assert_eq!(stand.everything().await, before);
    let elsewhere = stand.delete("team/other", one, Precondition::None).await;
    assert_eq!(elsewhere, DeleteOutcome::Deleted);
    assert_eq!(remove(stand, "team/app", "releases").await, Change::Done);
    let deleted = stand.delete("team/app", one, Precondition::None).await;
    assert_eq!(deleted, DeleteOutcome::Deleted);
}

/// Neither by exceptions nor by a longer time.
pub async fn a_repository_takes_nothing_back_from_its_namespace(stand: &Stand) {
    app(stand).await;
    freeze(stand, "team", releases(Duration::ZERO)).await;
    let lax = TagSelection::new(&["*"], &["v*"]).unwrap();
    freeze(stand, "team/app", policy("lax", lax, Duration::ZERO)).await;
    freeze(stand, "team/app", releases(HOUR)).await;
    let CommitOutcome::Frozen(frozen) = put(stand, "two", &["v1"]).await else { panic!() };
    assert_eq!(frozen.of, scope("team"));
    assert_eq!(remove(stand, "team/app", "releases").await, Change::Done);
    assert_eq!(remove(stand, "team/app", "lax").await, Change::Done);
    assert!(is_frozen(&put(stand, "two", &["v1"]).await, "v1"));
}

/// It is never taken for none, whether its patterns say nothing or the row itself is lost. It can be put right, or taken away.
pub async fn a_policy_that_cannot_be_read_stops_every_change(stand: &Stand) {
    let one = app(stand).await;
    assert_eq!(put(stand, "one", &["latest"]).await, CommitOutcome::Committed);
    freeze(stand, "team/app", releases(HOUR)).await;
    let stopped = async || {
        let before = stand.everything().await;
        let push = commit("team/app", &image(&[blob("two")]), &["latest"]);
        assert!(stand.metadata.commit_manifest(push).await.is_err());
        let deletion = DeleteTag {
            repository: name("team/app"),
            tag: "latest".parse().unwrap(),
            precondition: Precondition::None,
            by: "bob".into(),
            dropped_by: None,
        };
        assert!(stand.metadata.delete_tag(deletion).await.is_err());
        let deletion = DeleteManifest {
            repository: name("team/app"),
            digest: one,
            precondition: Precondition::None,
            by: "bob".into(),
        };
        assert!(stand.metadata.delete_manifest(deletion).await.is_err());
        assert!(stand.immutability.list_policies(scope("team/app")).await.is_err());
        assert_eq!(stand.everything().await, before);
    };
    for damage in [
        "UPDATE immutability_policies SET patterns = 'v[12]'",
        "UPDATE immutability_policies SET exceptions = 'v1,v2'",
        "UPDATE immutability_policies SET patterns = ' '",
        "UPDATE immutability_policies SET mutable_for = 9223372036854775807",
        "UPDATE immutability_policies SET name = 'Releases'",
    ] {
        stand.rows(damage, &[]).await;
        stopped().await;
        stand.rows("UPDATE immutability_policies SET name = 'releases'", &[]).await;
        let repaired = ChangeImmutabilityPolicy {
            of: scope("team/app"),
            policy: releases(HOUR),
            expected: None,
        };
        assert_eq!(stand.change(repaired).await, Change::Done);
        assert_eq!(look(stand, "v1").await.covered_by.len(), 1, "{damage}");
    }
    stand.rows("UPDATE immutability_policies SET patterns = 'v[12]'", &[]).await;
    assert_eq!(remove(stand, "team/app", "releases").await, Change::Done);
    assert_eq!(put(stand, "two", &["latest"]).await, CommitOutcome::Committed);
    freeze(stand, "team", releases(HOUR)).await;
    stand.rows("DELETE FROM immutability_policies", &[]).await;
    let push = commit("team/app", &image(&[blob("one")]), &["latest"]);
    assert!(stand.metadata.commit_manifest(push).await.is_err());
}

/// Whichever way it comes back, also twice; only who pushes it makes it anew.
pub async fn a_tag_that_is_brought_back_is_as_old_as_it_was(stand: &Stand) {
    let one = app(stand).await;
    let made = stand.clock.now();
    let v1 = || Reference::Tag("v1".parse().unwrap());
    for way in ["the tag", "the manifest", "rolled back", "the tag again"] {
        stand.clock.advance(HOUR / 10);
        let deleted = match way {
            "the manifest" => stand.delete("team/app", one, Precondition::None).await,
            _ => delete(stand, "v1").await,
        };
        assert_eq!(deleted, DeleteOutcome::Deleted, "{way}");
        stand.clock.advance(TICK);
        match way {
            "the manifest" => {
                assert_eq!(stand.restore("team/app", one).await, restored(one, &["v1"], 1));
            }
            "rolled back" => {
                let (repository, tag) = (name("team/app"), "v1".parse().unwrap());
                let back = RollBackTag { repository, tag, ..back(RollBackTo::Previous) };
                let outcome = stand.metadata.roll_back_tag(back).await.unwrap();
                assert!(matches!(outcome, RollBackOutcome::Done(_)), "{outcome:?}");
            }
            _ => assert_eq!(stand.restore("team/app", v1()).await, restored(one, &["v1"], 0)),
        }
        assert_eq!(look(stand, "v1").await.created_at, made, "{way}");
    }
    // So it freezes when it would have.
    freeze(stand, "team", releases(HOUR)).await;
    stand.clock.advance(Duration::from_micros((made.after(HOUR).0 - stand.clock.now().0) as u64));
    let CommitOutcome::Frozen(frozen) = put(stand, "two", &["v1"]).await else { panic!() };
    assert_eq!(frozen.since, made.after(HOUR));
    assert_eq!(remove(stand, "team", "releases").await, Change::Done);
    // What was before the first known change is forgotten.
    assert_eq!(delete(stand, "v1").await, DeleteOutcome::Deleted);
    stand.rows("DELETE FROM tag_history WHERE name = 'v1' AND version < 9", &[]).await;
    stand.clock.advance(TICK);
    assert_eq!(stand.restore("team/app", v1()).await, restored(one, &["v1"], 0));
    let since = look(stand, "v1").await.created_at;
    assert!(made < since && since < stand.clock.now(), "{since:?}");
    assert_eq!(delete(stand, "v1").await, DeleteOutcome::Deleted);
    assert_eq!(put(stand, "one", &["v1"]).await, CommitOutcome::Committed);
    assert_eq!(look(stand, "v1").await.created_at, stand.clock.now());
}

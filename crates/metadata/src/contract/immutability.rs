//! Rules of immutability: which tags stay as they are, in whatever way they are changed, and who says so.

use std::time::Duration;

use wharf_core::clock::Clock;
use wharf_core::immutability::{Frozen, MutableFor, Policy, PolicyRecord, PolicyScope};
use wharf_core::metadata::{
    Change, ChangeImmutabilityPolicy, CommitOutcome, CreateOrganization, DeleteOrganization,
    DeleteOutcome, MOST_POLICIES, NewImmutabilityPolicy, NewUser, Page, Precondition, Refusal,
    RemoveImmutabilityPolicy, RenameRepository, TagImmutability,
};
use wharf_oci::{Digest, TagSelection};

use super::samples::{blob, commit, image, index, name};
use super::stand::{Stand, TICK};

const HOUR: Duration = Duration::from_secs(3600);

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

fn policy(name: &str, tags: TagSelection, mutable_for: Duration) -> Policy {
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

async fn freeze(stand: &Stand, of: &str, policy: Policy) {
    let new = NewImmutabilityPolicy { of: scope(of), policy };
    assert_eq!(stand.change(new).await, Change::Done);
}

async fn remove(stand: &Stand, of: &str, name: &str) -> Change {
    let (of, name) = (scope(of), name.parse().unwrap());
    stand.change(RemoveImmutabilityPolicy { of, name, expected: None }).await
}

/// Pushes an image that the repository has, and moves tags to it.
async fn put(stand: &Stand, text: &str, tags: &[&str]) -> CommitOutcome {
    stand.commit(commit("team/app", &image(&[blob(text)]), tags)).await
}

fn is_frozen(outcome: &CommitOutcome, tag: &str) -> bool {
    matches!(outcome, CommitOutcome::Frozen(frozen) if frozen.tag.as_str() == tag)
}

async fn delete(stand: &Stand, tag: &str) -> DeleteOutcome {
    stand.delete_tag("team/app", tag, Precondition::None).await
}

async fn look(stand: &Stand, tag: &str) -> TagImmutability {
    let (app, tag) = (name("team/app"), tag.parse().unwrap());
    stand.immutability.tag_immutability(app, tag).await.unwrap().unwrap()
}

/// The organization with a repository of three images, one of which `v1` is at.
async fn app(stand: &Stand) -> Digest {
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
    let before = stand.everything().await;
    for tags in [["v1", "latest", "new"], ["latest", "new", "v1"], ["v1", "latest", "v1"]] {
        assert!(is_frozen(&put(stand, "two", &tags).await, "v1"), "{tags:?}");
        // Nor is a manifest stored that was not there.
        stand.hold("team/app", blob("four")).await;
        let outcome = stand.commit(commit("team/app", &image(&[blob("four")]), &tags)).await;
        assert!(is_frozen(&outcome, "v1"), "{tags:?}");
        stand.rows("DELETE FROM repository_blobs WHERE blob_digest = $1", &[blob("four")]).await;
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
        let deletion = wharf_core::metadata::DeleteTag {
            repository: name("team/app"),
            tag: "latest".parse().unwrap(),
            precondition: Precondition::None,
            by: "bob".into(),
        };
        assert!(stand.metadata.delete_tag(deletion).await.is_err());
        let deletion = wharf_core::metadata::DeleteManifest {
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

/// Each scope has names of its own.
pub async fn policies_are_changed_and_found_by_name(stand: &Stand) {
    app(stand).await;
    let listed = async |of: &str| {
        let found = stand.immutability.list_policies(scope(of)).await.unwrap();
        found
            .map(|found| found.into_iter().map(|it| it.policy.name.to_string()).collect::<Vec<_>>())
    };
    for of in ["nobody", "team/nothing"] {
        assert_eq!(listed(of).await, None);
        let new = NewImmutabilityPolicy { of: scope(of), policy: releases(HOUR) };
        assert_eq!(stand.change(new).await, Change::NotFound);
        assert_eq!(remove(stand, of, "releases").await, Change::NotFound);
    }
    assert_eq!(listed("team").await, Some(vec![]));
    let all = || TagSelection::new(&["*"], &["latest"]).unwrap();
    for of in ["team", "team/app"] {
        freeze(stand, of, releases(HOUR)).await;
        freeze(stand, of, policy("all", all(), Duration::ZERO)).await;
        let again = NewImmutabilityPolicy { of: scope(of), policy: releases(HOUR) };
        assert_eq!(stand.change(again).await, Change::Taken);
        assert_eq!(listed(of).await, Some(vec!["all".to_owned(), "releases".to_owned()]));
    }
    let found = async || {
        let found = stand.immutability.find_policy(scope("team"), "releases".parse().unwrap());
        found.await.unwrap()
    };
    let made = stand.clock.now();
    let PolicyRecord { of, policy, created_by, created_at, changed_at, version } =
        found().await.unwrap();
    assert_eq!((of, policy, version), (scope("team"), releases(HOUR), 1));
    assert_eq!((created_by.as_str(), created_at, changed_at), ("user:ada", made, made));
    stand.clock.advance(TICK);
    let change = |expected| ChangeImmutabilityPolicy {
        of: scope("team"),
        policy: releases(Duration::ZERO),
        expected,
    };
    assert_eq!(stand.change(change(Some(2))).await, Change::Stale);
    assert_eq!(stand.change(change(Some(1))).await, Change::Done);
    let changed = found().await.unwrap();
    assert_eq!((changed.policy, changed.version), (releases(Duration::ZERO), 2));
    assert_eq!((changed.created_at, changed.changed_at), (made, made.after(TICK)));
    let removal = |expected| RemoveImmutabilityPolicy {
        of: scope("team"),
        name: "releases".parse().unwrap(),
        expected,
    };
    assert_eq!(stand.change(removal(Some(1))).await, Change::Stale);
    assert_eq!(stand.change(removal(Some(2))).await, Change::Done);
    assert_eq!(stand.change(removal(None)).await, Change::NotFound);
    assert_eq!(stand.change(change(None)).await, Change::NotFound);
    assert_eq!(found().await, None);
    assert_eq!(listed("team/app").await.unwrap().len(), 2);
}

/// Those of a repository are events, too.
pub async fn a_change_of_a_policy_is_in_the_audit_log_with_what_was_before(stand: &Stand) {
    app(stand).await;
    for of in ["team", "team/app"] {
        freeze(stand, of, releases(HOUR)).await;
        let (of, policy) = (scope(of), releases(Duration::ZERO));
        let change = ChangeImmutabilityPolicy { of, policy, expected: None };
        assert_eq!(stand.change(change).await, Change::Done);
    }
    assert_eq!(remove(stand, "team/app", "releases").await, Change::Done);
    let sql = "SELECT by, action, target, namespace, detail FROM audit_log
               WHERE action LIKE 'immutability.%' ORDER BY id";
    let (says, was) =
        (r#"policy=releases tags="v* except v*-rc*""#, "v* except v*-rc*, mutable for");
    let made =
        |of: &str| format!("user:ada immutability.create {of} team {says} mutable_seconds=3600");
    let changed = |of: &str| {
        format!(
            r#"user:ada immutability.update {of} team {says} mutable_seconds=0 was="{was} 3600 s""#
        )
    };
    let expected = [
        made("namespace:team"),
        changed("namespace:team"),
        made("repository:team/app"),
        changed("repository:team/app"),
        format!(
            r#"user:ada immutability.delete repository:team/app team policy=releases was="{was} 0 s""#
        ),
    ];
    assert_eq!(stand.rows(sql, &[]).await, expected);
    let sql = "SELECT kind, payload FROM events WHERE kind LIKE 'immutability.%' ORDER BY id";
    let events = stand.rows(sql, &[]).await;
    let kinds: Vec<_> = events.iter().filter_map(|event| event.split(' ').next()).collect();
    assert_eq!(kinds, ["immutability.created", "immutability.updated", "immutability.deleted"]);
    assert!(events[1].contains("v* except v*-rc*") && events[1].contains("user:ada"), "{events:?}");
}

/// Of each scope, so that a push reads no more than those.
pub async fn there_are_only_so_many_policies(stand: &Stand) {
    app(stand).await;
    let numbered = |number: usize| {
        let tags = TagSelection::new(&["never"], &[]).unwrap();
        policy(&format!("p{number}"), tags, Duration::ZERO)
    };
    for of in ["team", "team/app"] {
        for number in 0..MOST_POLICIES {
            freeze(stand, of, numbered(number)).await;
        }
        let more = NewImmutabilityPolicy { of: scope(of), policy: numbered(MOST_POLICIES) };
        assert_eq!(stand.change(more.clone()).await, Change::Refused(Refusal::TooManyPolicies));
        assert_eq!(remove(stand, of, "p0").await, Change::Done);
        assert_eq!(stand.change(more).await, Change::Done);
    }
    assert_eq!(put(stand, "two", &["v1"]).await, CommitOutcome::Committed);
}

/// Before anybody tries to change one.
pub async fn what_policies_say_of_tags_is_told(stand: &Stand) {
    app(stand).await;
    let made = stand.clock.now();
    assert_eq!(put(stand, "one", &["latest"]).await, CommitOutcome::Committed);
    freeze(stand, "team", releases(HOUR)).await;
    let all = TagSelection::new(&["*"], &["latest"]).unwrap();
    freeze(stand, "team/app", policy("all", all, 2 * HOUR)).await;
    let from = |said: &TagImmutability| {
        let each = said.covered_by.iter();
        each.map(|(record, from)| (record.policy.name.to_string(), *from)).collect::<Vec<_>>()
    };
    let said = look(stand, "v1").await;
    let expected =
        [("releases".to_owned(), made.after(HOUR)), ("all".to_owned(), made.after(2 * HOUR))];
    assert_eq!((from(&said), said.frozen), (expected.to_vec(), None));
    stand.clock.advance(2 * HOUR);
    let frozen = look(stand, "v1").await.frozen.unwrap();
    assert_eq!((frozen.of, frozen.since), (scope("team"), made.after(HOUR)));
    let page = |after: Option<&str>| Page { after: after.map(str::to_owned), limit: 1 };
    let listed = async |after| {
        let all = stand.immutability.list_tag_immutability(name("team/app"), page(after)).await;
        let said = all.unwrap().unwrap().pop();
        said.map(|said| (said.tag.to_string(), said.covered_by.len(), said.frozen.is_some()))
    };
    assert_eq!(listed(None).await, Some(("latest".to_owned(), 0, false)));
    assert_eq!(listed(Some("latest")).await, Some(("v1".to_owned(), 2, true)));
    assert_eq!(listed(Some("v1")).await, None);
    let none = stand.immutability.list_tag_immutability(name("team/nothing"), page(None)).await;
    assert_eq!(none.unwrap(), None);
    let tag = "nothing".parse().unwrap();
    assert_eq!(stand.immutability.tag_immutability(name("team/app"), tag).await.unwrap(), None);
}

/// Else another one could be made under it, with other content under the tags.
pub async fn a_repository_with_frozen_tags_keeps_its_name(stand: &Stand) {
    app(stand).await;
    freeze(stand, "team", releases(HOUR)).await;
    let rename = |from, to| RenameRepository { from: name(from), to: name(to) };
    assert_eq!(stand.change(rename("team/app", "team/web")).await, Change::Done);
    stand.clock.advance(HOUR);
    let refused = Change::Refused(Refusal::ImmutableTags);
    assert_eq!(stand.change(rename("team/web", "team/app")).await, refused);
    assert_eq!(remove(stand, "team", "releases").await, Change::Done);
    assert_eq!(stand.change(rename("team/web", "team/app")).await, Change::Done);
}

/// Whose name is left, and nothing else.
pub async fn policies_go_with_their_organization(stand: &Stand) {
    organization(stand).await;
    freeze(stand, "team", releases(HOUR)).await;
    let deletion = DeleteOrganization { name: "team".parse().unwrap() };
    assert_eq!(stand.change(deletion).await, Change::Done);
    assert_eq!(stand.rows("SELECT name FROM immutability_policies", &[]).await, [""; 0]);
    let new = NewImmutabilityPolicy { of: scope("team"), policy: releases(HOUR) };
    assert_eq!(stand.change(new).await, Change::NotFound);
}

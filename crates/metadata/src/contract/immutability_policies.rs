//! Rules of the policies by which tags freeze: made, changed and removed, written down, and what they say of tags.

use std::time::Duration;

use wharf_core::clock::Clock;
use wharf_core::immutability::PolicyRecord;
use wharf_core::metadata::{
    Change, ChangeImmutabilityPolicy, CommitOutcome, DeleteOrganization, MOST_POLICIES,
    NewImmutabilityPolicy, Page, Refusal, RemoveImmutabilityPolicy, RenameRepository,
    TagImmutability,
};
use wharf_oci::TagSelection;

use super::immutability::{
    HOUR, app, freeze, look, organization, policy, put, releases, remove, scope,
};
use super::samples::name;
use super::stand::{Stand, TICK};

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

/// And each is an event, too.
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
    let [created, updated] = ["immutability.created", "immutability.updated"];
    assert_eq!(kinds, [created, updated, created, updated, "immutability.deleted"]);
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

/// Whose name is left, and nothing else; readers of events hear of each.
pub async fn policies_go_with_their_organization(stand: &Stand) {
    organization(stand).await;
    freeze(stand, "team", releases(HOUR)).await;
    let deletion = DeleteOrganization { name: "team".parse().unwrap() };
    assert_eq!(stand.change(deletion).await, Change::Done);
    assert_eq!(stand.rows("SELECT name FROM immutability_policies", &[]).await, [""; 0]);
    let events = "SELECT namespace, kind, payload FROM events ORDER BY id DESC LIMIT 1";
    let [event] = &stand.rows(events, &[]).await[..] else { panic!("there is none") };
    let (said, payload) = event.split_once('{').unwrap();
    assert_eq!(said, "team immutability.deleted ");
    for part in ["\"policy\":", "\"releases\"", "\"user:ada\""] {
        assert!(payload.contains(part), "{payload}");
    }
    let new = NewImmutabilityPolicy { of: scope("team"), policy: releases(HOUR) };
    assert_eq!(stand.change(new).await, Change::NotFound);
}

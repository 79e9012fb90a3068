//! Rules of retention: policies step by step, and what they drop.

use std::time::Duration;

use wharf_core::clock::{Clock, Timestamp};
use wharf_core::immutability::PolicyScope;
use wharf_core::metadata::{
    AuditFilter, AuditOrder, Change, DropOutcome, DropTag, EnableRetention, NewImmutabilityPolicy,
    PinOutcome, PinTarget, Precondition, PreviewRetention, Refusal, RemoveImmutabilityPolicy,
    RemoveRetention, RepositoryRestoration, RetentionRecord, RetentionRun, RetentionState,
    SetRetention, SetWrites,
};
use wharf_core::retention::{Policy, TagFacts};
use wharf_core::writes::{Closed, WriteMode, WriteReason, WriteScope};
use wharf_oci::TagSelection;

use super::deleted_repositories::restoration;
use super::immutability::policy as policy_of;
use super::pins::pin;
use super::retention_facts::facts;
use super::samples::name;
use super::stand::Stand;

const HOUR: Duration = Duration::from_secs(3600);

fn policy(newest: u32) -> Policy {
    let rule = format!(r#"{{"name":"old","tags":["*"],"keep":{{"newest":{newest}}}}}"#);
    Policy::parse(&format!(r#"{{"rules":[{rule}]}}"#)).unwrap()
}

async fn set(stand: &Stand, newest: u32, expected: Option<i64>) -> Change {
    stand.change(SetRetention { repository: name("a"), policy: policy(newest), expected }).await
}

async fn preview(stand: &Stand, version: i64) -> Change {
    let (tags, dropped, untagged) = (7, 3, 2);
    let preview = PreviewRetention { repository: name("a"), version, tags, dropped, untagged };
    stand.change(preview).await
}

async fn enable(stand: &Stand, version: i64) -> Change {
    stand.change(EnableRetention { repository: name("a"), version }).await
}

async fn remove(stand: &Stand) -> Change {
    stand.change(RemoveRetention { repository: name("a") }).await
}

async fn found(stand: &Stand) -> Option<RetentionRecord> {
    stand.retention.find_retention(name("a")).await.unwrap()
}

async fn state(stand: &Stand) -> Option<(i64, RetentionState)> {
    found(stand).await.map(|found| (found.version, found.state))
}

/// Where policies are enabled.
async fn enabled(stand: &Stand) -> Vec<String> {
    let found = stand.retention.list_retention(None, 10).await.unwrap();
    found.iter().map(ToString::to_string).collect()
}

/// A policy that drops tags of `a`.
pub(crate) async fn in_force(stand: &Stand) {
    assert_eq!(set(stand, 1, None).await, Change::Done);
    assert_eq!(preview(stand, 1).await, Change::Done);
    assert_eq!(enable(stand, 1).await, Change::Done);
}

/// After which time untagged manifests of `a` go by [`untagged`].
pub(crate) const UNTAGGED: Duration = Duration::from_secs(24 * 3600);

/// A policy of `a` that says what becomes of untagged manifests, previewed: kept, or gone after [`UNTAGGED`].
pub(crate) async fn untagged(stand: &Stand, kept: bool) {
    let untagged = if kept { r#""keep""# } else { r#"{"after":"1d"}"# };
    let policy = Policy::parse(&format!(r#"{{"rules":[],"untagged":{untagged}}}"#)).unwrap();
    let set = SetRetention { repository: name("a"), policy, expected: None };
    assert_eq!(stand.change(set).await, Change::Done);
    assert_eq!(preview(stand, 1).await, Change::Done);
}

/// What drops the tag as it stands now.
pub(crate) async fn drop_of(stand: &Stand, tag: &str) -> DropTag {
    let TagFacts { tag, digest, version, .. } = facts(stand, tag).await;
    let rule = policy(1).rules()[0].name.clone();
    DropTag { repository: name("a"), tag, digest, version, policy: 1, rule }
}

/// And each change of it begins anew.
pub async fn a_policy_drops_nothing_before_its_preview_and_its_enabling(stand: &Stand) {
    assert_eq!(set(stand, 1, None).await, Change::NotFound, "there is no such repository");
    stand.push("a", "one", &["t"]).await;
    assert_eq!(found(stand).await, None);
    assert_eq!(enable(stand, 1).await, Change::NotFound);
    assert_eq!(set(stand, 1, None).await, Change::Done);
    assert_eq!(state(stand).await, Some((1, RetentionState::Draft)));
    let refused = Change::Refused(Refusal::NotPreviewed);
    assert_eq!(enable(stand, 1).await, refused);
    let drop = drop_of(stand, "t").await;
    for step in 0..3 {
        assert!(enabled(stand).await.is_empty());
        let outcome = stand.retention.drop_tag(drop.clone()).await.unwrap();
        assert_eq!(outcome, DropOutcome::Halted, "step {step}");
        if step == 0 {
            assert_eq!(preview(stand, 1).await, Change::Done);
            assert_eq!(state(stand).await, Some((1, RetentionState::Previewed)));
        }
    }
    assert_eq!(enable(stand, 1).await, Change::Done);
    assert_eq!(enabled(stand).await, ["a"]);
    assert_eq!(preview(stand, 1).await, Change::Done, "it may be looked at again");
    assert_eq!(state(stand).await, Some((1, RetentionState::Enabled)));
    assert_eq!(set(stand, 2, None).await, Change::Done);
    assert_eq!(state(stand).await, Some((2, RetentionState::Draft)));
    assert_eq!(enable(stand, 2).await, refused);
    assert_eq!(stand.retention.drop_tag(drop).await.unwrap(), DropOutcome::Halted);
    assert!(stand.tag("a", "t").await.is_some());
}

/// A version is given once, also where the policy was taken away.
pub async fn a_policy_of_another_version_is_stale(stand: &Stand) {
    stand.push("a", "one", &["t"]).await;
    assert_eq!(set(stand, 1, Some(1)).await, Change::Stale, "there is none");
    assert_eq!(set(stand, 1, None).await, Change::Done);
    assert_eq!(set(stand, 2, Some(2)).await, Change::Stale);
    assert_eq!(set(stand, 2, Some(1)).await, Change::Done);
    let known = found(stand).await.unwrap();
    assert_eq!(Policy::parse(&known.document).unwrap(), policy(2));
    assert_eq!((known.version, known.updated_by.as_str()), (2, "user:ada"));
    assert_eq!(preview(stand, 1).await, Change::Stale);
    assert_eq!(preview(stand, 2).await, Change::Done);
    assert_eq!(enable(stand, 1).await, Change::Stale);
    assert_eq!(remove(stand).await, Change::Done);
    assert_eq!(remove(stand).await, Change::NotFound);
    assert_eq!(found(stand).await, None);
    assert_eq!(enable(stand, 2).await, Change::NotFound);
    assert_eq!(set(stand, 1, Some(3)).await, Change::Stale);
    assert_eq!(set(stand, 1, None).await, Change::Done);
    assert_eq!(state(stand).await, Some((4, RetentionState::Draft)));
}

/// With the version that it is about; and what changes the policy is an event.
pub async fn each_step_of_a_policy_is_in_the_audit_log(stand: &Stand) {
    stand.push("a", "one", &[]).await;
    set(stand, 1, None).await;
    enable(stand, 1).await;
    preview(stand, 1).await;
    for _ in 0..2 {
        enable(stand, 1).await;
    }
    remove(stand).await;
    let filter = AuditFilter { by: Some("user:ada".into()), ..AuditFilter::default() };
    let found = stand.audit.list_audit(filter, AuditOrder::OldestFirst, None, 100).await.unwrap();
    let said: Vec<_> = found
        .iter()
        .map(|it| format!("{} {} {}", it.entry.action, it.entry.outcome.name(), it.entry.detail))
        .collect();
    let expected = [
        "retention.set done rules=1",
        "retention.enable refused policy=1",
        "retention.preview done policy=1 tags=7 dropped=3 untagged=2",
        "retention.enable done policy=1",
        "retention.enable done policy=1",
        "retention.remove done ",
    ];
    assert_eq!(said, expected);
    assert!(found.iter().all(|it| it.entry.target == "repository:a"));
    let sql = "SELECT kind, payload FROM events WHERE kind LIKE 'retention.%' ORDER BY id";
    let events = stand.rows(sql, &[]).await;
    for (event, (kind, version)) in events.iter().zip([
        ("retention.set", 1),
        ("retention.enabled", 1),
        ("retention.removed", 2),
    ]) {
        let (told, payload) = event.split_once(' ').unwrap();
        let payload: serde_json::Value = serde_json::from_str(payload).unwrap();
        assert_eq!(
            (told, payload),
            (kind, serde_json::json!({ "version": version, "by": "user:ada" }))
        );
    }
    assert_eq!(events.len(), 3);
}

/// As any other deletion, in the name of the system, with the rule.
pub async fn a_dropped_tag_has_history_event_and_record(stand: &Stand) {
    let one = stand.push("a", "one", &["t"]).await;
    in_force(stand).await;
    let drop = drop_of(stand, "t").await;
    assert_eq!(stand.retention.drop_tag(drop.clone()).await.unwrap(), DropOutcome::Dropped);
    assert_eq!(stand.tag("a", "t").await, None);
    assert!(stand.has("a", one).await, "its manifest is the collector's");
    assert_eq!(
        stand.history("a", "t").await,
        [format!("1 create - {one}"), format!("2 delete {one} -")]
    );
    assert_eq!(stand.events().await.last().unwrap(), "tag.deleted t");
    let filter = AuditFilter { action: Some("tag.delete".into()), ..AuditFilter::default() };
    let found = stand.audit.list_audit(filter, AuditOrder::OldestFirst, None, 10).await.unwrap();
    let [record] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        (record.entry.by.by.as_str(), record.entry.target.as_str()),
        ("system", "repository:a:t")
    );
    assert_eq!(record.entry.detail, format!("from={one} policy=1 rule=old"));
    assert_eq!(stand.retention.drop_tag(drop).await.unwrap(), DropOutcome::Left);
}

/// Also where it came back to the same manifest: it is newer than what was judged.
pub async fn a_tag_that_moved_since_it_was_judged_is_left(stand: &Stand) {
    let one = stand.push("a", "one", &["t", "u", "gone"]).await;
    in_force(stand).await;
    let [moved, back, gone] =
        [drop_of(stand, "t").await, drop_of(stand, "u").await, drop_of(stand, "gone").await];
    let two = stand.push("a", "two", &["t", "u"]).await;
    stand.push("a", "one", &["u"]).await;
    stand.delete_tag("a", "gone", Precondition::None).await;
    for drop in [moved, back, gone] {
        assert_eq!(stand.retention.drop_tag(drop).await.unwrap(), DropOutcome::Left);
    }
    assert_eq!((stand.tag("a", "t").await, stand.tag("a", "u").await), (Some(two), Some(one)));
}

/// And only while it is.
pub async fn a_tag_that_was_frozen_or_pinned_since_it_was_judged_is_left(stand: &Stand) {
    let one = stand.push("a", "one", &["t"]).await;
    stand.push("a", "two", &["u"]).await;
    in_force(stand).await;
    let [pinned, frozen] = [drop_of(stand, "t").await, drop_of(stand, "u").await];
    let until = Some(stand.clock.now().after(HOUR));
    let put = stand.metadata.pin_manifest(pin("keep", PinTarget::Digest(one), until)).await;
    assert!(matches!(put, Ok(PinOutcome::Pinned { .. })), "{put:?}");
    let of = PolicyScope::Repository(name("a"));
    let tags = TagSelection::new(&["u"], &[]).unwrap();
    let policy = policy_of("frozen", tags, Duration::ZERO);
    let (new, name_of) = (NewImmutabilityPolicy { of: of.clone(), policy }, "frozen".parse());
    assert_eq!(stand.change(new).await, Change::Done);
    let before = stand.everything().await;
    for drop in [&pinned, &frozen] {
        let outcome = stand.retention.drop_tag(drop.clone()).await.unwrap();
        assert_eq!(outcome, DropOutcome::Left, "{}", drop.tag);
    }
    assert_eq!(stand.everything().await, before);
    stand.clock.advance(HOUR);
    let remove = RemoveImmutabilityPolicy { of, name: name_of.unwrap(), expected: None };
    assert_eq!(stand.change(remove).await, Change::Done);
    for drop in [pinned, frozen] {
        assert_eq!(stand.retention.drop_tag(drop).await.unwrap(), DropOutcome::Dropped);
    }
}

/// Nor does one that was taken away.
pub async fn a_policy_that_changed_drops_nothing_more(stand: &Stand) {
    stand.push("a", "one", &["t"]).await;
    in_force(stand).await;
    let drop = drop_of(stand, "t").await;
    let other = DropTag { policy: 2, ..drop.clone() };
    assert_eq!(stand.retention.drop_tag(other).await.unwrap(), DropOutcome::Halted);
    let elsewhere = DropTag { repository: name("b"), ..drop.clone() };
    assert_eq!(stand.retention.drop_tag(elsewhere).await.unwrap(), DropOutcome::Halted);
    remove(stand).await;
    assert_eq!(stand.retention.drop_tag(drop).await.unwrap(), DropOutcome::Halted);
    assert!(stand.tag("a", "t").await.is_some());
}

/// What is read-only, or about to be, has no run; it says why until it may be changed again.
pub async fn a_policy_is_passed_over_where_nothing_may_change(stand: &Stand) {
    stand.push("a", "one", &["t"]).await;
    assert_eq!(set(stand, 1, None).await, Change::Done);
    let reason: Option<WriteReason> = Some("moving".parse().unwrap());
    let set_writes = async |scope: &WriteScope, mode| {
        let change = SetWrites { scope: scope.clone(), mode, reason: reason.clone() };
        assert_eq!(stand.change(change).await, Change::Done);
    };
    let of_a = WriteScope::Repository(name("a"));
    set_writes(&of_a, WriteMode::ReadOnly).await;
    let draft = found(stand).await.unwrap();
    assert!(draft.closed.is_some() && draft.skipped().is_none(), "a draft has no runs anyway");
    set_writes(&of_a, WriteMode::Writable).await;
    assert_eq!(preview(stand, 1).await, Change::Done);
    assert_eq!(enable(stand, 1).await, Change::Done);
    stand.push("b", "one", &["t"]).await;
    for scope in [of_a, WriteScope::All] {
        for mode in [WriteMode::Draining, WriteMode::ReadOnly] {
            set_writes(&scope, mode).await;
            let closed = Closed { scope: scope.clone(), mode, reason: reason.clone() };
            assert_eq!(found(stand).await.unwrap().skipped(), Some(&closed));
            assert!(enabled(stand).await.is_empty(), "{closed}");
        }
        set_writes(&scope, WriteMode::Writable).await;
        assert_eq!(found(stand).await.unwrap().closed, None);
        assert_eq!(enabled(stand).await, ["a"]);
    }
    set_writes(&WriteScope::Repository(name("b")), WriteMode::ReadOnly).await;
    assert_eq!(enabled(stand).await, ["a"], "another one is none of its business");
}

/// By the database's clock; also one of a policy that cannot be read, which is kept as it came.
pub async fn the_last_run_is_recorded(stand: &Stand) {
    stand.push("a", "one", &["t"]).await;
    set(stand, 1, None).await;
    assert_eq!(found(stand).await.unwrap().last_run, None);
    let first =
        RetentionRun { version: 1, ended_at: Timestamp(0), kept: 5, dropped: 2, problem: None };
    let second =
        RetentionRun { problem: Some("it is no policy".into()), dropped: 0, ..first.clone() };
    for run in [first, second] {
        stand.clock.advance(HOUR);
        stand.retention.record_retention_run(name("a"), run.clone()).await.unwrap();
        let expected = RetentionRun { ended_at: stand.clock.now(), ..run };
        assert_eq!(found(stand).await.unwrap().last_run, Some(expected));
    }
    stand
        .retention
        .record_retention_run(name("none"), found(stand).await.unwrap().last_run.unwrap())
        .await
        .unwrap();
    stand.rows("UPDATE retention_policies SET document = '{\"rules\": 7'", &[]).await;
    assert_eq!(found(stand).await.unwrap().document, "{\"rules\": 7");
}

/// It is found and run as little as the repository, and goes on when that is back.
pub async fn an_enabled_policy_rests_while_its_repository_is_deleted(stand: &Stand) {
    stand.push("a", "one", &["old"]).await;
    stand.clock.advance(HOUR);
    stand.push("a", "two", &["new"]).await;
    in_force(stand).await;
    let (drop, before) = (drop_of(stand, "old").await, found(stand).await);
    stand.throw_away_all("a").await;
    assert!(enabled(stand).await.is_empty());
    assert_eq!(found(stand).await, None);
    assert_eq!(stand.retention.retention_basis(name("a")).await.unwrap(), None);
    let outcome = stand.retention.drop_tag(drop.clone()).await.unwrap();
    assert_eq!(outcome, DropOutcome::Halted);
    let back = stand.metadata.restore_repository(restoration("a")).await.unwrap();
    assert_eq!(back, RepositoryRestoration::Restored);
    assert_eq!(enabled(stand).await, ["a"]);
    assert_eq!(found(stand).await, before);
    assert!(stand.tag("a", "old").await.is_some());
    assert_eq!(stand.retention.drop_tag(drop).await.unwrap(), DropOutcome::Dropped);
}

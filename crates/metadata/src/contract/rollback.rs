//! Rules of tags that go back to where they stood.

use std::time::Duration;

use wharf_core::clock::{Clock, Timestamp};
use wharf_core::immutability::Frozen;
use wharf_core::metadata::{
    Change, CommitOutcome, KnownTag, NoPlace, Once, Precondition, Reason, RollBackOutcome,
    RollBackTag, RollBackTo,
};
use wharf_oci::Digest;

use super::immutability::{freeze, organization, releases, remove, scope};
use super::samples::{blob, commit, image, index, name};
use super::stand::{Stand, TICK};

/// The tag `t` of repository `a`, back to somewhere.
pub(crate) fn back(to: RollBackTo) -> RollBackTag {
    RollBackTag {
        repository: name("a"),
        tag: "t".parse().unwrap(),
        to,
        expected: None,
        once: None,
        by: "carol".into(),
    }
}

async fn roll(stand: &Stand, to: RollBackTo) -> RollBackOutcome {
    stand.metadata.roll_back_tag(back(to)).await.unwrap()
}

/// Where a change led, and the version of the tag that it names as its reason.
fn done(outcome: RollBackOutcome) -> (Digest, i64) {
    let RollBackOutcome::Done(change) = outcome else { panic!("{outcome:?}") };
    let Some(Reason::RolledBack(version)) = change.reason else { panic!("{change:?}") };
    (change.to.unwrap(), version)
}

/// Pushes one image after the other under `t`, at times of their own.
async fn stand_at(stand: &Stand, texts: &[&str]) -> Vec<(Digest, Timestamp)> {
    let mut stood = Vec::new();
    for text in texts {
        stand.clock.advance(TICK);
        stood.push((stand.push("a", text, &["t"]).await, stand.clock.now()));
    }
    stand.clock.advance(TICK);
    stood
}

/// One more version, with its reason, its event and a line in the audit log.
pub async fn a_tag_goes_back_by_one_more_change(stand: &Stand) {
    let stood = stand_at(stand, &["1", "2", "3"]).await;
    let events = stand.events().await.len();
    assert_eq!(done(roll(stand, RollBackTo::Previous).await), (stood[1].0, 2));
    assert_eq!(stand.tag("a", "t").await, Some(stood[1].0));
    let history = stand.history("a", "t").await;
    assert_eq!(history[3], format!("4 move {} {}", stood[2].0, stood[1].0));
    assert_eq!(stand.events().await[events..], ["tag.moved t"]);
    let audit = "SELECT by, target, detail FROM audit_log WHERE action = 'tag.rollback'";
    let detail = format!("from={} to={} version=2", stood[2].0, stood[1].0);
    assert_eq!(stand.rows(audit, &[]).await, [format!("carol repository:a:t {detail}")]);
    // And back again.
    assert_eq!(done(roll(stand, RollBackTo::Previous).await), (stood[2].0, 3));
}

/// By version, time or digest.
pub async fn a_tag_goes_back_to_where_it_is_told(stand: &Stand) {
    let stood = stand_at(stand, &["1", "2", "3"]).await;
    assert_eq!(done(roll(stand, RollBackTo::Version(1)).await), (stood[0].0, 1));
    assert_eq!(roll(stand, RollBackTo::Version(1)).await, RollBackOutcome::Unchanged);
    assert_eq!(done(roll(stand, RollBackTo::Time(stood[1].1)).await), (stood[1].0, 2));
    assert_eq!(done(roll(stand, RollBackTo::Digest(stood[0].0)).await), (stood[0].0, 4));
    assert_eq!(stand.history("a", "t").await.len(), 6);
}

/// To where it stood last.
pub async fn a_deleted_tag_comes_back(stand: &Stand) {
    let stood = stand_at(stand, &["1", "2"]).await;
    stand.delete_tag("a", "t", Precondition::None).await;
    assert_eq!(done(roll(stand, RollBackTo::Previous).await), (stood[1].0, 2));
    assert!(stand.history("a", "t").await[3].starts_with("4 create -"));
    // Where it stood before that is where it stood last elsewhere.
    assert_eq!(done(roll(stand, RollBackTo::Previous).await), (stood[0].0, 1));
}

/// What it was not, it does not become; and nothing is changed.
pub async fn a_tag_goes_back_nowhere_where_it_never_stood(stand: &Stand) {
    assert_eq!(roll(stand, RollBackTo::Previous).await, RollBackOutcome::NotFound);
    let other = stand.push("a", "other", &["u"]).await;
    assert_eq!(roll(stand, RollBackTo::Previous).await, RollBackOutcome::NotFound);
    let early = stand.clock.now();
    let stood = stand_at(stand, &["1"]).await;
    let none = |reason| RollBackOutcome::NoPlace(reason);
    assert_eq!(roll(stand, RollBackTo::Previous).await, none(NoPlace::NothingBefore));
    stand.delete_tag("a", "t", Precondition::None).await;
    stand.push("a", "1", &["t"]).await;
    let before = stand.everything().await;
    for (to, reason) in [
        (RollBackTo::Previous, NoPlace::NothingBefore),
        (RollBackTo::Version(0), NoPlace::NoVersion(0)),
        (RollBackTo::Version(4), NoPlace::NoVersion(4)),
        (RollBackTo::Version(2), NoPlace::Deletion(2)),
        (RollBackTo::Time(early), NoPlace::NotThen),
        (RollBackTo::Time(stand.clock.now().after(TICK)), NoPlace::ToCome),
        (RollBackTo::Digest(other), NoPlace::NeverAt(other)),
    ] {
        assert_eq!(roll(stand, to).await, none(reason));
    }
    assert_eq!(roll(stand, RollBackTo::Digest(stood[0].0)).await, RollBackOutcome::Unchanged);
    assert_eq!(stand.everything().await, before);
}

/// Neither a manifest that was deleted, nor an index of which a part was.
pub async fn a_tag_does_not_go_back_to_what_is_not_held(stand: &Stand) {
    let child = stand.push("a", "child", &[]).await;
    let whole = commit("a", &index(&[child]), &["t"]);
    let at_index = whole.digest;
    assert_eq!(stand.commit(whole).await, CommitOutcome::Committed);
    let stood = stand_at(stand, &["1", "2"]).await;
    stand.delete("a", stood[0].0, Precondition::None).await;
    stand.delete("a", child, Precondition::None).await;
    let before = stand.everything().await;
    assert_eq!(roll(stand, RollBackTo::Previous).await, RollBackOutcome::Gone(stood[0].0));
    assert_eq!(roll(stand, RollBackTo::Digest(at_index)).await, RollBackOutcome::Gone(child));
    assert_eq!(stand.everything().await, before);
    stand.push("a", "child", &[]).await;
    assert_eq!(done(roll(stand, RollBackTo::Digest(at_index)).await), (at_index, 1));
}

/// Who decided by another state is told which it is now.
pub async fn a_tag_goes_back_from_the_state_that_was_expected(stand: &Stand) {
    let stood = stand_at(stand, &["1", "2"]).await;
    let known = |version, at| Some(KnownTag { version, at });
    for expected in [known(1, None), known(3, None), known(2, Some(stood[0].1))] {
        let asked = RollBackTag { expected, ..back(RollBackTo::Previous) };
        let outcome = stand.metadata.roll_back_tag(asked).await.unwrap();
        assert_eq!(outcome, RollBackOutcome::Stale(2));
    }
    let expected = known(2, Some(stood[1].1));
    let asked = RollBackTag { expected, ..back(RollBackTo::Previous) };
    assert_eq!(done(stand.metadata.roll_back_tag(asked).await.unwrap()), (stood[0].0, 1));
}

/// Also where the reply was lost: what went back is not taken forth again.
pub async fn a_tag_goes_back_once_under_a_key(stand: &Stand) {
    let stood = stand_at(stand, &["1", "2"]).await;
    let once = |fingerprint| Some(Once { key: "key".into(), fingerprint: [fingerprint; 32] });
    let ask = |fingerprint| {
        let asked = RollBackTag { once: once(fingerprint), ..back(RollBackTo::Previous) };
        stand.metadata.roll_back_tag(asked)
    };
    let stale = RollBackTag {
        once: once(1),
        expected: Some(KnownTag { version: 9, at: None }),
        ..back(RollBackTo::Previous)
    };
    // What was not done may be asked for again.
    let outcome = stand.metadata.roll_back_tag(stale).await.unwrap();
    assert_eq!(outcome, RollBackOutcome::Stale(2));
    assert_eq!(done(ask(1).await.unwrap()), (stood[0].0, 1));
    assert_eq!(ask(1).await.unwrap(), RollBackOutcome::Again);
    assert_eq!(ask(2).await.unwrap(), RollBackOutcome::KeyReused);
    assert_eq!(stand.tag("a", "t").await, Some(stood[0].0));
}

/// What was before the first known change is told as forgotten, but for where that led from.
pub async fn a_tag_goes_back_as_far_as_its_history_is_kept(stand: &Stand) {
    let stood = stand_at(stand, &["1", "2", "3"]).await;
    stand.rows("DELETE FROM tag_history WHERE version < 3", &[]).await;
    let forgotten = RollBackOutcome::Forgotten(stood[2].1);
    assert_eq!(roll(stand, RollBackTo::Version(1)).await, forgotten);
    assert_eq!(roll(stand, RollBackTo::Time(stood[0].1)).await, forgotten);
    assert_eq!(done(roll(stand, RollBackTo::Previous).await), (stood[1].0, 2));
}

/// The memberships that it needs are those of a push.
pub async fn what_a_tag_went_back_to_is_pulled_whole(stand: &Stand) {
    let one = commit("a", &image(&[blob("config"), blob("layer")]), &["t"]);
    for text in ["config", "layer"] {
        stand.hold("a", blob(text)).await;
    }
    let digest = one.digest;
    assert_eq!(stand.commit(one).await, CommitOutcome::Committed);
    stand.push("a", "two", &["t"]).await;
    assert_eq!(done(roll(stand, RollBackTo::Previous).await), (digest, 1));
    for text in ["config", "layer"] {
        assert!(stand.held("a", blob(text)).await.is_some());
    }
}

/// By a policy, of which the refusal tells; what it does not cover goes back as before, and so does all once it is lifted.
pub async fn a_frozen_tag_goes_back_nowhere(stand: &Stand) {
    organization(stand).await;
    for text in ["one", "two"] {
        stand.clock.advance(TICK);
        stand.push("team/app", text, &["v1", "v1-rc1", "edge"]).await;
    }
    freeze(stand, "team", releases(Duration::ZERO)).await;
    let since = stand.clock.now();
    stand.clock.advance(TICK);
    let before = stand.everything().await;
    let roll = async |tag: &str, to| {
        let (repository, tag) = (name("team/app"), tag.parse().unwrap());
        let back = RollBackTag { repository, tag, ..back(to) };
        stand.metadata.roll_back_tag(back).await.unwrap()
    };
    let frozen = Frozen {
        repository: name("team/app"),
        tag: "v1".parse().unwrap(),
        of: scope("team"),
        policy: releases(Duration::ZERO),
        since,
    };
    for to in [RollBackTo::Previous, RollBackTo::Version(1)] {
        assert_eq!(roll("v1", to).await, RollBackOutcome::Frozen(Box::new(frozen.clone())));
    }
    // To where it stands is no change.
    assert_eq!(roll("v1", RollBackTo::Version(2)).await, RollBackOutcome::Unchanged);
    assert_eq!(stand.everything().await, before);
    for tag in ["v1-rc1", "edge"] {
        assert_eq!(done(roll(tag, RollBackTo::Previous).await).1, 1, "{tag}");
    }
    assert_eq!(remove(stand, "team", "releases").await, Change::Done);
    assert_eq!(done(roll("v1", RollBackTo::Previous).await).1, 1);
}

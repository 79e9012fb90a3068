//! Rules of the history of tags: listed, and asked where tags stood at a time.

use std::time::Duration;

use wharf_core::clock::{Clock, Timestamp};
use wharf_core::metadata::{AsOf, ListChanges, Precondition, Reason, Stood, TagChange, TagThen};
use wharf_oci::Digest;

use super::samples::name;
use super::stand::{Stand, TICK};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// All changes of a tag of repository `a`, or of all of them, in pages of two.
async fn changes(stand: &Stand, tag: Option<&str>) -> Vec<TagChange> {
    let mut all: Vec<TagChange> = Vec::new();
    loop {
        let query = ListChanges {
            repository: name("a"),
            tag: tag.map(|tag| tag.parse().unwrap()),
            from: None,
            before: None,
            after: all.last().map(TagChange::place),
            limit: 2,
        };
        let page = stand.metadata.list_changes(query).await.unwrap().unwrap();
        let is_last = page.len() < 2;
        all.extend(page);
        if is_last {
            return all;
        }
    }
}

fn told(changes: &[TagChange]) -> Vec<String> {
    let reason = |reason: &Reason| match reason.detail() {
        Some(detail) => format!("{} {detail}", reason.kind()),
        None => reason.kind().to_owned(),
    };
    let change = |change: &TagChange| {
        let why = change.reason.as_ref().map_or("-".to_owned(), reason);
        format!("{} {} {} {why}", change.tag, change.version, change.by)
    };
    changes.iter().map(change).collect()
}

pub(super) async fn stood(stand: &Stand, tag: &str, at: Timestamp) -> Stood {
    match stand.metadata.tag_as_of(name("a"), tag.parse().unwrap(), at).await.unwrap() {
        AsOf::Known(stood) => stood,
        other => panic!("{other:?}"),
    }
}

/// Where a tag stood, if it did, and whether that is held.
async fn stood_at(stand: &Stand, tag: &str, at: Timestamp) -> Option<(Digest, i64, bool)> {
    match stood(stand, tag, at).await {
        Stood::At(then) => Some((then.digest, then.version, then.is_held)),
        Stood::Nowhere => None,
        Stood::Forgotten(since) => panic!("forgotten before {since}"),
    }
}

async fn there(stand: &Stand, at: Timestamp) -> Vec<TagThen> {
    let mut all: Vec<TagThen> = Vec::new();
    loop {
        let after = all.last().map(|tag| tag.name.to_string());
        let page = match stand.metadata.tags_as_of(name("a"), at, after, 2).await.unwrap() {
            AsOf::Known(page) => page,
            other => panic!("{other:?}"),
        };
        let is_last = page.len() < 2;
        all.extend(page);
        if is_last {
            return all;
        }
    }
}

/// Of a tag by its versions, of a repository by their times; each with who and why.
pub async fn changes_are_listed_with_their_reasons_the_newest_first(stand: &Stand) {
    let one = stand.push("a", "one", &["t"]).await;
    stand.clock.advance(TICK);
    let two = stand.push("a", "two", &["t", "u"]).await;
    stand.push("b", "two", &["t"]).await;
    stand.clock.advance(TICK);
    stand.delete_tag("a", "u", Precondition::None).await;
    stand.clock.advance(TICK);
    stand.delete("a", two, Precondition::None).await;
    let of_t = changes(stand, Some("t")).await;
    assert_eq!(told(&of_t), ["t 3 bob manifest-deleted", "t 2 alice pushed", "t 1 alice pushed"]);
    let moves: Vec<_> = of_t.iter().map(|change| (change.from, change.to)).collect();
    assert_eq!(moves, [(Some(two), None), (Some(one), Some(two)), (None, Some(one))]);
    let expected = [
        "t 3 bob manifest-deleted",
        "u 2 bob deleted",
        "u 1 alice pushed",
        "t 2 alice pushed",
        "t 1 alice pushed",
    ];
    assert_eq!(told(&changes(stand, None).await), expected);
    assert!(changes(stand, Some("never")).await.is_empty());
}

/// From a moment on, and before another one.
pub async fn changes_are_listed_within_a_time(stand: &Stand) {
    let mut times = Vec::new();
    for text in ["1", "2", "3"] {
        times.push(stand.clock.now());
        stand.push("a", text, &["t", text]).await;
        stand.clock.advance(TICK);
    }
    for tag in [None, Some("t".parse().unwrap())] {
        let query = ListChanges {
            repository: name("a"),
            tag: tag.clone(),
            from: Some(times[1]),
            before: Some(times[2]),
            after: None,
            limit: 10,
        };
        let found = stand.metadata.list_changes(query).await.unwrap().unwrap();
        assert!(found.iter().all(|change| change.at == times[1]));
        assert_eq!(found.len(), if tag.is_some() { 1 } else { 2 });
    }
    let nowhere = ListChanges {
        repository: name("b"),
        tag: None,
        from: None,
        before: None,
        after: None,
        limit: 1,
    };
    assert_eq!(stand.metadata.list_changes(nowhere).await.unwrap(), None);
}

/// A change of a release that recorded no reason has none.
pub async fn a_change_without_a_reason_is_told_without_one(stand: &Stand) {
    stand.push("a", "one", &["t"]).await;
    stand.rows("UPDATE tag_history SET reason = NULL", &[]).await;
    assert_eq!(told(&changes(stand, Some("t")).await), ["t 1 alice -"]);
    assert!(stand.is_refused("UPDATE tag_history SET reason = 'whim'").await);
}

/// After each change of a moment; over deletions; and it is told what is not held any more.
pub async fn a_tag_stood_where_its_last_change_until_then_led(stand: &Stand) {
    let before = stand.clock.now();
    stand.clock.advance(TICK);
    let first = stand.clock.now();
    let one = stand.push("a", "one", &["t"]).await;
    stand.clock.advance(DAY);
    let second = stand.clock.now();
    let two = stand.push("a", "two", &["t"]).await;
    stand.clock.advance(DAY);
    let third = stand.clock.now();
    stand.delete_tag("a", "t", Precondition::None).await;
    assert_eq!(stood_at(stand, "t", before).await, None);
    assert_eq!(stood_at(stand, "t", first).await, Some((one, 1, true)));
    assert_eq!(stood_at(stand, "t", Timestamp(second.0 - 1)).await, Some((one, 1, true)));
    assert_eq!(stood_at(stand, "t", second).await, Some((two, 2, true)));
    assert_eq!(stood_at(stand, "t", third).await, None);
    assert_eq!(stood_at(stand, "never", third).await, None);
    stand.delete("a", one, Precondition::None).await;
    assert_eq!(stood_at(stand, "t", first).await, Some((one, 1, false)));
}

/// By the database's clock.
pub async fn nobody_knows_a_time_to_come(stand: &Stand) {
    stand.push("a", "one", &["t"]).await;
    let now = stand.clock.now();
    let next = now.after(TICK);
    let tag = || "t".parse().unwrap();
    assert_eq!(stand.metadata.tag_as_of(name("a"), tag(), next).await.unwrap(), AsOf::ToCome(now));
    let listed = stand.metadata.tags_as_of(name("a"), next, None, 9).await.unwrap();
    assert_eq!(listed, AsOf::ToCome(now));
    let elsewhere = stand.metadata.tag_as_of(name("b"), tag(), now).await.unwrap();
    assert_eq!(elsewhere, AsOf::NoRepository);
    let listed = stand.metadata.tags_as_of(name("b"), now, None, 9).await.unwrap();
    assert_eq!(listed, AsOf::NoRepository);
}

/// Neither those that came later, nor those that were deleted by then.
pub async fn the_tags_of_a_time_are_those_that_there_were(stand: &Stand) {
    let one = stand.push("a", "one", &["gone", "kept", "moved"]).await;
    stand.clock.advance(TICK);
    stand.delete_tag("a", "gone", Precondition::None).await;
    stand.clock.advance(TICK);
    let then = stand.clock.now();
    stand.clock.advance(TICK);
    stand.push("a", "two", &["gone", "later", "moved"]).await;
    stand.push("a", "three", &["moved"]).await;
    let found = there(stand, then).await;
    let names: Vec<_> = found.iter().map(|tag| tag.name.to_string()).collect();
    assert_eq!(names, ["kept", "moved"]);
    for tag in &found {
        assert!(matches!(&tag.stood, Stood::At(then) if then.digest == one && then.version == 1));
        assert_eq!(tag.stood, stood(stand, tag.name.as_str(), then).await);
    }
    assert_eq!(there(stand, stand.clock.now()).await.len(), 4);
}

/// It is told from when on it is known. Within the age that is kept, all of it is.
pub async fn what_is_forgotten_is_told_as_forgotten(stand: &Stand) {
    let first = stand.clock.now();
    stand.push("a", "1", &["t", "still"]).await;
    stand.clock.advance(DAY);
    let second = stand.clock.now();
    let two = stand.push("a", "2", &["t"]).await;
    stand.clock.advance(DAY * 2);
    let third = stand.clock.now();
    let three = stand.push("a", "3", &["t"]).await;
    let walk = stand.events.expire_tag_history(None, DAY, 100).await.unwrap();
    assert_eq!(walk.forgotten, 1);
    assert_eq!(stood(stand, "t", first).await, Stood::Forgotten(second));
    let a_day_ago = third.before(DAY);
    assert_eq!(stood_at(stand, "t", a_day_ago).await, Some((two, 2, true)));
    assert_eq!(stood_at(stand, "t", third).await, Some((three, 3, true)));
    let told: Vec<_> = there(stand, first)
        .await
        .into_iter()
        .map(|tag| (tag.name.to_string(), tag.stood == Stood::Forgotten(second)))
        .collect();
    assert_eq!(told, [("still".to_owned(), false), ("t".to_owned(), true)]);
}

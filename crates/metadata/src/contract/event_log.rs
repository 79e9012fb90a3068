//! Rules of the log of events: nobody who reads on from where it stood misses one or gets one twice.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};
use wharf_core::metadata::{
    Change, HistoryPlace, KeepEvents, LoggedEvent, Position, Precondition, Quota, SetWrites,
};
use wharf_core::writes::{WriteMode, WriteScope};

use super::immutability::{freeze, organization, releases, remove};
use super::samples::{blob, commit, image};
use super::stand::{Stand, TICK};
use super::usage::{limit, limit_repository};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Reads on behind `after`, `limit` at a time, until `count` events are there: an engine may hold back what was
/// committed while something older is under way.
pub async fn read(stand: &Stand, after: Position, count: usize, limit: usize) -> Vec<LoggedEvent> {
    let (begin, mut all): (_, Vec<LoggedEvent>) = (Instant::now(), Vec::new());
    while all.len() < count {
        assert!(begin.elapsed() < Duration::from_secs(60), "{} of {count}", all.len());
        let at = all.last().map_or(after, |event| event.position);
        let page = stand.events.read_events(at, limit).await.unwrap();
        assert!(page.len() <= limit);
        if page.is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        all.extend(page);
    }
    assert_eq!(all.len(), count);
    assert!(all.is_sorted_by(|one, next| one.position < next.position));
    all
}

/// All events that there are, once they can be read: those of transactions that began before may be waited for.
pub(super) async fn all(stand: &Stand) -> Vec<LoggedEvent> {
    let count = stand.rows("SELECT count(*) FROM events", &[]).await;
    read(stand, Position::default(), count[0].parse().unwrap(), 100).await
}

/// What each is and what it is about.
fn told(events: &[LoggedEvent]) -> Vec<String> {
    let tell = |event: &LoggedEvent| {
        let payload: serde_json::Value = serde_json::from_str(&event.payload).unwrap();
        let about = payload.get("tag").or(payload.get("digest")).unwrap().as_str().unwrap();
        format!("{} {} {about}", event.scope, event.kind)
    };
    events.iter().map(tell).collect()
}

/// With all that they say.
pub async fn events_are_read_in_the_order_of_commits(stand: &Stand) {
    let one = stand.push("a", "one", &["t"]).await;
    stand.clock.advance(TICK);
    stand.push("b", "one", &["u"]).await;
    stand.delete_tag("a", "t", Precondition::None).await;
    let events = read(stand, Position::default(), 5, 100).await;
    let expected = [
        format!("repository:a manifest.pushed {one}"),
        "repository:a tag.created t".into(),
        format!("repository:b manifest.pushed {one}"),
        "repository:b tag.created u".into(),
        "repository:a tag.deleted t".into(),
    ];
    assert_eq!(told(&events), expected);
    assert_eq!(events[1].created_at.after(TICK), events[2].created_at);
    assert_eq!(read(stand, Position::default(), 5, 2).await, events);
    assert_eq!(read(stand, events[2].position, 2, 100).await, events[3..]);
    assert!(stand.events.read_events(events[4].position, 100).await.unwrap().is_empty());
}

/// In the one order of all, and read on from each like from any other.
pub async fn events_are_of_a_repository_of_a_namespace_or_of_all(stand: &Stand) {
    organization(stand).await;
    stand.push("team/app", "one", &[]).await;
    freeze(stand, "team", releases(DAY)).await;
    freeze(stand, "team/app", releases(DAY)).await;
    assert_eq!(remove(stand, "team", "releases").await, Change::Done);
    let quota = Quota { bytes: Some(1000), manifests: None, tags: Some(7) };
    assert_eq!(limit(stand, "team", quota).await, Change::Done);
    assert_eq!(limit_repository(stand, "team/app", quota).await, Change::Done);
    let set = async |mode| {
        let change = SetWrites { scope: WriteScope::All, mode, reason: None };
        assert_eq!(stand.change(change).await, Change::Done);
    };
    set(WriteMode::Draining).await;
    assert_eq!(stand.writes.end_drains().await.unwrap(), 1);
    set(WriteMode::Writable).await;
    let events = read(stand, Position::default(), 9, 100).await;
    let said: Vec<_> = events.iter().map(|it| format!("{} {}", it.scope, it.kind)).collect();
    let expected = [
        "repository:team/app manifest.pushed",
        "namespace:team immutability.created",
        "repository:team/app immutability.created",
        "namespace:team immutability.deleted",
        "namespace:team quota.set",
        "repository:team/app quota.set",
        "registry registry.draining",
        "registry registry.read_only",
        "registry registry.writable",
    ];
    assert_eq!(said, expected);
    let payload: serde_json::Value = serde_json::from_str(&events[4].payload).unwrap();
    let quota =
        serde_json::json!({ "bytes": 1000, "manifests": null, "tags": 7, "by": "user:ada" });
    assert_eq!(payload, quota);
    let payload: serde_json::Value = serde_json::from_str(&events[7].payload).unwrap();
    assert_eq!(payload, serde_json::json!({ "reason": null, "by": "system" }));
    assert_eq!(read(stand, Position::default(), 9, 2).await, events);
    for (place, event) in events.iter().enumerate().take(8) {
        assert_eq!(read(stand, event.position, 8 - place, 100).await, events[place + 1..]);
        assert!(stand.events.advance_reader("hooks".into(), event.position).await.unwrap());
    }
}

/// Whatever the others do.
pub async fn each_reader_goes_on_where_it_stood(stand: &Stand) {
    for text in ["1", "2", "3"] {
        stand.push("a", text, &[]).await;
    }
    let events = read(stand, Position::default(), 3, 10).await;
    let standing = |name: &str| stand.events.reader_position(name.to_owned());
    let advance = |name: &str, to| stand.events.advance_reader(name.to_owned(), to);
    assert_eq!(standing("hooks").await.unwrap(), Position::default());
    assert!(advance("hooks", events[0].position).await.unwrap());
    assert!(advance("search", events[2].position).await.unwrap());
    assert_eq!(standing("hooks").await.unwrap(), events[0].position);
    assert_eq!(standing("search").await.unwrap(), events[2].position);
    let next = stand.events.read_events(standing("hooks").await.unwrap(), 1).await.unwrap();
    assert_eq!(next, events[1..2]);
}

/// As one that wakes late, when another of its name has gone on.
pub async fn a_reader_never_goes_back(stand: &Stand) {
    for text in ["1", "2"] {
        stand.push("a", text, &[]).await;
    }
    let events = read(stand, Position::default(), 2, 10).await;
    let advance = |event: &LoggedEvent| stand.events.advance_reader("r".into(), event.position);
    assert!(advance(&events[1]).await.unwrap());
    assert!(!advance(&events[0]).await.unwrap());
    assert!(advance(&events[1]).await.unwrap());
    let stands = stand.events.reader_position("r".into()).await.unwrap();
    assert_eq!(stands, events[1].position);
}

/// For who needs no past.
pub async fn behind_the_newest_position_is_what_comes_later(stand: &Stand) {
    let begin = stand.events.newest_position().await.unwrap();
    stand.push("a", "1", &["t"]).await;
    read(stand, begin, 2, 10).await;
    let newest = stand.events.newest_position().await.unwrap();
    assert!(stand.events.read_events(newest, 10).await.unwrap().is_empty());
    stand.push("a", "2", &["t"]).await;
    let events = read(stand, newest, 2, 10).await;
    assert_eq!(told(&events)[1], "repository:a tag.moved t");
}

/// Readers of all events, in several places, while many write.
pub async fn readers_miss_nothing_while_many_write(stand: &Stand) {
    const WRITERS: usize = 16;
    const EACH: usize = 3;
    let mut commits = Vec::new();
    for writer in 0..WRITERS {
        let own = blob(&writer.to_string());
        stand.hold("a", own).await;
        commits.push((0..EACH).map(move |number| {
            let mut image = image(&[own]);
            image["annotations"] = serde_json::json!({ "number": number.to_string() });
            commit("a", &image, &["shared", &format!("own-{writer}")])
        }));
    }
    let writers = commits.into_iter().map(|commits| {
        let metadata = stand.metadata.clone();
        tokio::spawn(async move {
            for commit in commits {
                metadata.commit_manifest(commit).await.unwrap();
            }
        })
    });
    let writers = join_all(writers);
    let expected = WRITERS * EACH * 3;
    let readers =
        join_all([1, 7, 100].map(|limit| read(stand, Position::default(), expected, limit)));
    let (writers, read) = tokio::join!(writers, readers);
    assert!(writers.iter().all(Result::is_ok));
    assert!(read.iter().all(|events| *events == read[0]));
    let mut version = 0;
    for event in read[0].iter().filter(|event| event.payload.contains("\"shared\"")) {
        let payload: serde_json::Value = serde_json::from_str(&event.payload).unwrap();
        version += 1;
        assert_eq!(payload["version"], version);
    }
    assert_eq!(version as usize, WRITERS * EACH);
}

/// Neither young ones, nor, until they are very old, those that a reader has not passed.
pub async fn events_that_may_be_needed_are_kept(stand: &Stand) {
    let keep = KeepEvents { at_least: DAY, at_most: DAY * 10 };
    stand.push("a", "1", &["t"]).await;
    let events = read(stand, Position::default(), 2, 10).await;
    stand.clock.advance(DAY - TICK);
    assert_eq!(stand.events.expire_events(keep, 100).await.unwrap(), 0);
    stand.events.advance_reader("slow".into(), Position::default()).await.unwrap();
    stand.clock.advance(DAY * 9);
    assert_eq!(stand.events.expire_events(keep, 100).await.unwrap(), 0);
    assert_eq!(stand.events.read_events(Position::default(), 10).await.unwrap(), events);
    stand.events.make_room().await.unwrap();
    assert_eq!(stand.events.read_events(Position::default(), 10).await.unwrap(), events);
}

/// A walk in small steps comes by all of them; the last change of each tag stays, and with it the versions.
pub async fn old_changes_of_tags_are_forgotten_but_for_the_last(stand: &Stand) {
    for text in ["1", "2", "3"] {
        stand.push("a", text, &["t", "u"]).await;
    }
    stand.push("b", "1", &["t"]).await;
    stand.delete_tag("a", "u", Precondition::None).await;
    stand.clock.advance(DAY);
    let two = stand.push("a", "2", &["t"]).await;
    for limit in [2, 3, 100] {
        let mut next: Option<HistoryPlace> = None;
        let mut forgotten = 0;
        loop {
            let walk = stand.events.expire_tag_history(next, DAY, limit).await.unwrap();
            forgotten += walk.forgotten;
            next = walk.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(forgotten, if limit == 2 { 5 } else { 0 });
    }
    // The one before the last says where the tag stood until a moment ago.
    let history = stand.history("a", "t").await;
    assert_eq!(history.len(), 2);
    assert_eq!(history[1], format!("4 move {} {two}", three(stand).await));
    assert_eq!(stand.history("a", "u").await.len(), 1);
    assert_eq!(stand.history("b", "t").await.len(), 1);
    stand.push("a", "1", &["u"]).await;
    assert!(stand.history("a", "u").await[1].starts_with("5 create -"));
}

/// The manifest that the third push made.
async fn three(stand: &Stand) -> wharf_oci::Digest {
    stand.push("a", "3", &[]).await
}

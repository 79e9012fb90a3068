//! Rules of pins.

use std::time::Duration;

use wharf_core::clock::{Clock, Timestamp};
use wharf_core::metadata::{
    CommitOutcome, DeleteOutcome, KeptBy, MOST_PINS, NoPin, Pin, PinManifest, PinOutcome,
    PinTarget, Precondition, UnpinManifest,
};
use wharf_oci::{Digest, Reference};

use super::samples::{blob, commit, index, name};
use super::stand::{Stand, TICK};

const HOUR: Duration = Duration::from_secs(3600);

/// A pin in repository `a`.
pub(crate) fn pin(text: &str, target: PinTarget, until: Option<Timestamp>) -> PinManifest {
    PinManifest {
        repository: name("a"),
        name: text.parse().unwrap(),
        target,
        until,
        by: "carol".into(),
    }
}

async fn put(stand: &Stand, text: &str, target: PinTarget, until: Option<Timestamp>) -> PinOutcome {
    stand.metadata.pin_manifest(pin(text, target, until)).await.unwrap()
}

pub(super) async fn unpin(stand: &Stand, text: &str) -> bool {
    let name_of = text.parse().unwrap();
    let unpin = UnpinManifest { repository: name("a"), name: name_of, by: "carol".into() };
    stand.metadata.unpin_manifest(unpin).await.unwrap()
}

fn pinned(outcome: PinOutcome) -> (Pin, bool) {
    match outcome {
        PinOutcome::Pinned { pin, is_new } => (pin, is_new),
        other => panic!("{other:?}"),
    }
}

async fn listed(stand: &Stand) -> Vec<String> {
    let pins = stand.metadata.list_pins(name("a"), None, 100).await.unwrap().unwrap();
    pins.iter().map(|pin| pin.name.to_string()).collect()
}

fn kept(pin: &str, digest: Digest) -> DeleteOutcome {
    DeleteOutcome::Pinned(KeptBy { pin: pin.parse().unwrap(), digest })
}

/// Whatever tags do, and until the pin is taken away; with events and in the audit log.
pub async fn a_pin_keeps_its_manifest(stand: &Stand) {
    let one = stand.push("a", "one", &["t"]).await;
    let (made, is_new) = pinned(put(stand, "keep", PinTarget::Digest(one), None).await);
    assert!(is_new);
    assert_eq!((made.digest, made.created_by.as_str(), made.expires_at), (one, "carol", None));
    assert_eq!(made.created_at, stand.clock.now());
    stand.push("a", "two", &["t"]).await;
    let before = stand.everything().await;
    assert_eq!(stand.delete("a", one, Precondition::None).await, kept("keep", one));
    assert_eq!(stand.everything().await, before);
    assert!(unpin(stand, "keep").await);
    assert!(!unpin(stand, "keep").await);
    assert_eq!(stand.delete("a", one, Precondition::None).await, DeleteOutcome::Deleted);
    let kinds = "SELECT kind FROM events WHERE kind LIKE 'manifest.%pinned' ORDER BY id";
    assert_eq!(stand.rows(kinds, &[]).await, ["manifest.pinned", "manifest.unpinned"]);
    let audit =
        "SELECT by, action, target, detail FROM audit_log WHERE action LIKE '%pin' ORDER BY id";
    let expected = ["manifest.pin", "manifest.unpin"]
        .map(|action| format!("carol {action} repository:a@{one} pin=keep"));
    assert_eq!(stand.rows(audit, &[]).await, expected);
}

/// And what a tag stood at, found in the same transaction.
pub async fn a_pin_is_put_on_where_a_tag_stands_or_stood(stand: &Stand) {
    let one = stand.push("a", "one", &["t"]).await;
    let then = stand.clock.now();
    stand.clock.advance(TICK);
    let two = stand.push("a", "two", &["t"]).await;
    let tag = |at| PinTarget::Tag("t".parse().unwrap(), at);
    assert_eq!(pinned(put(stand, "now", tag(None), None).await).0.digest, two);
    assert_eq!(pinned(put(stand, "then", tag(Some(then)), None).await).0.digest, one);
    let early = tag(Some(Timestamp(then.0 - 1)));
    let missing = PinOutcome::NotFound(Reference::Tag("t".parse().unwrap()));
    assert_eq!(put(stand, "early", early, None).await, missing);
    let later = tag(Some(stand.clock.now().after(HOUR)));
    assert_eq!(put(stand, "later", later, None).await, PinOutcome::Refused(NoPin::ToCome));
    let elsewhere = PinTarget::Tag("u".parse().unwrap(), None);
    let missing = PinOutcome::NotFound(Reference::Tag("u".parse().unwrap()));
    assert_eq!(put(stand, "elsewhere", elsewhere, None).await, missing);
    assert_eq!(listed(stand).await, ["now", "then"]);
}

/// Each child of a pinned index; not what needs it.
pub async fn a_pin_keeps_all_that_its_manifest_needs(stand: &Stand) {
    let child = stand.push("a", "child", &[]).await;
    let (inner, mut outer) = (commit("a", &index(&[child]), &[]), Digest::clone(&child));
    let inner_digest = inner.digest;
    assert_eq!(stand.commit(inner).await, CommitOutcome::Committed);
    for digest in [inner_digest, child] {
        let push = commit("a", &index(&[digest]), &[]);
        outer = push.digest;
        assert_eq!(stand.commit(push).await, CommitOutcome::Committed);
        if digest == inner_digest {
            pinned(put(stand, "deep", PinTarget::Digest(outer), None).await);
        }
    }
    for digest in [child, inner_digest] {
        assert!(matches!(
            stand.delete("a", digest, Precondition::None).await,
            DeleteOutcome::Pinned(_)
        ));
    }
    // The last one that was pushed needs what is kept, and is needed by nothing.
    let _ = outer;
    assert!(unpin(stand, "deep").await);
    assert_eq!(stand.delete("a", child, Precondition::None).await, DeleteOutcome::Deleted);
}

/// In other repositories the same manifest is as free as before.
pub async fn a_pin_keeps_nothing_elsewhere(stand: &Stand) {
    let one = stand.push("a", "one", &["t"]).await;
    stand.push("b", "one", &["t"]).await;
    pinned(put(stand, "keep", PinTarget::Digest(one), None).await);
    assert_eq!(stand.delete("b", one, Precondition::None).await, DeleteOutcome::Deleted);
    let missing = blob("nothing");
    let outcome = put(stand, "none", PinTarget::Digest(missing), None).await;
    assert_eq!(outcome, PinOutcome::NotFound(Reference::Digest(missing)));
    let nowhere = PinManifest { repository: name("c"), ..pin("x", PinTarget::Digest(one), None) };
    let outcome = stand.metadata.pin_manifest(nowhere).await.unwrap();
    assert_eq!(outcome, PinOutcome::NotFound(Reference::Digest(one)));
    assert_eq!(stand.metadata.list_pins(name("c"), None, 1).await.unwrap(), None);
}

/// By the database's clock; the manifest is as free then as if it had never been pinned.
pub async fn a_pin_ends_with_its_time(stand: &Stand) {
    let one = stand.push("a", "one", &["t"]).await;
    let until = stand.clock.now().after(HOUR);
    let past = put(stand, "past", PinTarget::Digest(one), Some(stand.clock.now())).await;
    assert_eq!(past, PinOutcome::Refused(NoPin::Past));
    pinned(put(stand, "hour", PinTarget::Digest(one), Some(until)).await);
    stand.clock.advance(HOUR - TICK);
    assert_eq!(stand.delete("a", one, Precondition::None).await, kept("hour", one));
    assert_eq!(listed(stand).await, ["hour"]);
    stand.clock.advance(TICK);
    assert!(listed(stand).await.is_empty());
    assert_eq!(stand.delete("a", one, Precondition::None).await, DeleteOutcome::Deleted);
    assert!(!unpin(stand, "hour").await);
}

/// A pin that is put again lasts longer or as long, never shorter, and stays on its manifest.
pub async fn a_pin_that_is_put_again_only_lasts_longer(stand: &Stand) {
    let one = stand.push("a", "one", &["t"]).await;
    let two = stand.push("a", "two", &["t"]).await;
    let at = |hours: u32| Some(stand.clock.now().after(HOUR * hours));
    let on = |digest, until| put(stand, "p", PinTarget::Digest(digest), until);
    assert!(pinned(on(one, at(2)).await).1);
    assert_eq!(on(two, at(2)).await, PinOutcome::Refused(NoPin::Taken(one)));
    assert_eq!(on(one, at(1)).await, PinOutcome::Refused(NoPin::LastsLonger));
    assert_eq!(pinned(on(one, at(2)).await), pinned(on(one, at(2)).await));
    let (longer, is_new) = pinned(on(one, at(3)).await);
    assert_eq!((longer.expires_at, is_new), (at(3), false));
    assert_eq!(pinned(on(one, None).await).0.expires_at, None);
    assert_eq!(on(one, at(9)).await, PinOutcome::Refused(NoPin::LastsLonger));
    let changes = "SELECT count(*) FROM audit_log WHERE action = 'manifest.pin'";
    assert_eq!(stand.rows(changes, &[]).await, ["3"]);
}

/// Those that have expired do not count.
pub async fn a_repository_has_a_bounded_number_of_pins(stand: &Stand) {
    let one = stand.push("a", "one", &["t"]).await;
    let until = stand.clock.now().after(HOUR);
    let all_but_one = format!(
        "WITH RECURSIVE numbers (number) AS
             (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {})
         INSERT INTO pins (repository_id, name, digest, created_by, created_at, expires_at)
         SELECT h.repository_id, 'p' || number, h.digest, 'carol', 1, {}
         FROM numbers CROSS JOIN repository_manifests h",
        MOST_PINS - 1,
        until.0
    );
    stand.rows(&all_but_one, &[]).await;
    pinned(put(stand, "last", PinTarget::Digest(one), Some(until)).await);
    let more = put(stand, "more", PinTarget::Digest(one), None).await;
    assert_eq!(more, PinOutcome::Refused(NoPin::Full));
    pinned(put(stand, "p7", PinTarget::Digest(one), None).await);
    stand.clock.advance(HOUR);
    pinned(put(stand, "more", PinTarget::Digest(one), None).await);
    assert_eq!(listed(stand).await, ["more", "p7"]);
}

/// Behind a name, in the order of bytes.
pub async fn pins_are_listed_a_page_at_a_time(stand: &Stand) {
    let one = stand.push("a", "one", &["t"]).await;
    for text in ["b", "A", "c"] {
        pinned(put(stand, text, PinTarget::Digest(one), None).await);
    }
    let page = async |after: Option<&str>| -> Vec<String> {
        let after = after.map(str::to_owned);
        let pins = stand.metadata.list_pins(name("a"), after, 2).await.unwrap().unwrap();
        pins.iter().map(|pin| pin.name.to_string()).collect()
    };
    assert_eq!(page(None).await, ["A", "b"]);
    assert_eq!(page(Some("b")).await, ["c"]);
}

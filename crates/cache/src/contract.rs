//! The contract suite: what every cache does, one rule a function.
//!
//! A cache may forget anything at any time, so a rule that needs a value to be there puts few of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken rule ends in a panic")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use wharf_core::cache::{Cache, Key, Kind, Lookup, Ticket};
use wharf_oci::{Algorithm, Hasher, RepositoryName};

/// Long past the end of any test.
const LONG: Duration = Duration::from_secs(3600);

/// Makes a test of each rule. `$make` is a function without arguments that gives a new, empty cache. The
/// crate that uses it needs tokio with `macros`, `rt` and `time`.
#[macro_export]
macro_rules! cache_contract {
    ($make:path) => {
        $crate::cache_contract! { $make:
            what_was_put_is_found
            nothing_is_found_that_was_not_put
            keys_are_told_apart
            a_later_value_replaces_an_earlier_one
            what_is_invalidated_is_forgotten_and_the_other_kind_stays
            what_is_forgotten_here_is_not_served_unless_others_vouch_for_it
            other_repositories_mostly_stay
            a_ticket_from_before_an_invalidation_is_worthless
            a_ticket_from_after_an_invalidation_is_good
            two_invalidations_do_not_cancel_out
            an_old_ticket_does_not_hide_behind_a_new_value
            a_value_without_life_is_not_served
            an_endless_life_is_no_fault
            empty_values_are_values
            an_absence_is_told_until_its_kind_is_invalidated
            an_absence_does_not_outlive_its_life
            an_absence_read_before_an_invalidation_is_never_told
            an_absence_and_a_value_replace_each_other
            an_absence_is_not_what_was_known_last
            absent_names_drive_no_value_out
        }
    };
    ($make:path: $($rule:ident)*) => { $(
        #[tokio::test]
        async fn $rule() {
            $crate::contract::$rule(&$make()).await;
        }
    )* };
}

fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn tag(repository_name: &str, tag: &str) -> Key {
    Key::Manifest(repository(repository_name), tag.parse().unwrap())
}

fn blob(repository_name: &str) -> Key {
    Key::Blob(repository(repository_name), Hasher::digest(Algorithm::Sha256, b"content"))
}

async fn miss(cache: &dyn Cache, key: Key) -> Ticket {
    match cache.get(key).await {
        Lookup::Miss(ticket) => ticket,
        other => panic!("{other:?} instead of a miss"),
    }
}

async fn hit(cache: &dyn Cache, key: Key) -> Option<Bytes> {
    match cache.get(key).await {
        Lookup::Hit(value) => Some(value),
        Lookup::Absent | Lookup::Miss(_) => None,
    }
}

/// Whether the cache tells that there is nothing.
async fn absent(cache: &dyn Cache, key: Key) -> bool {
    matches!(cache.get(key).await, Lookup::Absent)
}

async fn fill(cache: &dyn Cache, key: Key, value: &'static str) {
    let ticket = miss(cache, key).await;
    cache.put(ticket, Bytes::from_static(value.as_bytes()), LONG).await;
}

/// Put, then got: the same bytes, more than once.
pub async fn what_was_put_is_found(cache: &dyn Cache) {
    fill(cache, tag("a/b", "v1"), "one").await;
    for _ in 0..2 {
        assert_eq!(hit(cache, tag("a/b", "v1")).await.as_deref(), Some(&b"one"[..]));
    }
}

/// The ticket of a miss is for what was asked.
pub async fn nothing_is_found_that_was_not_put(cache: &dyn Cache) {
    let ticket = miss(cache, tag("a/b", "v1")).await;
    assert_eq!(ticket.key, tag("a/b", "v1"));
}

/// Repository, kind, tag and digest all count.
pub async fn keys_are_told_apart(cache: &dyn Cache) {
    let digest = Hasher::digest(Algorithm::Sha256, b"content");
    let keys = [
        tag("a/b", "v1"),
        tag("a/b", "v2"),
        tag("a/c", "v1"),
        Key::Manifest(repository("a/b"), digest.to_string().parse().unwrap()),
        Key::Blob(repository("a/b"), digest),
        Key::Blob(repository("a/b"), Hasher::digest(Algorithm::Sha512, b"content")),
    ];
    let values = ["0", "1", "2", "3", "4", "5"];
    for (key, value) in keys.iter().zip(values) {
        fill(cache, key.clone(), value).await;
    }
    for (key, value) in keys.into_iter().zip(values) {
        assert_eq!(hit(cache, key).await.as_deref(), Some(value.as_bytes()));
    }
}

/// Two who missed together both put; the later value is served.
pub async fn a_later_value_replaces_an_earlier_one(cache: &dyn Cache) {
    let (first, second) =
        (miss(cache, tag("a/b", "v1")).await, miss(cache, tag("a/b", "v1")).await);
    cache.put(first, Bytes::from_static(b"first"), LONG).await;
    cache.put(second, Bytes::from_static(b"second"), LONG).await;
    assert_eq!(hit(cache, tag("a/b", "v1")).await.as_deref(), Some(&b"second"[..]));
}

/// Manifests with all that was put of them, blobs likewise.
pub async fn what_is_invalidated_is_forgotten_and_the_other_kind_stays(cache: &dyn Cache) {
    let keys = [tag("a/b", "v1"), blob("a/b")];
    for changed in &keys {
        for key in &keys {
            if let Lookup::Miss(ticket) = cache.get(key.clone()).await {
                cache.put(ticket, Bytes::from_static(b"value"), LONG).await;
            }
        }
        cache.invalidate(changed.repository(), changed.kind()).await.unwrap();
        for key in &keys {
            let stays = hit(cache, key.clone()).await.is_some();
            assert_eq!(stays, key != changed, "{key:?} after a change of {changed:?}");
        }
    }
}

/// Forgetting harms nothing: what is still served then is what was put.
pub async fn what_is_forgotten_here_is_not_served_unless_others_vouch_for_it(cache: &dyn Cache) {
    fill(cache, tag("a/b", "v1"), "one").await;
    cache.forget(&repository("a/b"), Kind::Manifest);
    let found = hit(cache, tag("a/b", "v1")).await;
    assert!(found.is_none_or(|value| &value[..] == b"one"));
    cache.invalidate(&repository("a/b"), Kind::Manifest).await.unwrap();
    cache.forget(&repository("a/b"), Kind::Manifest);
    miss(cache, tag("a/b", "v1")).await;
}

/// An invalidation may hit a few other repositories, never most of them.
pub async fn other_repositories_mostly_stay(cache: &dyn Cache) {
    for number in 0..10 {
        fill(cache, tag(&format!("other/r{number}"), "v1"), "value").await;
    }
    cache.invalidate(&repository("a/b"), Kind::Manifest).await.unwrap();
    let mut found = 0;
    for number in 0..10 {
        let value = hit(cache, tag(&format!("other/r{number}"), "v1")).await;
        found += usize::from(value.is_some());
    }
    assert!(found > 5, "only {found} of 10 other repositories are still there");
}

/// The race that the tickets are for: what was read before a write must not be served after it.
pub async fn a_ticket_from_before_an_invalidation_is_worthless(cache: &dyn Cache) {
    let ticket = miss(cache, tag("a/b", "v1")).await;
    cache.invalidate(&repository("a/b"), Kind::Manifest).await.unwrap();
    cache.put(ticket, Bytes::from_static(b"stale"), LONG).await;
    miss(cache, tag("a/b", "v1")).await;
}

/// A repository that was written to can be cached again.
pub async fn a_ticket_from_after_an_invalidation_is_good(cache: &dyn Cache) {
    fill(cache, tag("a/b", "v1"), "old").await;
    cache.invalidate(&repository("a/b"), Kind::Manifest).await.unwrap();
    fill(cache, tag("a/b", "v1"), "new").await;
    assert_eq!(hit(cache, tag("a/b", "v1")).await.as_deref(), Some(&b"new"[..]));
}

/// Nor do any number of them.
pub async fn two_invalidations_do_not_cancel_out(cache: &dyn Cache) {
    let ticket = miss(cache, tag("a/b", "v1")).await;
    for _ in 0..2 {
        cache.invalidate(&repository("a/b"), Kind::Manifest).await.unwrap();
    }
    cache.put(ticket, Bytes::from_static(b"stale"), LONG).await;
    miss(cache, tag("a/b", "v1")).await;
}

/// A stale value may drive the fresh one out, but is not served in its place.
pub async fn an_old_ticket_does_not_hide_behind_a_new_value(cache: &dyn Cache) {
    let old = miss(cache, tag("a/b", "v1")).await;
    cache.invalidate(&repository("a/b"), Kind::Manifest).await.unwrap();
    fill(cache, tag("a/b", "v1"), "new").await;
    cache.put(old, Bytes::from_static(b"stale"), LONG).await;
    let found = hit(cache, tag("a/b", "v1")).await;
    assert_ne!(found.as_deref(), Some(&b"stale"[..]));
}

/// A life of zero is over at once.
pub async fn a_value_without_life_is_not_served(cache: &dyn Cache) {
    let ticket = miss(cache, tag("a/b", "v1")).await;
    cache.put(ticket, Bytes::from_static(b"value"), Duration::ZERO).await;
    miss(cache, tag("a/b", "v1")).await;
}

/// The longest life there is does no harm, whether the value is kept or not.
pub async fn an_endless_life_is_no_fault(cache: &dyn Cache) {
    let ticket = miss(cache, tag("a/b", "v1")).await;
    cache.put(ticket, Bytes::from_static(b"value"), Duration::MAX).await;
    let found = hit(cache, tag("a/b", "v1")).await;
    assert!(found.is_none_or(|value| &value[..] == b"value"));
}

/// No bytes are not nothing.
pub async fn empty_values_are_values(cache: &dyn Cache) {
    fill(cache, tag("a/b", "v1"), "").await;
    assert_eq!(hit(cache, tag("a/b", "v1")).await.as_deref(), Some(&b""[..]));
}

/// By whichever name it was asked for; the other kind is another matter.
pub async fn an_absence_is_told_until_its_kind_is_invalidated(cache: &dyn Cache) {
    for (key, other) in [(tag("a/b", "v1"), Kind::Blob), (blob("a/b"), Kind::Manifest)] {
        let ticket = miss(cache, key.clone()).await;
        cache.put_absence(ticket, LONG).await;
        for _ in 0..2 {
            assert!(absent(cache, key.clone()).await);
        }
        cache.invalidate(key.repository(), other).await.unwrap();
        assert!(absent(cache, key.clone()).await);
        cache.invalidate(key.repository(), key.kind()).await.unwrap();
        miss(cache, key).await;
    }
}

/// It may end before.
pub async fn an_absence_does_not_outlive_its_life(cache: &dyn Cache) {
    const LIFE: Duration = Duration::from_millis(200);
    let ticket = miss(cache, tag("a/b", "v1")).await;
    let before = Instant::now();
    cache.put_absence(ticket, LIFE).await;
    let put = Instant::now();
    loop {
        let asked = Instant::now();
        match absent(cache, tag("a/b", "v1")).await {
            true => assert!(asked < put + LIFE, "it is told still"),
            false => break,
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(before.elapsed() < LIFE * 20, "it was told for {:?}", before.elapsed());
    let ticket = miss(cache, tag("a/b", "v1")).await;
    cache.put_absence(ticket, Duration::ZERO).await;
    miss(cache, tag("a/b", "v1")).await;
}

/// The race that the tickets are for, the other way round: what was pushed meanwhile is there.
pub async fn an_absence_read_before_an_invalidation_is_never_told(cache: &dyn Cache) {
    let ticket = miss(cache, tag("a/b", "v1")).await;
    cache.invalidate(&repository("a/b"), Kind::Manifest).await.unwrap();
    cache.put_absence(ticket, LONG).await;
    miss(cache, tag("a/b", "v1")).await;
}

/// Whichever was put later, with the write that changed it in between.
pub async fn an_absence_and_a_value_replace_each_other(cache: &dyn Cache) {
    for _ in 0..2 {
        let ticket = miss(cache, tag("a/b", "v1")).await;
        cache.put_absence(ticket, LONG).await;
        cache.invalidate(&repository("a/b"), Kind::Manifest).await.unwrap();
        fill(cache, tag("a/b", "v1"), "one").await;
        assert_eq!(hit(cache, tag("a/b", "v1")).await.as_deref(), Some(&b"one"[..]));
        cache.invalidate(&repository("a/b"), Kind::Manifest).await.unwrap();
        let ticket = miss(cache, tag("a/b", "v1")).await;
        cache.put_absence(ticket, LONG).await;
        assert!(absent(cache, tag("a/b", "v1")).await);
        cache.invalidate(&repository("a/b"), Kind::Manifest).await.unwrap();
    }
}

/// While the database is away nobody can tell that there is nothing.
pub async fn an_absence_is_not_what_was_known_last(cache: &dyn Cache) {
    let ticket = miss(cache, tag("a/b", "v1")).await;
    cache.put_absence(ticket, LONG).await;
    assert_eq!(cache.last_known(tag("a/b", "v1")).await, None);
}

/// However many a stranger thinks up.
pub async fn absent_names_drive_no_value_out(cache: &dyn Cache) {
    fill(cache, tag("a/b", "v1"), "value").await;
    for number in 0..3000 {
        let key = tag("a/b", &format!("absent-{number}"));
        if let Lookup::Miss(ticket) = cache.get(key).await {
            cache.put_absence(ticket, LONG).await;
        }
    }
    assert_eq!(hit(cache, tag("a/b", "v1")).await.as_deref(), Some(&b"value"[..]));
}

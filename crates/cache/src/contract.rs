//! The contract suite: what every cache does, one rule a function.
//!
//! A cache may forget anything at any time, so a rule that needs a value to be there puts few of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken rule ends in a panic")]

use std::time::Duration;

use bytes::Bytes;
use wharf_core::cache::{Cache, Key, Lookup, Ticket};
use wharf_oci::{Algorithm, Hasher, RepositoryName};

/// Long past the end of any test.
const LONG: Duration = Duration::from_secs(3600);

/// Makes a test of each rule. `$make` is a function without arguments that gives a new, empty cache. The
/// crate that uses it needs tokio with `macros` and `rt`.
#[macro_export]
macro_rules! cache_contract {
    ($make:path) => {
        $crate::cache_contract! { $make:
            what_was_put_is_found
            nothing_is_found_that_was_not_put
            keys_are_told_apart
            a_later_value_replaces_an_earlier_one
            an_invalidated_repository_is_forgotten
            other_repositories_mostly_stay
            a_ticket_from_before_an_invalidation_is_worthless
            a_ticket_from_after_an_invalidation_is_good
            two_invalidations_do_not_cancel_out
            an_old_ticket_does_not_hide_behind_a_new_value
            a_value_without_life_is_not_served
            an_endless_life_is_no_fault
            empty_values_are_values
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

async fn miss(cache: &dyn Cache, key: Key) -> Ticket {
    match cache.get(key).await {
        Lookup::Miss(ticket) => ticket,
        Lookup::Hit(value) => panic!("a hit instead of a miss: {value:?}"),
    }
}

async fn hit(cache: &dyn Cache, key: Key) -> Option<Bytes> {
    match cache.get(key).await {
        Lookup::Hit(value) => Some(value),
        Lookup::Miss(_) => None,
    }
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

/// All of it: manifests and blobs.
pub async fn an_invalidated_repository_is_forgotten(cache: &dyn Cache) {
    let blob = Key::Blob(repository("a/b"), Hasher::digest(Algorithm::Sha256, b"content"));
    fill(cache, tag("a/b", "v1"), "manifest").await;
    fill(cache, blob.clone(), "blob").await;
    cache.invalidate(&repository("a/b")).await.unwrap();
    miss(cache, tag("a/b", "v1")).await;
    miss(cache, blob).await;
}

/// An invalidation may hit a few other repositories, never most of them.
pub async fn other_repositories_mostly_stay(cache: &dyn Cache) {
    for number in 0..10 {
        fill(cache, tag(&format!("other/r{number}"), "v1"), "value").await;
    }
    cache.invalidate(&repository("a/b")).await.unwrap();
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
    cache.invalidate(&repository("a/b")).await.unwrap();
    cache.put(ticket, Bytes::from_static(b"stale"), LONG).await;
    miss(cache, tag("a/b", "v1")).await;
}

/// A repository that was written to can be cached again.
pub async fn a_ticket_from_after_an_invalidation_is_good(cache: &dyn Cache) {
    fill(cache, tag("a/b", "v1"), "old").await;
    cache.invalidate(&repository("a/b")).await.unwrap();
    fill(cache, tag("a/b", "v1"), "new").await;
    assert_eq!(hit(cache, tag("a/b", "v1")).await.as_deref(), Some(&b"new"[..]));
}

/// Nor do any number of them.
pub async fn two_invalidations_do_not_cancel_out(cache: &dyn Cache) {
    let ticket = miss(cache, tag("a/b", "v1")).await;
    for _ in 0..2 {
        cache.invalidate(&repository("a/b")).await.unwrap();
    }
    cache.put(ticket, Bytes::from_static(b"stale"), LONG).await;
    miss(cache, tag("a/b", "v1")).await;
}

/// A stale value may drive the fresh one out, but is not served in its place.
pub async fn an_old_ticket_does_not_hide_behind_a_new_value(cache: &dyn Cache) {
    let old = miss(cache, tag("a/b", "v1")).await;
    cache.invalidate(&repository("a/b")).await.unwrap();
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

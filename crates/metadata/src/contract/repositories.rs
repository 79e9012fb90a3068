//! Rules of repositories: which there are, and in which order.

use std::time::Duration;

use wharf_core::metadata::Precondition;

use super::samples::blob;
use super::stand::Stand;

async fn listed(stand: &Stand, after: Option<&str>, limit: usize) -> Vec<String> {
    let found = stand.metadata.list_repositories(after.map(str::to_owned), limit).await.unwrap();
    found.iter().map(|name| name.as_str().to_owned()).collect()
}

/// `-` comes before `.`, that before `/`, digits and letters: as bytes, not as a dictionary has it.
pub async fn repositories_are_listed_in_byte_order(stand: &Stand) {
    for name in ["a/b", "a0", "b", "a-b", "a", "a.b", "a_b"] {
        stand.push(name, "one", &[]).await;
    }
    assert_eq!(listed(stand, None, 100).await, ["a", "a-b", "a.b", "a/b", "a0", "a_b", "b"]);
}

/// Each page goes on behind the last name of the one before, whether that is there or not.
pub async fn repositories_are_listed_a_page_at_a_time(stand: &Stand) {
    for name in ["a", "b", "c", "d"] {
        stand.push(name, "one", &[]).await;
    }
    assert_eq!(listed(stand, None, 2).await, ["a", "b"]);
    assert_eq!(listed(stand, Some("b"), 2).await, ["c", "d"]);
    assert_eq!(listed(stand, Some("bb"), 1).await, ["c"]);
    assert!(listed(stand, Some("d"), 2).await.is_empty());
    assert!(listed(stand, None, 0).await.is_empty());
}

/// Blobs, uploads and manifests that were deleted do not count.
pub async fn a_repository_without_a_manifest_is_not_listed(stand: &Stand) {
    stand.start("uploading").await;
    stand.hold("with-blobs", blob("one")).await;
    let digest = stand.push("emptied", "one", &["latest"]).await;
    assert_eq!(listed(stand, None, 10).await, ["emptied"]);
    stand.delete("emptied", digest, Precondition::None).await;
    assert!(listed(stand, None, 10).await.is_empty());
}

/// `/readyz` asks often.
pub async fn metadata_that_works_says_so(stand: &Stand) {
    for _ in 0..3 {
        stand.metadata.check().await.unwrap();
    }
}

/// Whoever was overtaken changes nothing, so two nodes that want the same do it once.
pub async fn the_epoch_goes_on_once_from_each_number(stand: &Stand) {
    let first = stand.epochs.epoch().await.unwrap();
    assert!(!first.is_suspended());
    for _ in 0..2 {
        stand.epochs.advance_epoch(first.number).await.unwrap();
    }
    let suspended = stand.epochs.epoch().await.unwrap();
    assert_eq!((suspended.number, suspended.since), (first.number + 1, Duration::ZERO));
    assert!(suspended.is_suspended());
    stand.clock.advance(Duration::from_secs(7));
    assert_eq!(stand.epochs.epoch().await.unwrap().since, Duration::from_secs(7));
    stand.epochs.advance_epoch(suspended.number).await.unwrap();
    let used = stand.epochs.epoch().await.unwrap();
    assert!(used.number == first.number + 2 && !used.is_suspended());
}

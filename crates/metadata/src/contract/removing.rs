//! Rules of deleting a manifest: with all tags on it, in its repository alone.

use wharf_core::metadata::{DeleteOutcome, Precondition};

use super::samples::blob;
use super::stand::Stand;

/// Each with its history and event. Tags elsewhere stay, and so do the blobs, until they are swept.
pub async fn a_deleted_manifest_takes_its_tags_along(stand: &Stand) {
    let (one, other) =
        (stand.push("a", "one", &["1", "latest"]).await, stand.push("a", "two", &["2"]).await);
    let events = stand.events().await.len();
    assert_eq!(stand.delete("a", one, Precondition::None).await, DeleteOutcome::Deleted);
    assert!(!stand.has("a", one).await);
    for tag in ["1", "latest"] {
        assert_eq!(stand.tag("a", tag).await, None);
        let history = [format!("1 create - {one}"), format!("2 delete {one} -")];
        assert_eq!(stand.history("a", tag).await, history);
    }
    let expected =
        ["tag.deleted 1".into(), "tag.deleted latest".into(), format!("manifest.deleted {one}")];
    assert_eq!(stand.events().await[events..], expected);
    assert_eq!(stand.tag("a", "2").await, Some(other));
    assert!(stand.held("a", blob("one")).await.is_some());
}

/// With the tags there.
pub async fn a_deleted_manifest_stays_in_other_repositories(stand: &Stand) {
    let digest = stand.push("a", "one", &["latest"]).await;
    stand.push("b", "one", &["latest"]).await;
    assert_eq!(stand.delete("a", digest, Precondition::None).await, DeleteOutcome::Deleted);
    assert!(!stand.has("a", digest).await);
    assert!(stand.has("b", digest).await);
    assert_eq!(stand.tag("b", "latest").await, Some(digest));
}

/// In a repository that is known, or not, or any more.
pub async fn a_manifest_that_is_not_there_is_not_deleted(stand: &Stand) {
    let digest = stand.push("a", "one", &["latest"]).await;
    stand.hold("b", blob("one")).await;
    let before = stand.everything().await;
    let none = || Precondition::None;
    assert_eq!(stand.delete("c", digest, none()).await, DeleteOutcome::NoRepository);
    assert_eq!(stand.delete("b", digest, none()).await, DeleteOutcome::NotFound);
    assert_eq!(stand.delete("a", blob("one"), none()).await, DeleteOutcome::NotFound);
    assert_eq!(stand.everything().await, before);
    assert_eq!(stand.delete("a", digest, none()).await, DeleteOutcome::Deleted);
    assert_eq!(stand.delete("a", digest, none()).await, DeleteOutcome::NotFound);
}

/// As news.
pub async fn a_deleted_manifest_can_be_pushed_again(stand: &Stand) {
    let digest = stand.push("a", "one", &["latest"]).await;
    stand.delete("a", digest, Precondition::None).await;
    let events = stand.events().await.len();
    assert_eq!(stand.push("a", "one", &["latest"]).await, digest);
    assert_eq!(stand.tag("a", "latest").await, Some(digest));
    let expected = [format!("manifest.pushed {digest}"), "tag.created latest".into()];
    assert_eq!(stand.events().await[events..], expected);
}

//! Rules of tags: versions, history, events, lists.

use wharf_core::clock::Clock;
use wharf_core::metadata::{DeleteOutcome, Precondition};

use super::samples::{blob, name};
use super::stand::{Stand, TICK};

async fn listed(stand: &Stand, after: Option<&str>, limit: usize) -> Vec<String> {
    let found = stand.metadata.list_tags(name("a"), after.map(str::to_owned), limit).await;
    found.unwrap().unwrap().iter().map(|tag| tag.as_str().to_owned()).collect()
}

/// One more at each move, also back to where it was, and apart for each tag and repository.
pub async fn the_versions_of_a_tag_are_linear(stand: &Stand) {
    let one = stand.push("a", "one", &["t"]).await;
    let two = stand.push("a", "two", &["t", "other"]).await;
    stand.push("a", "one", &["t"]).await;
    stand.push("b", "two", &["t"]).await;
    let expected =
        [format!("1 create - {one}"), format!("2 move {one} {two}"), format!("3 move {two} {one}")];
    assert_eq!(stand.history("a", "t").await, expected);
    assert_eq!(stand.history("a", "other").await, [format!("1 create - {two}")]);
    assert_eq!(stand.history("b", "t").await, [format!("1 create - {two}")]);
    let versions = "SELECT r.name, t.name, t.version FROM tags t
         JOIN repositories r ON r.id = t.repository_id ORDER BY r.name, t.name";
    assert_eq!(stand.rows(versions, &[]).await, ["a other 1", "a t 3", "b t 1"]);
}

/// Nobody who remembers a version meets it again with another meaning.
pub async fn versions_go_on_after_a_deletion(stand: &Stand) {
    let one = stand.push("a", "one", &["t"]).await;
    for _ in 0..2 {
        assert_eq!(stand.delete_tag("a", "t", Precondition::None).await, DeleteOutcome::Deleted);
        assert_eq!(stand.tag("a", "t").await, None);
        stand.push("a", "one", &["t"]).await;
    }
    let expected = [
        format!("1 create - {one}"),
        format!("2 delete {one} -"),
        format!("3 create - {one}"),
        format!("4 delete {one} -"),
        format!("5 create - {one}"),
    ];
    assert_eq!(stand.history("a", "t").await, expected);
}

/// By the database's clock.
pub async fn the_history_names_who_and_when(stand: &Stand) {
    let first = stand.clock.now().0;
    stand.push("a", "one", &["t"]).await;
    stand.clock.advance(TICK);
    stand.delete_tag("a", "t", Precondition::None).await;
    let changes = "SELECT changed_by, changed_at FROM tag_history ORDER BY version";
    let expected = [format!("alice {first}"), format!("bob {}", first + 1)];
    assert_eq!(stand.rows(changes, &[]).await, expected);
}

/// A change that was refused has none.
pub async fn each_change_has_its_event_in_the_order_of_commits(stand: &Stand) {
    let one = stand.push("a", "one", &["t"]).await;
    let two = stand.push("a", "two", &["t", "u"]).await;
    stand.delete_tag("a", "nothing", Precondition::None).await;
    stand.delete_tag("a", "t", Precondition::At(vec![one])).await;
    stand.delete_tag("a", "t", Precondition::None).await;
    stand.delete("a", two, Precondition::None).await;
    let expected = [
        format!("manifest.pushed {one}"),
        "tag.created t".into(),
        format!("manifest.pushed {two}"),
        "tag.moved t".into(),
        "tag.created u".into(),
        "tag.deleted t".into(),
        "tag.deleted u".into(),
        format!("manifest.deleted {two}"),
    ];
    assert_eq!(stand.events().await, expected);
    let payload = "SELECT payload FROM events WHERE kind = 'tag.moved'";
    let rows = stand.rows(payload, &[]).await;
    let moved: serde_json::Value = serde_json::from_str(&rows[0]).unwrap();
    let expected = serde_json::json!({
        "tag": "t", "version": 2, "from": one, "to": two, "by": "alice",
        "reason": "pushed", "detail": null,
    });
    assert_eq!(moved, expected);
}

/// Upper case comes before `_`, that before lower case; `-` and `.` before digits.
pub async fn tags_are_listed_in_byte_order(stand: &Stand) {
    stand.push("a", "one", &["b", "a", "B", "_", "1.10", "1.9", "1-9", "10", "Z", "a.b"]).await;
    let expected = ["1-9", "1.10", "1.9", "10", "B", "Z", "_", "a", "a.b", "b"];
    assert_eq!(listed(stand, None, 100).await, expected);
}

/// Each page goes on behind the last tag of the one before, whether that is there or not.
pub async fn tags_are_listed_a_page_at_a_time(stand: &Stand) {
    stand.push("a", "one", &["1", "2", "3", "4"]).await;
    stand.push("b", "one", &["5"]).await;
    assert_eq!(listed(stand, None, 3).await, ["1", "2", "3"]);
    assert_eq!(listed(stand, Some("3"), 3).await, ["4"]);
    assert_eq!(listed(stand, Some("2.5"), 1).await, ["3"]);
    assert!(listed(stand, Some("4"), 3).await.is_empty());
    assert!(listed(stand, None, 0).await.is_empty());
}

/// A repository whose tags are all deleted has one.
pub async fn the_tags_of_an_unknown_repository_are_not_an_empty_list(stand: &Stand) {
    assert_eq!(stand.metadata.list_tags(name("a"), None, 10).await.unwrap(), None);
    stand.push("a", "one", &["t"]).await;
    stand.delete_tag("a", "t", Precondition::None).await;
    assert!(listed(stand, None, 10).await.is_empty());
}

/// In a repository that is known, or not.
pub async fn a_tag_that_is_not_there_is_not_deleted(stand: &Stand) {
    let none = || Precondition::None;
    assert_eq!(stand.delete_tag("a", "t", none()).await, DeleteOutcome::NoRepository);
    stand.hold("a", blob("one")).await;
    assert_eq!(stand.delete_tag("a", "t", none()).await, DeleteOutcome::NotFound);
    assert!(stand.history("a", "t").await.is_empty());
}

/// And the other tags on it.
pub async fn a_deleted_tag_leaves_its_manifest(stand: &Stand) {
    let digest = stand.push("a", "one", &["t", "u"]).await;
    stand.delete_tag("a", "t", Precondition::None).await;
    assert!(stand.has("a", digest).await);
    assert_eq!(stand.tag("a", "u").await, Some(digest));
    assert!(stand.held("a", blob("one")).await.is_some());
}

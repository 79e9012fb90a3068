//! Rules of lists of tags by version and by time.

use wharf_core::metadata::{PreReleases, SortTags, TagRecord, TagSort};
use wharf_oci::TagVersion;

use super::samples::name;
use super::stand::{Stand, TICK};

/// The tags of repository `a` in an order, in pages of so many.
async fn sorted(stand: &Stand, sort: TagSort, limit: usize) -> Vec<String> {
    let mut all: Vec<TagRecord> = Vec::new();
    loop {
        let after = all.last().map(TagRecord::place);
        let query = SortTags { repository: name("a"), sort, after, limit };
        let page = stand.directory.sort_tag_records(query).await.unwrap().unwrap();
        let is_last = page.len() < limit;
        all.extend(page);
        if is_last {
            return all.iter().map(|tag| tag.name.to_string()).collect();
        }
    }
}

const TAGS: [&str; 12] = [
    "latest",
    "v1.2",
    "1.2.0",
    "v1.10.0",
    "1.9.0",
    "v1.10.0-rc.2",
    "v1.10.0-rc.10",
    "2",
    "edge",
    "1.9.0-alpine",
    "v1.9.0",
    "2-rc1",
];

/// The newest first; those before a release behind it, and apart where that is asked for; what is no version last.
pub async fn tags_are_listed_as_the_versions_that_they_are(stand: &Stand) {
    for some in TAGS.chunks(5) {
        stand.push("a", some[0], some).await;
    }
    stand.push("b", "other", &["9.9.9"]).await;
    let all = [
        "2",
        "2-rc1",
        "v1.10.0",
        "v1.10.0-rc.10",
        "v1.10.0-rc.2",
        "1.9.0",
        "v1.9.0",
        "1.9.0-alpine",
        "1.2.0",
        "v1.2",
        "edge",
        "latest",
    ];
    let is_pre = |tag: &&str| {
        TagVersion::parse(&tag.parse().unwrap()).is_some_and(|version| version.is_pre_release())
    };
    let only: Vec<_> = all.into_iter().filter(is_pre).collect();
    let none: Vec<_> = all.into_iter().filter(|tag| !is_pre(tag)).collect();
    for limit in [1, 2, 3, 100] {
        assert_eq!(sorted(stand, TagSort::Version(PreReleases::All), limit).await, all);
        assert_eq!(sorted(stand, TagSort::Version(PreReleases::Only), limit).await, only);
        assert_eq!(sorted(stand, TagSort::Version(PreReleases::None), limit).await, none);
    }
}

/// The latest move first; those that moved at once the other way round than by name.
pub async fn tags_are_listed_by_when_they_moved(stand: &Stand) {
    stand.push("a", "1", &["a", "b", "c"]).await;
    stand.clock.advance(TICK);
    stand.push("a", "2", &["b"]).await;
    for limit in [1, 2, 100] {
        assert_eq!(sorted(stand, TagSort::Updated, limit).await, ["b", "c", "a"]);
    }
}

/// Which knew of no order: they get their place when somebody asks for it, or when they move.
pub async fn tags_of_a_release_before_get_their_place(stand: &Stand) {
    let names: Vec<String> = (0..1500).map(|number| format!("1.{number}")).collect();
    for some in names.chunks(100) {
        let some: Vec<&str> = some.iter().map(String::as_str).collect();
        stand.push("a", "one", &some).await;
    }
    stand.rows("UPDATE tags SET pre_release = NULL, version_order = NULL", &[]).await;
    stand.push("a", "two", &["1.7"]).await;
    let found = sorted(stand, TagSort::Version(PreReleases::All), 1000).await;
    assert_eq!(found.len(), 1500);
    assert!(found.iter().rev().eq(&names), "{:?}", &found[..5]);
    let left = "SELECT count(*) FROM tags WHERE version_order IS NULL";
    assert_eq!(stand.rows(left, &[]).await, ["0"]);
}

/// Which is not an empty list.
pub async fn the_tags_of_no_repository_have_no_order(stand: &Stand) {
    for sort in [TagSort::Updated, TagSort::Version(PreReleases::All)] {
        let query = SortTags { repository: name("a"), sort, after: None, limit: 9 };
        assert_eq!(stand.directory.sort_tag_records(query).await.unwrap(), None);
    }
}

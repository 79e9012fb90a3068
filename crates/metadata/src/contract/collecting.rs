//! Rules of garbage collection, of manifests: what the trash keeps and for how long, and what nothing needs.

use wharf_core::clock::Clock;
use wharf_core::metadata::{ManifestRules, PinManifest, PinTarget, Precondition, Taken};

use super::garbage::GRACE;
use super::samples::{about, blob, commit, image, index, name};
use super::stand::{Stand, TICK};

/// Rules by which only what was deleted goes.
const KEEPING: ManifestRules = ManifestRules { grace: GRACE, untagged_after: None };
/// Rules by which what has no tag goes as well.
const TIDY: ManifestRules = ManifestRules { grace: GRACE, untagged_after: Some(GRACE) };

impl Stand {
    pub(super) async fn empty_trash(&self) -> Taken {
        self.garbage.empty_trash(KEEPING, 100).await.unwrap()
    }

    async fn collect(&self, rules: ManifestRules) -> u64 {
        self.garbage.collect_manifests(None, rules, 100).await.unwrap().count
    }

    async fn untag(&self, repository: &str, tag: &str) {
        self.delete_tag(repository, tag, Precondition::None).await;
    }

    /// The manifests of all repositories whose bytes are stored.
    async fn stored(&self) -> usize {
        self.rows("SELECT digest FROM manifests", &[]).await.len()
    }
}

/// With the last repository that had it.
pub async fn the_bytes_of_a_manifest_go_when_the_trash_is_emptied(stand: &Stand) {
    let manifest = stand.push("a", "one", &["t"]).await;
    assert_eq!(stand.push("b", "one", &[]).await, manifest);
    stand.remove("a", manifest).await;
    stand.clock.advance(GRACE - TICK);
    assert_eq!(stand.empty_trash().await.count, 0);
    stand.clock.advance(TICK);
    assert_eq!(stand.empty_trash().await, Taken { count: 1, ..Taken::default() });
    assert_eq!(stand.stored().await, 1);
    stand.remove("b", manifest).await;
    stand.clock.advance(GRACE);
    assert_eq!(stand.empty_trash().await.count, 1);
    assert_eq!(stand.stored().await, 0);
    for rows in ["blob_references", "manifest_references", "deleted_manifests"] {
        assert!(stand.rows(&format!("SELECT * FROM {rows}"), &[]).await.is_empty(), "{rows}");
    }
    // And come back with a push.
    assert_eq!(stand.push("a", "one", &["t"]).await, manifest);
}

/// Its children and referrers, unless something else needs them: then they can be brought back in turn.
pub async fn what_only_a_deleted_manifest_needed_goes_after_it(stand: &Stand) {
    let (alone, shared, tagged) = (
        stand.push("a", "alone", &[]).await,
        stand.push("a", "shared", &[]).await,
        stand.push("a", "tagged", &["own"]).await,
    );
    let first = stand.put("a", &index(&[alone, shared, tagged]), &["one"]).await;
    let second = stand.put("a", &index(&[shared]), &["two"]).await;
    stand.hold("a", blob("signature")).await;
    let signature = stand.put("a", &about(image(&[blob("signature")]), first), &[]).await;
    stand.clock.advance(GRACE);
    stand.remove("a", first).await;
    assert_eq!(stand.empty_trash().await.count, 0);
    stand.clock.advance(GRACE);
    let taken = stand.empty_trash().await;
    assert_eq!((taken.count, taken.repositories), (1, vec![name("a")]));
    for (manifest, stays) in
        [(alone, false), (signature, false), (shared, true), (tagged, true), (second, true)]
    {
        assert_eq!(stand.has("a", manifest).await, stays, "{manifest}");
    }
    let trash = "SELECT digest FROM deleted_manifests ORDER BY digest";
    let mut expected = vec![alone.to_string(), signature.to_string()];
    expected.sort();
    assert_eq!(stand.rows(trash, &[]).await, expected);
    stand.clock.advance(GRACE);
    assert_eq!(stand.empty_trash().await.count, 2);
    assert_eq!(stand.stored().await, 3);
}

/// More than a step may take.
pub async fn what_a_deleted_manifest_leaves_behind_goes_a_few_at_a_time(stand: &Stand) {
    let mut children = Vec::new();
    for number in 0..5 {
        children.push(stand.push("a", &number.to_string(), &[]).await);
    }
    let parent = stand.put("a", &index(&children), &["t"]).await;
    stand.remove("a", parent).await;
    stand.clock.advance(GRACE);
    let mut steps = 0;
    while stand.garbage.empty_trash(KEEPING, 2).await.unwrap() != Taken::default() {
        steps += 1;
        assert!(steps < 10);
    }
    assert!(stand.rows("SELECT digest FROM repository_manifests", &[]).await.is_empty());
    assert_eq!(stand.rows("SELECT digest FROM deleted_manifests", &[]).await.len(), 5);
}

/// Deleted and pushed again, it is as if it had not been deleted.
pub async fn a_manifest_that_is_pushed_again_stays_with_all_it_needs(stand: &Stand) {
    let child = stand.push("a", "one", &[]).await;
    let parent = stand.put("a", &index(&[child]), &["t"]).await;
    stand.clock.advance(GRACE);
    stand.remove("a", parent).await;
    stand.put("a", &index(&[child]), &[]).await;
    stand.clock.advance(GRACE);
    stand.empty_trash().await;
    stand.sweep().await;
    assert!(stand.has("a", parent).await && stand.has("a", child).await);
    assert!(stand.held("a", blob("one")).await.is_some());
}

/// But for referrers whose subject is not there.
pub async fn what_has_no_tag_is_kept_where_that_is_not_wanted_otherwise(stand: &Stand) {
    let manifest = stand.push("a", "one", &[]).await;
    let about_it = stand.put("a", &about(image(&[blob("one")]), manifest), &[]).await;
    let about_nothing = about(image(&[blob("one")]), blob("nothing"));
    let orphan = stand.put("a", &about_nothing, &[]).await;
    let mut other = about_nothing.clone();
    other["annotations"] = serde_json::json!({ "kept": "by its tag" });
    let tagged = stand.put("a", &other, &["t"]).await;
    stand.clock.advance(GRACE - TICK);
    assert_eq!(stand.collect(KEEPING).await, 0);
    stand.clock.advance(TICK);
    assert_eq!(stand.collect(KEEPING).await, 1);
    for (manifest, stays) in [(manifest, true), (about_it, true), (orphan, false), (tagged, true)] {
        assert_eq!(stand.has("a", manifest).await, stays, "{manifest}");
    }
}

/// From the tag that is moved or deleted, not from the push.
pub async fn a_manifest_that_no_tag_needs_goes_when_it_is_old_enough(stand: &Stand) {
    let first = stand.push("a", "one", &["t"]).await;
    let other = stand.push("a", "other", &["gone"]).await;
    stand.clock.advance(GRACE * 2);
    let second = stand.push("a", "two", &["t"]).await;
    stand.untag("a", "gone").await;
    stand.clock.advance(GRACE - TICK);
    assert_eq!(stand.collect(TIDY).await, 0);
    stand.clock.advance(TICK);
    let later = ManifestRules { untagged_after: Some(GRACE * 2), ..TIDY };
    assert_eq!(stand.collect(later).await, 0);
    assert_eq!(stand.collect(TIDY).await, 2);
    for (manifest, stays) in [(first, false), (other, false), (second, true)] {
        assert_eq!(stand.has("a", manifest).await, stays, "{manifest}");
    }
    let deleted = "SELECT deleted_by FROM deleted_manifests";
    assert_eq!(stand.rows(deleted, &[]).await, ["system", "system"]);
}

/// Down from an index and a subject, and from a referrer with a tag to its subject.
pub async fn what_is_reached_from_a_tag_is_kept(stand: &Stand) {
    let image_of = async |text: &str| stand.push("a", text, &[]).await;
    let (child, subject, tagged_subject) =
        (image_of("child").await, image_of("subject").await, image_of("tagged subject").await);
    let inner = stand.put("a", &index(&[child]), &[]).await;
    let outer = stand.put("a", &index(&[inner, subject]), &["t"]).await;
    let manifest = image(&[blob("child")]);
    let signature = stand.put("a", &about(manifest.clone(), subject), &[]).await;
    let of_signature = stand.put("a", &about(manifest.clone(), signature), &[]).await;
    let tagged = stand.put("a", &about(manifest, tagged_subject), &["sig"]).await;
    let lonely = image_of("lonely").await;
    stand.clock.advance(GRACE);
    assert_eq!(stand.collect(TIDY).await, 1);
    assert!(!stand.has("a", lonely).await);
    let kept = [child, subject, tagged_subject, inner, outer, signature, of_signature, tagged];
    for manifest in kept {
        assert!(stand.has("a", manifest).await, "{manifest}");
    }
}

/// With all that it needs, until the pin ends.
pub async fn a_pinned_manifest_is_kept(stand: &Stand) {
    let child = stand.push("a", "one", &[]).await;
    let pinned = stand.put("a", &index(&[child]), &[]).await;
    let pin = PinManifest {
        repository: name("a"),
        name: "release".parse().unwrap(),
        target: PinTarget::Digest(pinned),
        until: Some(stand.clock.now().after(GRACE * 2)),
        by: "alice".into(),
    };
    stand.metadata.pin_manifest(pin).await.unwrap();
    stand.clock.advance(GRACE);
    assert_eq!(stand.collect(TIDY).await, 0);
    stand.clock.advance(GRACE);
    assert_eq!(stand.collect(TIDY).await, 2);
    assert!(!stand.has("a", child).await && !stand.has("a", pinned).await);
}

/// An index in which its own subject is.
pub async fn a_circle_without_a_tag_goes(stand: &Stand) {
    let subject = stand.push("a", "one", &[]).await;
    let round = stand.put("a", &about(index(&[subject]), subject), &["t"]).await;
    stand.clock.advance(GRACE);
    assert_eq!(stand.collect(TIDY).await, 0);
    stand.untag("a", "t").await;
    stand.clock.advance(GRACE);
    assert_eq!(stand.collect(TIDY).await, 2);
    assert!(!stand.has("a", subject).await && !stand.has("a", round).await);
}

/// By its policy of retention, once that is enabled; and where it cannot be read, nothing goes.
pub async fn a_repository_says_when_what_has_no_tag_goes(stand: &Stand) {
    for repository in ["a", "b", "c", "d"] {
        stand.push(repository, repository, &[]).await;
    }
    let say = async |repository: &str, document: &str, state: &str| {
        let sql = format!(
            "INSERT INTO retention_policies (repository_id, document, version, state, updated_by, updated_at)
             SELECT id, '{document}', 1, '{state}', 'alice', 1 FROM repositories WHERE name = '{repository}'"
        );
        stand.rows(&sql, &[]).await;
    };
    let after = r#"{"rules":[],"untagged":{"after":"2d"}}"#;
    say("a", after, "enabled").await;
    say("b", after, "draft").await;
    say("c", r#"{"rules":[],"untagged":"keep"}"#, "enabled").await;
    say("d", "not to be read", "enabled").await;
    let held = async || {
        let mut held = Vec::new();
        for repository in ["a", "b", "c", "d"] {
            if stand
                .has(repository, commit(repository, &image(&[blob(repository)]), &[]).digest)
                .await
            {
                held.push(repository);
            }
        }
        held
    };
    stand.clock.advance(GRACE);
    assert_eq!(stand.collect(KEEPING).await, 0);
    stand.clock.advance(GRACE);
    assert_eq!(stand.collect(KEEPING).await, 1);
    assert_eq!(held().await, ["b", "c", "d"]);
    assert_eq!(stand.collect(TIDY).await, 1);
    assert_eq!(held().await, ["c", "d"]);
}

/// A few at a time, over all repositories.
pub async fn a_collection_of_manifests_goes_on_where_it_stopped(stand: &Stand) {
    for number in 0..5 {
        stand.push(["a", "b"][number % 2], &number.to_string(), &[]).await;
    }
    stand.clock.advance(GRACE);
    let (mut after, mut count) = (None, 0);
    loop {
        let taken = stand.garbage.collect_manifests(after, TIDY, 2).await.unwrap();
        count += taken.count;
        after = taken.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(count, 5);
}

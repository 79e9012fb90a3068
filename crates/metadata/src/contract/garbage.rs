//! Rules of garbage collection: what is taken away, when, and above all what is not.

use std::time::Duration;

use wharf_core::blob_life::Stage;
use wharf_core::blobs::ObjectKey;
use wharf_core::clock::Clock;
use wharf_core::metadata::{
    CommitOutcome, Judged, ManifestRules, MarkedBlob, MountBlob, PinManifest, PinTarget,
    Precondition, Taken,
};
use wharf_core::permissions::Sources;
use wharf_oci::Digest;

use super::samples::{about, blob, commit, image, index, name};
use super::stand::{Stand, TICK};

/// How long the grace is on the stand.
const GRACE: Duration = Duration::from_secs(24 * 3600);
/// After which a delete that was sent cannot land any more.
const LATEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Rules by which only what was deleted goes.
const KEEPING: ManifestRules = ManifestRules { grace: GRACE, untagged_after: None };
/// Rules by which what has no tag goes as well.
const TIDY: ManifestRules = ManifestRules { grace: GRACE, untagged_after: Some(GRACE) };

impl Stand {
    async fn sweep(&self) -> u64 {
        self.garbage.sweep_memberships(None, GRACE, 100).await.unwrap().count
    }

    async fn condemn(&self) -> Judged {
        self.garbage.condemn_blobs(GRACE, 100).await.unwrap()
    }

    async fn condemned(&self) -> Vec<ObjectKey> {
        self.garbage.condemned_blobs(None, 100).await.unwrap()
    }

    async fn empty_trash(&self) -> Taken {
        self.garbage.empty_trash(KEEPING, 100).await.unwrap()
    }

    async fn collect(&self, rules: ManifestRules) -> u64 {
        self.garbage.collect_manifests(None, rules, 100).await.unwrap().count
    }

    /// Pushes a manifest of which everything that it needs is there.
    async fn put(&self, repository: &str, manifest: &serde_json::Value, tags: &[&str]) -> Digest {
        let commit = commit(repository, manifest, tags);
        let digest = commit.digest;
        assert_eq!(self.commit(commit).await, CommitOutcome::Committed);
        digest
    }

    async fn untag(&self, repository: &str, tag: &str) {
        self.delete_tag(repository, tag, Precondition::None).await;
    }

    async fn remove(&self, repository: &str, digest: Digest) {
        self.delete(repository, digest, Precondition::None).await;
    }

    /// The manifests of all repositories whose bytes are stored.
    async fn stored(&self) -> usize {
        self.rows("SELECT digest FROM manifests", &[]).await.len()
    }
}

/// And its blob is marked.
pub async fn a_membership_that_no_manifest_needs_goes_when_the_grace_is_over(stand: &Stand) {
    let digest = blob("one");
    stand.hold("a", digest).await;
    stand.clock.advance(GRACE - TICK);
    assert_eq!(stand.sweep().await, 0);
    stand.clock.advance(TICK);
    let taken = stand.garbage.sweep_memberships(None, GRACE, 100).await.unwrap();
    assert_eq!(taken, Taken { count: 1, repositories: vec![name("a")], next: None });
    assert_eq!(stand.held("a", digest).await, None);
    assert_eq!(stand.marks(digest).await, ["0 marked"]);
}

/// However long ago it was pushed.
pub async fn a_membership_that_a_manifest_needs_stays(stand: &Stand) {
    stand.push("a", "one", &["t"]).await;
    stand.push("b", "two", &[]).await;
    stand.clock.advance(GRACE * 100);
    assert_eq!(stand.sweep().await, 0);
    assert!(stand.held("a", blob("one")).await.is_some());
    assert!(stand.held("b", blob("two")).await.is_some());
}

/// The grace begins anew when it is deleted, so that it can be brought back whole.
pub async fn the_memberships_of_a_deleted_manifest_stay_for_the_grace(stand: &Stand) {
    let manifest = stand.push("a", "one", &["t"]).await;
    stand.clock.advance(GRACE * 2);
    stand.remove("a", manifest).await;
    stand.clock.advance(GRACE - TICK);
    assert_eq!(stand.sweep().await, 0);
    stand.clock.advance(TICK);
    assert_eq!(stand.sweep().await, 1);
}

/// Only the last of them lets go of it.
pub async fn a_blob_of_two_manifests_stays_until_both_are_deleted(stand: &Stand) {
    let (shared, own) = (blob("shared"), blob("own"));
    stand.hold("a", shared).await;
    stand.hold("a", own).await;
    let one = stand.put("a", &image(&[shared]), &["one"]).await;
    let two = stand.put("a", &image(&[own, shared]), &["two"]).await;
    stand.remove("a", two).await;
    stand.clock.advance(GRACE * 2);
    assert_eq!(stand.sweep().await, 1);
    assert!(stand.held("a", own).await.is_none() && stand.held("a", shared).await.is_some());
    stand.remove("a", one).await;
    stand.clock.advance(GRACE);
    assert_eq!(stand.sweep().await, 1);
}

/// The manifests of another repository do not keep it here.
pub async fn what_another_repository_needs_goes_from_one_that_does_not(stand: &Stand) {
    stand.push("a", "one", &["t"]).await;
    stand.hold("b", blob("one")).await;
    stand.clock.advance(GRACE);
    assert_eq!(stand.sweep().await, 1);
    assert!(stand.held("a", blob("one")).await.is_some());
    assert!(stand.held("b", blob("one")).await.is_none());
    // It was let go of, and is held all the same.
    stand.clock.advance(GRACE);
    assert_eq!(stand.condemn().await, Judged { condemned: 0, spared: 1 });
    assert!(stand.marks(blob("one")).await.is_empty());
}

/// Who committed the manifest may be too old to write down that it needs the blob.
pub async fn a_sweep_looks_at_the_manifests_themselves(stand: &Stand) {
    stand.push("a", "one", &["t"]).await;
    stand.rows("UPDATE repository_blobs SET needed = 0", &[]).await;
    stand.clock.advance(GRACE * 2);
    assert_eq!(stand.sweep().await, 0);
    assert!(stand.held("a", blob("one")).await.is_some());
    assert_eq!(stand.rows("SELECT needed FROM repository_blobs", &[]).await, ["1"]);
}

/// There are blobs that are needed by very many manifests of others.
pub async fn a_blob_that_is_needed_everywhere_is_looked_at_from_the_repository(stand: &Stand) {
    let digest = blob("{}");
    stand.hold("a", digest).await;
    let mut last = None;
    for number in 0..510 {
        let mut manifest = image(&[digest]);
        manifest["annotations"] = serde_json::json!({ "number": number.to_string() });
        last = Some(stand.put("a", &manifest, &[]).await);
    }
    stand.hold("b", digest).await;
    stand.rows("UPDATE repository_blobs SET needed = 0", &[]).await;
    stand.clock.advance(GRACE);
    assert_eq!(stand.sweep().await, 1);
    assert!(stand.held("a", digest).await.is_some() && stand.held("b", digest).await.is_none());
    stand.remove("a", last.unwrap()).await;
    assert_eq!(stand.rows("SELECT needed FROM repository_blobs", &[]).await, ["1"]);
}

/// A few at a time, each once.
pub async fn a_sweep_goes_on_where_it_stopped(stand: &Stand) {
    for number in 0..5 {
        stand.hold(["a", "b"][number % 2], blob(&number.to_string())).await;
    }
    stand.clock.advance(GRACE);
    let (mut after, mut counts) = (None, Vec::new());
    loop {
        let taken = stand.garbage.sweep_memberships(after, GRACE, 2).await.unwrap();
        counts.push(taken.count);
        after = taken.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(counts, [2, 2, 1]);
    assert!(stand.rows("SELECT blob_digest FROM repository_blobs", &[]).await.is_empty());
}

/// Condemned when nothing holds it, deleted when the store says so, and its key used again only much later.
pub async fn a_blob_that_nobody_holds_goes_step_by_step(stand: &Stand) {
    let digest = blob("one");
    let key = stand.hold("a", digest).await;
    stand.clock.advance(GRACE);
    assert_eq!(stand.sweep().await, 1);
    stand.clock.advance(GRACE - TICK);
    assert_eq!(stand.condemn().await, Judged::default());
    stand.clock.advance(TICK);
    assert_eq!(stand.condemn().await, Judged { condemned: 1, spared: 0 });
    assert_eq!(stand.condemned().await, [key]);
    assert_eq!(stand.garbage.confirm_deleted(vec![key]).await.unwrap(), 1);
    assert_eq!(stand.garbage.confirm_deleted(vec![key]).await.unwrap(), 0);
    assert_eq!(stand.marks(digest).await, ["0 deleted"]);
    assert!(stand.condemned().await.is_empty());
    stand.clock.advance(LATEST - TICK);
    assert_eq!(stand.garbage.forget_deleted(LATEST, 100).await.unwrap(), 0);
    stand.clock.advance(TICK);
    assert_eq!(stand.garbage.forget_deleted(LATEST, 100).await.unwrap(), 1);
    assert!(stand.marks(digest).await.is_empty());
    assert_eq!(stand.hold("a", digest).await, key);
}

/// A delete of the first key may still land.
pub async fn a_blob_that_was_deleted_just_now_is_pushed_to_another_key(stand: &Stand) {
    let digest = blob("one");
    let key = stand.hold("a", digest).await;
    stand.mark(digest, 0, "condemned").await;
    stand.garbage.confirm_deleted(vec![key]).await.unwrap();
    let next = ObjectKey { digest, incarnation: 1 };
    assert_eq!(stand.hold("b", digest).await, next);
    assert_eq!(stand.marks(digest).await, ["0 deleted"]);
    // Nor is it mounted from who still claims to hold it.
    stand.mark(digest, 1, "condemned").await;
    let (from, sources) = (Some(name("b")), Sources::Any);
    let mount = MountBlob { repository: name("c"), digest, from, sources };
    assert!(!stand.metadata.mount_blob(mount).await.unwrap());
}

/// Its object may be in place already.
pub async fn a_blob_that_an_upload_has_reserved_is_spared(stand: &Stand) {
    let digest = blob("one");
    let id = stand.start("a").await;
    let key = stand.reserve(id, digest).await.unwrap();
    stand.mark(digest, 0, "marked").await;
    assert_eq!(stand.condemn().await, Judged { condemned: 0, spared: 1 });
    assert!(stand.finish(id, key).await);
}

/// Nobody holds what it may have put in place.
pub async fn an_upload_that_ends_lets_go_of_what_it_reserved(stand: &Stand) {
    let digest = blob("one");
    let id = stand.start("a").await;
    stand.reserve(id, digest).await.unwrap();
    assert!(stand.metadata.cancel_upload(id).await.unwrap());
    assert_eq!(stand.marks(digest).await, ["0 marked"]);
    stand.clock.advance(GRACE);
    assert_eq!(stand.condemn().await, Judged { condemned: 1, spared: 0 });
}

/// The last who let go begins it.
pub async fn the_grace_of_a_blob_begins_anew_with_each_who_lets_go(stand: &Stand) {
    let digest = blob("one");
    stand.hold("a", digest).await;
    stand.clock.advance(GRACE / 2);
    stand.hold("b", digest).await;
    stand.clock.advance(GRACE / 2);
    assert_eq!(stand.sweep().await, 1);
    stand.clock.advance(GRACE / 2);
    assert_eq!(stand.sweep().await, 1);
    stand.clock.advance(GRACE / 2);
    assert_eq!(stand.condemn().await, Judged::default());
    stand.clock.advance(GRACE / 2);
    assert_eq!(stand.condemn().await, Judged { condemned: 1, spared: 0 });
}

/// And is spared where it is held.
pub async fn an_object_that_is_found_is_only_marked(stand: &Stand) {
    let held = stand.hold("a", blob("held")).await;
    let orphan = ObjectKey { digest: blob("orphan"), incarnation: 2 };
    let keys = vec![held, orphan];
    assert_eq!(stand.garbage.mark_found(keys.clone()).await.unwrap(), 2);
    assert_eq!(stand.garbage.mark_found(keys).await.unwrap(), 0);
    stand.clock.advance(GRACE);
    assert_eq!(stand.condemn().await, Judged { condemned: 1, spared: 1 });
    assert_eq!(stand.condemned().await, [orphan]);
    // A push of it goes to a key that no delete is on its way to.
    stand
        .rows(
            "INSERT INTO blob_incarnations (digest, incarnation) VALUES ($1, 1)",
            &[orphan.digest],
        )
        .await;
    stand.mark(orphan.digest, 1, "condemned").await;
    assert_eq!(stand.hold("a", orphan.digest).await.incarnation, 3);
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

/// With what will keep them from going.
pub async fn blobs_on_their_way_out_are_listed(stand: &Stand) {
    let held = stand.hold("a", blob("held")).await;
    let id = stand.start("a").await;
    let reserved = stand.reserve(id, blob("reserved")).await.unwrap();
    let going = ObjectKey::canonical(blob("going"));
    for key in [held, reserved, going] {
        stand.mark(key.digest, 0, if key == going { "condemned" } else { "marked" }).await;
    }
    let mut listed = Vec::new();
    while let Some(next) = {
        let after = listed.last().map(|blob: &MarkedBlob| blob.key);
        stand.garbage.list_marked(after, 1).await.unwrap().pop()
    } {
        listed.push(next);
    }
    assert_eq!(listed.len(), 3);
    for MarkedBlob { key, mark, held_by, reserved: is_reserved } in listed {
        assert_eq!(held_by, (key == held).then(|| name("a")));
        assert_eq!(is_reserved, key == reserved);
        assert_eq!(mark.stage == Stage::Condemned, key == going);
    }
}

/// What is there is counted.
pub async fn garbage_is_counted(stand: &Stand) {
    let manifest = stand.push("a", "one", &["t"]).await;
    let key = stand.hold("a", blob("loose")).await;
    stand.remove("a", manifest).await;
    stand.mark(blob("marked"), 0, "marked").await;
    stand.mark(blob("condemned"), 0, "condemned").await;
    stand.mark(key.digest, 0, "condemned").await;
    stand.garbage.confirm_deleted(vec![key]).await.unwrap();
    let counts = stand.garbage.count_garbage().await.unwrap();
    assert_eq!(
        (
            counts.deleted_manifests,
            counts.unneeded_memberships,
            counts.marked,
            counts.condemned,
            counts.deleted
        ),
        (1, 2, 1, 1, 1)
    );
}

//! Rules of garbage collection, of blobs: what is taken away, when, and above all what is not.

use std::time::Duration;

use wharf_core::blob_life::Stage;
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{
    CommitOutcome, GarbageCounts, Judged, MarkedBlob, MountBlob, Precondition, Taken,
};
use wharf_core::permissions::Sources;
use wharf_oci::Digest;

use super::event_log::all;
use super::samples::{blob, commit, image, name};
use super::stand::{Stand, TICK};

/// How long the grace is on the stand.
pub(super) const GRACE: Duration = Duration::from_secs(24 * 3600);
/// After which a delete that was sent cannot land any more.
const LATEST: Duration = Duration::from_secs(7 * 24 * 3600);

impl Stand {
    pub(super) async fn sweep(&self) -> u64 {
        self.garbage.sweep_memberships(None, GRACE, 100).await.unwrap().count
    }

    async fn condemn(&self) -> Judged {
        self.garbage.condemn_blobs(GRACE, 100).await.unwrap()
    }

    async fn condemned(&self) -> Vec<ObjectKey> {
        self.garbage.condemned_blobs(None, 100).await.unwrap()
    }

    /// Pushes a manifest of which everything that it needs is there.
    pub(crate) async fn put(
        &self,
        repository: &str,
        manifest: &serde_json::Value,
        tags: &[&str],
    ) -> Digest {
        let commit = commit(repository, manifest, tags);
        let digest = commit.digest;
        assert_eq!(self.commit(commit).await, CommitOutcome::Committed);
        digest
    }

    pub(super) async fn remove(&self, repository: &str, digest: Digest) {
        self.delete(repository, digest, Precondition::None).await;
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

/// Though it named the blob, and another one that is not there.
pub async fn a_membership_that_a_refused_push_names_is_not_needed(stand: &Stand) {
    stand.hold("a", blob("one")).await;
    stand.push("a", "two", &["t"]).await;
    let early = commit("a", &image(&[blob("one"), blob("two"), blob("three")]), &[]);
    assert_eq!(stand.commit(early).await, CommitOutcome::Missing(vec![blob("three")]));
    stand.clock.advance(GRACE);
    assert_eq!(stand.sweep().await, 1);
    assert_eq!(stand.held("a", blob("one")).await, None);
    assert!(stand.held("a", blob("two")).await.is_some());
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

/// With how many it took away; a step that takes nothing is none.
pub async fn a_sweep_is_an_event_of_each_repository(stand: &Stand) {
    for number in 0..5 {
        stand.hold(["a", "a", "b"][number % 3], blob(&number.to_string())).await;
    }
    assert_eq!(stand.sweep().await, 0);
    stand.clock.advance(GRACE);
    assert_eq!(stand.sweep().await, 5);
    let events = all(stand).await;
    let said: Vec<_> = events
        .iter()
        .map(|event| {
            let payload: serde_json::Value = serde_json::from_str(&event.payload).unwrap();
            format!("{} {} {} {}", event.scope, event.kind, payload["count"], payload["by"])
        })
        .collect();
    let expected =
        ["repository:a blobs.swept 4 \"system\"", "repository:b blobs.swept 1 \"system\""];
    assert_eq!(said, expected);
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

/// And is spared where somebody comes to hold it.
pub async fn an_object_that_is_found_is_only_marked(stand: &Stand) {
    let late = ObjectKey::canonical(blob("late"));
    let orphan = ObjectKey { digest: blob("orphan"), incarnation: 2 };
    let keys = vec![late, orphan];
    let find = || stand.integrity.mark_unexplained(keys.clone());
    assert_eq!(find().await.unwrap(), keys);
    assert!(find().await.unwrap().is_empty());
    let id = stand.start("a").await;
    assert_eq!(stand.reserve(id, late.digest).await, Some(late));
    assert!(stand.marks(late.digest).await.is_empty());
    stand.clock.advance(GRACE);
    assert_eq!(stand.condemn().await, Judged { condemned: 1, spared: 0 });
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

/// What is there is counted, as far as was asked for.
pub async fn garbage_is_counted(stand: &Stand) {
    let manifest = stand.push("a", "one", &["t"]).await;
    let key = stand.hold("a", blob("loose")).await;
    stand.remove("a", manifest).await;
    stand.mark(blob("marked"), 0, "marked").await;
    stand.mark(blob("condemned"), 0, "condemned").await;
    stand.mark(key.digest, 0, "condemned").await;
    stand.garbage.confirm_deleted(vec![key]).await.unwrap();
    for (limit, unneeded_memberships) in [(1, 1), (2, 2), (3, 2)] {
        let expected = GarbageCounts {
            deleted_repositories: 0,
            deleted_manifests: 1,
            unneeded_memberships,
            marked: 1,
            condemned: 1,
            deleted: 1,
            uploads: 0,
        };
        assert_eq!(stand.garbage.count_garbage(limit).await.unwrap(), expected);
    }
}

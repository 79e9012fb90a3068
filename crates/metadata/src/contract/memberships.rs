//! Rules of memberships: which repository holds which blob.

use wharf_core::access::Visibility;
use wharf_core::blobs::ObjectKey;
use wharf_core::clock::Clock;
use wharf_core::metadata::{
    Change, KeepBlob, MountBlob, Precondition, RemoveBlob, RemoveOutcome, SetVisibility, SetWrites,
};
use wharf_core::permissions::Sources;
use wharf_core::writes::{WriteMode, WriteScope};
use wharf_oci::Digest;

use super::garbage::GRACE;
use super::samples::{blob, commit, image, name};
use super::stand::{Stand, TICK};

async fn mount(stand: &Stand, repository: &str, digest: Digest, from: &str) -> bool {
    let (from, sources) = (Some(name(from)), Sources::Any);
    let mount = MountBlob { repository: name(repository), digest, from, sources };
    stand.metadata.mount_blob(mount).await.unwrap()
}

async fn remove(stand: &Stand, repository: &str, digest: Digest) -> RemoveOutcome {
    let removal = RemoveBlob { repository: name(repository), digest, by: "bob".into() };
    stand.metadata.remove_blob(removal).await.unwrap()
}

async fn keep(stand: &Stand, repository: &str, digest: Digest) -> bool {
    let keep = KeepBlob { repository: name(repository), digest, grace: GRACE };
    stand.metadata.keep_blob(keep).await.unwrap()
}

/// Of the repository `private`.
async fn set_visibility(stand: &Stand, visibility: Visibility) {
    let set = SetVisibility { repository: name("private"), visibility, expected: None };
    assert_eq!(stand.change(set).await, Change::Done);
}

/// Knowing its digest opens nothing elsewhere.
pub async fn a_blob_is_found_only_where_it_is_held(stand: &Stand) {
    let digest = blob("one");
    stand.hold("a", digest).await;
    stand.hold("b", blob("two")).await;
    assert_eq!(stand.held("a", digest).await, Some(ObjectKey::canonical(digest)));
    assert_eq!(stand.held("b", digest).await, None);
    assert_eq!(stand.held("unknown", digest).await, None);
}

/// From any repository where all may be read; else from a public one, or one of those named.
pub async fn a_mount_takes_from_its_sources_alone(stand: &Stand) {
    let digest = blob("one");
    stand.hold("private", digest).await;
    let public = || Sources::PublicOr(Vec::new());
    let named = |repository: &str| Sources::PublicOr(vec![name(repository)]);
    let taken = async |from: Option<&str>, sources| {
        let from = from.map(name);
        let mount = MountBlob { repository: name("new"), digest, from, sources };
        stand.metadata.mount_blob(mount).await.unwrap()
    };
    let before = stand.everything().await;
    for from in [None, Some("private"), Some("unknown")] {
        assert!(!taken(from, public()).await, "{from:?}");
        assert!(!taken(from, named("other")).await, "{from:?}");
    }
    assert_eq!(stand.everything().await, before);
    for from in [None, Some("private")] {
        for sources in [Sources::Any, named("private")] {
            assert!(taken(from, sources).await, "{from:?}");
            assert_eq!(remove(stand, "new", digest).await, RemoveOutcome::Removed);
        }
    }
    set_visibility(stand, Visibility::Public).await;
    for from in [None, Some("private")] {
        assert!(taken(from, public()).await, "{from:?}");
        assert_eq!(remove(stand, "new", digest).await, RemoveOutcome::Removed);
    }
    set_visibility(stand, Visibility::Internal).await;
    assert!(!taken(None, public()).await);
    // What comes while it is public is to be had too, until it goes.
    set_visibility(stand, Visibility::Public).await;
    let digest = blob("two");
    stand.hold("private", digest).await;
    let taken = async || {
        let sources = public();
        let mount = MountBlob { repository: name("new"), digest, from: None, sources };
        stand.metadata.mount_blob(mount).await.unwrap()
    };
    assert!(taken().await);
    for repository in ["new", "private"] {
        assert_eq!(remove(stand, repository, digest).await, RemoveOutcome::Removed);
    }
    assert!(!taken().await);
}

/// Else whoever knows a digest could tell that it is marked, and keep a blob for ever that nobody needs.
pub async fn a_mount_that_is_refused_leaves_the_mark(stand: &Stand) {
    let digest = blob("one");
    stand.hold("private", digest).await;
    stand.mark(digest, 0, "marked").await;
    for from in [None, Some(name("private"))] {
        let sources = Sources::PublicOr(Vec::new());
        let mount = MountBlob { repository: name("new"), digest, from, sources };
        assert!(!stand.metadata.mount_blob(mount).await.unwrap());
        assert_eq!(stand.marks(digest).await, ["0 marked"]);
    }
}

/// And is no news the second time. The repository comes into being by it.
pub async fn a_mount_adds_a_membership(stand: &Stand) {
    let digest = blob("one");
    let key = stand.hold("a", digest).await;
    for _ in 0..2 {
        assert!(mount(stand, "new", digest, "a").await);
        assert_eq!(stand.held("new", digest).await, Some(key));
    }
}

/// Nor a repository.
pub async fn a_mount_from_where_the_blob_is_not_held_adds_nothing(stand: &Stand) {
    let digest = blob("one");
    stand.hold("a", digest).await;
    stand.hold("b", blob("two")).await;
    let before = stand.everything().await;
    assert!(!mount(stand, "new", digest, "b").await);
    assert!(!mount(stand, "new", digest, "unknown").await);
    assert!(!mount(stand, "new", blob("three"), "a").await);
    assert_eq!(stand.everything().await, before);
}

/// The collector that condemns it next finds no mark.
pub async fn a_mount_of_a_marked_blob_takes_the_mark_away(stand: &Stand) {
    let digest = blob("one");
    stand.hold("a", digest).await;
    stand.mark(digest, 0, "marked").await;
    assert!(mount(stand, "b", digest, "a").await);
    assert!(stand.marks(digest).await.is_empty());
}

/// Its object is about to be deleted.
pub async fn a_mount_of_a_condemned_blob_is_refused(stand: &Stand) {
    let digest = blob("one");
    stand.hold("a", digest).await;
    stand.mark(digest, 0, "condemned").await;
    assert!(!mount(stand, "b", digest, "a").await);
    assert_eq!(stand.held("b", digest).await, None);
    assert_eq!(stand.marks(digest).await, ["0 condemned"]);
}

/// Elsewhere it is held as before.
pub async fn a_removed_blob_is_not_held_there_any_more(stand: &Stand) {
    let digest = blob("one");
    stand.hold("a", digest).await;
    stand.hold("b", digest).await;
    assert_eq!(remove(stand, "a", digest).await, RemoveOutcome::Removed);
    assert_eq!(stand.held("a", digest).await, None);
    assert!(stand.held("b", digest).await.is_some());
    assert_eq!(remove(stand, "a", digest).await, RemoveOutcome::NotHeld);
    assert_eq!(remove(stand, "unknown", digest).await, RemoveOutcome::NotHeld);
}

/// A manifest of another repository is no reason.
pub async fn a_blob_that_a_manifest_needs_is_not_removed(stand: &Stand) {
    let (config, layer) = (blob("config"), blob("layer"));
    for repository in ["a", "b"] {
        stand.hold(repository, config).await;
        stand.hold(repository, layer).await;
    }
    let commit = commit("a", &image(&[config, layer]), &[]);
    let digest = commit.digest;
    stand.commit(commit).await;
    for blob in [config, layer] {
        assert_eq!(remove(stand, "a", blob).await, RemoveOutcome::Needed(digest));
        assert!(stand.held("a", blob).await.is_some());
        assert_eq!(remove(stand, "b", blob).await, RemoveOutcome::Removed);
    }
}

/// What is needed is asked of the repository's manifests, not of all that ever were.
pub async fn a_blob_is_removed_once_no_manifest_needs_it(stand: &Stand) {
    let digest = stand.push("a", "one", &["latest"]).await;
    stand.push("b", "one", &["latest"]).await;
    assert_eq!(remove(stand, "a", blob("one")).await, RemoveOutcome::Needed(digest));
    stand.delete("a", digest, Precondition::None).await;
    assert_eq!(remove(stand, "a", blob("one")).await, RemoveOutcome::Removed);
    assert_eq!(remove(stand, "b", blob("one")).await, RemoveOutcome::Needed(digest));
}

/// Whether it is gone, or kept for what is in the trash; what is refused, or was not there, is none.
pub async fn a_blob_that_is_removed_is_an_event(stand: &Stand) {
    let digest = stand.push("a", "one", &[]).await;
    stand.hold("a", blob("alone")).await;
    let before = stand.events().await.len();
    assert_eq!(remove(stand, "a", blob("one")).await, RemoveOutcome::Needed(digest));
    assert_eq!(remove(stand, "a", blob("unknown")).await, RemoveOutcome::NotHeld);
    assert_eq!(stand.events().await.len(), before);
    stand.delete("a", digest, Precondition::None).await;
    for text in ["one", "alone"] {
        assert_eq!(remove(stand, "a", blob(text)).await, RemoveOutcome::Removed);
    }
    let expected = [
        format!("manifest.deleted {digest}"),
        format!("blob.deleted {}", blob("one")),
        format!("blob.deleted {}", blob("alone")),
    ];
    assert_eq!(stand.events().await[before..], expected);
}

/// What they were told of is theirs to push for that long, however old it is.
pub async fn a_blob_that_a_pusher_is_told_of_stays_for_three_quarters_of_the_grace(stand: &Stand) {
    let digest = blob("one");
    stand.hold("a", digest).await;
    for age in [GRACE - TICK, GRACE / 2, GRACE / 4, GRACE / 4 - TICK, TICK] {
        stand.clock.advance(age);
        assert!(keep(stand, "a", digest).await);
        stand.clock.advance(GRACE * 3 / 4);
        assert_eq!(stand.sweep().await, 0, "{age:?}");
        assert!(keep(stand, "a", digest).await);
    }
    stand.clock.advance(GRACE);
    assert_eq!(stand.sweep().await, 1);
    assert!(!keep(stand, "a", digest).await);
    assert!(!keep(stand, "b", digest).await);
}

/// Not while it is young, nor once a manifest needs it.
pub async fn who_is_told_of_a_blob_seldom_writes(stand: &Stand) {
    let touched = async || stand.rows("SELECT touched_at FROM repository_blobs", &[]).await;
    stand.hold("a", blob("one")).await;
    let before = touched().await;
    stand.clock.advance(GRACE / 4 - TICK);
    assert!(keep(stand, "a", blob("one")).await);
    assert_eq!(touched().await, before);
    stand.clock.advance(TICK);
    assert!(keep(stand, "a", blob("one")).await);
    assert_ne!(touched().await, before);
    stand.push("a", "one", &["t"]).await;
    let before = touched().await;
    stand.clock.advance(GRACE * 2);
    assert!(keep(stand, "a", blob("one")).await);
    assert_eq!(touched().await, before);
}

/// It is told of, and nothing is written.
pub async fn who_is_told_of_a_blob_that_is_read_only_writes_nothing(stand: &Stand) {
    stand.hold("a", blob("one")).await;
    stand.clock.advance(GRACE);
    let scope = WriteScope::Repository(name("a"));
    let close = SetWrites { scope, mode: WriteMode::ReadOnly, reason: None };
    assert_eq!(stand.change(close).await, Change::Done);
    assert!(keep(stand, "a", blob("one")).await);
    let touched = stand.rows("SELECT touched_at FROM repository_blobs", &[]).await;
    assert_eq!(touched, [stand.clock.now().before(GRACE).0.to_string()]);
}

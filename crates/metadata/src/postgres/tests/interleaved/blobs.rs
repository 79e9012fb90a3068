//! Memberships, uploads, reservations and marks.

use std::time::Duration;

use wharf_core::UploadId;
use wharf_core::blobs::{ObjectKey, Staged};
use wharf_core::clock::SystemRandom;
use wharf_core::metadata::{
    CommitOutcome, DeleteOutcome, FinishOutcome, FinishUpload, KeepBlob, ManifestRules, MountBlob,
    Precondition, Progress, RemoveBlob, RemoveOutcome, ReserveBlob, ReserveOutcome, Restore,
    RestoreOutcome, StartUpload, Taken,
};
use wharf_core::permissions::Sources;
use wharf_oci::{Algorithm, Digest, Hasher};

use super::{ALL, Scene};
use crate::contract::samples::{about, blob, commit, deletion, image, index, name};
use crate::contract::stand::{LIFETIME, TIME_LIMIT};
use crate::engine::Engine;
use crate::transactions::garbage::blobs::Condemn;
use crate::transactions::garbage::manifests::Collect;
use crate::transactions::garbage::sweep::Sweep;
use crate::transactions::garbage::trash::Empty;
use crate::transactions::uploads::Cancel;

/// A collector that judges what is marked.
pub(super) const fn condemn() -> Condemn {
    Condemn { grace: Duration::ZERO, limit: 100 }
}

/// A collector that sweeps memberships, however young.
pub(super) const fn sweep() -> Sweep {
    Sweep { after: None, grace: Duration::ZERO, limit: 100 }
}

/// A collector that empties the trash, however young what is in it.
pub(super) const fn empty() -> Empty {
    Empty { rules: ManifestRules { grace: Duration::ZERO, untagged_after: None }, limit: 100 }
}

/// A collector of manifests that no tag needs, however young.
pub(super) const fn collect() -> Collect {
    let rules = ManifestRules { grace: Duration::ZERO, untagged_after: Some(Duration::ZERO) };
    Collect { after: None, rules, limit: 100 }
}

pub(super) fn removal(repository: &str, digest: Digest) -> RemoveBlob {
    RemoveBlob { repository: name(repository), digest, by: "bob".into() }
}

pub(super) fn reservation(id: UploadId, digest: Digest) -> ReserveBlob {
    ReserveBlob { id, digest, time_limit: TIME_LIMIT }
}

async fn reservations(scene: &Scene) -> Vec<String> {
    scene.stand.rows("SELECT digest FROM blob_reservations", &[]).await
}

#[tokio::test]
async fn a_push_and_the_removal_of_what_it_needs() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        scene.stand.hold("a", digest).await;
        let push = commit("a", &image(&[digest]), &["t"]);
        let manifest = push.digest;
        match scene.both(how, push, removal("a", digest)).await {
            (CommitOutcome::Committed, RemoveOutcome::Needed(by)) => assert_eq!(by, manifest),
            (CommitOutcome::Missing(missing), RemoveOutcome::Removed) => {
                assert_eq!(missing, [digest]);
            }
            other => panic!("{how:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_push_and_a_sweep() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        scene.stand.hold("a", digest).await;
        let outcome = scene.both(how, commit("a", &image(&[digest]), &["t"]), sweep()).await;
        match outcome {
            (CommitOutcome::Committed, Taken { count: 0, .. }) => {
                assert!(scene.stand.held("a", digest).await.is_some())
            }
            (CommitOutcome::Missing(_), Taken { count: 1, .. }) => {
                assert!(scene.stand.held("a", digest).await.is_none())
            }
            other => panic!("{how:?}: {other:?}"),
        }
    }
}

pub(super) fn restoration(digest: Digest) -> Restore {
    let (repository, grace) = (name("a"), LIFETIME);
    Restore { repository, what: digest.into(), grace, by: "carol".into() }
}

/// It comes back whole, whoever is first.
#[tokio::test]
async fn a_restore_and_the_removal_of_a_blob_that_it_needs() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        let manifest = scene.stand.push("a", "one", &["t"]).await;
        scene.stand.delete("a", manifest, Precondition::None).await;
        let (back, removed) = scene.both(how, restoration(manifest), removal("a", digest)).await;
        assert!(matches!(back, RestoreOutcome::Restored { .. }), "{how:?}: {back:?}");
        let expected = [RemoveOutcome::Removed, RemoveOutcome::Needed(manifest)];
        assert!(expected.contains(&removed), "{how:?}: {removed:?}");
        assert!(scene.stand.held("a", digest).await.is_some(), "{how:?}");
    }
}

/// The blob is left for what was deleted, or the removal is refused.
#[tokio::test]
async fn a_deletion_and_the_removal_of_a_blob_that_it_needed() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        let manifest = scene.stand.push("a", "one", &["t"]).await;
        let (_, removed) = scene.both(how, deletion("a", manifest), removal("a", digest)).await;
        let expected = [RemoveOutcome::Removed, RemoveOutcome::Needed(manifest)];
        assert!(expected.contains(&removed), "{how:?}: {removed:?}");
        let back = Engine::write(&*scene.engine, restoration(manifest)).await.unwrap();
        assert!(matches!(back, RestoreOutcome::Restored { .. }), "{how:?}: {back:?}");
        assert!(scene.stand.held("a", digest).await.is_some(), "{how:?}");
    }
}

/// What a pusher is told of is there for a while.
#[tokio::test]
async fn a_pusher_who_is_told_of_a_blob_and_a_sweep() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        scene.stand.hold("a", digest).await;
        scene.stand.clock.advance(LIFETIME);
        let keep = KeepBlob { repository: name("a"), digest, grace: LIFETIME };
        let sweep = Sweep { grace: LIFETIME, ..sweep() };
        let (told, taken) = scene.both(how, keep, sweep).await;
        assert_eq!(told, taken.count == 0, "{how:?}");
        assert_eq!(scene.stand.held("a", digest).await.is_some(), told, "{how:?}");
    }
}

#[tokio::test]
async fn a_reservation_and_the_cancelling_of_its_upload() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        let id = scene.stand.start("a").await;
        let (_, cancelled) = scene.both(how, reservation(id, digest), Cancel(id)).await;
        assert!(cancelled, "{how:?}");
        assert!(reservations(&scene).await.is_empty(), "{how:?}");
        assert_eq!(scene.stand.metadata.count_uploads().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_reservation_and_the_finish_of_its_upload() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        let id = scene.stand.start("a").await;
        let key = scene.stand.reserve(id, digest).await.unwrap();
        let (_, finished) =
            scene.both(how, reservation(id, digest), FinishUpload { id, key, size: 0 }).await;
        assert_eq!(finished, FinishOutcome::Finished, "{how:?}");
        assert!(reservations(&scene).await.is_empty(), "{how:?}");
    }
}

#[tokio::test]
async fn two_finishes_of_one_upload() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        let id = scene.stand.start("a").await;
        let key = scene.stand.reserve(id, digest).await.unwrap();
        let outcomes = scene
            .both(how, FinishUpload { id, key, size: 0 }, FinishUpload { id, key, size: 0 })
            .await;
        assert!(
            matches!(
                outcomes,
                (FinishOutcome::Finished, FinishOutcome::Lost)
                    | (FinishOutcome::Lost, FinishOutcome::Finished)
            ),
            "{how:?}: {outcomes:?}"
        );
    }
}

#[tokio::test]
async fn two_reservations_of_a_condemned_blob_share_an_incarnation() {
    for how in ALL {
        for before in [0, 1] {
            let (scene, digest) = (Scene::new().await, blob("one"));
            for incarnation in 0..before {
                scene.stand.mark(digest, incarnation, "condemned").await;
                scene.stand.hold("b", digest).await;
            }
            scene.stand.mark(digest, before, "condemned").await;
            let (one, two) = (scene.stand.start("a").await, scene.stand.start("a").await);
            let outcomes =
                scene.both(how, reservation(one, digest), reservation(two, digest)).await;
            let expected = ObjectKey { digest, incarnation: before + 1 };
            for outcome in [outcomes.0, outcomes.1] {
                assert!(
                    matches!(outcome, ReserveOutcome::Reserved(key) if key == expected),
                    "{how:?}: {outcome:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_reservation_and_a_collector_that_condemns() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        let id = scene.stand.start("a").await;
        scene.stand.mark(digest, 0, "marked").await;
        let (reserved, judged) = scene.both(how, reservation(id, digest), condemn()).await;
        let condemned = judged.condemned;
        let ReserveOutcome::Reserved(key) = reserved else { panic!("{how:?}: {reserved:?}") };
        assert_eq!(u64::from(key.incarnation), condemned, "{how:?}");
        let marks = scene.stand.marks(digest).await;
        assert_eq!(marks.len() as u64, condemned, "{how:?}: {marks:?}");
    }
}

#[tokio::test]
async fn a_finish_and_a_collector_that_condemns() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        let id = scene.stand.start("a").await;
        let key = scene.stand.reserve(id, digest).await.unwrap();
        scene.stand.mark(digest, 0, "marked").await;
        let (finished, judged) =
            scene.both(how, FinishUpload { id, key, size: 0 }, condemn()).await;
        assert_eq!((finished, judged.condemned), (FinishOutcome::Finished, 0), "{how:?}");
        assert!(scene.stand.marks(digest).await.is_empty());
    }
}

/// The source loses the blob, and a collector comes for it.
#[tokio::test]
async fn a_mount_and_a_collector_that_condemns() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        scene.stand.hold("a", digest).await;
        scene.stand.mark(digest, 0, "marked").await;
        let (from, sources) = (Some(name("a")), Sources::Any);
        let mount = MountBlob { repository: name("b"), digest, from, sources };
        let (mounted, removed) = scene.both(how, mount, removal("a", digest)).await;
        assert_eq!(removed, RemoveOutcome::Removed);
        let judged = Engine::write(&*scene.engine, condemn()).await.unwrap();
        assert_ne!(mounted, judged.condemned > 0, "{how:?}");
        assert_eq!(scene.stand.held("b", digest).await.is_some(), mounted, "{how:?}");
    }
}

/// While the collector judges: it sees the source's membership, or finds the mark changed.
#[tokio::test]
async fn a_mount_while_a_collector_condemns() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        scene.stand.hold("a", digest).await;
        scene.stand.mark(digest, 0, "marked").await;
        let (from, sources) = (Some(name("a")), Sources::Any);
        let mount = MountBlob { repository: name("b"), digest, from, sources };
        let (mounted, judged) = scene.both(how, mount, condemn()).await;
        assert!(mounted && judged.condemned == 0, "{how:?}: {judged:?}");
        assert!(scene.stand.marks(digest).await.is_empty(), "{how:?}");
    }
}

/// Neither is the last for the other, and the blob is marked all the same.
#[tokio::test]
async fn two_removals_of_the_last_memberships() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        scene.stand.hold("a", digest).await;
        scene.stand.hold("b", digest).await;
        let outcomes = scene.both(how, removal("a", digest), removal("b", digest)).await;
        assert_eq!(outcomes, (RemoveOutcome::Removed, RemoveOutcome::Removed), "{how:?}");
        assert_eq!(scene.stand.marks(digest).await, ["0 marked"], "{how:?}");
        let judged = Engine::write(&*scene.engine, condemn()).await.unwrap();
        assert_eq!(judged.condemned, 1, "{how:?}");
    }
}

/// Each finds the other's manifest in its snapshot; one of them begins again.
#[tokio::test]
async fn two_deletions_of_the_last_manifests_that_need_a_blob() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        scene.stand.hold("a", digest).await;
        let one = scene.stand.push("a", "one", &["one"]).await;
        let other = commit("a", &image(&[digest, digest]), &["two"]);
        let two = other.digest;
        scene.stand.commit(other).await;
        scene.both(how, deletion("a", one), deletion("a", two)).await;
        let needed = "SELECT needed FROM repository_blobs";
        assert_eq!(scene.stand.rows(needed, &[]).await, ["0"], "{how:?}");
        let swept = Engine::write(&*scene.engine, sweep()).await.unwrap();
        assert_eq!(swept.count, 1, "{how:?}");
    }
}

#[tokio::test]
async fn a_push_and_the_deletion_of_the_last_manifest_that_needs_its_blob() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        let one = scene.stand.push("a", "one", &["one"]).await;
        let push = commit("a", &image(&[digest, digest]), &["two"]);
        let (pushed, deleted) = scene.both(how, push, deletion("a", one)).await;
        assert_eq!(pushed, CommitOutcome::Committed, "{how:?}");
        assert_eq!(deleted, DeleteOutcome::Deleted, "{how:?}");
        let swept = Engine::write(&*scene.engine, sweep()).await.unwrap();
        assert_eq!(swept.count, 0, "{how:?}");
        let needed = "SELECT needed FROM repository_blobs";
        assert_eq!(scene.stand.rows(needed, &[]).await, ["1"], "{how:?}");
    }
}

/// The bytes are there for whoever holds the manifest in the end.
#[tokio::test]
async fn a_push_and_the_emptying_of_the_trash() {
    for how in ALL {
        let scene = Scene::new().await;
        let manifest = scene.stand.push("a", "one", &["t"]).await;
        scene.stand.delete("a", manifest, Precondition::None).await;
        scene.stand.hold("b", blob("one")).await;
        let push = commit("b", &image(&[blob("one")]), &["t"]);
        let (pushed, taken) = scene.both(how, push, empty()).await;
        assert_eq!((pushed, taken.count), (CommitOutcome::Committed, 1), "{how:?}");
        assert_eq!(scene.stand.tag("b", "t").await, Some(manifest), "{how:?}");
        let references = "SELECT count(*) FROM blob_references";
        assert_eq!(scene.stand.rows(references, &[]).await, ["1"], "{how:?}");
    }
}

/// Of one manifest in two repositories: neither is the last for the other, and the bytes go all the same.
#[tokio::test]
async fn two_emptyings_of_the_trash() {
    for how in ALL {
        let scene = Scene::new().await;
        for repository in ["a", "b"] {
            let manifest = scene.stand.push(repository, "one", &["t"]).await;
            scene.stand.delete(repository, manifest, Precondition::None).await;
        }
        let one = Empty { limit: 1, ..empty() };
        scene.both(how, one, empty()).await;
        while Engine::write(&*scene.engine, empty()).await.unwrap().count > 0 {}
        assert!(scene.stand.rows("SELECT digest FROM manifests", &[]).await.is_empty(), "{how:?}");
    }
}

/// Who signs again is not undone by what goes with the subject.
#[tokio::test]
async fn a_new_signature_and_the_collection_of_the_one_before() {
    for how in ALL {
        let scene = Scene::new().await;
        let subject = scene.stand.push("a", "one", &[]).await;
        let tag = format!("sha256-{}.sig", subject.hex());
        scene.stand.push("a", "old", &[&tag]).await;
        scene.stand.delete("a", subject, Precondition::None).await;
        scene.stand.clock.advance(LIFETIME);
        scene.stand.hold("a", blob("new")).await;
        let push = commit("a", &image(&[blob("new")]), &[&tag]);
        let signature = push.digest;
        let rules = ManifestRules { grace: LIFETIME, untagged_after: None };
        let (pushed, taken) = scene.both(how, push, Empty { rules, limit: 100 }).await;
        assert_eq!((pushed, taken.count), (CommitOutcome::Committed, 1), "{how:?}");
        assert_eq!(scene.stand.tag("a", &tag).await, Some(signature), "{how:?}");
    }
}

/// The index keeps its child, or finds it gone.
#[tokio::test]
async fn a_push_of_an_index_and_the_collection_of_its_child() {
    for how in ALL {
        let scene = Scene::new().await;
        let child = scene.stand.push("a", "one", &[]).await;
        let push = commit("a", &index(&[child]), &["t"]);
        let parent = push.digest;
        let (pushed, taken) = scene.both(how, push, collect()).await;
        match pushed {
            CommitOutcome::Committed => assert_eq!(taken.count, 0, "{how:?}"),
            CommitOutcome::Missing(missing) => {
                assert_eq!((missing, taken.count), (vec![child], 1), "{how:?}");
            }
            other => panic!("{how:?}: {other:?}"),
        }
        let both = (scene.stand.has("a", parent).await, scene.stand.has("a", child).await);
        assert!(both.0 == both.1, "{how:?}: {both:?}");
    }
}

/// A signature with a tag keeps its subject.
#[tokio::test]
async fn a_push_of_a_referrer_and_the_collection_of_its_subject() {
    for how in ALL {
        let scene = Scene::new().await;
        let subject = scene.stand.push("a", "one", &[]).await;
        let push = commit("a", &about(image(&[blob("one")]), subject), &["t"]);
        let (pushed, taken) = scene.both(how, push, collect()).await;
        assert_eq!(pushed, CommitOutcome::Committed, "{how:?}");
        // Where the collector came first, it is in the trash.
        assert_eq!(scene.stand.has("a", subject).await, taken.count == 0, "{how:?}");
    }
}

/// The manifest is tagged, or in the trash: never both.
#[tokio::test]
async fn a_tag_on_a_manifest_and_its_collection() {
    for how in ALL {
        let scene = Scene::new().await;
        let manifest = scene.stand.push("a", "one", &[]).await;
        let push = commit("a", &image(&[blob("one")]), &["t"]);
        let (pushed, _) = scene.both(how, push, collect()).await;
        assert_eq!(pushed, CommitOutcome::Committed, "{how:?}");
        assert_eq!(scene.stand.tag("a", "t").await, Some(manifest), "{how:?}");
    }
}

#[tokio::test]
async fn two_uploads_that_make_their_repository() {
    for how in ALL {
        let scene = Scene::new().await;
        let start = || StartUpload {
            id: UploadId::random(&SystemRandom),
            repository: name("new"),
            principal: "alice".into(),
            staged: Staged::default(),
            hash: Hasher::new(Algorithm::Sha256).state(),
            lifetime: LIFETIME,
            announced: Some(0),
        };
        scene.both(how, start(), start()).await;
        let uploads = "SELECT count(DISTINCT r.id), count(*) FROM uploads u
             JOIN repositories r ON r.id = u.repository_id";
        assert_eq!(scene.stand.rows(uploads, &[]).await, ["1 2"], "{how:?}");
    }
}

#[tokio::test]
async fn progress_from_one_offset_twice() {
    for how in ALL {
        let scene = Scene::new().await;
        let id = scene.stand.start("a").await;
        let progress = |offset| Progress {
            id,
            from_offset: 0,
            staged: Staged { offset, parts: Vec::new() },
            hash: Hasher::new(Algorithm::Sha256).state(),
            lifetime: LIFETIME,
        };
        let (one, two) = scene.both(how, progress(1), progress(2)).await;
        assert!(one != two, "{how:?}");
    }
}

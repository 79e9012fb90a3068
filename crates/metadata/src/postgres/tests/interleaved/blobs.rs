//! Memberships, uploads, reservations and marks.

use wharf_core::UploadId;
use wharf_core::blobs::{ObjectKey, Staged};
use wharf_core::clock::SystemRandom;
use wharf_core::metadata::{
    CommitOutcome, FinishOutcome, FinishUpload, MountBlob, Progress, RemoveBlob, RemoveOutcome,
    ReserveBlob, ReserveOutcome, StartUpload,
};
use wharf_core::permissions::Sources;
use wharf_oci::{Algorithm, Digest, Hasher};

use super::super::Run;
use super::{ALL, Scene};
use crate::contract::samples::{blob, commit, image, name};
use crate::contract::stand::{LIFETIME, TIME_LIMIT};
use crate::transactions::uploads::Cancel;

/// What a collector does with a mark that is old enough.
const CONDEMN: &str = "UPDATE blob_marks SET state = 'condemned' WHERE state = 'marked'
     AND NOT EXISTS (SELECT 1 FROM repository_blobs b WHERE b.blob_digest = blob_marks.digest)
     AND NOT EXISTS (SELECT 1 FROM blob_reservations r WHERE r.digest = blob_marks.digest)";

/// What a sweep does with memberships that are old enough.
const SWEEP: &str = "DELETE FROM repository_blobs WHERE NOT EXISTS
     (SELECT 1 FROM blob_references b JOIN repository_manifests m ON m.digest = b.manifest_digest
      WHERE m.repository_id = repository_blobs.repository_id
        AND b.blob_digest = repository_blobs.blob_digest)";

fn reservation(id: UploadId, digest: Digest) -> ReserveBlob {
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
        let removal = RemoveBlob { repository: name("a"), digest, by: "bob".into() };
        match scene.both(how, push, removal).await {
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
        let outcome = scene.both(how, commit("a", &image(&[digest]), &["t"]), Run(SWEEP)).await;
        match outcome {
            (CommitOutcome::Committed, 0) => assert!(scene.stand.held("a", digest).await.is_some()),
            (CommitOutcome::Missing(_), 1) => {
                assert!(scene.stand.held("a", digest).await.is_none())
            }
            other => panic!("{how:?}: {other:?}"),
        }
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
        let (reserved, condemned) = scene.both(how, reservation(id, digest), Run(CONDEMN)).await;
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
        let outcome = scene.both(how, FinishUpload { id, key, size: 0 }, Run(CONDEMN)).await;
        assert_eq!(outcome, (FinishOutcome::Finished, 0), "{how:?}");
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
        let collect = Run(CONDEMN);
        let removal = RemoveBlob { repository: name("a"), digest, by: "bob".into() };
        let (mounted, removed) = scene.both(how, mount, removal).await;
        assert_eq!(removed, RemoveOutcome::Removed);
        let condemned = crate::engine::Engine::write(&*scene.engine, collect).await.unwrap();
        assert_ne!(mounted, condemned > 0, "{how:?}");
        assert_eq!(scene.stand.held("b", digest).await.is_some(), mounted, "{how:?}");
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

//! Usage and quotas: what two transactions charge at once is charged exactly, and no more is let in than one after the other would be.

use std::time::Duration;

use wharf_core::StoreError;
use wharf_core::metadata::{
    Change, ChangeRequest, CommitManifest, CommitOutcome, DeleteManifest, DeleteRepository,
    MountBlob, Precondition, Quota, RemoveBlob, RepositoryDeletion, RepositoryRestoration,
    RestoreRepository, SetNamespaceQuota,
};
use wharf_core::permissions::Sources;
use wharf_oci::Digest;

use super::{ALL, Scene};
use crate::contract::samples::{blob, commit, image, name};
use crate::contract::usage::{
    bytes, is_counted_right, limit, namespace, push, upload, usage, user,
};
use crate::engine::Result;
use crate::transactions::garbage::sweep::Sweep;

fn is_refused<T>(result: &Result<T>) -> bool {
    matches!(result, Err(StoreError::OverQuota(_)))
}

fn image_of(blobs: &[&str], repository: &str) -> CommitManifest {
    let blobs: Vec<_> = blobs.iter().map(|text| blob(text)).collect();
    commit(repository, &image(&blobs), &[])
}

/// `team/a` takes the blob `base` from another repository.
fn mount(from: &str) -> MountBlob {
    let (repository, digest) = (name("team/a"), blob("base"));
    MountBlob { repository, digest, from: Some(name(from)), sources: Sources::Any }
}

/// It has that already, though no manifest of its needs it.
async fn pushed_for_nothing() -> Scene {
    let scene = Scene::new().await;
    push(&scene.stand, "other/app", &[("base", 1000)], &[]).await.unwrap();
    upload(&scene.stand, "team/a", blob("base"), 1000).await.unwrap();
    scene
}

#[tokio::test]
async fn two_images_that_are_the_first_to_need_a_blob() {
    for (one, other) in [("team/a", "team/a"), ("team/a", "team/b")] {
        for how in ALL {
            let scene = Scene::new().await;
            for (repository, own) in [(one, "x"), (other, "y")] {
                upload(&scene.stand, repository, blob("base"), 1000).await.unwrap();
                upload(&scene.stand, repository, blob(own), 10).await.unwrap();
            }
            let (first, second) = (image_of(&["x", "base"], one), image_of(&["y", "base"], other));
            let own = (first.payload.len() + second.payload.len()) as u64;
            let outcomes = scene.both(how, first, second).await;
            assert_eq!(outcomes, (CommitOutcome::Committed, CommitOutcome::Committed), "{how:?}");
            let held = usage(&scene.stand, namespace("team")).await;
            assert_eq!((held.bytes, held.reserved, held.manifests), (1020 + own, 0, 2), "{how:?}");
            is_counted_right(&scene.stand).await;
        }
    }
}

#[tokio::test]
async fn an_image_and_the_deletion_of_the_other_that_needs_its_blob() {
    for how in ALL {
        let scene = Scene::new().await;
        let (there, _) = push(&scene.stand, "team/a", &[("base", 1000)], &[]).await.unwrap();
        upload(&scene.stand, "team/a", blob("x"), 10).await.unwrap();
        let pushed = image_of(&["x", "base"], "team/a");
        let own = pushed.payload.len() as u64;
        scene.both(how, pushed, deletion("team/a", there)).await;
        let held = usage(&scene.stand, namespace("team")).await;
        assert_eq!((held.bytes, held.manifests), (1010 + own, 1), "{how:?}");
        is_counted_right(&scene.stand).await;
    }
}

/// In the namespace, the blob is there throughout, or gone and there again.
#[tokio::test]
async fn the_deletion_of_a_namespaces_last_image_with_a_blob_and_another_repository_that_takes_it()
{
    for how in ALL {
        let scene = Scene::new().await;
        let (there, _) = push(&scene.stand, "team/b", &[("base", 1000)], &[]).await.unwrap();
        scene.stand.start("team/a").await;
        let mount = mount("team/b");
        assert!(scene.both(how, mount, deletion("team/b", there)).await.0, "{how:?}");
        let held = usage(&scene.stand, namespace("team")).await;
        assert_eq!((held.bytes, held.reserved, held.manifests), (0, 1000, 0), "{how:?}");
        is_counted_right(&scene.stand).await;
    }
}

/// An unneeded blob is swept while somebody mounts it again: it is charged once, or not at all.
#[tokio::test]
async fn a_blob_that_is_added_and_one_that_is_swept() {
    for how in ALL {
        let scene = pushed_for_nothing().await;
        scene.stand.clock.advance(Duration::from_secs(2));
        let mount = mount("other/app");
        let sweep = Sweep { after: None, grace: Duration::from_secs(1), limit: 100 };
        assert!(scene.both(how, mount, sweep).await.0, "{how:?}");
        is_counted_right(&scene.stand).await;
        let held = usage(&scene.stand, namespace("team")).await;
        assert!(held.reserved == 1000 || held.reserved == 0, "{how:?}: {held:?}");
    }
}

#[tokio::test]
async fn a_blob_that_is_added_and_removed() {
    for how in ALL {
        let scene = pushed_for_nothing().await;
        let mount = mount("other/app");
        let removal =
            RemoveBlob { repository: name("team/a"), digest: blob("base"), by: "bob".into() };
        assert!(scene.both(how, mount, removal).await.0, "{how:?}");
        is_counted_right(&scene.stand).await;
    }
}

/// Its namespace has its blobs no more, but for the one that another repository takes at the time.
#[tokio::test]
async fn a_repository_that_is_deleted_and_another_that_takes_a_blob_of_it() {
    for how in ALL {
        let scene = Scene::new().await;
        push(&scene.stand, "other/app", &[("base", 1000)], &[]).await.unwrap();
        push(&scene.stand, "team/b", &[("base", 1000), ("own", 10)], &[]).await.unwrap();
        scene.stand.start("team/a").await;
        let mount = mount("other/app");
        let deletion = DeleteRepository { repository: name("team/b"), by: "bob".into() };
        let (mounted, deleted) = scene.both(how, mount, deletion).await;
        assert!(mounted, "{how:?}");
        assert_eq!(deleted, RepositoryDeletion::Deleted, "{how:?}");
        let held = usage(&scene.stand, namespace("team")).await;
        assert_eq!((held.bytes, held.reserved, held.manifests), (0, 1000, 0), "{how:?}");
        is_counted_right(&scene.stand).await;
    }
}

/// And the other way round: it comes back while the other lets go of the blob that both have.
#[tokio::test]
async fn a_repository_that_comes_back_and_another_that_lets_go_of_a_blob_of_it() {
    for how in ALL {
        let scene = Scene::new().await;
        let (there, _) = push(&scene.stand, "team/a", &[("base", 1000)], &[]).await.unwrap();
        let blobs = [("base", 1000), ("own", 10)];
        let (_, own) = push(&scene.stand, "team/b", &blobs, &[]).await.unwrap();
        let gone = DeleteRepository { repository: name("team/b"), by: "bob".into() };
        let gone = scene.stand.metadata.delete_repository(gone).await.unwrap();
        assert_eq!(gone, RepositoryDeletion::Deleted);
        let back = RestoreRepository {
            repository: name("team/b"),
            number: None,
            to: None,
            grace: Duration::from_secs(3600),
            by: "bob".into(),
        };
        let (back, _) = scene.both(how, back, deletion("team/a", there)).await;
        assert_eq!(back, RepositoryRestoration::Restored, "{how:?}");
        let held = usage(&scene.stand, namespace("team")).await;
        assert_eq!((held.bytes, held.manifests), (1010 + own, 1), "{how:?}");
        is_counted_right(&scene.stand).await;
    }
}

fn deletion(repository: &str, digest: Digest) -> DeleteManifest {
    let precondition = Precondition::None;
    DeleteManifest { repository: name(repository), digest, precondition, by: "bob".into() }
}

#[tokio::test]
async fn two_images_of_which_one_fits() {
    for how in ALL {
        let scene = Scene::new().await;
        user(&scene.stand, "team").await;
        for (repository, text) in [("team/a", "x"), ("team/b", "y")] {
            upload(&scene.stand, repository, blob(text), 100).await.unwrap();
        }
        let (first, second) = (image_of(&["x"], "team/a"), image_of(&["y"], "team/b"));
        let most = 100 + first.payload.len() as u64;
        limit(&scene.stand, "team", bytes(most)).await;
        let (one, other) = scene.tried(how, first, second).await;
        let refused = [one, other].into_iter().filter(is_refused).count();
        assert_eq!(refused, 1, "{how:?}");
        assert_eq!(usage(&scene.stand, namespace("team")).await.bytes, most, "{how:?}");
        is_counted_right(&scene.stand).await;
    }
}

#[tokio::test]
async fn an_image_and_a_quota_that_is_lowered() {
    for how in ALL {
        let scene = Scene::new().await;
        user(&scene.stand, "team").await;
        limit(&scene.stand, "team", bytes(1 << 30)).await;
        upload(&scene.stand, "team/a", blob("x"), 100).await.unwrap();
        let pushed = image_of(&["x"], "team/a");
        let needed = 100 + pushed.payload.len() as u64;
        let change = SetNamespaceQuota {
            namespace: "team".parse().unwrap(),
            quota: bytes(needed - 1),
            expected: None,
        };
        let lowering = ChangeRequest { change: change.into(), by: "user:ada".into(), once: None };
        let (pushed, lowered) = scene.tried(how, pushed, lowering).await;
        assert_eq!(lowered.unwrap(), Change::Done);
        let committed = !is_refused(&pushed);
        let held = usage(&scene.stand, namespace("team")).await.bytes;
        assert_eq!(held, if committed { needed } else { 0 }, "{how:?}");
        if committed {
            let more = upload(&scene.stand, "team/b", blob("z"), 1).await;
            assert!(is_refused(&more), "{how:?}: {more:?}");
        }
        is_counted_right(&scene.stand).await;
    }
}

#[tokio::test]
async fn a_mount_and_a_quota_that_is_set() {
    for how in ALL {
        let scene = Scene::new().await;
        user(&scene.stand, "team").await;
        push(&scene.stand, "other/app", &[("base", 1000)], &[]).await.unwrap();
        scene.stand.start("team/a").await;
        let mount = mount("other/app");
        let quota = Quota { bytes: Some(999), ..Quota::default() };
        let change =
            SetNamespaceQuota { namespace: "team".parse().unwrap(), quota, expected: None };
        let setting = ChangeRequest { change: change.into(), by: "user:ada".into(), once: None };
        // It makes the shard that it charges: who sets the quota must not pass it over.
        let (_, set) = scene.tried(how, mount, setting).await;
        assert_eq!(set.unwrap(), Change::Done);
        let over = upload(&scene.stand, "team/a", blob("more"), 1000).await;
        assert!(is_refused(&over), "{how:?}: {over:?}");
        is_counted_right(&scene.stand).await;
    }
}

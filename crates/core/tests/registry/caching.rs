//! The cache: it answers, and never with what an acknowledged change made untrue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use wharf_core::operation::{KeepBlob, MountBlob, PullBlob};
use wharf_oci::Digest;

use crate::faulty_metadata::MetadataFault;
use crate::stand::{Stand, digest, image, name};

async fn at(stand: &Stand, reference: &str) -> Option<Digest> {
    stand.manifest("a", reference).await.map(|manifest| manifest.digest)
}

fn calls(stand: &Stand, method: &str) -> u64 {
    stand.metadata.calls().iter().find(|(name, _)| *name == method).map_or(0, |(_, calls)| *calls)
}

#[tokio::test]
async fn a_second_pull_asks_no_database() {
    let stand = Stand::new();
    let one = stand.tag("a", "one", &["latest"]).await;
    let blob = digest(b"one");
    for _ in 0..5 {
        assert_eq!(at(&stand, "latest").await, Some(one));
        let found = stand.manifest("a", &one.to_string()).await.unwrap();
        assert_eq!((found.digest, found.payload), (one, image(blob)));
        assert_eq!(stand.pull("a", blob).await.unwrap(), "one");
    }
    assert_eq!(calls(&stand, "find_manifest"), 2);
    assert_eq!(calls(&stand, "find_blob"), 1);
}

/// By which a pusher's question is answered: from the cache where a manifest needs the blob, else by the database.
#[tokio::test]
async fn whether_a_blob_is_needed_is_cached_with_it() {
    let stand = Stand::new();
    stand.tag("a", "one", &["latest"]).await;
    stand.push("a", &Bytes::from("two")).await.unwrap();
    for (text, needed) in [("one", true), ("two", false)] {
        let (repository, digest) = (name("a"), digest(text.as_bytes()));
        let before = calls(&stand, "find_blob");
        for _ in 0..2 {
            let operation = PullBlob { repository: repository.clone(), digest };
            let found = stand.registry.find_blob(&stand.allowed(operation).await).await.unwrap();
            assert_eq!(found.is_needed(), needed, "{text}");
        }
        assert_eq!(calls(&stand, "find_blob"), before + 1);
        let keep = stand.allowed(KeepBlob { repository, digest }).await;
        assert!(stand.registry.keep_blob(&keep).await.unwrap());
    }
    let keep = KeepBlob { repository: name("b"), digest: digest(b"two") };
    assert!(!stand.registry.keep_blob(&stand.allowed(keep).await).await.unwrap());
}

/// Nothing can be pushed then, and pulls go on.
#[tokio::test]
async fn a_blob_is_told_of_while_the_database_is_away() {
    let stand = Stand::new();
    stand.push("a", &Bytes::from("one")).await.unwrap();
    stand.metadata.script("keep_blob", 1, MetadataFault::Fail);
    let keep = KeepBlob { repository: name("a"), digest: digest(b"one") };
    assert!(stand.registry.keep_blob(&stand.allowed(keep).await).await.unwrap());
}

#[tokio::test]
async fn what_one_repository_cached_is_not_served_from_another() {
    let stand = Stand::new();
    let one = stand.tag("a", "one", &["latest"]).await;
    stand.tag("b", "two", &[]).await;
    at(&stand, "latest").await.unwrap();
    stand.pull("a", digest(b"one")).await.unwrap();
    for reference in ["latest", &one.to_string()] {
        assert!(stand.manifest("b", reference).await.is_none());
    }
    assert_eq!(stand.pull("b", digest(b"one")).await, None);
}

#[tokio::test]
async fn what_was_not_there_is_found_once_it_is_pushed() {
    let stand = Stand::new();
    assert_eq!(at(&stand, "latest").await, None);
    assert_eq!(stand.pull("a", digest(b"one")).await, None);
    let one = stand.tag("a", "one", &["latest"]).await;
    assert_eq!(at(&stand, "latest").await, Some(one));
    assert_eq!(stand.pull("a", digest(b"one")).await.unwrap(), "one");
}

#[tokio::test]
async fn what_is_not_there_is_looked_for_once_until_it_is_pushed() {
    let stand = Stand::new();
    let (blob, one) = (digest(b"one"), digest(&image(digest(b"one"))));
    for repository in ["a", "nobody/pushed/here"] {
        let before = (calls(&stand, "find_manifest"), calls(&stand, "find_blob"));
        for _ in 0..20 {
            for reference in ["latest", &one.to_string()] {
                assert!(stand.manifest(repository, reference).await.is_none());
            }
            assert_eq!(stand.pull(repository, blob).await, None);
        }
        assert_eq!(calls(&stand, "find_manifest"), before.0 + 2, "{repository}");
        assert_eq!(calls(&stand, "find_blob"), before.1 + 1, "{repository}");
    }
    stand.push("a", &Bytes::from("one")).await.unwrap();
    assert_eq!(stand.pull("a", blob).await.unwrap(), "one");
    assert_eq!(at(&stand, "latest").await, None);
    stand.tag("a", "one", &["latest"]).await;
    for reference in ["latest", &one.to_string()] {
        assert_eq!(at(&stand, reference).await, Some(one));
    }
}

#[tokio::test]
async fn a_burst_of_pulls_of_a_blob_is_one_look_up_whether_it_is_there_or_not() {
    let stand = Stand::new();
    stand.push("a", &Bytes::from("one")).await.unwrap();
    for (text, there) in [("one", true), ("two", false)] {
        let before = calls(&stand, "find_blob");
        let pulls = (0..50).map(|_| stand.pull("a", digest(text.as_bytes())));
        let pulled = futures_util::future::join_all(pulls).await;
        assert!(pulled.iter().all(|blob| blob.is_some() == there));
        assert_eq!(calls(&stand, "find_blob"), before + 1);
    }
}

#[tokio::test]
async fn a_blob_that_was_looked_for_is_found_once_it_is_mounted_or_its_upload_ended_unheard() {
    let stand = Stand::new();
    let blob = digest(b"one");
    for repository in ["b", "c"] {
        assert_eq!(stand.pull(repository, blob).await, None);
    }
    stand.push("a", &Bytes::from("one")).await.unwrap();
    let mount = MountBlob { repository: name("b"), digest: blob, from: Some(name("a")) };
    stand.registry.mount_blob(&stand.allowed(mount).await).await.unwrap();
    assert_eq!(stand.pull("b", blob).await.unwrap(), "one");
    stand.metadata.script("finish_upload", 1, MetadataFault::LoseReply);
    stand.push("c", &Bytes::from("one")).await.unwrap_err();
    assert_eq!(stand.pull("c", blob).await.unwrap(), "one");
}

#[tokio::test]
async fn a_look_up_that_began_before_a_push_does_not_keep_that_there_is_nothing() {
    let stand = Arc::new(Stand::new());
    let (reached, go_on) = stand.metadata.hold("find_blob");
    let reader = stand.clone();
    let pull = tokio::spawn(async move { reader.pull("a", digest(b"one")).await });
    reached.await.unwrap();
    stand.push("a", &Bytes::from("one")).await.unwrap();
    go_on.send(()).unwrap();
    assert_eq!(pull.await.unwrap(), None);
    assert_eq!(stand.pull("a", digest(b"one")).await.unwrap(), "one");
    let (reached, go_on) = stand.metadata.hold("find_manifest");
    let reader = stand.clone();
    let pull = tokio::spawn(async move { at(&reader, "latest").await });
    reached.await.unwrap();
    let one = stand.tag("a", "one", &["latest"]).await;
    go_on.send(()).unwrap();
    assert_eq!(pull.await.unwrap(), None);
    assert_eq!(at(&stand, "latest").await, Some(one));
}

#[tokio::test]
async fn a_push_of_a_blob_leaves_tags_cached_and_a_push_of_a_manifest_leaves_blobs() {
    let stand = Stand::new();
    let one = stand.tag("a", "one", &["latest"]).await;
    let pull = async || {
        assert_eq!(at(&stand, "latest").await, Some(one));
        assert_eq!(stand.pull("a", digest(b"one")).await.unwrap(), "one");
        (calls(&stand, "find_manifest"), calls(&stand, "find_blob"))
    };
    let (manifests, blobs) = pull().await;
    stand.push("a", &Bytes::from("two")).await.unwrap();
    assert_eq!(pull().await, (manifests, blobs + 1));
    stand.delete_manifest("a", "other").await.unwrap_err();
    assert_eq!(pull().await, (manifests + 1, blobs + 1));
}

#[tokio::test]
async fn a_pull_that_began_before_a_move_does_not_cache_the_old_digest() {
    let stand = Arc::new(Stand::new());
    let one = stand.tag("a", "one", &["latest"]).await;
    let (reached, go_on) = stand.metadata.hold("find_manifest");
    let reader = stand.clone();
    let pull = tokio::spawn(async move { at(&reader, "latest").await });
    reached.await.unwrap();
    let two = stand.tag("a", "two", &["latest"]).await;
    go_on.send(()).unwrap();
    assert_eq!(pull.await.unwrap(), Some(one));
    for _ in 0..2 {
        assert_eq!(at(&stand, "latest").await, Some(two));
    }
}

#[tokio::test]
async fn a_pull_that_began_before_a_deletion_caches_nothing() {
    let stand = Arc::new(Stand::new());
    let one = stand.tag("a", "one", &["latest"]).await;
    for reference in ["latest".to_owned(), one.to_string()] {
        let (reached, go_on) = stand.metadata.hold("find_manifest");
        let (reader, asked) = (stand.clone(), reference.clone());
        let pull = tokio::spawn(async move { at(&reader, &asked).await });
        reached.await.unwrap();
        stand.delete_manifest("a", &reference).await.unwrap();
        go_on.send(()).unwrap();
        assert_eq!(pull.await.unwrap(), Some(one));
        assert_eq!(at(&stand, &reference).await, None);
    }
    let (reached, go_on) = stand.metadata.hold("find_blob");
    let reader = stand.clone();
    let pull = tokio::spawn(async move { reader.pull("a", digest(b"one")).await });
    reached.await.unwrap();
    stand.delete_blob("a", digest(b"one")).await.unwrap();
    go_on.send(()).unwrap();
    pull.await.unwrap();
    assert_eq!(stand.pull("a", digest(b"one")).await, None);
}

#[tokio::test]
async fn nothing_that_was_deleted_is_served() {
    let stand = Stand::new();
    let one = stand.tag("a", "one", &["1", "latest"]).await;
    let blob = digest(b"one");
    let by_digest = one.to_string();
    for reference in ["1", "latest", &by_digest] {
        assert_eq!(at(&stand, reference).await, Some(one));
    }
    stand.pull("a", blob).await.unwrap();
    stand.delete_manifest("a", "1").await.unwrap();
    assert_eq!(at(&stand, "1").await, None);
    assert_eq!(at(&stand, "latest").await, Some(one));
    stand.delete_manifest("a", &by_digest).await.unwrap();
    for reference in ["1", "latest", &by_digest] {
        assert_eq!(at(&stand, reference).await, None);
    }
    assert_eq!(stand.pull("a", blob).await, Some(Bytes::from("one")));
    stand.delete_blob("a", blob).await.unwrap();
    assert_eq!(stand.pull("a", blob).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_an_acknowledged_move_no_pull_sees_an_older_digest() {
    const ROUNDS: usize = 150;
    let stand = Arc::new(Stand::new());
    let digests: Arc<Vec<Digest>> = {
        let text = |round: usize| digest(round.to_string().as_bytes());
        Arc::new((0..ROUNDS).map(|round| digest(&image(text(round)))).collect())
    };
    assert_eq!(stand.tag("a", "0", &["latest"]).await, digests[0]);
    let (acknowledged, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (stand, digests) = (stand.clone(), digests.clone());
            let (acknowledged, over) = (acknowledged.clone(), over.clone());
            tokio::spawn(async move {
                let (mut pulls, mut newest) = (0_u64, 0);
                while !over.load(Ordering::SeqCst) {
                    newest = newest.max(acknowledged.load(Ordering::SeqCst));
                    let found = at(&stand, "latest").await.unwrap();
                    let round = digests.iter().position(|digest| *digest == found).unwrap();
                    assert!(round >= newest, "round {round} after {newest} was acknowledged");
                    pulls += 1;
                    tokio::task::yield_now().await;
                }
                pulls
            })
        })
        .collect();
    for round in 1..ROUNDS {
        let moved = stand.tag("a", &round.to_string(), &["latest"]).await;
        assert_eq!(moved, digests[round]);
        acknowledged.store(round, Ordering::SeqCst);
    }
    over.store(true, Ordering::SeqCst);
    let mut pulls = 0;
    for reader in readers {
        pulls += reader.await.unwrap();
    }
    assert!(calls(&stand, "find_manifest") < pulls, "the cache answered some of {pulls} pulls");
}

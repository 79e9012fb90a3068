//! Deleting: what is needed stays, what is not there is told, and where it is switched off nothing is deleted.

use wharf_core::{Error, Missing, Rules};

use crate::stand::{Stand, digest};

#[tokio::test]
async fn a_blob_that_a_manifest_needs_is_not_deleted() {
    let stand = Stand::new();
    let (manifest, blob) = (stand.tag("a", "one", &["latest"]).await, digest(b"one"));
    stand.tag("b", "one", &[]).await;
    match stand.delete_blob("a", blob).await {
        Err(Error::Needed(need)) => assert_eq!((need.blob, need.manifest), (blob, manifest)),
        other => panic!("{other:?}"),
    }
    assert!(stand.pull("a", blob).await.is_some());
    stand.delete_manifest("a", "latest").await.unwrap();
    assert!(matches!(stand.delete_blob("a", blob).await, Err(Error::Needed(_))), "no tag needed");
    stand.delete_manifest("a", &manifest.to_string()).await.unwrap();
    stand.delete_blob("a", blob).await.unwrap();
    assert_eq!(stand.pull("a", blob).await, None);
    assert!(stand.pull("b", blob).await.is_some());
}

#[tokio::test]
async fn what_is_not_there_is_told() {
    let stand = Stand::new();
    let blob = digest(b"one");
    let unknown = stand.delete_manifest("a", "latest").await;
    assert!(matches!(unknown, Err(Error::NotFound(Missing::Repository(_)))), "{unknown:?}");
    stand.push("a", &"two".into()).await.unwrap();
    for reference in ["latest", &blob.to_string()] {
        let unknown = stand.delete_manifest("a", reference).await;
        assert!(matches!(unknown, Err(Error::NotFound(Missing::Manifest(..)))), "{unknown:?}");
    }
    for repository in ["a", "unknown"] {
        let unknown = stand.delete_blob(repository, blob).await;
        assert!(matches!(unknown, Err(Error::NotFound(Missing::Blob(..)))), "{unknown:?}");
    }
}

#[tokio::test]
async fn nothing_is_deleted_where_deleting_is_switched_off() {
    let stand = Stand::with(Rules { allow_delete: false, ..Rules::default() });
    let manifest = stand.tag("a", "one", &["latest"]).await;
    stand.push("a", &"two".into()).await.unwrap();
    for reference in ["latest", &manifest.to_string(), "unknown"] {
        let refused = stand.delete_manifest("a", reference).await;
        assert!(matches!(refused, Err(Error::Unsupported(_))), "{refused:?}");
    }
    let refused = stand.delete_blob("a", digest(b"two")).await;
    assert!(matches!(refused, Err(Error::Unsupported(_))), "{refused:?}");
    assert_eq!(stand.manifest("a", "latest").await.unwrap().digest, manifest);
    assert!(stand.pull("a", digest(b"two")).await.is_some());
}

#[tokio::test]
async fn a_deleted_blob_can_be_pushed_again() {
    let stand = Stand::new();
    for _ in 0..3 {
        stand.push("a", &"one".into()).await.unwrap();
        assert_eq!(stand.pull("a", digest(b"one")).await.unwrap(), "one");
        stand.delete_blob("a", digest(b"one")).await.unwrap();
        assert_eq!(stand.pull("a", digest(b"one")).await, None);
    }
}

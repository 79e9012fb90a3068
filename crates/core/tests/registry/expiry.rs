//! Expired uploads: unknown to their clients, and ended with their bytes.

use std::path::Path;
use std::time::Duration;

use wharf_blobs::{Fault, Method};
use wharf_core::metadata::Uploads;
use wharf_core::{Error, Missing, Result, StoreError};

use crate::faulty_metadata::MetadataFault;
use crate::stand::{Stand, content, digest, nothing, whole};

fn unknown<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::NotFound(Missing::Upload(..))))
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn expired_uploads_are_ended_with_their_staged_bytes() {
    let (stand, bytes) = (Stand::on_files(), content(1000, 1));
    let staging = stand.folder.path().join("blobs/staging");
    let mut uploads = Vec::new();
    for _ in 0..3 {
        let upload = stand.start("a").await.unwrap();
        stand.append("a", upload, whole(&bytes)).await.unwrap();
        uploads.push(upload);
    }
    stand.start("a").await.unwrap();
    stand.push("a", &bytes).await.unwrap();
    assert_eq!(files(&staging), 3);
    assert_eq!(stand.registry.end_expired_uploads(100).await.unwrap(), 0);
    stand.clock.advance(stand.registry.rules().upload_lifetime);
    let young = stand.start("a").await.unwrap();
    stand.append("a", young, whole(&bytes)).await.unwrap();
    for upload in uploads {
        assert!(unknown(&stand.offset("a", upload).await));
        assert!(unknown(&stand.append("a", upload, whole(&bytes)).await));
    }
    assert_eq!(stand.registry.end_expired_uploads(3).await.unwrap(), 3);
    assert_eq!(stand.registry.end_expired_uploads(100).await.unwrap(), 1);
    assert_eq!(stand.registry.end_expired_uploads(100).await.unwrap(), 0);
    assert_eq!(files(&staging), 1);
    assert_eq!(stand.metadata.count_uploads().await.unwrap(), 1);
    assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
    stand.finish("a", young, digest(&bytes), nothing()).await.unwrap();
}

#[tokio::test]
async fn an_upload_whose_bytes_cannot_be_dropped_is_found_again() {
    let (stand, bytes) = (Stand::new(), content(1000, 1));
    let upload = stand.start("a").await.unwrap();
    stand.append("a", upload, whole(&bytes)).await.unwrap();
    stand.clock.advance(stand.registry.rules().upload_lifetime);
    for fault in [Fault::Fail(StoreError::Unavailable("on purpose".into())), Fault::LoseReply] {
        stand.blobs.script(Method::Discard, 1, fault);
        assert_eq!(stand.registry.end_expired_uploads(100).await.unwrap(), 0);
        assert_eq!(stand.metadata.count_uploads().await.unwrap(), 1);
    }
    for fault in [MetadataFault::Fail, MetadataFault::LoseReply] {
        stand.metadata.script("cancel_upload", 1, fault);
        assert_eq!(stand.registry.end_expired_uploads(100).await.unwrap(), 0);
    }
    assert_eq!(stand.registry.end_expired_uploads(100).await.unwrap(), 0);
    assert_eq!(stand.metadata.count_uploads().await.unwrap(), 0);
    assert_eq!(stand.blobs.inner().counts(), (0, 0));
}

#[tokio::test]
async fn no_bytes_stay_behind_where_dropping_them_failed_at_first() {
    let (stand, bytes) = (Stand::on_files(), content(1000, 1));
    let upload = stand.start("a").await.unwrap();
    let fault = Fault::Fail(StoreError::Unavailable("on purpose".into()));
    stand.blobs.script(Method::Discard, 1, fault);
    stand.finish("a", upload, digest(b"something else"), whole(&bytes)).await.unwrap_err();
    stand.clock.advance(stand.registry.rules().upload_lifetime);
    let staging = stand.folder.path().join("blobs/staging");
    assert_eq!(files(&staging), 1);
    stand.registry.end_expired_uploads(100).await.unwrap();
    assert_eq!(files(&staging), 0);
    assert_eq!(stand.metadata.count_uploads().await.unwrap(), 0);
}

#[tokio::test]
async fn an_upload_that_may_be_on_its_way_into_place_is_not_ended() {
    let (stand, bytes) = (Stand::new(), content(1000, 1));
    let upload = stand.start("a").await.unwrap();
    stand.append("a", upload, whole(&bytes)).await.unwrap();
    let rules = stand.registry.rules();
    stand.clock.advance(rules.upload_lifetime - Duration::from_secs(1));
    stand.metadata.script("finish_upload", 1, MetadataFault::Fail);
    stand.finish("a", upload, digest(&bytes), nothing()).await.unwrap_err();
    stand.clock.advance(rules.move_time_limit - Duration::from_secs(1));
    assert_eq!(stand.registry.end_expired_uploads(100).await.unwrap(), 0);
    stand.clock.advance(Duration::from_secs(1));
    assert_eq!(stand.registry.end_expired_uploads(100).await.unwrap(), 1);
}

#[tokio::test]
async fn what_comes_after_the_expiry_does_not_count() {
    for ends in [false, true] {
        let stand = std::sync::Arc::new(Stand::new());
        let bytes = content(1000, 1);
        let upload = stand.start("a").await.unwrap();
        let (reached, go_on) = stand.metadata.hold("resume_upload");
        let (working, sent) = (stand.clone(), bytes.clone());
        let request = tokio::spawn(async move {
            if ends {
                working.finish("a", upload, digest(&sent), whole(&sent)).await
            } else {
                working.append("a", upload, whole(&sent)).await.map(drop)
            }
        });
        reached.await.unwrap();
        stand.clock.advance(stand.registry.rules().upload_lifetime);
        // A request is at work on it, so it is not ended under its hands.
        assert_eq!(stand.registry.end_expired_uploads(100).await.unwrap(), 0);
        go_on.send(()).unwrap();
        assert!(unknown(&request.await.unwrap()));
        assert_eq!(stand.registry.end_expired_uploads(100).await.unwrap(), 1);
        assert_eq!(stand.blobs.inner().counts(), (0, 0));
    }
}

//! Finishing an upload: the digest decides, asking twice is the same, and strangers find nothing.

use bytes::Bytes;
use wharf_blobs::{Fault, Method};
use wharf_core::metadata::Uploads;
use wharf_core::operation::{AppendUpload, CancelUpload, FinishUpload, GetUpload};
use wharf_core::permissions::{Caller, Principal};
use wharf_core::{Error, Missing, Result};
use wharf_oci::{Algorithm, ErrorCode, Hasher};

use crate::faulty_metadata::MetadataFault;
use crate::stand::{Stand, content, digest, name, nothing, whole};

fn unknown<T: std::fmt::Debug>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::NotFound(Missing::Upload(..))))
}

#[tokio::test]
async fn content_that_is_not_what_the_digest_names_drops_the_upload() {
    let (stand, bytes) = (Stand::new(), content(100_000, 1));
    let wrong = digest(b"something else");
    let upload = stand.start("a").await.unwrap();
    stand.append("a", upload, whole(&bytes)).await.unwrap();
    let result = stand.finish("a", upload, wrong, nothing()).await;
    assert!(matches!(result, Err(Error::Invalid { code: ErrorCode::DigestInvalid, .. })));
    assert!(unknown(&stand.offset("a", upload).await));
    assert!(unknown(&stand.finish("a", upload, digest(&bytes), nothing()).await));
    for digest in [wrong, digest(&bytes)] {
        assert_eq!(stand.pull("a", digest).await, None);
    }
    assert_eq!(stand.blobs.inner().counts(), (0, 0));
    assert_eq!(stand.metadata.count_uploads().await.unwrap(), 0);
}

#[tokio::test]
async fn finishing_twice_answers_the_same() {
    let (stand, bytes) = (Stand::new(), content(100_000, 1));
    let upload = stand.start("a").await.unwrap();
    stand.append("a", upload, whole(&bytes)).await.unwrap();
    for _ in 0..3 {
        stand.finish("a", upload, digest(&bytes), nothing()).await.unwrap();
    }
    // Only for who may push there what is there.
    assert!(unknown(&stand.finish("a", upload, digest(b"other"), nothing()).await));
    assert!(unknown(&stand.finish("b", upload, digest(&bytes), nothing()).await));
    assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
}

#[tokio::test]
async fn a_finish_whose_reply_was_lost_is_asked_for_again() {
    let (stand, bytes) = (Stand::new(), content(100_000, 1));
    let upload = stand.start("a").await.unwrap();
    stand.metadata.script("finish_upload", 1, MetadataFault::LoseReply);
    stand.finish("a", upload, digest(&bytes), whole(&bytes)).await.unwrap_err();
    stand.finish("a", upload, digest(&bytes), whole(&bytes)).await.unwrap();
    assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
}

#[tokio::test]
async fn a_finish_that_failed_before_the_object_was_in_place_is_asked_for_again() {
    for empty in [true, false] {
        let (stand, bytes) = (Stand::new(), content(100_000, 1));
        let upload = stand.start("a").await.unwrap();
        let last = if empty { Bytes::new() } else { bytes.slice(60_000..) };
        stand.append("a", upload, whole(&bytes.slice(..bytes.len() - last.len()))).await.unwrap();
        let finish = || stand.finish("a", upload, digest(&bytes), whole(&last));
        stand.metadata.script("reserve_blob", 1, MetadataFault::Fail);
        finish().await.unwrap_err();
        stand.metadata.script("reserve_blob", 1, MetadataFault::LoseReply);
        finish().await.unwrap_err();
        let fault = Fault::Fail(wharf_core::StoreError::Unavailable("on purpose".into()));
        stand.blobs.script(Method::Finish, 1, fault);
        finish().await.unwrap_err();
        assert_eq!(stand.pull("a", digest(&bytes)).await, None);
        finish().await.unwrap();
        assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
    }
}

#[tokio::test]
async fn a_finish_that_failed_after_the_object_was_in_place_is_asked_for_again() {
    for lost in [true, false] {
        let (stand, bytes) = (Stand::new(), content(100_000, 1));
        let upload = stand.start("a").await.unwrap();
        stand.append("a", upload, whole(&bytes)).await.unwrap();
        if lost {
            stand.blobs.script(Method::Finish, 1, Fault::LoseReply);
        } else {
            stand.metadata.script("finish_upload", 1, MetadataFault::Fail);
        }
        stand.finish("a", upload, digest(&bytes), nothing()).await.unwrap_err();
        assert_eq!(stand.pull("a", digest(&bytes)).await, None);
        stand.finish("a", upload, digest(&bytes), nothing()).await.unwrap();
        assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
    }
}

#[tokio::test]
async fn an_upload_may_be_finished_under_another_algorithm() {
    for length in [0, 1000, 3_000_000] {
        let (stand, bytes) = (Stand::new(), content(length, 1));
        let digest = Hasher::digest(Algorithm::Sha512, &bytes);
        let upload = stand.start("a").await.unwrap();
        stand.append("a", upload, whole(&bytes.slice(..length / 2))).await.unwrap();
        stand.finish("a", upload, digest, whole(&bytes.slice(length / 2..))).await.unwrap();
        assert!(stand.pull("a", digest).await.unwrap() == bytes);
        let wrong = Hasher::digest(Algorithm::Sha512, b"something else");
        let upload = stand.start("a").await.unwrap();
        stand.finish("a", upload, wrong, whole(&bytes)).await.unwrap_err();
        assert_eq!(stand.pull("a", wrong).await, None);
    }
}

#[tokio::test]
async fn a_blob_of_no_bytes_is_a_blob() {
    let (stand, bytes) = (Stand::new(), Bytes::new());
    let upload = stand.start("a").await.unwrap();
    stand.finish("a", upload, digest(&bytes), nothing()).await.unwrap();
    assert_eq!(stand.pull("a", digest(&bytes)).await, Some(bytes));
}

#[tokio::test]
async fn a_blob_pushed_to_two_repositories_is_one_object() {
    let (stand, bytes) = (Stand::new(), content(100_000, 1));
    stand.push("a", &bytes).await.unwrap();
    assert_eq!(stand.pull("b", digest(&bytes)).await, None);
    stand.push("b", &bytes).await.unwrap();
    stand.push("b", &bytes).await.unwrap();
    assert!(stand.pull("b", digest(&bytes)).await.unwrap() == bytes);
    assert_eq!(stand.blobs.inner().counts(), (1, 0));
}

#[tokio::test]
async fn an_upload_is_unknown_to_another_repository_and_another_principal() {
    let (stand, bytes) = (Stand::new(), content(1000, 1));
    let upload = stand.start("a").await.unwrap();
    stand.append("a", upload, whole(&bytes)).await.unwrap();
    stand.start("b").await.unwrap();
    for (repository, principal) in [
        (name("b"), Principal::Anonymous),
        (name("unknown"), Principal::Anonymous),
        (name("a"), Principal::System),
    ] {
        let registry = &stand.registry;
        let operation = GetUpload { repository: repository.clone(), upload };
        let operation = registry.permit(Caller::new(principal.clone()), operation).await.unwrap();
        assert!(unknown(&registry.get_upload(&operation).await));
        let operation = AppendUpload { repository: repository.clone(), upload };
        let operation = registry.permit(Caller::new(principal.clone()), operation).await.unwrap();
        assert!(unknown(&registry.append_upload(&operation, None, None, whole(&bytes)).await));
        let digest = digest(&bytes);
        let operation = FinishUpload { repository: repository.clone(), upload, digest };
        let operation = registry.permit(Caller::new(principal.clone()), operation).await.unwrap();
        assert!(unknown(&registry.finish_upload(&operation, None, None, nothing()).await));
        let operation = CancelUpload { repository, upload };
        let operation = registry.permit(Caller::new(principal), operation).await.unwrap();
        assert!(unknown(&registry.cancel_upload(&operation).await));
    }
    assert_eq!(stand.offset("a", upload).await.unwrap(), 1000);
    stand.finish("a", upload, digest(&bytes), nothing()).await.unwrap();
}

#[tokio::test]
async fn a_cancelled_upload_is_gone_with_its_bytes() {
    let (stand, bytes) = (Stand::new(), content(1000, 1));
    let upload = stand.start("a").await.unwrap();
    stand.append("a", upload, whole(&bytes)).await.unwrap();
    let operation = stand.allowed(CancelUpload { repository: name("a"), upload }).await;
    stand.registry.cancel_upload(&operation).await.unwrap();
    assert!(unknown(&stand.registry.cancel_upload(&operation).await));
    assert!(unknown(&stand.offset("a", upload).await));
    assert_eq!(stand.blobs.inner().counts(), (0, 0));
}

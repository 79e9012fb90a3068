//! Uploads in chunks: what came is kept, what contradicts itself is not, and the digest is right in the end.

use bytes::Bytes;
use wharf_blobs::{Fault, Method};
use wharf_core::metadata::Uploads;
use wharf_core::operation::AppendUpload;
use wharf_core::{
    Error, Result, Rules, SourceError, SourceFault, StoreError, UploadId, UploadState,
};
use wharf_oci::{ContentRange, ErrorCode};

use crate::faulty_metadata::MetadataFault;
use crate::stand::{Stand, content, digest, ending, name, nothing, whole};

async fn append_range(
    stand: &Stand,
    upload: UploadId,
    (first, last): (u64, u64),
    bytes: &Bytes,
) -> Result<UploadState> {
    let operation = stand.allowed(AppendUpload { repository: name("a"), upload }).await;
    let range = Some(ContentRange { first, last });
    stand.registry.append_upload(&operation, range, None, whole(bytes)).await
}

#[tokio::test]
async fn a_chunk_that_breaks_off_is_kept_as_far_as_it_came_and_resumed() {
    for (fault, told) in
        [(SourceError::Broken, SourceFault::Broken), (SourceError::TooSlow, SourceFault::TooSlow)]
    {
        let (stand, bytes) = (Stand::new(), content(3_000_000, 1));
        let upload = stand.start("a").await.unwrap();
        let mut at = 0;
        for came in [1, 100_000, 1_300_000, 0] {
            let source = ending(&bytes.slice(at..at + came), Some(fault));
            let result = stand.append("a", upload, source).await;
            assert!(matches!(result, Err(Error::Source(found)) if found == told), "{result:?}");
            at += came;
            assert_eq!(stand.offset("a", upload).await.unwrap(), at as u64);
        }
        stand.append("a", upload, whole(&bytes.slice(at..2_000_000))).await.unwrap();
        stand.finish("a", upload, digest(&bytes), whole(&bytes.slice(2_000_000..))).await.unwrap();
        assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
    }
}

#[tokio::test]
async fn a_last_chunk_that_breaks_off_is_kept_and_resumed() {
    let (stand, bytes) = (Stand::new(), content(300_000, 1));
    let upload = stand.start("a").await.unwrap();
    let source = ending(&bytes.slice(..200_000), Some(SourceError::Broken));
    stand.finish("a", upload, digest(&bytes), source).await.unwrap_err();
    assert_eq!(stand.pull("a", digest(&bytes)).await, None);
    assert_eq!(stand.offset("a", upload).await.unwrap(), 200_000);
    stand.finish("a", upload, digest(&bytes), whole(&bytes.slice(200_000..))).await.unwrap();
    assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
}

#[tokio::test]
async fn a_push_in_one_request_that_breaks_off_leaves_nothing() {
    let (stand, bytes) = (Stand::new(), content(100_000, 1));
    let start = wharf_core::operation::StartUpload { repository: name("a") };
    let operation = stand.allowed(start).await;
    let source = ending(&bytes, Some(SourceError::Broken));
    stand.registry.push_blob(&operation, digest(&bytes), None, source).await.unwrap_err();
    assert_eq!(stand.pull("a", digest(&bytes)).await, None);
    assert_eq!(stand.blobs.inner().counts(), (0, 0));
}

#[tokio::test]
async fn a_blob_that_is_too_long_leaves_the_upload_as_it_was() {
    let rules = Rules { max_blob_size: 100_000, ..Rules::default() };
    let (stand, bytes) = (Stand::with(rules), content(100_000, 1));
    let upload = stand.start("a").await.unwrap();
    stand.append("a", upload, whole(&bytes.slice(..60_000))).await.unwrap();
    let too_long = content(40_001, 2);
    for _ in 0..2 {
        let result = stand.append("a", upload, whole(&too_long)).await;
        assert!(matches!(result, Err(Error::TooLarge { limit: 100_000, .. })), "{result:?}");
        let result = stand.finish("a", upload, digest(&too_long), whole(&too_long)).await;
        assert!(matches!(result, Err(Error::TooLarge { .. })), "{result:?}");
        assert_eq!(stand.offset("a", upload).await.unwrap(), 60_000);
    }
    stand.finish("a", upload, digest(&bytes), whole(&bytes.slice(60_000..))).await.unwrap();
    assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
    assert!(matches!(stand.push("a", &content(100_001, 3)).await, Err(Error::TooLarge { .. })));
    // One that says so is not even begun.
    let start = wharf_core::operation::StartUpload { repository: name("a") };
    let operation = stand.allowed(start).await;
    for announced in [100_001, u64::MAX] {
        let pushed =
            stand.registry.push_blob(&operation, digest(&bytes), Some(announced), nothing()).await;
        assert!(matches!(pushed, Err(Error::TooLarge { .. })), "{pushed:?}");
    }
    assert_eq!(stand.metadata.count_uploads().await.unwrap(), 0);
    assert_eq!(stand.blobs.inner().counts(), (1, 0));
}

#[tokio::test]
async fn a_chunk_that_begins_elsewhere_is_refused_with_where_the_upload_stands() {
    let (stand, bytes) = (Stand::new(), content(1000, 1));
    let upload = stand.start("a").await.unwrap();
    append_range(&stand, upload, (0, 599), &bytes.slice(..600)).await.unwrap();
    for first in [0, 599, 601, 1000] {
        let rest = bytes.slice(600..);
        let result = append_range(&stand, upload, (first, first + 399), &rest).await;
        assert!(matches!(result, Err(Error::WrongOffset { offset: 600 })), "{result:?}");
    }
    append_range(&stand, upload, (600, 999), &bytes.slice(600..)).await.unwrap();
    stand.finish("a", upload, digest(&bytes), nothing()).await.unwrap();
    assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
}

#[tokio::test]
async fn a_chunk_that_is_not_as_long_as_its_range_is_forgotten() {
    let (stand, bytes) = (Stand::new(), content(1000, 1));
    let upload = stand.start("a").await.unwrap();
    append_range(&stand, upload, (0, 599), &bytes.slice(..600)).await.unwrap();
    for length in [0, 1, 399, 401] {
        let result = append_range(&stand, upload, (600, 999), &content(length, 2)).await;
        assert!(
            matches!(result, Err(Error::Invalid { code: ErrorCode::SizeInvalid, .. })),
            "{result:?}"
        );
        assert_eq!(stand.offset("a", upload).await.unwrap(), 600);
    }
    stand.finish("a", upload, digest(&bytes), whole(&bytes.slice(600..))).await.unwrap();
    assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
}

#[tokio::test]
async fn a_chunk_that_the_store_failed_on_is_sent_again() {
    let unavailable = || StoreError::Unavailable("on purpose".into());
    for fault in
        [Fault::Fail(unavailable()), Fault::LoseReply, Fault::BreakAfter(100, unavailable())]
    {
        let (stand, bytes) = (Stand::new(), content(200_000, 1));
        let upload = stand.start("a").await.unwrap();
        let (first, second) = (bytes.slice(..80_000), bytes.slice(80_000..));
        stand.append("a", upload, whole(&first)).await.unwrap();
        stand.blobs.script(Method::Append, 1, fault);
        stand.append("a", upload, whole(&second)).await.unwrap_err();
        assert_eq!(stand.offset("a", upload).await.unwrap(), 80_000);
        stand.finish("a", upload, digest(&bytes), whole(&second)).await.unwrap();
        assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
    }
}

#[tokio::test]
async fn a_chunk_whose_progress_was_not_recorded_is_sent_again_from_where_the_upload_stands() {
    for (fault, expected) in [(MetadataFault::Fail, 80_000), (MetadataFault::LoseReply, 200_000)] {
        let (stand, bytes) = (Stand::new(), content(200_000, 1));
        let upload = stand.start("a").await.unwrap();
        stand.append("a", upload, whole(&bytes.slice(..80_000))).await.unwrap();
        stand.metadata.script("record_progress", 1, fault);
        stand.append("a", upload, whole(&bytes.slice(80_000..))).await.unwrap_err();
        let offset = stand.offset("a", upload).await.unwrap() as usize;
        assert_eq!(offset, expected);
        stand.finish("a", upload, digest(&bytes), whole(&bytes.slice(offset..))).await.unwrap();
        assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
    }
}

#[tokio::test]
async fn a_full_store_drops_the_upload_that_filled_it() {
    let (stand, bytes) = (Stand::new(), content(200_000, 1));
    let upload = stand.start("a").await.unwrap();
    stand.append("a", upload, whole(&bytes.slice(..80_000))).await.unwrap();
    let full = Fault::BreakAfter(100, StoreError::Full("on purpose".into()));
    stand.blobs.script(Method::Append, 1, full);
    let result = stand.append("a", upload, whole(&bytes.slice(80_000..))).await;
    assert!(matches!(result, Err(Error::Store(StoreError::Full(_)))), "{result:?}");
    assert!(matches!(stand.offset("a", upload).await, Err(Error::NotFound(_))));
    assert_eq!(stand.blobs.inner().counts(), (0, 0));
}

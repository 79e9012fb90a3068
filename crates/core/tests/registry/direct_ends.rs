//! The end of a direct upload: it may take long, fail anywhere, and be asked for by many.

use std::time::Duration;

use wharf_core::metadata::Uploads;
use wharf_core::{Completion, Error, StoreError};

use crate::direct::{MIB, SIZE, is_unknown};
use crate::faulty_metadata::MetadataFault;
use crate::stand::{Stand, content, digest};

#[tokio::test]
async fn an_end_that_takes_long_goes_on_and_is_waited_for_again() {
    let stand = Stand::on_files();
    let bytes = content(SIZE, 1);
    let upload = stand.begun(&bytes).await;
    let parts = stand.sent(upload, &bytes).await;
    let (reached, go_on) = stand.metadata.hold("reserve_blob");
    let short = Duration::from_millis(20);
    let first = stand.end_within(upload, digest(&bytes), &parts, short).await;
    assert_eq!(first.unwrap(), Completion::UnderWay);
    reached.await.unwrap();
    // Another digest is another wish.
    let other = stand.end_within(upload, digest(b"other"), &parts, short).await;
    assert!(matches!(other, Err(Error::Busy(_))));
    let late = stand.part(upload, 3, &bytes.slice(16 * MIB..)).await;
    assert!(matches!(late, Err(Error::Busy(_))));
    let again = stand.end_within(upload, digest(&bytes), &parts, short).await;
    assert_eq!(again.unwrap(), Completion::UnderWay);
    go_on.send(()).unwrap();
    assert_eq!(stand.end(upload, digest(&bytes), &parts).await.unwrap(), Completion::Done);
    assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
    let held: Vec<_> = stand.metadata.calls();
    let reservations = held.iter().find(|(method, _)| *method == "reserve_blob").unwrap();
    assert_eq!(reservations.1, 1, "it was verified once");
}

#[tokio::test]
async fn what_was_verified_and_is_gone_ends_the_upload() {
    let stand = Stand::on_files();
    let bytes = content(SIZE, 1);
    let upload = stand.begun(&bytes).await;
    let parts = stand.sent(upload, &bytes).await;
    stand.metadata.script("reserve_blob", 1, MetadataFault::Fail);
    assert!(stand.end(upload, digest(&bytes), &parts).await.is_err());
    std::fs::remove_file(stand.folder.path().join(format!("blobs/staging/{upload}"))).unwrap();
    assert!(is_unknown(stand.end(upload, digest(&bytes), &parts).await));
    assert!(stand.pull("a", digest(&bytes)).await.is_none());
    assert_eq!(stand.metadata.count_uploads().await.unwrap(), 0);
}

#[tokio::test]
async fn many_ends_at_once_are_one_blob() {
    let stand = Stand::on_files();
    let bytes = content(SIZE, 1);
    let upload = stand.begun(&bytes).await;
    let parts = stand.sent(upload, &bytes).await;
    let ends = (0..8).map(|_| stand.end(upload, digest(&bytes), &parts));
    for ended in futures_util::future::join_all(ends).await {
        assert_eq!(ended.unwrap(), Completion::Done);
    }
    assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes);
    assert_eq!(stand.staged(), [""; 0]);
}

/// Wherever it fails, asking again succeeds.
#[tokio::test]
async fn an_end_goes_on_wherever_the_metadata_failed() {
    let stand = Stand::on_files();
    for (seed, method) in
        ["resume_upload", "record_progress", "reserve_blob", "finish_upload"].iter().enumerate()
    {
        for (offset, lost) in [(0, false), (100, true)] {
            let bytes = content(SIZE, seed as u64 + offset + 1);
            let upload = stand.begun(&bytes).await;
            let parts = stand.sent(upload, &bytes).await;
            let fault = if lost { MetadataFault::LoseReply } else { MetadataFault::Fail };
            stand.metadata.script(method, 1, fault);
            let failed = stand.end(upload, digest(&bytes), &parts).await;
            let away = |fault: &StoreError| {
                matches!(fault, StoreError::Unavailable(_) | StoreError::Uncertain(_))
            };
            assert!(matches!(failed, Err(Error::Store(fault)) if away(&fault)), "{method}");
            assert_eq!(stand.end(upload, digest(&bytes), &parts).await.unwrap(), Completion::Done);
            assert!(stand.pull("a", digest(&bytes)).await.unwrap() == bytes, "{method} {lost}");
            assert_eq!(stand.staged(), [""; 0]);
        }
    }
}

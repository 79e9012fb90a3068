//! Rules of finishing: exact, at once, idempotent, and never over another object.

use bytes::Bytes;
use futures_util::future::join_all;
use wharf_core::StoreError;
use wharf_core::blobs::{Blobs, ObjectKey, StageError, Staged};
use wharf_oci::{Algorithm, Hasher};

use super::stand::{
    chunks, content, deleted, key_of, pieces_of, pushed, read, same, staged, upload,
};
use crate::{Fault, FaultyBlobs, Method};

/// Not a byte of what a broken request left behind it.
pub async fn a_finished_upload_is_exactly_what_was_staged<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let (upload, bytes) = (upload(), content(100_000, 1));
    let staged = staged(blobs, &upload, &pieces_of(&bytes, 10_000)).await;
    blobs.append(&upload, &staged, chunks(&[content(50_000, 2)])).await.unwrap();
    let key = key_of(&bytes);
    assert_eq!(blobs.head(&key).await.unwrap(), None);
    blobs.finish(&upload, &staged, &key).await.unwrap();
    assert_eq!(blobs.head(&key).await.unwrap(), Some(100_000));
    same(&read(blobs, &key).await, &bytes);
}

/// The bytes are an object now, and an upload no more.
pub async fn what_is_finished_is_staged_no_more<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let (upload, bytes) = (upload(), content(1000, 1));
    let staged = staged(blobs, &upload, std::slice::from_ref(&bytes)).await;
    let key = key_of(&bytes);
    blobs.finish(&upload, &staged, &key).await.unwrap();
    let appended = blobs.append(&upload, &staged, chunks(&[content(10, 2)])).await;
    assert!(matches!(appended, Err(StageError::NotFound)), "{appended:?}");
    same(&read(blobs, &key).await, &bytes);
}

/// However often.
pub async fn finishing_twice_answers_the_same<B: Blobs>(blobs: &FaultyBlobs<B>) {
    for bytes in [content(1000, 1), Bytes::new()] {
        let upload = upload();
        let staged = staged(blobs, &upload, std::slice::from_ref(&bytes)).await;
        for _ in 0..3 {
            blobs.finish(&upload, &staged, &key_of(&bytes)).await.unwrap();
        }
        same(&read(blobs, &key_of(&bytes)).await, &bytes);
    }
}

/// Other bytes under a key that is taken: such a push cannot come from Wharf, and does no harm.
pub async fn an_object_is_never_replaced<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let bytes = content(1000, 1);
    let key = pushed(blobs, &bytes).await;
    for other in [content(1000, 2), content(2000, 2)] {
        let upload = upload();
        let staged = staged(blobs, &upload, &[other]).await;
        let _ = blobs.finish(&upload, &staged, &key).await;
        same(&read(blobs, &key).await, &bytes);
    }
}

/// The same bytes again: the object stays, what was staged is gone.
pub async fn a_second_push_is_dropped<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let bytes = content(1000, 1);
    let key = pushed(blobs, &bytes).await;
    let upload = upload();
    let staged = staged(blobs, &upload, std::slice::from_ref(&bytes)).await;
    blobs.finish(&upload, &staged, &key).await.unwrap();
    let left = blobs.read_staged(&upload, &staged).await.map(drop);
    assert!(matches!(left, Err(StageError::NotFound)), "{left:?}");
    same(&read(blobs, &key).await, &bytes);
}

/// Neither bytes nor object: the upload was dropped or never was.
pub async fn a_finish_without_bytes_staged_is_not_found<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let (upload, unknown) = (upload(), Staged { offset: 10, parts: Vec::new() });
    let key = key_of(&content(10, 1));
    let finished = blobs.finish(&upload, &unknown, &key).await;
    assert!(matches!(finished, Err(StageError::NotFound)), "{finished:?}");
    assert_eq!(blobs.head(&key).await.unwrap(), None);
}

/// Many push one new blob together, as a fleet of builders does: all are told that it is there, and it is.
pub async fn one_of_many_finishes_at_once_wins<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let bytes = content(100_000, 1);
    let key = key_of(&bytes);
    let mut uploads = Vec::new();
    for _ in 0..16 {
        let upload = upload();
        uploads.push((upload, staged(blobs, &upload, std::slice::from_ref(&bytes)).await));
    }
    let finishes = uploads.iter().map(|(upload, staged)| blobs.finish(upload, staged, &key));
    for finished in join_all(finishes).await {
        finished.unwrap();
    }
    same(&read(blobs, &key).await, &bytes);
    for (upload, staged) in &uploads {
        let left = blobs.read_staged(upload, staged).await.map(drop);
        assert!(matches!(left, Err(StageError::NotFound)), "{left:?}");
    }
}

/// SHA-512 as well as SHA-256.
pub async fn digests_of_both_algorithms_are_keys<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let bytes = content(1000, 1);
    for algorithm in Algorithm::ALL {
        let key = ObjectKey::canonical(Hasher::digest(algorithm, &bytes));
        let upload = upload();
        let staged = staged(blobs, &upload, std::slice::from_ref(&bytes)).await;
        blobs.finish(&upload, &staged, &key).await.unwrap();
        same(&read(blobs, &key).await, &bytes);
    }
}

/// A delete of one incarnation, however late, harms no other.
pub async fn incarnations_are_objects_of_their_own<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let bytes = content(1000, 1);
    let canonical = pushed(blobs, &bytes).await;
    let later = ObjectKey { incarnation: 7, ..canonical };
    assert_eq!(blobs.head(&later).await.unwrap(), None);
    let upload = upload();
    let staged = staged(blobs, &upload, std::slice::from_ref(&bytes)).await;
    blobs.finish(&upload, &staged, &later).await.unwrap();
    deleted(blobs, &canonical).await;
    assert_eq!(blobs.head(&canonical).await.unwrap(), None);
    same(&read(blobs, &later).await, &bytes);
}

/// The object was put in place, but nobody knows: asking again says so.
pub async fn a_finish_whose_reply_was_lost_is_done_again<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let (upload, bytes) = (upload(), content(1000, 1));
    let staged = staged(blobs, &upload, std::slice::from_ref(&bytes)).await;
    blobs.script(Method::Finish, 1, Fault::LoseReply);
    let lost = blobs.finish(&upload, &staged, &key_of(&bytes)).await;
    assert!(matches!(lost, Err(StageError::Store(StoreError::Unavailable(_)))), "{lost:?}");
    blobs.finish(&upload, &staged, &key_of(&bytes)).await.unwrap();
    same(&read(blobs, &key_of(&bytes)).await, &bytes);
}

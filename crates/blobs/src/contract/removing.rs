//! Rules of removing: uploads dropped, objects deleted.

use wharf_core::blobs::{Blobs, StageError};

use super::stand::{
    chunks, content, deleted, key_of, pieces_of, pushed, read, same, staged, upload,
};
use crate::FaultyBlobs;

/// It can be neither read, nor gone on with, nor finished.
pub async fn what_was_discarded_is_gone<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let (upload, bytes) = (upload(), content(1000, 1));
    let staged = staged(blobs, &upload, std::slice::from_ref(&bytes)).await;
    blobs.discard(&upload, &staged).await.unwrap();
    let read = blobs.read_staged(&upload, &staged).await.map(drop);
    assert!(matches!(read, Err(StageError::NotFound)), "{read:?}");
    let appended = blobs.append(&upload, &staged, chunks(&[content(10, 2)])).await;
    assert!(matches!(appended, Err(StageError::NotFound)), "{appended:?}");
    let finished = blobs.finish(&upload, &staged, &key_of(&bytes)).await;
    assert!(matches!(finished, Err(StageError::NotFound)), "{finished:?}");
    assert_eq!(blobs.head(&key_of(&bytes)).await.unwrap(), None);
}

/// It goes on from what was staged before, however much that is.
pub async fn what_is_rolled_back_is_as_before<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let (bytes, vain) = (content(15 << 20, 1), content(11 << 20, 2));
    for length in [0, 1000, 6 << 20] {
        let upload = upload();
        let before = staged(blobs, &upload, &[bytes.slice(..length)]).await;
        let after = blobs.append(&upload, &before, chunks(std::slice::from_ref(&vain))).await;
        let after = after.unwrap();
        for _ in 0..2 {
            blobs.roll_back(&upload, &before, &after).await.unwrap();
        }
        let rest = chunks(&pieces_of(&bytes.slice(length..), 100_000));
        let whole = blobs.append(&upload, &before, rest).await.unwrap();
        assert_eq!(whole.offset, bytes.len() as u64);
        let key = key_of(&bytes);
        blobs.finish(&upload, &whole, &key).await.unwrap();
        same(&read(blobs, &key).await, &bytes);
        deleted(blobs, &key).await;
    }
}

/// Also when nothing was staged, or never anything begun.
pub async fn discarding_twice_answers_the_same<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let begun = upload();
    let start = blobs.stage(&begun).await.unwrap();
    let filled = upload();
    let some = staged(blobs, &filled, &[content(1000, 1)]).await;
    for _ in 0..2 {
        blobs.discard(&begun, &start).await.unwrap();
        blobs.discard(&filled, &some).await.unwrap();
        blobs.discard(&upload(), &start).await.unwrap();
    }
}

/// A discard that comes after the upload was finished.
pub async fn discarding_touches_no_object<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let (upload, bytes) = (upload(), content(1000, 1));
    let staged = staged(blobs, &upload, std::slice::from_ref(&bytes)).await;
    blobs.finish(&upload, &staged, &key_of(&bytes)).await.unwrap();
    blobs.discard(&upload, &staged).await.unwrap();
    same(&read(blobs, &key_of(&bytes)).await, &bytes);
}

/// And nothing else is.
pub async fn what_was_deleted_is_gone<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let (one, other) = (content(1000, 1), content(1000, 2));
    let (key, kept) = (pushed(blobs, &one).await, pushed(blobs, &other).await);
    deleted(blobs, &key).await;
    assert_eq!(blobs.head(&key).await.unwrap(), None);
    assert!(blobs.read(&key, None).await.is_err());
    same(&read(blobs, &kept).await, &other);
}

/// Also when it never was there.
pub async fn deleting_twice_answers_the_same<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let key = pushed(blobs, &content(1000, 1)).await;
    for _ in 0..2 {
        deleted(blobs, &key).await;
    }
    deleted(blobs, &key_of(b"never there")).await;
}

/// Those that are there, those that are not, and none that was not named.
pub async fn many_are_deleted_at_once<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let mut keys = vec![key_of(b"never there")];
    for seed in 1..=5 {
        keys.push(pushed(blobs, &content(1000, seed)).await);
    }
    let kept = keys.pop().unwrap();
    let deletion = blobs.delete_all(&keys).await;
    assert!(deletion.fault.is_none(), "{:?}", deletion.fault);
    let mut gone = deletion.gone;
    gone.sort_by_key(ToString::to_string);
    keys.sort_by_key(ToString::to_string);
    assert_eq!(gone, keys);
    for key in &keys {
        assert_eq!(blobs.head(key).await.unwrap(), None);
    }
    same(&read(blobs, &kept).await, &content(1000, 5));
    let again = blobs.delete_all(&keys).await;
    assert_eq!((again.gone.len(), again.fault.is_none()), (keys.len(), true));
    assert!(blobs.delete_all(&[]).await.gone.is_empty());
}

/// A key is free again.
pub async fn what_was_deleted_can_be_pushed_again<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let bytes = content(1000, 1);
    for _ in 0..2 {
        let key = pushed(blobs, &bytes).await;
        same(&read(blobs, &key).await, &bytes);
        deleted(blobs, &key).await;
    }
}

/// `/readyz` may ask often, and at once.
pub async fn a_store_that_works_says_so<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let checks = (0..8).map(|_| blobs.check());
    for check in futures_util::future::join_all(checks).await {
        check.unwrap();
    }
}

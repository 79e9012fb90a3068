//! Rules of staging: appends, resumed appends, what they forget.

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use wharf_core::StoreError;
use wharf_core::blobs::{Blobs, Chunks, StageError, Staged};

use super::stand::{
    chunks, content, deleted, key_of, pieces_of, read, read_staged, same, staged, upload,
};
use crate::{Fault, FaultyBlobs, Method};

/// More than a few pieces, and no multiple of anything.
const LARGE: usize = (20 << 20) + 12_345;

/// An upload begins empty.
pub async fn a_new_upload_stands_at_zero<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let upload = upload();
    let start = blobs.stage(&upload).await.unwrap();
    assert_eq!(start.offset, 0);
    assert!(read_staged(blobs, &upload, &start).await.is_empty());
}

/// Of one append and of several, small pieces and large ones.
pub async fn pieces_are_appended_in_order<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let all = content(LARGE, 1);
    let upload = upload();
    let mut so_far = blobs.stage(&upload).await.unwrap();
    let parts = [(0..10, 3), (10..70_000, 4096), (70_000..70_001, 1), (70_001..LARGE, 1 << 20)];
    for (part, piece) in parts {
        let pieces = pieces_of(&all.slice(part.clone()), piece);
        so_far = blobs.append(&upload, &so_far, chunks(&pieces)).await.unwrap();
        assert_eq!(so_far.offset, part.end as u64);
    }
    same(&read_staged(blobs, &upload, &so_far).await, &all);
}

/// At the beginning and behind other bytes.
pub async fn an_append_of_nothing_changes_nothing<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let (upload, bytes) = (upload(), content(1000, 1));
    let start = blobs.stage(&upload).await.unwrap();
    let still = blobs.append(&upload, &start, chunks(&[])).await.unwrap();
    assert_eq!(still.offset, 0);
    let some = blobs.append(&upload, &still, chunks(std::slice::from_ref(&bytes))).await.unwrap();
    let some = blobs.append(&upload, &some, chunks(&[])).await.unwrap();
    same(&read_staged(blobs, &upload, &some).await, &bytes);
}

/// What a broken request left behind is not part of the upload.
pub async fn an_append_forgets_what_lies_past_the_offset<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let (upload, all) = (upload(), content(200_000, 1));
    let first = staged(blobs, &upload, &[all.slice(..100_000)]).await;
    // Nobody recorded this one.
    blobs.append(&upload, &first, chunks(&[content(500_000, 2)])).await.unwrap();
    let second = blobs.append(&upload, &first, chunks(&[all.slice(100_000..)])).await.unwrap();
    assert_eq!(second.offset, 200_000);
    same(&read_staged(blobs, &upload, &second).await, &all);
    let key = key_of(&all);
    blobs.finish(&upload, &second, &key).await.unwrap();
    same(&read(blobs, &key).await, &all);
}

/// Also from the beginning, and with nothing.
pub async fn a_shorter_append_after_a_longer_one<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let upload = upload();
    let start = blobs.stage(&upload).await.unwrap();
    blobs.append(&upload, &start, chunks(&[content(500_000, 2)])).await.unwrap();
    let short = content(10, 1);
    let second = blobs.append(&upload, &start, chunks(std::slice::from_ref(&short))).await.unwrap();
    same(&read_staged(blobs, &upload, &second).await, &short);
    let none = blobs.append(&upload, &start, chunks(&[])).await.unwrap();
    let key = key_of(b"");
    blobs.finish(&upload, &none, &key).await.unwrap();
    assert_eq!(blobs.head(&key).await.unwrap(), Some(0));
}

/// And no further.
pub async fn what_is_staged_is_read_up_to_the_offset<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let (upload, all) = (upload(), content(LARGE, 1));
    let first = staged(blobs, &upload, &[all.slice(..3_000_001)]).await;
    blobs.append(&upload, &first, chunks(&[content(500_000, 2)])).await.unwrap();
    same(&read_staged(blobs, &upload, &first).await, &all[..3_000_001]);
}

/// The metadata say that bytes are there, the store knows of none.
pub async fn bytes_that_were_never_staged_are_not_found<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let (upload, unknown) = (upload(), Staged { offset: 10, parts: Vec::new() });
    let appended = blobs.append(&upload, &unknown, chunks(&[content(10, 1)])).await;
    assert!(matches!(appended, Err(StageError::NotFound)), "{appended:?}");
    let read = blobs.read_staged(&upload, &unknown).await.map(drop);
    assert!(matches!(read, Err(StageError::NotFound)), "{read:?}");
}

/// Uploads at once do not see one another.
pub async fn uploads_are_told_apart<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let pushes = (0..8).map(|seed| async move {
        let (upload, bytes) = (upload(), content(300_000, seed));
        let staged = staged(blobs, &upload, &pieces_of(&bytes, 65_536)).await;
        same(&read_staged(blobs, &upload, &staged).await, &bytes);
    });
    futures_util::future::join_all(pushes).await;
}

/// A connection breaks while its bytes are written: the next request finds what was acknowledged.
pub async fn an_append_that_is_dropped_harms_nothing<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let all = content(2_000_000, 1);
    for pieces in 0..6 {
        let upload = upload();
        let first = staged(blobs, &upload, &[all.slice(..1_000_000)]).await;
        let garbage = stream::iter(vec![content(1 << 20, 2); pieces]);
        let endless: Chunks<'_> = Box::pin(garbage.chain(stream::pending::<Bytes>()));
        // One look, and the request is gone, whatever it began.
        assert!(blobs.append(&upload, &first, endless).now_or_never().is_none());
        let rest = pieces_of(&all.slice(1_000_000..), 65_536);
        let second = blobs.append(&upload, &first, chunks(&rest)).await.unwrap();
        let key = key_of(&all);
        blobs.finish(&upload, &second, &key).await.unwrap();
        same(&read(blobs, &key).await, &all);
        deleted(blobs, &key).await;
    }
}

/// In the middle of an append: what was staged before is staged still.
pub async fn an_append_that_breaks_leaves_what_was_staged<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let (upload, all) = (upload(), content(1_000_000, 1));
    let first = staged(blobs, &upload, &[all.slice(..400_000)]).await;
    let broken = StoreError::Full("the disk is full".into());
    blobs.script(Method::Append, 1, Fault::BreakAfter(123_456, broken));
    let rest = pieces_of(&all.slice(400_000..), 65_536);
    let fault = blobs.append(&upload, &first, chunks(&rest)).await;
    assert!(matches!(fault, Err(StageError::Store(StoreError::Full(_)))), "{fault:?}");
    same(&read_staged(blobs, &upload, &first).await, &all[..400_000]);
    let second = blobs.append(&upload, &first, chunks(&rest)).await.unwrap();
    same(&read_staged(blobs, &upload, &second).await, &all);
}

/// The bytes were staged, but nobody knows: they are staged again, once.
pub async fn an_append_whose_reply_was_lost_is_done_again<B: Blobs>(blobs: &FaultyBlobs<B>) {
    let (upload, all) = (upload(), content(300_000, 1));
    let first = staged(blobs, &upload, &[all.slice(..100_000)]).await;
    blobs.script(Method::Append, 1, Fault::LoseReply);
    let rest = [all.slice(100_000..)];
    blobs.append(&upload, &first, chunks(&rest)).await.unwrap_err();
    let second = blobs.append(&upload, &first, chunks(&rest)).await.unwrap();
    same(&read_staged(blobs, &upload, &second).await, &all);
}

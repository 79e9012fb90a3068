//! Uploads that end just before, at and just behind the sizes at which a tail becomes a part.

use wharf_core::blobs::{Blobs, Staged};

use super::{
    Engine, Limits, append, content, gathered, holds, key_of, left, new_prefix, new_upload,
    on_each_service,
};

const MIB: usize = 1 << 20;

on_each_service! {
    one_append_of_any_length
    two_appends_around_a_part
    an_upload_in_odd_chunks
    what_is_below_a_part_takes_no_multipart_upload
}

async fn one_append_of_any_length(engine: Engine) {
    let blobs = engine.node(&new_prefix(), Limits::default());
    for length in [1, 5 * MIB - 1, 5 * MIB, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 13 * MIB, 16 * MIB] {
        let (upload, bytes) = (new_upload(), content(length, length as u64));
        let staged = append(&blobs, &upload, &Staged::default(), &bytes).await;
        assert_eq!(staged.offset, length as u64);
        blobs.finish(&upload, &staged, &key_of(&bytes)).await.unwrap();
        holds(&blobs, &bytes).await;
        assert!(left(&blobs, &upload).await.is_empty(), "{length}");
    }
}

async fn two_appends_around_a_part(engine: Engine) {
    let blobs = engine.node(&new_prefix(), Limits::default());
    for (first, second) in [
        (8 * MIB - 1, 1),
        (8 * MIB, 1),
        (1, 8 * MIB - 1),
        (1, 8 * MIB),
        (9 * MIB, 5 * MIB),
        (13 * MIB, 3 * MIB - 1),
        (12 * MIB, 20 * MIB),
    ] {
        let (upload, bytes) = (new_upload(), content(first + second, first as u64));
        let staged = append(&blobs, &upload, &Staged::default(), &bytes.slice(..first)).await;
        let staged = append(&blobs, &upload, &staged, &bytes.slice(first..)).await;
        assert_eq!(staged.offset, bytes.len() as u64);
        let read = blobs.read_staged(&upload, &staged).await.unwrap();
        assert!(gathered(read).await.unwrap() == bytes, "{first} and {second}");
        blobs.finish(&upload, &staged, &key_of(&bytes)).await.unwrap();
        holds(&blobs, &bytes).await;
        assert!(left(&blobs, &upload).await.is_empty(), "{first} and {second}");
    }
}

/// As clients send that know only small requests: no tail stays behind, whatever their number.
async fn an_upload_in_odd_chunks(engine: Engine) {
    let blobs = engine.node(&new_prefix(), Limits::default());
    let (upload, bytes) = (new_upload(), content(30 * MIB + 17, 1));
    let mut staged = Staged::default();
    for chunk in bytes.chunks(3 * MIB + 1) {
        staged = append(&blobs, &upload, &staged, &bytes.slice_ref(chunk)).await;
        let tails = left(&blobs, &upload).await.iter().filter(|name| *name == "tail").count();
        assert!(tails <= 2, "{tails} tails");
    }
    blobs.finish(&upload, &staged, &key_of(&bytes)).await.unwrap();
    holds(&blobs, &bytes).await;
    assert!(left(&blobs, &upload).await.is_empty());
}

async fn what_is_below_a_part_takes_no_multipart_upload(engine: Engine) {
    let blobs = engine.node(&new_prefix(), Limits::default());
    let (upload, bytes) = (new_upload(), content(8 * MIB - 1, 1));
    append(&blobs, &upload, &Staged::default(), &bytes).await;
    assert_eq!(left(&blobs, &upload).await, ["tail"]);
}

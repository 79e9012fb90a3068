//! What requests leave that broke off, found by its age and dropped.

use std::time::Duration;

use wharf_core::blobs::{Blobs, Leftovers, Staged};

use super::{
    Engine, append, content, holds, key_of, left, new_prefix, new_upload, on_each_service,
    small_limits,
};

const MIB: usize = 1 << 20;

on_each_service! {
    what_an_upload_left_is_found_when_it_is_old_and_dropped
    what_is_finished_is_no_leftover
    what_is_rolled_back_leaves_nothing
    a_long_list_is_gone_through_in_steps
}

async fn what_an_upload_left_is_found_when_it_is_old_and_dropped(engine: Engine) {
    let blobs = engine.node(&new_prefix(), small_limits());
    let (upload, other) = (new_upload(), new_upload());
    let recorded = append(&blobs, &upload, &Staged::default(), &content(6 * MIB, 1)).await;
    append(&blobs, &upload, &recorded, &content(MIB, 2)).await;
    let kept = append(&blobs, &other, &Staged::default(), &content(6 * MIB, 3)).await;
    let young = blobs.staged_before(Duration::from_secs(3600), 10).await.unwrap();
    assert!(young.is_empty(), "{young:?}");
    let mut old = blobs.staged_before(Duration::ZERO, 10).await.unwrap();
    old.sort();
    let mut both = [upload, other];
    both.sort();
    assert_eq!(old, both);
    for _ in 0..2 {
        blobs.drop_leftovers(&upload).await.unwrap();
        assert!(left(&blobs, &upload).await.is_empty());
    }
    // Nothing of another upload was touched.
    blobs.finish(&other, &kept, &key_of(&content(6 * MIB, 3))).await.unwrap();
    holds(&blobs, &content(6 * MIB, 3)).await;
}

async fn what_is_finished_is_no_leftover(engine: Engine) {
    let blobs = engine.node(&new_prefix(), small_limits());
    for length in [10, 11 * MIB] {
        let (upload, bytes) = (new_upload(), content(length, 1));
        let staged = append(&blobs, &upload, &Staged::default(), &bytes).await;
        blobs.finish(&upload, &staged, &key_of(&bytes)).await.unwrap();
    }
    blobs.check_rights().await.unwrap();
    let found = blobs.staged_before(Duration::ZERO, 10).await.unwrap();
    assert!(found.is_empty(), "{found:?}");
}

/// It is as if the append had not been, so that the end of the upload drops all there is.
async fn what_is_rolled_back_leaves_nothing(engine: Engine) {
    let blobs = engine.node(&new_prefix(), small_limits());
    for (length, vain) in [(0, 10), (0, 11 * MIB), (10, 10), (10, 11 * MIB), (6 * MIB, 6 * MIB)] {
        let upload = new_upload();
        let before = append(&blobs, &upload, &Staged::default(), &content(length, 1)).await;
        let after = append(&blobs, &upload, &before, &content(vain, 2)).await;
        blobs.roll_back(&upload, &before, &after).await.unwrap();
        if length > 0 {
            blobs.discard(&upload, &before).await.unwrap();
        }
        let left = left(&blobs, &upload).await;
        assert!(left.is_empty(), "{length} and {vain}: {left:?}");
    }
}

async fn a_long_list_is_gone_through_in_steps(engine: Engine) {
    let blobs = engine.node(&new_prefix(), small_limits());
    for seed in 0..5 {
        append(&blobs, &new_upload(), &Staged::default(), &content(10, seed)).await;
    }
    let mut dropped = 0;
    loop {
        let found = blobs.staged_before(Duration::ZERO, 2).await.unwrap();
        assert!(found.len() <= 2, "{found:?}");
        if found.is_empty() {
            break;
        }
        for upload in found {
            blobs.drop_leftovers(&upload).await.unwrap();
            dropped += 1;
        }
    }
    assert_eq!(dropped, 5);
}

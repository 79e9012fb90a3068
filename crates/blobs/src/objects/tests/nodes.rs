//! Several nodes at one upload, one after another, and at one digest together.

use futures_util::future::join_all;
use wharf_core::StoreError;
use wharf_core::blobs::{Blobs, StageError, Staged};

use super::{
    Engine, append, chunks, content, gathered, holds, key_of, left, new_prefix, new_upload,
    on_each_service, small_limits,
};

const MIB: usize = 1 << 20;

on_each_service! {
    nodes_take_turns_at_an_upload
    nodes_race_to_finish_one_digest
    nodes_race_to_finish_one_upload
    an_append_that_nobody_recorded_is_done_again_elsewhere
    an_upload_that_was_read_is_finished_elsewhere
    what_was_assembled_for_one_digest_is_never_put_under_another
    an_object_of_another_size_is_reported
}

async fn nodes_take_turns_at_an_upload(engine: Engine) {
    let prefix = new_prefix();
    let nodes = [engine.node(&prefix, small_limits()), engine.node(&prefix, small_limits())];
    let (upload, bytes) = (new_upload(), content(33 * MIB, 1));
    let mut staged = nodes[1].stage(&upload).await.unwrap();
    for (turn, chunk) in bytes.chunks(4 * MIB + 5).enumerate() {
        staged = append(&nodes[turn % 2], &upload, &staged, &bytes.slice_ref(chunk)).await;
    }
    let [first, second] = nodes;
    drop(first);
    second.finish(&upload, &staged, &key_of(&bytes)).await.unwrap();
    holds(&second, &bytes).await;
    assert!(left(&second, &upload).await.is_empty());
}

/// As a fleet of builders does, with a blob that is copied in parts.
async fn nodes_race_to_finish_one_digest(engine: Engine) {
    let prefix = new_prefix();
    let bytes = content(12 * MIB, 1);
    let nodes: Vec<_> = (0..4).map(|_| engine.node(&prefix, small_limits())).collect();
    let mut uploads = Vec::new();
    for node in &nodes {
        let upload = new_upload();
        uploads.push((node, upload, append(node, &upload, &Staged::default(), &bytes).await));
    }
    let key = key_of(&bytes);
    let finishes = uploads.iter().map(|(node, upload, staged)| node.finish(upload, staged, &key));
    for finished in join_all(finishes).await {
        finished.unwrap();
    }
    holds(&nodes[0], &bytes).await;
    for (node, upload, _) in &uploads {
        assert!(left(node, upload).await.is_empty());
    }
    assert!(nodes[0].multipart_keys(&nodes[0].path("sha256")).await.is_empty());
}

/// A client's own proxy sent its request twice.
async fn nodes_race_to_finish_one_upload(engine: Engine) {
    let prefix = new_prefix();
    let nodes: Vec<_> = (0..3).map(|_| engine.node(&prefix, small_limits())).collect();
    for length in [100, 12 * MIB] {
        let (upload, bytes) = (new_upload(), content(length, 1));
        let staged = append(&nodes[0], &upload, &Staged::default(), &bytes).await;
        let key = key_of(&bytes);
        for finished in join_all(nodes.iter().map(|node| node.finish(&upload, &staged, &key))).await
        {
            finished.unwrap();
        }
        holds(&nodes[0], &bytes).await;
    }
}

async fn an_append_that_nobody_recorded_is_done_again_elsewhere(engine: Engine) {
    let prefix = new_prefix();
    let [one, other] = [engine.node(&prefix, small_limits()), engine.node(&prefix, small_limits())];
    let (upload, bytes) = (new_upload(), content(25 * MIB, 1));
    let first = append(&one, &upload, &Staged::default(), &bytes.slice(..13 * MIB)).await;
    // Other bytes, then the right ones, from the same place on.
    append(&one, &upload, &first, &content(9 * MIB, 2)).await;
    let second = append(&other, &upload, &first, &bytes.slice(13 * MIB..)).await;
    other.finish(&upload, &second, &key_of(&bytes)).await.unwrap();
    holds(&one, &bytes).await;
}

/// Its parts are an object by then.
async fn an_upload_that_was_read_is_finished_elsewhere(engine: Engine) {
    let prefix = new_prefix();
    let [one, other] = [engine.node(&prefix, small_limits()), engine.node(&prefix, small_limits())];
    let (upload, bytes) = (new_upload(), content(13 * MIB, 1));
    let staged = append(&one, &upload, &Staged::default(), &bytes).await;
    for node in [&one, &other, &one] {
        let read = node.read_staged(&upload, &staged).await.unwrap();
        assert!(gathered(read).await.unwrap() == bytes, "the bytes differ");
    }
    other.finish(&upload, &staged, &key_of(&bytes)).await.unwrap();
    holds(&one, &bytes).await;
    let late = one.append(&upload, &staged, chunks(&content(9 * MIB, 2))).await;
    let late = match late {
        // Azure takes blocks for whatever name; they become no blob.
        Ok(late) => one.finish(&upload, &late, &key_of(b"late")).await.unwrap_err(),
        Err(late) => late,
    };
    assert!(matches!(late, StageError::NotFound), "{late}");
}

/// A client sends bytes whose finish breaks off half-way, and then as many others from the beginning.
async fn what_was_assembled_for_one_digest_is_never_put_under_another(engine: Engine) {
    let blobs = engine.node(&new_prefix(), small_limits());
    let upload = new_upload();
    let (first, second) = (content(13 * MIB, 1), content(13 * MIB, 2));
    let unrecorded = append(&blobs, &upload, &Staged::default(), &first).await;
    gathered(blobs.read_staged(&upload, &unrecorded).await.unwrap()).await.unwrap();
    let staged = append(&blobs, &upload, &Staged::default(), &second).await;
    blobs.finish(&upload, &staged, &key_of(&second)).await.unwrap();
    holds(&blobs, &second).await;
}

async fn an_object_of_another_size_is_reported(engine: Engine) {
    let blobs = engine.node(&new_prefix(), small_limits());
    let (right, wrong) = (content(1000, 1), content(999, 2));
    let upload = new_upload();
    let staged = append(&blobs, &upload, &Staged::default(), &wrong).await;
    blobs.finish(&upload, &staged, &key_of(&right)).await.unwrap();
    let upload = new_upload();
    let staged = append(&blobs, &upload, &Staged::default(), &right).await;
    let fault = blobs.finish(&upload, &staged, &key_of(&right)).await;
    assert!(matches!(fault, Err(StageError::Store(StoreError::Corrupt(_)))), "{fault:?}");
}

//! The contract, and what is the file store's own: its folders, its rights, a disk that is full.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod full;
mod layout;
mod old;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use tempfile::TempDir;
use wharf_core::UploadId;
use wharf_core::blobs::{Blobs, Chunks, ObjectKey, Staged};
use wharf_core::clock::SystemRandom;
use wharf_core::direct::DirectStore;
use wharf_oci::{Algorithm, Hasher};

use super::FileBlobs;
use crate::contract::Mapped;

fn make() -> (FileBlobs, TempDir) {
    let folder = TempDir::new().unwrap();
    (FileBlobs::open(folder.path()).unwrap(), folder)
}

fn make_mapped() -> (Mapped<FileBlobs>, TempDir) {
    let (blobs, folder) = make();
    (Mapped(blobs), folder)
}

mod contract {
    crate::blobs_contract!(super::make);
}

mod contract_of_listing {
    crate::stored_objects_contract!(super::make);
}

fn make_direct() -> (Arc<FileBlobs>, DirectStore, TempDir) {
    let (blobs, folder) = make();
    let blobs = Arc::new(blobs);
    let direct = blobs.direct_uploads();
    (blobs, direct, folder)
}

mod contract_of_direct_uploads {
    crate::direct_uploads_contract!(super::make_direct);
}

mod contract_of_mapped_reads {
    crate::blobs_contract!(super::make_mapped);
}

fn upload() -> UploadId {
    UploadId::random(&SystemRandom)
}

fn chunks(pieces: Vec<Vec<u8>>) -> Chunks<'static> {
    Box::pin(stream::iter(pieces.into_iter().map(Bytes::from)))
}

fn key_of(bytes: &[u8]) -> ObjectKey {
    ObjectKey::canonical(Hasher::digest(Algorithm::Sha256, bytes))
}

async fn staged(blobs: &FileBlobs, upload: &UploadId, bytes: &[u8]) -> Staged {
    let start = blobs.stage(upload).await.unwrap();
    blobs.append(upload, &start, chunks(vec![bytes.to_vec()])).await.unwrap()
}

async fn pushed(blobs: &FileBlobs, bytes: &[u8]) -> ObjectKey {
    let (upload, key) = (upload(), key_of(bytes));
    let staged = staged(blobs, &upload, bytes).await;
    blobs.finish(&upload, &staged, &key).await.unwrap();
    key
}

/// Every file below a folder.
fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

#[tokio::test]
async fn what_nobody_recorded_is_found_by_its_age_and_dropped() {
    use std::time::Duration;
    use wharf_core::blobs::Leftovers;
    use wharf_core::direct::DirectUploads;

    let (blobs, folder) = make();
    let (standard, direct) = (upload(), upload());
    blobs.append(&standard, &Staged::default(), chunks(vec![vec![1; 10]])).await.unwrap();
    blobs.begin(&direct, 10).await.unwrap();
    assert_eq!(blobs.staged_before(Duration::from_secs(3600), 10).await.unwrap(), []);
    let mut both = [standard, direct];
    both.sort();
    assert_eq!(blobs.staged_before(Duration::ZERO, 10).await.unwrap(), both);
    assert_eq!(blobs.staged_before(Duration::ZERO, 1).await.unwrap().len(), 1);
    for upload in both {
        blobs.drop_leftovers(&upload).await.unwrap();
    }
    assert_eq!(std::fs::read_dir(folder.path().join("staging")).unwrap().count(), 0);
}

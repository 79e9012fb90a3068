//! What lies in the folder, under which names and rights, and what a damaged file does.

use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt;

use futures_util::StreamExt;
use tempfile::TempDir;
use wharf_core::StoreError;
use wharf_core::blobs::{Blobs, MappedReads, ReadError, StageError};

use super::{FileBlobs, chunks, files, key_of, make, pushed, staged, upload};
use crate::contract::deleted;

#[tokio::test]
async fn objects_lie_in_folders_named_by_their_digest() {
    let (blobs, folder) = make();
    pushed(&blobs, b"content").await;
    let hex = key_of(b"content").digest.hex();
    let path = format!("objects/sha256/{}/{}/{hex}", &hex[..2], &hex[2..4]);
    assert_eq!(files(folder.path()), [folder.path().join(path)]);
}

#[tokio::test]
async fn a_shard_folder_that_was_removed_is_made_again() {
    let (blobs, folder) = make();
    let key = pushed(&blobs, b"content").await;
    deleted(&blobs, &key).await;
    std::fs::remove_dir_all(folder.path().join("objects/sha256")).unwrap();
    std::fs::create_dir(folder.path().join("objects/sha256")).unwrap();
    let key = pushed(&blobs, b"content").await;
    assert_eq!(blobs.head(&key).await.unwrap(), Some(7));
}

#[tokio::test]
async fn folders_and_files_are_for_their_owner_alone() {
    let folder = TempDir::new().unwrap();
    let blobs = FileBlobs::open(&folder.path().join("data/blobs")).unwrap();
    pushed(&blobs, b"content").await;
    staged(&blobs, &upload(), b"staged").await;
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    let found = files(folder.path());
    assert_eq!(found.len(), 2);
    for file in found {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        for parent in file.ancestors().skip(1).take_while(|parent| *parent != folder.path()) {
            assert_eq!(mode(parent), 0o700, "{}", parent.display());
        }
    }
}

#[tokio::test]
async fn a_store_is_found_again_by_whoever_opens_it_next() {
    let (blobs, folder) = make();
    let key = pushed(&blobs, b"content").await;
    let upload = upload();
    let before = staged(&blobs, &upload, b"first ").await;
    drop(blobs);
    let blobs = FileBlobs::open(folder.path()).unwrap();
    assert_eq!(blobs.head(&key).await.unwrap(), Some(7));
    let after = blobs.append(&upload, &before, chunks(vec![b"second".to_vec()])).await.unwrap();
    blobs.finish(&upload, &after, &key_of(b"first second")).await.unwrap();
    assert_eq!(blobs.head(&key_of(b"first second")).await.unwrap(), Some(12));
}

#[tokio::test]
async fn nothing_stays_staged() {
    let (blobs, folder) = make();
    let begun = upload();
    blobs.stage(&begun).await.unwrap();
    let discarded = upload();
    let some = staged(&blobs, &discarded, b"content").await;
    blobs.discard(&discarded, &some).await.unwrap();
    for _ in 0..2 {
        pushed(&blobs, b"content").await;
    }
    blobs.check().await.unwrap();
    assert_eq!(files(&folder.path().join("staging")), [] as [std::path::PathBuf; 0]);
}

#[tokio::test]
async fn a_staged_file_that_lost_bytes_is_corrupt() {
    let (blobs, folder) = make();
    let upload = upload();
    let staged = staged(&blobs, &upload, b"content").await;
    let path = folder.path().join(format!("staging/{upload}"));
    OpenOptions::new().write(true).open(&path).unwrap().set_len(3).unwrap();
    let appended = blobs.append(&upload, &staged, chunks(vec![b"more".to_vec()])).await;
    assert!(matches!(appended, Err(StageError::Store(StoreError::Corrupt(_)))), "{appended:?}");
    let finished = blobs.finish(&upload, &staged, &key_of(b"content")).await;
    assert!(matches!(finished, Err(StageError::Store(StoreError::Corrupt(_)))), "{finished:?}");
    assert_eq!(blobs.head(&key_of(b"content")).await.unwrap(), None);
}

#[tokio::test]
async fn a_push_over_a_truncated_object_says_so_and_keeps_both() {
    let (blobs, folder) = make();
    let key = pushed(&blobs, b"content").await;
    let object = folder.path().join("objects").join(key.to_string());
    OpenOptions::new().write(true).open(&object).unwrap().set_len(3).unwrap();
    let upload = upload();
    let staged = staged(&blobs, &upload, b"content").await;
    let finished = blobs.finish(&upload, &staged, &key).await;
    assert!(matches!(finished, Err(StageError::Store(StoreError::Corrupt(_)))), "{finished:?}");
    assert_eq!(files(folder.path()).len(), 2);
}

#[tokio::test]
async fn an_object_truncated_under_a_read_is_an_error_and_no_crash() {
    let (blobs, folder) = make();
    let bytes = vec![7; 3 << 20];
    let key = pushed(&blobs, &bytes).await;
    let object = folder.path().join("objects").join(key.to_string());
    let contents =
        [blobs.read(&key, None).await.unwrap(), blobs.read_mapped(&key, None).await.unwrap()];
    OpenOptions::new().write(true).open(&object).unwrap().set_len(1 << 20).unwrap();
    for mut content in contents {
        let mut read = 0;
        let fault = loop {
            match content.stream.next().await.expect("a truncated object does not just end") {
                Ok(piece) => read += piece.len(),
                Err(fault) => break fault,
            }
        };
        assert!(matches!(fault, StoreError::Corrupt(_)), "{fault}");
        assert!(read <= 1 << 20, "{read} bytes were read");
        assert!(content.stream.next().await.is_none());
    }
    assert!(matches!(blobs.read(&key_of(b"none"), None).await, Err(ReadError::NotFound)));
}

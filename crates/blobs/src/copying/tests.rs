//! Copies between stores: whole, once, and never of what is damaged.

use bytes::Bytes;
use tempfile::TempDir;
use wharf_oci::Algorithm;

use super::*;
use crate::contract::{content, pushed};
use crate::{Fault, FaultyBlobs, FileBlobs, MemoryBlobs, Method};

#[tokio::test]
async fn an_object_is_copied_once() {
    let folder = TempDir::new().unwrap();
    let from = FaultyBlobs::new(MemoryBlobs::new());
    let to = FileBlobs::open(folder.path()).unwrap();
    for length in [0, 1, 3 << 20] {
        let bytes = content(length, 1);
        let key = pushed(&from, &bytes).await;
        let size = length as u64;
        assert_eq!(copy_object(&from, &to, &key).await.unwrap(), Copied::Now(size));
        assert_eq!(copy_object(&from, &to, &key).await.unwrap(), Copied::Before(size));
        assert_eq!(hash_object(&to, &key).await.unwrap(), Some(key.digest));
    }
    let absent = ObjectKey::canonical(Hasher::digest(Algorithm::Sha256, b"absent"));
    assert_eq!(copy_object(&from, &to, &absent).await.unwrap(), Copied::Missing);
    assert_eq!(hash_object(&to, &absent).await.unwrap(), None);
}

/// The disk under an object has changed a byte.
#[tokio::test]
async fn what_is_damaged_is_not_copied() {
    let folders = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let from = FaultyBlobs::new(FileBlobs::open(folders.0.path()).unwrap());
    let key = pushed(&from, &Bytes::from_static(b"as it was")).await;
    let file = FileBlobs::objects_folder(folders.0.path()).join(key.to_string());
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, b"as it is!").unwrap();
    let to = FileBlobs::open(folders.1.path()).unwrap();
    let found = Hasher::digest(Algorithm::Sha256, b"as it is!");
    assert_eq!(copy_object(&from, &to, &key).await.unwrap(), Copied::Damaged(found));
    assert_eq!(to.head(&key).await.unwrap(), None);
    assert_eq!(std::fs::read_dir(folders.1.path().join("staging")).unwrap().count(), 0);
}

/// Wherever a store fails, nothing is in place; the next try copies it.
#[tokio::test]
async fn a_copy_that_failed_is_made_again() {
    for method in [Method::Stage, Method::Append, Method::Finish] {
        let from = FaultyBlobs::new(MemoryBlobs::new());
        let key = pushed(&from, &content(100_000, 2)).await;
        let to = FaultyBlobs::new(MemoryBlobs::new());
        to.script(method, 1, Fault::Fail(StoreError::Unavailable("away".into())));
        assert!(copy_object(&from, &to, &key).await.is_err(), "{method:?}");
        assert_eq!(to.head(&key).await.unwrap(), None, "{method:?}");
        assert_eq!(copy_object(&from, &to, &key).await.unwrap(), Copied::Now(100_000));
    }
}

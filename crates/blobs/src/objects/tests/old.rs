//! Another registry's bucket: listed, read and signed for, whatever its prefix.

use std::time::Duration;

use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use wharf_core::StoreError;
use wharf_core::blobs::{ObjectKey, ReadError};
use wharf_core::delivery::SignedUrls as _;
use wharf_core::old_store::{OldEntry, OldKind, OldPath, OldStore};
use wharf_oci::ByteRange;

use super::{Bytes, Engine, Limits, content, gathered, key_of, new_prefix, on_each_service};
use crate::objects::OldBucket;

on_each_service! {
    folders_and_files_are_listed_in_byte_order
    small_files_are_read_and_large_ones_are_not
    blobs_are_read_signed_for_and_deleted_where_they_lie
}

fn at(name: &str) -> OldPath {
    OldPath::root().join(name).unwrap()
}

async fn write(bucket: &OldBucket, path: &OldPath, bytes: impl Into<Bytes>) {
    let key = Path::parse(format!("{}/{path}", bucket.0.prefix)).unwrap();
    bucket.0.service.put(&key, bytes.into().into()).await.unwrap();
}

fn new(engine: Engine) -> OldBucket {
    OldBucket(engine.node(&new_prefix(), Limits::default()))
}

async fn folders_and_files_are_listed_in_byte_order(engine: Engine) {
    let bucket = new(engine);
    for name in ["repositories/b-c/_manifests/x", "repositories/b/_manifests/x", "repositories/a"] {
        write(&bucket, &at(name), "x").await;
    }
    let entry = |name: &str, kind| OldEntry { name: name.to_owned(), kind };
    let listed = bucket.list(&at("repositories")).await.unwrap();
    let expected =
        [entry("a", OldKind::File), entry("b", OldKind::Folder), entry("b-c", OldKind::Folder)];
    assert_eq!(listed, expected);
    assert_eq!(bucket.list(&at("repositories/b")).await.unwrap().len(), 1);
    assert!(bucket.list(&at("nowhere")).await.unwrap().is_empty());
}

async fn small_files_are_read_and_large_ones_are_not(engine: Engine) {
    let bucket = new(engine);
    for (name, text) in [("ten", "0123456789"), ("none", ""), ("eleven", "0123456789a")] {
        write(&bucket, &at(name), text).await;
    }
    let read = async |name: &str| bucket.small_file(&at(name), 10).await;
    assert_eq!(read("ten").await.unwrap().unwrap(), "0123456789");
    assert_eq!(read("none").await.unwrap().unwrap(), "");
    assert_eq!(read("missing").await.unwrap(), None);
    let large = read("eleven").await;
    assert!(
        matches!(&large, Err(StoreError::Corrupt(text)) if text.contains("larger")),
        "{large:?}"
    );
}

async fn blobs_are_read_signed_for_and_deleted_where_they_lie(engine: Engine) {
    let bucket = new(engine);
    let bytes = content(300_000, 1);
    let ObjectKey { digest, .. } = key_of(&bytes);
    assert_eq!(bucket.head(&digest).await.unwrap(), None);
    assert!(matches!(bucket.read(&digest, None).await, Err(ReadError::NotFound)));
    write(&bucket, &OldPath::of_blob(&digest), bytes.clone()).await;
    assert_eq!(bucket.head(&digest).await.unwrap(), Some(300_000));
    let whole = bucket.read(&digest, None).await.unwrap();
    assert!(gathered(whole.stream).await.unwrap() == bytes);
    let part = bucket.read(&digest, Some(ByteRange::Between(5, 9))).await.unwrap();
    assert_eq!(gathered(part.stream).await.unwrap(), bytes[5..10]);
    let url = bucket.sign_get(&key_of(&bytes), Duration::from_secs(60)).await.unwrap();
    let fetched = reqwest::get(url.expose()).await.unwrap().bytes().await.unwrap();
    assert!(fetched == bytes);

    // Other bytes than the digest's are not given to the end.
    write(&bucket, &OldPath::of_blob(&digest), content(300_000, 2)).await;
    let whole = bucket.read(&digest, None).await.unwrap();
    assert!(matches!(gathered(whole.stream).await, Err(StoreError::Corrupt(_))));
    for _ in 0..2 {
        bucket.delete(&digest).await.unwrap();
        assert_eq!(bucket.head(&digest).await.unwrap(), None);
    }
}

//! The contract with another registry's folder behind, empty or holding every object; and what lies in which store.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use tempfile::TempDir;
use wharf_core::blobs::{
    Blobs, ByteStream, Chunks, Content, Deletion, MappedReads, ObjectKey, ReadError, StageError,
    Staged,
};
use wharf_core::clock::SystemRandom;
use wharf_core::delivery::{SignedUrl, SignedUrls};
use wharf_core::old_store::OldPath;
use wharf_core::{StoreError, UploadId};
use wharf_oci::{Algorithm, ByteRange, Hasher};

use super::{AdoptedBlobs, AdoptedUrls};
use crate::contract::{Mapped, deleted};
use crate::{FileBlobs, OldFolder};

/// A store of files, with another registry's folder behind it.
struct Both {
    blobs: AdoptedBlobs,
    folder: TempDir,
}

impl Both {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let old = folder.path().join("old");
        fs::create_dir(&old).unwrap();
        let own = Arc::new(FileBlobs::open(&folder.path().join("own")).unwrap());
        let (old, mapped) = (Arc::new(OldFolder::open(&old).unwrap()), Arc::clone(&own) as _);
        Self { blobs: AdoptedBlobs::new(own, Some(mapped), old).deleting_old(true), folder }
    }

    fn own(&self, key: &ObjectKey) -> PathBuf {
        self.folder.path().join("own/objects").join(key.to_string())
    }

    fn old(&self, key: &ObjectKey) -> PathBuf {
        self.folder.path().join("old").join(OldPath::of_blob(&key.digest).as_str())
    }

    fn put_into_old(&self, bytes: &[u8]) -> ObjectKey {
        let key = key_of(bytes);
        write(&self.old(&key), bytes);
        key
    }

    async fn push(&self, bytes: &[u8]) -> ObjectKey {
        let (key, upload) = (key_of(bytes), UploadId::random(&SystemRandom));
        let start = self.blobs.stage(&upload).await.unwrap();
        let chunks = Box::pin(futures_util::stream::iter([Bytes::copy_from_slice(bytes)]));
        let staged = self.blobs.append(&upload, &start, chunks).await.unwrap();
        self.blobs.finish(&upload, &staged, &key).await.unwrap();
        key
    }

    async fn read(&self, key: &ObjectKey) -> Vec<u8> {
        gathered(self.blobs.read(key, None).await.unwrap()).await
    }
}

async fn gathered(content: Content) -> Vec<u8> {
    let pieces: Vec<_> = content.stream.map(Result::unwrap).collect().await;
    pieces.concat()
}

fn key_of(bytes: &[u8]) -> ObjectKey {
    ObjectKey::canonical(Hasher::digest(Algorithm::Sha256, bytes))
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn make() -> (Mapped<AdoptedBlobs>, TempDir) {
    let Both { blobs, folder } = Both::new();
    (Mapped(blobs), folder)
}

mod contract_with_nothing_behind {
    crate::blobs_contract!(super::make);
}

/// Both stores, where each object that was put in place at once lies in the other registry's. One is put in place after the other: no
/// store has to bear that an object goes from under it.
struct Behind(Both, tokio::sync::Mutex<()>);

#[async_trait]
impl Blobs for Behind {
    async fn head(&self, key: &ObjectKey) -> Result<Option<u64>, StoreError> {
        self.0.blobs.head(key).await
    }

    async fn read(&self, key: &ObjectKey, range: Option<ByteRange>) -> Result<Content, ReadError> {
        self.0.blobs.read_mapped(key, range).await
    }

    async fn stage(&self, upload: &UploadId) -> Result<Staged, StageError> {
        self.0.blobs.stage(upload).await
    }

    async fn append(
        &self,
        upload: &UploadId,
        staged: &Staged,
        chunks: Chunks<'_>,
    ) -> Result<Staged, StageError> {
        self.0.blobs.append(upload, staged, chunks).await
    }

    async fn read_staged(
        &self,
        upload: &UploadId,
        staged: &Staged,
    ) -> Result<ByteStream, StageError> {
        self.0.blobs.read_staged(upload, staged).await
    }

    /// The object in Wharf's own store goes where it can only be read from the other.
    async fn finish(
        &self,
        upload: &UploadId,
        staged: &Staged,
        key: &ObjectKey,
    ) -> Result<(), StageError> {
        let _alone = self.1.lock().await;
        let (own, old) = (self.0.own(key), self.0.old(key));
        // What the store itself does when it is asked twice, it must find where it left it.
        if key.incarnation == 0 && old.exists() && !own.exists() {
            fs::create_dir_all(own.parent().unwrap()).unwrap();
            fs::hard_link(&old, &own).or_else(ignore_present).unwrap();
        }
        let finished = self.0.blobs.finish(upload, staged, key).await;
        if key.incarnation == 0 && finished.is_ok() {
            fs::create_dir_all(old.parent().unwrap()).unwrap();
            fs::hard_link(&own, &old).or_else(ignore).unwrap();
            fs::remove_file(&own).or_else(ignore).unwrap();
        }
        finished
    }

    async fn roll_back(
        &self,
        upload: &UploadId,
        before: &Staged,
        after: &Staged,
    ) -> Result<(), StoreError> {
        self.0.blobs.roll_back(upload, before, after).await
    }

    async fn discard(&self, upload: &UploadId, staged: &Staged) -> Result<(), StageError> {
        self.0.blobs.discard(upload, staged).await
    }

    async fn delete_all(&self, keys: &[ObjectKey]) -> Deletion {
        self.0.blobs.delete_all(keys).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.0.blobs.check().await
    }
}

fn ignore_present(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) }
}

/// Another finish of the same object was faster.
fn ignore(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { ignore_present(error) }
}

fn make_behind() -> (Behind, ()) {
    (Behind(Both::new(), tokio::sync::Mutex::default()), ())
}

mod contract_with_everything_behind {
    crate::blobs_contract!(super::make_behind);
}

#[tokio::test]
async fn what_lies_in_the_other_registry_is_read_there() {
    let both = Both::new();
    let bytes = vec![7; 3 << 20];
    let key = both.put_into_old(&bytes);
    assert_eq!(both.blobs.head(&key).await.unwrap(), Some(3 << 20));
    assert!(both.read(&key).await == bytes);
    let mapped = both.blobs.read_mapped(&key, Some(ByteRange::Between(1, 2))).await.unwrap();
    assert_eq!(gathered(mapped).await, [7, 7]);
    let next = ObjectKey { incarnation: 1, ..key };
    assert_eq!(both.blobs.head(&next).await.unwrap(), None);
    assert!(matches!(both.blobs.read(&next, None).await, Err(ReadError::NotFound)));
}

#[tokio::test]
async fn what_is_pushed_lies_in_wharfs_own() {
    let both = Both::new();
    // Nobody here has hashed it.
    let key = key_of(b"one");
    write(&both.old(&key), b"ONE");
    assert_eq!(both.push(b"one").await, key);
    assert_eq!(fs::read(both.own(&key)).unwrap(), b"one");
    assert_eq!(fs::read(both.old(&key)).unwrap(), b"ONE");
    assert_eq!(both.read(&key).await, b"one");
}

#[tokio::test]
async fn the_other_registrys_is_deleted_only_where_it_may_be() {
    for deletes in [false, true] {
        let Both { blobs, folder } = Both::new();
        let both = Both { blobs: blobs.deleting_old(deletes), folder };
        let key = both.put_into_old(b"one");
        both.push(b"one").await;
        deleted(&both.blobs, &ObjectKey { incarnation: 1, ..key }).await;
        assert!(both.own(&key).exists() && both.old(&key).exists());
        deleted(&both.blobs, &key).await;
        assert!(!both.own(&key).exists());
        assert_eq!(both.old(&key).exists(), !deletes);
    }
}

/// Says whose it is.
struct Urls(&'static str);

#[async_trait]
impl SignedUrls for Urls {
    async fn sign_get(
        &self,
        _: &ObjectKey,
        _: std::time::Duration,
    ) -> Result<SignedUrl, StoreError> {
        Ok(SignedUrl::new(self.0.to_owned()))
    }
}

#[tokio::test]
async fn a_url_is_that_of_the_store_in_which_the_object_lies() {
    let both = Both::new();
    let (old, own) = (both.put_into_old(b"old"), both.push(b"own").await);
    let files = FileBlobs::open(&both.folder.path().join("own")).unwrap();
    let (own_urls, old_urls) = (Arc::new(Urls("own")), Arc::new(Urls("old")));
    let urls = AdoptedUrls { own: Arc::new(files), own_urls, old_urls };
    for (key, whose) in [(old, "old"), (own, "own"), (ObjectKey { incarnation: 1, ..old }, "own")] {
        let url = urls.sign_get(&key, std::time::Duration::from_secs(1)).await.unwrap();
        assert_eq!(url.expose(), whose);
    }
}

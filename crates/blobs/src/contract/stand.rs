//! What the rules stand on: bytes that can be told apart, pushes and reads in one line.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use wharf_core::blobs::{
    Blobs, ByteStream, Chunks, Content, Deletion, MappedReads, ObjectKey, ReadError, StageError,
    Staged,
};
use wharf_core::clock::SystemRandom;
use wharf_core::{StoreError, UploadId};
use wharf_oci::{Algorithm, ByteRange, Hasher};

/// A store whose plain reads are the inner store's mapped ones, so that the rules can be put to those.
pub struct Mapped<B>(pub B);

#[async_trait]
impl<B: Blobs + MappedReads> Blobs for Mapped<B> {
    async fn head(&self, key: &ObjectKey) -> Result<Option<u64>, StoreError> {
        self.0.head(key).await
    }

    async fn read(&self, key: &ObjectKey, range: Option<ByteRange>) -> Result<Content, ReadError> {
        self.0.read_mapped(key, range).await
    }

    async fn stage(&self, upload: &UploadId) -> Result<Staged, StageError> {
        self.0.stage(upload).await
    }

    async fn append(
        &self,
        upload: &UploadId,
        staged: &Staged,
        chunks: Chunks<'_>,
    ) -> Result<Staged, StageError> {
        self.0.append(upload, staged, chunks).await
    }

    async fn read_staged(
        &self,
        upload: &UploadId,
        staged: &Staged,
    ) -> Result<ByteStream, StageError> {
        self.0.read_staged(upload, staged).await
    }

    async fn finish(
        &self,
        upload: &UploadId,
        staged: &Staged,
        key: &ObjectKey,
    ) -> Result<(), StageError> {
        self.0.finish(upload, staged, key).await
    }

    async fn roll_back(
        &self,
        upload: &UploadId,
        before: &Staged,
        after: &Staged,
    ) -> Result<(), StoreError> {
        self.0.roll_back(upload, before, after).await
    }

    async fn discard(&self, upload: &UploadId, staged: &Staged) -> Result<(), StageError> {
        self.0.discard(upload, staged).await
    }

    async fn delete_all(&self, keys: &[ObjectKey]) -> Deletion {
        self.0.delete_all(keys).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.0.check().await
    }
}

/// Deletes an object, which is certainly gone then.
pub(crate) async fn deleted(blobs: &impl Blobs, key: &ObjectKey) {
    let Deletion { gone, fault } = blobs.delete_all(&[*key]).await;
    assert!(fault.is_none(), "{fault:?}");
    assert_eq!(gone, [*key]);
}

/// `length` bytes that look the same at no two places nearby and differ with the seed.
pub(crate) fn content(length: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = vec![0; length];
    for word in bytes.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.copy_from_slice(&state.to_le_bytes()[..word.len()]);
    }
    bytes.into()
}

pub(super) fn upload() -> UploadId {
    UploadId::random(&SystemRandom)
}

pub(super) fn key_of(bytes: &[u8]) -> ObjectKey {
    ObjectKey::canonical(Hasher::digest(Algorithm::Sha256, bytes))
}

pub(super) fn chunks(pieces: &[Bytes]) -> Chunks<'static> {
    Box::pin(stream::iter(pieces.to_vec()))
}

/// Stages `pieces` in one append.
pub(super) async fn staged(blobs: &dyn Blobs, upload: &UploadId, pieces: &[Bytes]) -> Staged {
    let start = blobs.stage(upload).await.expect("an upload is begun");
    blobs.append(upload, &start, chunks(pieces)).await.expect("bytes are appended")
}

/// Pushes an object under its own digest.
pub(crate) async fn pushed(blobs: &dyn Blobs, bytes: &Bytes) -> ObjectKey {
    let key = key_of(bytes);
    let upload = upload();
    let staged = staged(blobs, &upload, &pieces_of(bytes, 1 << 20)).await;
    blobs.finish(&upload, &staged, &key).await.expect("an upload is finished");
    key
}

pub(super) fn pieces_of(bytes: &Bytes, length: usize) -> Vec<Bytes> {
    bytes.chunks(length).map(|piece| bytes.slice_ref(piece)).collect()
}

/// All bytes of a stream, or its fault.
pub(super) async fn gathered(mut stream: ByteStream) -> Result<Bytes, StoreError> {
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        let piece = piece?;
        assert!(!piece.is_empty() && piece.len() <= 4 << 20, "a piece of {} bytes", piece.len());
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.into())
}

/// All of an object.
pub(super) async fn read(blobs: &dyn Blobs, key: &ObjectKey) -> Bytes {
    let content = blobs.read(key, None).await.expect("the object is there");
    assert_eq!(content.range, 0..content.size);
    let bytes = gathered(content.stream).await.expect("the object is read");
    assert_eq!(bytes.len() as u64, content.size);
    bytes
}

/// What is staged.
pub(super) async fn read_staged(blobs: &dyn Blobs, upload: &UploadId, staged: &Staged) -> Bytes {
    gathered(blobs.read_staged(upload, staged).await.unwrap()).await.unwrap()
}

/// Compares without printing megabytes.
#[track_caller]
pub(super) fn same(found: &[u8], expected: &[u8]) {
    assert_eq!(found.len(), expected.len(), "the lengths differ");
    assert!(found == expected, "the bytes differ");
}

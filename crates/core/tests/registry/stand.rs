//! What the tests stand on: a registry whose parts can be made to fail, and a client's requests in one line each.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;
use tempfile::TempDir;
use wharf_blobs::{FaultyBlobs, FileBlobs, MemoryBlobs};
use wharf_cache::MemoryCache;
use wharf_core::blobs::Blobs;
use wharf_core::clock::{Clock, Timestamp};
use wharf_core::direct::DirectStore;
use wharf_core::metadata::Precondition;
use wharf_core::operation::*;
use wharf_core::permissions::{Caller, Everyone, Permitted, Principal};
use wharf_core::{
    Error, Missing, Parts, PulledManifest, PushManifest, Registry, Result, Rules, Source,
    SourceError, UploadId, UploadState,
};
use wharf_metadata::{Database, Sqlite};
use wharf_oci::{Algorithm, Digest, Hasher, Reference, RepositoryName};

use crate::faulty_metadata::FaultyMetadata;

/// A clock that stands still until it is moved.
pub struct HandClock(AtomicI64);

impl HandClock {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_micros() as i64, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A registry and its parts.
pub struct Stand<B = MemoryBlobs> {
    pub registry: Arc<Registry>,
    pub blobs: Arc<FaultyBlobs<B>>,
    pub metadata: Arc<FaultyMetadata>,
    pub clock: Arc<HandClock>,
    pub folder: TempDir,
}

impl Stand {
    /// On objects in memory.
    pub fn new() -> Self {
        Self::with(Rules::default())
    }

    pub fn with(rules: Rules) -> Self {
        let stand = Self::on(|_| MemoryBlobs::new(), |_| None, rules);
        stand.blobs.inner().drop_what_is_told();
        stand
    }
}

impl Stand<FileBlobs> {
    /// On objects in files.
    pub fn on_files() -> Self {
        Self::on_files_with(Rules::default())
    }

    pub fn on_files_with(rules: Rules) -> Self {
        let open = |folder: &TempDir| FileBlobs::open(&folder.path().join("blobs")).unwrap();
        let direct = |folder: &TempDir| Some(Arc::new(open(folder)).direct_uploads());
        Self::on(open, direct, rules)
    }
}

impl<B: Blobs> Stand<B> {
    fn on(
        blobs: impl FnOnce(&TempDir) -> B,
        direct: impl FnOnce(&TempDir) -> Option<DirectStore>,
        rules: Rules,
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Arc::new(HandClock(AtomicI64::new(1_700_000_000_000_000)));
        let sqlite = Sqlite::open(&folder.path().join("metadata.db"), clock.clone()).unwrap();
        let metadata = Arc::new(FaultyMetadata::new(Database::on_sqlite(sqlite)));
        let blobs = Arc::new(FaultyBlobs::new(blobs(&folder)));
        let direct = direct(&folder);
        let parts = Parts {
            direct,
            ..Parts::new(
                metadata.clone(),
                blobs.clone(),
                Arc::new(MemoryCache::new(16 << 20)),
                Arc::new(Everyone),
            )
        };
        let registry = Arc::new(Registry::new(parts, rules));
        Self { registry, blobs, metadata, clock, folder }
    }

    /// Another registry on the same stores, which offers no direct uploads.
    pub fn without_direct_uploads(&self) -> Arc<Registry> {
        let parts = Parts::new(
            self.metadata.clone(),
            self.blobs.clone(),
            Arc::new(MemoryCache::new(16 << 20)),
            Arc::new(Everyone),
        );
        Arc::new(Registry::new(parts, Rules::default()))
    }

    /// The operation as anybody's.
    pub async fn allowed<O: Operation>(&self, operation: O) -> Permitted<O> {
        self.registry.permit(Caller::new(Principal::Anonymous), operation).await.unwrap()
    }

    pub async fn start(&self, repository: &str) -> Result<UploadId> {
        let operation = self.allowed(StartUpload { repository: name(repository) }).await;
        Ok(self.registry.start_upload(&operation, Algorithm::Sha256).await?.id)
    }

    pub async fn offset(&self, repository: &str, upload: UploadId) -> Result<u64> {
        let operation = self.allowed(GetUpload { repository: name(repository), upload }).await;
        Ok(self.registry.get_upload(&operation).await?.offset)
    }

    /// PATCH, without a range.
    pub async fn append(
        &self,
        repository: &str,
        upload: UploadId,
        source: Source<'_>,
    ) -> Result<UploadState> {
        let operation = self.allowed(AppendUpload { repository: name(repository), upload }).await;
        self.registry.append_upload(&operation, None, None, source).await
    }

    /// PUT, without a range.
    pub async fn finish(
        &self,
        repository: &str,
        upload: UploadId,
        digest: Digest,
        source: Source<'_>,
    ) -> Result<()> {
        let repository = name(repository);
        let operation = self.allowed(FinishUpload { repository, upload, digest }).await;
        self.registry.finish_upload(&operation, None, None, source).await
    }

    /// POST with the whole blob.
    pub async fn push(&self, repository: &str, bytes: &Bytes) -> Result<()> {
        let operation = self.allowed(StartUpload { repository: name(repository) }).await;
        self.registry.push_blob(&operation, digest(bytes), None, whole(bytes)).await
    }

    /// The blob's bytes, if the repository holds it.
    pub async fn pull(&self, repository: &str, digest: Digest) -> Option<Bytes> {
        let operation = self.allowed(PullBlob { repository: name(repository), digest }).await;
        let blob = match self.registry.find_blob(&operation).await {
            Err(Error::NotFound(Missing::Blob(..))) => return None,
            other => other.unwrap(),
        };
        let content = self.registry.read_blob(&blob, None, false).await.unwrap().unwrap();
        let pieces: Vec<Bytes> = content.stream.map(Result::unwrap).collect().await;
        let bytes: Bytes = pieces.concat().into();
        assert_eq!(bytes.len() as u64, content.size);
        Some(bytes)
    }

    /// Pushes an image of one blob that says `text`, under tags.
    pub async fn tag(&self, repository: &str, text: &str, tags: &[&str]) -> Digest {
        let blob = Bytes::from(text.to_owned());
        self.push(repository, &blob).await.unwrap();
        self.put(repository, image(digest(&blob)), tags).await
    }

    /// Pushes a manifest, under tags.
    pub async fn put(&self, repository: &str, payload: Bytes, tags: &[&str]) -> Digest {
        let operation = PutManifest {
            repository: name(repository),
            reference: Reference::Digest(digest(&payload)),
            tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
        };
        let push = PushManifest { payload, content_type: None, precondition: Precondition::None };
        let operation = self.allowed(operation).await;
        self.registry.push_manifest(&operation, push).await.unwrap().digest
    }

    /// The manifest at a tag or digest, if it is there.
    pub async fn manifest(&self, repository: &str, reference: &str) -> Option<PulledManifest> {
        let repository = name(repository);
        let operation = PullManifest { repository, reference: reference.parse().unwrap() };
        match self.registry.pull_manifest(&self.allowed(operation).await).await {
            Err(Error::NotFound(Missing::Manifest(..))) => None,
            other => Some(other.unwrap()),
        }
    }

    pub async fn delete_manifest(&self, repository: &str, reference: &str) -> Result<()> {
        let repository = name(repository);
        let operation = DeleteManifest { repository, reference: reference.parse().unwrap() };
        let operation = self.allowed(operation).await;
        self.registry.delete_manifest(&operation, Precondition::None).await
    }

    pub async fn delete_blob(&self, repository: &str, digest: Digest) -> Result<()> {
        let operation = self.allowed(DeleteBlob { repository: name(repository), digest }).await;
        self.registry.delete_blob(&operation).await
    }
}

pub fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

pub fn digest(bytes: &[u8]) -> Digest {
    Hasher::digest(Algorithm::Sha256, bytes)
}

/// An image whose configuration is the blob.
pub fn image(blob: Digest) -> Bytes {
    let config = "application/vnd.oci.image.config.v1+json";
    let descriptor = json!({ "mediaType": config, "digest": blob, "size": 1 });
    let image = json!({ "schemaVersion": 2, "config": descriptor, "layers": [] });
    image.to_string().into()
}

/// `length` bytes that repeat nowhere nearby and differ with the seed.
pub fn content(length: usize, seed: u64) -> Bytes {
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

/// A body of these bytes, in frames as a socket gives them.
pub fn whole(bytes: &Bytes) -> Source<'static> {
    ending(bytes, None)
}

/// A body of no bytes.
pub fn nothing() -> Source<'static> {
    Box::pin(stream::empty())
}

/// A body of these bytes that ends with a fault.
pub fn ending(bytes: &Bytes, fault: Option<SourceError>) -> Source<'static> {
    let frames = bytes.chunks(16 << 10).map(|frame| Ok(bytes.slice_ref(frame)));
    let frames: Vec<_> = frames.chain(fault.map(Err)).collect();
    Box::pin(stream::iter(frames))
}

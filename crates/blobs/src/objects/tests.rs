//! Object stores under test: real services, each test under a prefix of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod azure;
mod boundaries;
mod crashes;
mod direct;
mod leftovers;
mod nodes;
mod old;
mod proxy;
mod refusals;
mod s3;
mod wire;

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use wharf_core::blobs::{Blobs, ByteStream, Chunks, ObjectKey, Staged};
use wharf_core::clock::SystemRandom;
use wharf_core::{StoreError, UploadId};
use wharf_oci::{Algorithm, Hasher};

use super::{Limits, ObjectBlobs};

/// A service, and how a node opens a store there: below a prefix, by an endpoint that may be a proxy.
#[derive(Clone, Copy)]
struct Engine {
    endpoint: fn() -> String,
    open: fn(endpoint: &str, prefix: &str, limits: Limits) -> ObjectBlobs,
}

impl Engine {
    /// A node at a store.
    fn node(&self, prefix: &str, limits: Limits) -> ObjectBlobs {
        (self.open)(&(self.endpoint)(), prefix, limits)
    }
}

/// Makes a test of each rule on each service.
macro_rules! on_each_service {
    ($($rule:ident)*) => {
        mod on_s3 { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                super::$rule(crate::objects::tests::s3::ENGINE).await;
            }
        )* }
        mod on_azure { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                super::$rule(crate::objects::tests::azure::ENGINE).await;
            }
        )* }
    };
}
use on_each_service;

/// A prefix that no other test has.
fn new_prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("t{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The least parts that S3 takes, and copies in parts of 5 MiB.
fn small_limits() -> Limits {
    Limits { part_size: 5 << 20, single_copy: 6 << 20, copy_part: 5 << 20, ..Limits::default() }
}

fn content(length: usize, seed: u64) -> Bytes {
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

fn new_upload() -> UploadId {
    UploadId::random(&SystemRandom)
}

fn key_of(bytes: &[u8]) -> ObjectKey {
    ObjectKey::canonical(Hasher::digest(Algorithm::Sha256, bytes))
}

/// The bytes in pieces as the registry hands them over.
fn chunks(bytes: &Bytes) -> Chunks<'static> {
    let pieces: Vec<_> = bytes.chunks(1 << 20).map(|piece| bytes.slice_ref(piece)).collect();
    Box::pin(stream::iter(pieces))
}

async fn append(blobs: &ObjectBlobs, upload: &UploadId, to: &Staged, bytes: &Bytes) -> Staged {
    blobs.append(upload, to, chunks(bytes)).await.unwrap()
}

async fn gathered(mut stream: ByteStream) -> Result<Bytes, StoreError> {
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes.into())
}

/// That an object is there and has these bytes.
async fn holds(blobs: &ObjectBlobs, bytes: &Bytes) {
    let found = blobs.read(&key_of(bytes), None).await.unwrap();
    assert_eq!(found.size, bytes.len() as u64);
    assert!(gathered(found.stream).await.unwrap() == bytes, "the bytes differ");
}

/// The objects and multipart uploads that an upload has left, without their random names.
async fn left(blobs: &ObjectBlobs, upload: &UploadId) -> Vec<String> {
    let folder = blobs.path(&format!("staging/{upload}"));
    let objects = blobs.service.list(Some(&folder)).map(|it| it.unwrap().location.to_string());
    let mut names: Vec<String> = objects.collect().await;
    names.extend(blobs.multipart_keys(&folder).await.into_iter().map(|key| format!("{key}?")));
    let kind = |name: String| {
        let end = if name.ends_with('?') { " parts" } else { "" };
        let file = name.rsplit('/').next().unwrap_or_default();
        format!("{}{end}", file.split('-').next().unwrap_or_default())
    };
    let mut kinds: Vec<String> = names.into_iter().map(kind).collect();
    kinds.sort();
    kinds
}

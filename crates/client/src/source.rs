//! Where images come from and go to: the two traits that a transfer knows.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use wharf_oci::{Descriptor, Tag};

use crate::{Error, Placed, Progress};

/// The bytes of a blob, piece by piece. They count only when the stream came to its end without an error.
pub type BlobStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// An image in a source: what it is and what it is called there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The manifest or index.
    pub descriptor: Descriptor,
    /// Its names in the source: tags, or whole names such as `registry.example/team/app:1.0`.
    pub names: Vec<String>,
}

impl Root {
    /// The tags in its names.
    pub fn tags(&self) -> Vec<Tag> {
        let mut tags: Vec<Tag> = Vec::new();
        for tag in self.names.iter().filter_map(|name| crate::names::tag_of(name)) {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        tags
    }
}

/// What a manifest is for its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role<'a> {
    /// It stands by itself, under these tags or, without any, under its digest.
    Root(&'a [Tag]),
    /// An index names it.
    Child,
}

/// Somewhere blobs can be read from, from any byte on.
#[async_trait]
pub trait BlobSource: Send + Sync {
    /// The bytes of `blob` from `offset` (at most its size) to its end. They need not be verified:
    /// who reads them does, see [`verified`](crate::verified).
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is no such blob; others where it cannot be read.
    async fn blob(&self, blob: &Descriptor, offset: u64) -> Result<BlobStream, Error>;
}

/// Somewhere images come from.
#[async_trait]
pub trait Source: BlobSource {
    /// What to call the source in messages.
    fn place(&self) -> String;

    /// The images there, or the one that the source was opened for.
    async fn roots(&self) -> Result<Vec<Root>, Error>;

    /// The bytes of a manifest, not necessarily verified, never more than [`MAX_MANIFEST`](crate::MAX_MANIFEST).
    async fn manifest(&self, manifest: &Descriptor) -> Result<Bytes, Error>;

    /// The manifests whose subject is `manifest`.
    async fn referrers(&self, manifest: &Descriptor) -> Result<Vec<Descriptor>, Error>;
}

/// Somewhere images go to. Blobs come before the manifests that name them, children before their
/// index, and [`finish`](Destination::finish) last.
#[async_trait]
pub trait Destination: Send + Sync {
    /// Puts a blob there, unless it is there. Verifies digest and size before it counts.
    async fn put_blob(
        &self,
        blob: &Descriptor,
        from: &dyn BlobSource,
        progress: &Arc<dyn Progress>,
    ) -> Result<Placed, Error>;

    /// Puts a manifest there, whose bytes were verified.
    async fn put_manifest(
        &self,
        manifest: &Descriptor,
        bytes: Bytes,
        role: Role<'_>,
    ) -> Result<(), Error>;

    /// Makes what was put durable and visible.
    async fn finish(&self) -> Result<(), Error>;
}

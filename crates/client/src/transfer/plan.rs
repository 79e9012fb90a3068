//! What there is to copy: everything that an image names, each thing once, everything checked.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use wharf_oci::{Descriptor, Digest, Manifest, MediaType};

use crate::verify::check_manifest;
use crate::{Error, MAX_MANIFEST, Source};

/// How deep indexes and referrers may be nested.
const MAX_DEPTH: usize = 8;

/// The most manifests copied in one go.
const MAX_MANIFESTS: usize = 10_000;

/// The size of all manifests of one go in bytes: they are held in memory.
const MAX_BYTES: usize = 64 << 20;

/// Everything to copy.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) manifests: Vec<PlannedManifest>,
    pub(super) blobs: Vec<Descriptor>,
    /// Layers that their owners let nobody distribute.
    pub(super) left_out: Vec<Descriptor>,
}

/// A manifest to copy.
pub(super) struct PlannedManifest {
    pub(super) descriptor: Descriptor,
    pub(super) bytes: Bytes,
    /// More than that of any manifest it names.
    pub(super) height: usize,
    /// Whether it stands by itself: the image, or a referrer.
    pub(super) is_root: bool,
}

struct Planning<'a> {
    source: &'a dyn Source,
    at_once: usize,
    plan: Plan,
    /// The height of each manifest seen.
    heights: HashMap<Digest, usize>,
    /// The size of each blob seen.
    sizes: HashMap<Digest, u64>,
    bytes: usize,
}

impl Plan {
    /// Reads the manifests of an image and, where wanted, of its referrers.
    pub(super) async fn make(
        source: &dyn Source,
        root: &Descriptor,
        referrers: bool,
        at_once: usize,
    ) -> Result<Self, Error> {
        let (heights, sizes) = Default::default();
        let plan = Self::default();
        let mut planning = Planning { source, at_once, plan, heights, sizes, bytes: 0 };
        let bytes = planning.fetch(root).await?;
        planning.add(root.clone(), bytes, true, 0).await?;
        if referrers {
            planning.add_referrers().await?;
        }
        Ok(planning.plan)
    }
}

impl Planning<'_> {
    /// The bytes of a manifest, checked.
    async fn fetch(&self, manifest: &Descriptor) -> Result<Bytes, Error> {
        if manifest.size > MAX_MANIFEST as u64 {
            let what = format!("manifest {} of {}", manifest.digest, self.source.place());
            return Err(Error::TooLarge { what, limit: MAX_MANIFEST as u64 });
        }
        let bytes = self.source.manifest(manifest).await?;
        check_manifest(manifest, &bytes)?;
        Ok(bytes)
    }

    /// Adds a manifest and all that it names. Returns its height.
    fn add(
        &mut self,
        descriptor: Descriptor,
        bytes: Bytes,
        is_root: bool,
        depth: usize,
    ) -> Pin<Box<dyn Future<Output = Result<usize, Error>> + Send + '_>> {
        Box::pin(async move {
            let digest = descriptor.digest;
            if let Some(height) = self.heights.get(&digest) {
                return Ok(*height);
            }
            if depth > MAX_DEPTH {
                let reason = format!("is nested more than {MAX_DEPTH} levels deep");
                return Err(Error::Image { digest, reason });
            }
            self.bytes += bytes.len();
            if self.bytes > MAX_BYTES || self.heights.len() >= MAX_MANIFESTS {
                let reason = format!(
                    "and what belongs to it are more than {MAX_MANIFESTS} manifests or {MAX_BYTES} bytes of such"
                );
                return Err(Error::Image { digest, reason });
            }
            let manifest = Manifest::parse(&bytes, Some(&descriptor.media_type))
                .map_err(Error::manifest(digest))?;
            for blob in manifest.blobs() {
                self.add_blob(blob)?;
            }
            let height = self.add_children(manifest.children(), depth).await?;
            self.heights.insert(digest, height);
            self.plan.manifests.push(PlannedManifest { descriptor, bytes, height, is_root });
            Ok(height)
        })
    }

    /// Adds what an index names. Returns the height of that index.
    async fn add_children(
        &mut self,
        children: &[Descriptor],
        depth: usize,
    ) -> Result<usize, Error> {
        let is_manifest = |child: &&Descriptor| MediaType::parse(&child.media_type).is_some();
        // An index may name other things than manifests: build caches keep their layers so.
        for blob in children.iter().filter(|child| !is_manifest(child)) {
            self.add_blob(blob)?;
        }
        let new: Vec<Descriptor> = children.iter().filter(is_manifest).cloned().collect();
        let mut height = 0;
        // No more are in memory uncounted than are read at once.
        for some in new.chunks(self.at_once.max(1)) {
            let this = &*self;
            let fetched: Vec<(Descriptor, Bytes)> = stream::iter(some.to_vec())
                .map(|child| async move { this.fetch(&child).await.map(|bytes| (child, bytes)) })
                .buffered(self.at_once.max(1))
                .try_collect()
                .await?;
            for (child, bytes) in fetched {
                height = height.max(1 + self.add(child, bytes, false, depth + 1).await?);
            }
        }
        Ok(height)
    }

    fn add_blob(&mut self, blob: &Descriptor) -> Result<(), Error> {
        match self.sizes.insert(blob.digest, blob.size) {
            None if blob.is_non_distributable() => self.plan.left_out.push(blob.clone()),
            None => self.plan.blobs.push(blob.clone()),
            Some(size) if size == blob.size => {}
            Some(size) => {
                let reason = format!("has {size} bytes in one place and {} in another", blob.size);
                return Err(Error::Image { digest: blob.digest, reason });
            }
        }
        Ok(())
    }

    /// Adds the referrers of every manifest, and theirs in turn.
    async fn add_referrers(&mut self) -> Result<(), Error> {
        let mut asked = 0;
        for depth in 0.. {
            let subjects: Vec<Descriptor> =
                self.plan.manifests[asked..].iter().map(|one| one.descriptor.clone()).collect();
            if subjects.is_empty() {
                break;
            }
            asked += subjects.len();
            let source = self.source;
            let lists: Vec<Vec<Descriptor>> = stream::iter(&subjects)
                .map(|subject| source.referrers(subject))
                .buffered(self.at_once.max(1))
                .try_collect()
                .await?;
            for referrer in lists.into_iter().flatten() {
                if !self.heights.contains_key(&referrer.digest) {
                    let bytes = self.fetch(&referrer).await?;
                    self.add(referrer, bytes, true, depth + 1).await?;
                }
            }
        }
        Ok(())
    }
}

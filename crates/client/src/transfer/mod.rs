//! Copying an image from a source to a destination.

mod choice;
mod plan;
mod platform;

use std::num::NonZeroUsize;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use wharf_oci::{Descriptor, Tag};

pub use choice::choose;
use plan::{Plan, PlannedManifest};
pub use platform::{PlatformChoice, PlatformError};

use crate::{Destination, Error, Event, Placed, Progress, Role, Silent, Source};

/// How many blobs move at once where nothing else is said.
const AT_ONCE: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// A way from a source to a destination.
///
/// Blobs go first, several at a time and each once; then manifests, children before the index that names
/// them; referrers before what they are about, and the image itself last: when its tag moves, all is there.
pub struct Transfer<'a> {
    source: &'a dyn Source,
    destination: &'a dyn Destination,
    progress: Arc<dyn Progress>,
    jobs: NonZeroUsize,
    referrers: bool,
    platform: Option<PlatformChoice>,
}

/// What a transfer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The image that is at the destination now.
    pub root: Descriptor,
    /// The number of its manifests, referrers included.
    pub manifests: usize,
    /// The number of blobs that were moved.
    pub copied: usize,
    /// The size of those in bytes.
    pub copied_bytes: u64,
    /// The number of blobs that were there.
    pub held: usize,
    /// The number of blobs that the registry took from another repository.
    pub mounted: usize,
    /// The number of layers left out, because their owners let nobody distribute them.
    pub left_out: usize,
}

impl<'a> Transfer<'a> {
    /// A way from `source` to `destination`.
    pub fn new(source: &'a dyn Source, destination: &'a dyn Destination) -> Self {
        let progress = Arc::new(Silent);
        Self { source, destination, progress, jobs: AT_ONCE, referrers: false, platform: None }
    }

    /// Tells `progress` what happens.
    #[must_use]
    pub fn progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// Moves so many blobs at once. Default 4.
    #[must_use]
    pub fn jobs(mut self, jobs: NonZeroUsize) -> Self {
        self.jobs = jobs;
        self
    }

    /// Whether referrers (signatures, attestations, SBOMs) go along. By default they do not.
    #[must_use]
    pub fn referrers(mut self, referrers: bool) -> Self {
        self.referrers = referrers;
        self
    }

    /// Copies only the image of one platform, where the source is an index.
    #[must_use]
    pub fn platform(mut self, platform: Option<PlatformChoice>) -> Self {
        self.platform = platform;
        self
    }

    /// Copies the image `root` and lets `tags` name it there; without tags, its digest does.
    /// [`Destination::finish`] is left to the caller, who may copy more.
    ///
    /// # Errors
    /// When anything is missing, is not what its digest and size say, or cannot be moved. What was moved until then
    /// stays, but no tag.
    pub async fn copy(&self, root: &Descriptor, tags: &[Tag]) -> Result<Summary, Error> {
        let root = match &self.platform {
            Some(platform) => &platform::select(self.source, root, platform).await?,
            None => root,
        };
        let plan = Plan::make(self.source, root, self.referrers, self.jobs.get()).await?;
        self.progress.event(Event::Planned {
            manifests: plan.manifests.len(),
            blobs: plan.blobs.len(),
            bytes: plan.blobs.iter().map(|blob| blob.size).fold(0, u64::saturating_add),
        });
        for layer in &plan.left_out {
            self.progress.event(Event::LeftOut(layer));
        }
        let mut summary = Summary {
            root: root.clone(),
            manifests: plan.manifests.len(),
            copied: 0,
            copied_bytes: 0,
            held: 0,
            mounted: 0,
            left_out: plan.left_out.len(),
        };
        let mut blobs = stream::iter(&plan.blobs)
            .map(|blob| async move { Ok::<_, Error>((blob, self.blob(blob).await?)) })
            .buffer_unordered(self.jobs.get());
        while let Some((blob, placed)) = blobs.try_next().await? {
            match placed {
                Placed::Copied => {
                    summary.copied += 1;
                    summary.copied_bytes += blob.size;
                }
                Placed::Held => summary.held += 1,
                Placed::Mounted => summary.mounted += 1,
            }
        }
        self.manifests(&plan, root, tags).await?;
        Ok(summary)
    }

    async fn blob(&self, blob: &Descriptor) -> Result<Placed, Error> {
        self.progress.event(Event::Started(blob));
        let source: &dyn Source = self.source;
        let placed = self.destination.put_blob(blob, source, &self.progress).await?;
        self.progress.event(Event::Finished(blob, placed));
        Ok(placed)
    }

    /// Manifests of one height do not name each other, so they go at once.
    async fn manifests(&self, plan: &Plan, root: &Descriptor, tags: &[Tag]) -> Result<(), Error> {
        let highest = plan.manifests.iter().map(|manifest| manifest.height).max().unwrap_or(0);
        for height in 0..=highest {
            let now = plan.manifests.iter().filter(|manifest| {
                manifest.height == height && manifest.descriptor.digest != root.digest
            });
            stream::iter(now)
                .map(|manifest| self.manifest(manifest, &[]))
                .buffer_unordered(self.jobs.get())
                .try_collect::<()>()
                .await?;
        }
        for manifest in plan.manifests.iter().filter(|one| one.descriptor.digest == root.digest) {
            self.manifest(manifest, tags).await?;
        }
        Ok(())
    }

    async fn manifest(&self, manifest: &PlannedManifest, tags: &[Tag]) -> Result<(), Error> {
        let PlannedManifest { descriptor, bytes, is_root, .. } = manifest;
        let role = if *is_root { Role::Root(tags) } else { Role::Child };
        self.destination.put_manifest(descriptor, bytes.clone(), role).await?;
        self.progress.event(Event::Manifest(descriptor));
        Ok(())
    }
}

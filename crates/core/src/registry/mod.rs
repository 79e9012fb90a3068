//! The registry: every operation, on the stores behind the traits. One file a resource.
//!
//! Each method takes a [`Permitted`] operation, so none can be reached past the authorization point.

mod blobs;
mod collecting;
mod completing;
mod deleted_repositories;
mod direct;
mod flights;
mod forgetting;
mod history;
mod holding;
mod in_flight;
mod last_known;
mod manifests;
mod measuring;
mod pins;
mod placing;
mod push;
mod record;
mod retention;
mod staging;
mod tags;
mod trash;
mod uploads;

use std::sync::Arc;
use std::time::Duration;

use wharf_oci::RepositoryName;

use crate::blobs::{Blobs, Leftovers, MappedReads};
use crate::cache::{Cache, Key, Kind};
use crate::clock::{Random, SystemRandom};
use crate::delivery::SignedUrls;
use crate::direct::DirectStore;
use crate::metadata::{LastKnown, Metadata};
use crate::operation::Operation;
use crate::permissions::{Caller, Permissions, Permitted, permit};
use crate::tally::Tally;
use crate::{Error, StoreError};

use blobs::BlobRead;
pub use blobs::HeldBlob;
pub use collecting::{Collected, GarbageRules};
pub use completing::Completion;
use completing::Completions;
pub use direct::{Addressed, DirectState, PartAddress, StartedDirect};
use flights::Flights;
pub use history::{BackTo, Changes};
use in_flight::InFlight;
use manifests::ManifestRead;
pub use manifests::{PulledManifest, PushManifest, PushedManifest};
pub use tags::Listing;
pub use trash::Restored;
pub use uploads::{Mounted, UploadState};

/// The stores that a registry stands on.
pub struct Parts {
    /// Metadata.
    pub metadata: Arc<dyn Metadata>,
    /// A copy of the metadata that answers pulls while these are away.
    pub last_known: Option<Arc<dyn LastKnown>>,
    /// Objects.
    pub blobs: Arc<dyn Blobs>,
    /// The same objects as mapped pages, where the store can give them so.
    pub mapped: Option<Arc<dyn MappedReads>>,
    /// Who else gives the objects to clients, by signed URLs: the store itself, or a CDN before it.
    pub signed: Option<Arc<dyn SignedUrls>>,
    /// Where clients may send blobs into the store themselves.
    pub direct: Option<DirectStore>,
    /// Where the store can keep what no upload names any more.
    pub leftovers: Option<Arc<dyn Leftovers>>,
    /// The cache.
    pub cache: Arc<dyn Cache>,
    /// Who may do what.
    pub permissions: Arc<dyn Permissions>,
    /// Chance.
    pub random: Arc<dyn Random>,
}

impl Parts {
    /// The stores that every registry has, and none that it may lack.
    pub fn new(
        metadata: Arc<dyn Metadata>,
        blobs: Arc<dyn Blobs>,
        cache: Arc<dyn Cache>,
        permissions: Arc<dyn Permissions>,
    ) -> Self {
        Self {
            metadata,
            last_known: None,
            blobs,
            mapped: None,
            signed: None,
            direct: None,
            leftovers: None,
            cache,
            permissions,
            random: Arc::new(SystemRandom),
        }
    }
}

/// The settings of a registry.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The largest manifest in bytes.
    pub max_manifest_size: u64,
    /// The largest blob in bytes.
    pub max_blob_size: u64,
    /// How long an upload may go without progress.
    pub upload_lifetime: Duration,
    /// How long putting an object in place may take.
    pub move_time_limit: Duration,
    /// How many requests may send a blob's bytes at once.
    pub max_uploads_in_flight: usize,
    /// Whether clients may delete.
    pub allow_delete: bool,
    /// The most names in one reply.
    pub page_size: usize,
    /// How long the cache may answer for the database, at most.
    pub cache_life: Duration,
    /// How long what was deleted can be brought back.
    pub grace: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            max_manifest_size: 4 << 20,
            max_blob_size: 100 << 30,
            upload_lifetime: Duration::from_secs(12 * 3600),
            move_time_limit: Duration::from_secs(600),
            max_uploads_in_flight: 128,
            allow_delete: true,
            page_size: 1000,
            cache_life: Duration::from_secs(300),
            grace: Duration::from_secs(24 * 3600),
        }
    }
}

/// A registry.
pub struct Registry {
    parts: Parts,
    rules: Rules,
    in_flight: InFlight,
    completions: Completions,
    manifest_reads: Flights<Flight, ManifestRead>,
    blob_reads: Flights<Flight, BlobRead>,
    tally: Option<Arc<Tally>>,
}

/// What a read is of: a key, and the versions of the ticket for it.
type Flight = (Key, u64, u64);

/// How long the cache may say that something is not there. The write that makes it exist ends that at once, so this
/// only bounds what a fault could do; and who asks in a burst asks within moments.
const ABSENCE_LIFE: Duration = Duration::from_secs(5);

impl Registry {
    /// A registry on `parts`, obeying `rules`.
    pub fn new(parts: Parts, rules: Rules) -> Self {
        let in_flight = InFlight::new(rules.max_uploads_in_flight);
        Self {
            parts,
            rules,
            in_flight,
            completions: Completions::default(),
            manifest_reads: Flights::new(),
            blob_reads: Flights::new(),
            tally: None,
        }
    }

    /// The same, counting pulls and pushes in `tally`.
    #[must_use]
    pub fn counting_in(self, tally: Arc<Tally>) -> Self {
        Self { tally: Some(tally), ..self }
    }

    /// The stores, for what is done in no client's name.
    pub(crate) const fn stores(&self) -> &Parts {
        &self.parts
    }

    /// The settings.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The authorization point: every operation passes here before it is done.
    ///
    /// # Errors
    /// [`Error::Denied`], or a store's fault when the right cannot be told.
    pub async fn permit<O: Operation>(
        &self,
        caller: Caller,
        operation: O,
    ) -> Result<Permitted<O>, Error> {
        permit(&*self.parts.permissions, caller, operation).await
    }

    /// How many look-ups of that kind were spared, since one of the same was under way.
    pub fn look_ups_joined(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Manifest => self.manifest_reads.joined(),
            Kind::Blob => self.blob_reads.joined(),
        }
    }

    /// What is not ready, by name with the reason; empty when all is well.
    pub async fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if let Err(fault) = self.parts.metadata.check().await {
            faults.push(("metadata", fault.to_string()));
        }
        if let Err(fault) = self.parts.blobs.check().await {
            faults.push(("blobs", fault.to_string()));
        }
        faults
    }

    /// The outcome of a change, once no cache answers with what was before. Where nothing has changed they are left
    /// alone: while the database is away, pulls go on from what they hold.
    pub(crate) async fn invalidated<T>(
        &self,
        repository: &RepositoryName,
        kind: Kind,
        outcome: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if matches!(&outcome, Ok(_) | Err(StoreError::Uncertain(_))) {
            let invalidated = self.parts.cache.invalidate(repository, kind).await;
            return outcome.and_then(|outcome| invalidated.map(|()| outcome));
        }
        outcome
    }

    /// Has nothing answered under a repository's name by what had that name before. Called after it was renamed, by its old
    /// and its new name, and before that is acknowledged.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when others may still serve what was there.
    pub async fn renamed(&self, name: &RepositoryName) -> Result<(), StoreError> {
        self.invalidated(name, Kind::Manifest, Ok(())).await?;
        self.invalidated(name, Kind::Blob, Ok(())).await
    }

    fn allow_delete(&self) -> Result<(), Error> {
        if self.rules.allow_delete {
            Ok(())
        } else {
            Err(Error::Unsupported(
                "deleting is switched off in this registry (registry.delete = false)",
            ))
        }
    }
}

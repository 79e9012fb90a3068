//! The registry: every operation, on the stores behind the traits. One file a resource.
//!
//! Each method takes a [`Permitted`] operation, so none can be reached past the authorization point.

mod blobs;
mod completing;
mod direct;
mod flights;
mod in_flight;
mod manifests;
mod placing;
mod push;
mod record;
mod staging;
mod tags;
mod uploads;

use std::sync::Arc;
use std::time::Duration;

use crate::Error;
use crate::blobs::{Blobs, Leftovers, MappedReads};
use crate::cache::{Cache, Key};
use crate::clock::Random;
use crate::delivery::SignedUrls;
use crate::direct::DirectStore;
use crate::metadata::Metadata;
use crate::operation::Operation;
use crate::permissions::{Permissions, Permitted, Principal, permit};

pub use blobs::HeldBlob;
pub use completing::Completion;
use completing::Completions;
pub use direct::{Addressed, DirectState, PartAddress, StartedDirect};
use flights::Flights;
use in_flight::InFlight;
use manifests::ManifestRead;
pub use manifests::{PulledManifest, PushManifest, PushedManifest};
pub use tags::Listing;
pub use uploads::{Mounted, UploadState};

/// The stores that a registry stands on.
pub struct Parts {
    /// Metadata.
    pub metadata: Arc<dyn Metadata>,
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
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            max_manifest_size: 4 << 20,
            max_blob_size: 100 << 30,
            upload_lifetime: Duration::from_secs(24 * 3600),
            move_time_limit: Duration::from_secs(600),
            max_uploads_in_flight: 128,
            allow_delete: true,
            page_size: 1000,
            cache_life: Duration::from_secs(300),
        }
    }
}

/// A registry.
pub struct Registry {
    parts: Parts,
    rules: Rules,
    in_flight: InFlight,
    completions: Completions,
    manifest_reads: Flights<(Key, u64, u64), ManifestRead>,
}

impl Registry {
    /// A registry on `parts`, obeying `rules`.
    pub fn new(parts: Parts, rules: Rules) -> Self {
        let in_flight = InFlight::new(rules.max_uploads_in_flight);
        let completions = Completions::default();
        Self { parts, rules, in_flight, completions, manifest_reads: Flights::new() }
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
        principal: Principal,
        operation: O,
    ) -> Result<Permitted<O>, Error> {
        permit(&*self.parts.permissions, principal, operation).await
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

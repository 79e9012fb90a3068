//! The scrub: goes through store and database for ever, a turn at a time, finds where they disagree, and takes out of use what is damaged.
//!
//! Nothing is deleted here. An object without a row is marked, and goes the way of all that nobody holds; a damaged one is quarantined and kept,
//! until a push of the same blob takes the next key, or a copy that lies elsewhere (`copies.rs`, `repair.rs`). Each pass (`objects.rs`,
//! `contents.rs`, `references.rs`, `manifests.rs`) goes on from where it was recorded, on any node, and whatever it does may be done twice.

mod contents;
mod copies;
mod manifests;
mod objects;
mod references;
mod repair;
mod way;

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use crate::StoreError;
use crate::blobs::StoredObjects;
use crate::metadata::{FaultKind, Integrity, Pass};
use crate::registry::Registry;
pub use copies::{AdoptedCopies, CopySource, FoundCopy, OtherObjects};
use way::Way;

/// How it is done.
#[derive(Clone, Copy, Debug)]
pub struct ScrubRules {
    /// How many bytes a second are read to be hashed, at most.
    pub bytes_per_second: u64,
    /// How old an object is before it is asked why it is there.
    pub grace: Duration,
    /// How long a turn takes, about, before it makes room for other work.
    pub turn: Duration,
    /// How long copies of one blob are read, at most: each that may be one for its part of that, and as much faster than contents are as
    /// it must. It is of one turn, which a job may not extend for ever; and meanwhile nobody can pull the blob.
    pub repair: Duration,
}

/// What a turn did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// How many objects, blobs or manifests it looked at.
    pub looked_at: u64,
    /// How many bytes it hashed.
    pub bytes: u64,
    /// How many things it met among the objects that are none. They are left alone.
    pub unknown: u64,
    /// How many faults it found that were not known.
    pub found: BTreeMap<FaultKind, u64>,
    /// How many objects came out of quarantine, since they are sound.
    pub restored: u64,
    /// How many blobs were repaired from another copy.
    pub repaired_blobs: u64,
    /// How many manifests were.
    pub repaired_manifests: u64,
    /// How many findings are resolved.
    pub resolved: u64,
}

impl Scrubbed {
    /// How many faults it found, of all kinds.
    pub fn faults(&self) -> u64 {
        self.found.values().sum()
    }

    /// Whether it took objects out of use: then copies of them are to be looked for.
    pub fn has_quarantined(&self) -> bool {
        let kinds = [FaultKind::Missing, FaultKind::WrongSize, FaultKind::WrongDigest];
        kinds.iter().any(|kind| self.found.contains_key(kind))
    }
}

impl AddAssign for Scrubbed {
    fn add_assign(&mut self, other: Self) {
        self.looked_at += other.looked_at;
        self.bytes += other.bytes;
        self.unknown += other.unknown;
        self.restored += other.restored;
        self.repaired_blobs += other.repaired_blobs;
        self.repaired_manifests += other.repaired_manifests;
        self.resolved += other.resolved;
        for (kind, count) in other.found {
            *self.found.entry(kind).or_default() += count;
        }
    }
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnEnd {
    /// The pass has come to its end.
    Whole,
    /// There is more to do.
    Part,
}

/// Scrubs a registry.
#[derive(Clone)]
pub struct Scrubber {
    /// The registry.
    pub registry: Arc<Registry>,
    /// Its own objects.
    pub objects: Arc<dyn StoredObjects>,
    /// What is asked and written down.
    pub integrity: Arc<dyn Integrity>,
    /// Where damaged objects may have a second copy, in the order in which they are asked.
    pub copies: Vec<Arc<dyn CopySource>>,
    /// How.
    pub rules: ScrubRules,
}

impl Scrubber {
    /// Goes on with a pass, or begins one, for as long as a turn is. What it did is added to `done` also where it fails.
    ///
    /// # Errors
    /// A store's fault: it may be tried again.
    pub async fn turn(&self, pass: Pass, done: &mut Scrubbed) -> Result<TurnEnd, StoreError> {
        let mut way = Way::begin(self, pass, done).await?;
        let end = match pass {
            Pass::Objects => way.objects().await?,
            Pass::Quarantined | Pass::Contents => way.contents().await?,
            Pass::References => way.references().await?,
            Pass::Manifests => way.manifests().await?,
        };
        way.end(end).await?;
        Ok(end)
    }
}

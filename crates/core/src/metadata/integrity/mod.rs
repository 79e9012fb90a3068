//! Whether store and database agree: what a scrub asks, what it writes down, and which objects it takes out of use.

mod faults;
mod findings;
mod manifests;
mod passes;
mod repairs;

use std::time::Duration;

use async_trait::async_trait;
use wharf_oci::{Digest, RepositoryName};

pub use faults::{Damage, FaultKind, NoFaultKind};
pub use findings::{FindingFilter, FindingState, FindingStates, FoundKind, ScrubFinding};
pub use manifests::{CheckedManifest, NotedManifest};
pub use passes::{Pass, PassPlace, PassState};
pub use repairs::{FinishRepair, MOST_COPIES, RepairManifest, StartRepair};

use super::HeldPlace;
use crate::StoreError;
use crate::actor::Actor;
use crate::blobs::ObjectKey;

/// The most repositories to whose events one fault of a blob or manifest is written. The finding itself is one, whatever their number.
pub const MOST_TOLD: usize = 100;

/// A blob that some repository holds, to be compared with its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedBlob {
    /// Where its object lies.
    pub key: ObjectKey,
    /// Its size in bytes, where it is known.
    pub size: Option<u64>,
    /// Whether its object was taken out of use.
    pub is_quarantined: bool,
    /// Whether a finding about its object is open.
    pub is_flagged: bool,
}

/// What a page of references gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReferencesChecked {
    /// How many manifests it has.
    pub manifests: u64,
    /// How many broken references were found in it that were not known.
    pub found: u64,
    /// Where to go on; nowhere at the end.
    pub next: Option<HeldPlace>,
}

/// What became of a wish to release a blob from quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseOutcome {
    /// So many objects of it will be deleted, or so many damaged copies of a manifest were.
    Released(u64),
    /// It is not in quarantine.
    NotQuarantined,
    /// Repositories hold it, and it was not pushed again.
    StillNeeded,
    /// An upload is about to hold it, or it is not in quarantine for as long as the grace yet.
    TooYoung,
}

/// What a scrub asks and writes down. All of it may be asked for twice.
#[async_trait]
pub trait Integrity: Send + Sync + 'static {
    /// These objects are in the store. Those that no row explains (no membership, reservation or mark) are written down as findings and are
    /// marked, which is all that happens to them: they go the way of what nobody holds. Returns them.
    async fn mark_unexplained(&self, found: Vec<ObjectKey>) -> Result<Vec<ObjectKey>, StoreError>;

    /// Up to `limit` blobs that repositories hold, behind `after` and up to `up_to`, in the order of their digests; but for those that are
    /// about to be deleted.
    async fn held_blobs(
        &self,
        after: Option<Digest>,
        up_to: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<CheckedBlob>, StoreError>;

    /// The same of those in quarantine, whether a repository holds them or not.
    async fn quarantined_blobs(
        &self,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<CheckedBlob>, StoreError>;

    /// Takes a damaged object out of use, where it is the current one of a blob that a repository holds, with its finding, its events and an
    /// entry of the audit log. Returns whether it was in use until now. Caches are the caller's.
    async fn quarantine(&self, key: ObjectKey, damage: Damage) -> Result<bool, StoreError>;

    /// Writes down that an object could not be read. Returns whether that was not known.
    async fn note_unreadable(&self, key: ObjectKey, reason: String) -> Result<bool, StoreError>;

    /// An object was read whole and is what its digest says: findings about it are resolved, and it is in use again if it was in quarantine,
    /// which is returned. Caches are the caller's.
    async fn note_sound(&self, key: ObjectKey) -> Result<bool, StoreError>;

    /// Keys under which an object of this digest may lie: those of which there is a row, the highest incarnation first, and then the first one, of which there
    /// need be none; [`MOST_COPIES`] at most.
    async fn objects_of(&self, digest: Digest) -> Result<Vec<ObjectKey>, StoreError>;

    /// Begins a repair: an upload, in one of the repositories that hold the blob. `false` where the object is not the current one of its
    /// blob any more, is not quarantined, or no repository holds the blob.
    ///
    /// # Errors
    /// [`StoreError::Closed`] where nothing may be written anywhere.
    async fn start_repair(&self, start: StartRepair) -> Result<bool, StoreError>;

    /// Makes the copy the current object of its blob, for all who hold it, with events and an entry of the audit log; what was found of the
    /// damaged one is resolved, and says by what. `false` where the blob was pushed again, was found to be sound, or the upload or its
    /// reservation has expired: then nothing is repaired. The damaged object stays in quarantine. Caches are the caller's.
    ///
    /// # Errors
    /// As of [`start_repair`](Self::start_repair).
    async fn finish_repair(&self, finish: FinishRepair) -> Result<bool, StoreError>;

    /// Up to `limit` manifests behind `after`, in the order of their digests: of `max_bytes` bytes together, and one at least.
    async fn stored_manifests(
        &self,
        after: Option<Digest>,
        limit: usize,
        max_bytes: u64,
    ) -> Result<Vec<CheckedManifest>, StoreError>;

    /// A manifest was read and is not what its digest says: it is read once more and, where that is so, written down with its events. Nobody
    /// is served it meanwhile: whoever reads a manifest hashes it.
    async fn note_damaged_manifest(&self, digest: Digest) -> Result<NotedManifest, StoreError>;

    /// A manifest was read and is what its digest says: what was found of it is resolved.
    async fn note_sound_manifest(&self, digest: Digest) -> Result<(), StoreError>;

    /// Up to `limit` repositories that hold a manifest.
    async fn manifest_holders(
        &self,
        digest: Digest,
        limit: usize,
    ) -> Result<Vec<RepositoryName>, StoreError>;

    /// Gives a manifest the bytes of a copy, where these are its digest's and its own are not; with events and an entry of the audit log, and the
    /// finding is resolved and says by what. What was there is kept until it is released. Returns whether it did.
    async fn repair_manifest(&self, repair: RepairManifest) -> Result<bool, StoreError>;

    /// Up to `limit` repositories that hold a blob, behind `after`, with the numbers of their rows.
    async fn holders(
        &self,
        digest: Digest,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<(i64, RepositoryName)>, StoreError>;

    /// Looks at up to `limit` manifests behind `after`, and writes down what they need and their repositories do not hold.
    async fn check_references(
        &self,
        after: Option<HeldPlace>,
        limit: usize,
    ) -> Result<ReferencesChecked, StoreError>;

    /// Resolves findings whose fault is gone: the blob was pushed again, nobody holds it any more, the object was deleted or is explained, the
    /// reference is whole. Forgets those that were resolved a year ago. Returns how many it resolved.
    async fn resolve_findings(&self) -> Result<u64, StoreError>;

    /// The pass that is under way; begins one where none is.
    async fn begin_pass(&self, pass: Pass) -> Result<PassState, StoreError>;

    /// Records how far a pass is, or that it came to its `end`.
    async fn record_pass(&self, pass: Pass, state: PassState, end: bool) -> Result<(), StoreError>;

    /// How far each pass is that was ever begun, but for those that only newer releases know.
    async fn passes(&self) -> Result<Vec<(Pass, PassState)>, StoreError>;

    /// Up to `limit` findings behind `after`, in the order of their numbers.
    async fn list_scrub_findings(
        &self,
        filter: FindingFilter,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<ScrubFinding>, StoreError>;

    /// How many findings of each kind are open, also of kinds that only newer releases know.
    async fn count_findings(&self) -> Result<Vec<(FoundKind, u64)>, StoreError>;

    /// Lets objects of a blob go that have been in quarantine for the grace, but for one that repositories hold still; and the damaged bytes of
    /// a manifest that was repaired that long ago.
    async fn release(
        &self,
        digest: Digest,
        by: Actor,
        grace: Duration,
    ) -> Result<ReleaseOutcome, StoreError>;
}

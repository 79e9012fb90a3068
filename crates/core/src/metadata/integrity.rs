//! Whether store and database agree: what a scrub asks, what it writes down, and which objects it takes out of use.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use wharf_oci::{Digest, RepositoryName};

use super::{Hashing, HeldPlace};
use crate::actor::Actor;
use crate::blobs::{ObjectKey, Staged};
use crate::clock::Timestamp;
use crate::{StoreError, UploadId};

/// The most repositories to whose events one fault of a blob is written. The finding itself is one, whatever their number.
pub const MOST_TOLD: usize = 100;

/// The most objects of one digest in which a second copy is looked for.
pub const MOST_COPIES: usize = 16;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// An object is in the store, and no row says why.
    Unexplained,
    /// A repository holds a blob whose object is not there.
    Missing,
    /// The object of a blob has another size than the blob.
    WrongSize,
    /// The bytes of an object are not what its digest says.
    WrongDigest,
    /// An object could not be read, while the store works.
    Unreadable,
    /// A manifest needs a blob or a manifest that its repository does not hold.
    BrokenReference,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Unexplained,
        Self::Missing,
        Self::WrongSize,
        Self::WrongDigest,
        Self::Unreadable,
        Self::BrokenReference,
    ];

    /// The name in the database, in metrics, events and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unexplained => "unexplained",
            Self::Missing => "missing",
            Self::WrongSize => "wrong_size",
            Self::WrongDigest => "wrong_digest",
            Self::Unreadable => "unreadable",
            Self::BrokenReference => "broken_reference",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A text that names no kind of fault.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no kind of fault")]
pub struct NoFaultKind(String);

impl FromStr for FaultKind {
    type Err = NoFaultKind;

    fn from_str(text: &str) -> Result<Self, NoFaultKind> {
        let named = Self::ALL.into_iter().find(|kind| kind.name() == text);
        named.ok_or_else(|| NoFaultKind(text.chars().take(100).collect()))
    }
}

/// Why an object cannot be served any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It is not there.
    Missing,
    /// It has another size than what was pushed. Both in bytes.
    WrongSize {
        /// What was pushed.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// Its bytes have this digest.
    WrongDigest(Digest),
}

impl Damage {
    /// Which kind of fault it is.
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::Missing => FaultKind::Missing,
            Self::WrongSize { .. } => FaultKind::WrongSize,
            Self::WrongDigest(_) => FaultKind::WrongDigest,
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => formatter.write_str("it is not in the store"),
            Self::WrongSize { expected, found } => {
                write!(formatter, "it has {found} bytes instead of {expected}")
            }
            Self::WrongDigest(found) => write!(formatter, "its bytes are {found}"),
        }
    }
}

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

/// A fault that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrubFinding {
    /// Its number: later ones have higher numbers.
    pub id: i64,
    /// What is wrong.
    pub kind: FaultKind,
    /// The blob; where a reference is broken, what is missing.
    pub digest: Digest,
    /// Which object of the blob.
    pub incarnation: u32,
    /// Where a reference is broken: the repository, by its present name, and the manifest.
    pub needed_by: Option<(RepositoryName, Digest)>,
    /// The fault in words.
    pub detail: String,
    /// When it was found first.
    pub found_at: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
    /// When it was found to be gone; it is open without it.
    pub resolved_at: Option<Timestamp>,
    /// Where it was repaired from another copy: which one, in words.
    pub repaired_from: Option<String>,
    /// Whether the object is in quarantine: kept, and served to nobody.
    pub is_quarantined: bool,
}

/// A way through all there is, in pages. How far each one is, is recorded, so that any node goes on with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pass {
    /// The objects in the store, beside the blobs in the database: objects without rows, rows without objects, sizes.
    Objects,
    /// What is in quarantine: whether it is sound after all, as when it was put back from a copy.
    Quarantined,
    /// What manifests need, beside what their repositories hold.
    References,
    /// The bytes of all blobs, hashed.
    Contents,
}

impl Pass {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Objects, Self::Quarantined, Self::References, Self::Contents];

    /// The name in the database, in metrics and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Quarantined => "quarantined",
            Self::References => "references",
            Self::Contents => "contents",
        }
    }
}

/// How far a pass is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassState {
    /// When it was begun, by the database's clock.
    pub begun_at: Timestamp,
    /// When it came to its end; it is under way without it.
    pub ended_at: Option<Timestamp>,
    /// How many objects, blobs or manifests it has looked at.
    pub looked_at: u64,
    /// How many bytes it has hashed.
    pub bytes: u64,
    /// How many faults it has found that were not known.
    pub found: u64,
    /// Where it goes on.
    pub place: PassPlace,
}

/// Where a pass goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassPlace {
    /// Behind this repository's row, where it goes by repositories.
    pub repository: Option<i64>,
    /// Behind this blob or manifest.
    pub digest: Option<Digest>,
    /// The blob that is half-way.
    pub hashing: Option<Hashing>,
    /// Whether that one is read for the second time, since its digest was wrong the first time.
    pub is_doubted: bool,
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

/// Begins to copy the content of a quarantined object to another key.
#[derive(Clone, Debug)]
pub struct StartRepair {
    /// The upload as which it is staged: one of the system, that expires like any other.
    pub id: UploadId,
    /// The quarantined object.
    pub damaged: ObjectKey,
    /// What the store began with.
    pub staged: Staged,
    /// How long it may go without progress.
    pub lifetime: Duration,
}

/// Ends a repair whose copy is in place.
#[derive(Clone, Debug)]
pub struct FinishRepair {
    /// The upload as which it was staged.
    pub id: UploadId,
    /// The quarantined object.
    pub damaged: ObjectKey,
    /// Where the copy is: what was reserved for the upload.
    pub key: ObjectKey,
    /// What it was copied from, in words.
    pub source: String,
}

/// What became of a wish to release a blob from quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseOutcome {
    /// So many objects of it will be deleted.
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

    /// Other keys of the object's digest under which a row says that an object may lie, the highest incarnation first; [`MOST_COPIES`] at most.
    async fn other_objects(&self, of: ObjectKey) -> Result<Vec<ObjectKey>, StoreError>;

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

    /// How far each pass is that was ever begun.
    async fn passes(&self) -> Result<Vec<(Pass, PassState)>, StoreError>;

    /// Up to `limit` findings behind `after`, in the order of their numbers: the open ones, or with `resolved` all.
    async fn list_scrub_findings(
        &self,
        resolved: bool,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<ScrubFinding>, StoreError>;

    /// How many findings of each kind are open.
    async fn count_findings(&self) -> Result<Vec<(FaultKind, u64)>, StoreError>;

    /// Lets objects of a blob go that have been in quarantine for the grace, but for one that repositories hold still.
    async fn release(
        &self,
        digest: Digest,
        by: Actor,
        grace: Duration,
    ) -> Result<ReleaseOutcome, StoreError>;
}

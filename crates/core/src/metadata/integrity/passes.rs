//! The passes of a scrub, and how far each is.

use wharf_oci::Digest;

use super::super::Hashing;
use crate::clock::Timestamp;

/// A way through all there is, in pages. How far each one is, is recorded, so that any node goes on with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pass {
    /// The objects in the store, beside the blobs in the database: objects without rows, rows without objects, sizes.
    Objects,
    /// What is in quarantine: whether it is sound after all, as when it was put back from a copy.
    Quarantined,
    /// What manifests need, beside what their repositories hold.
    References,
    /// The bytes of all manifests, hashed.
    Manifests,
    /// The bytes of all blobs, hashed.
    Contents,
}

impl Pass {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Objects, Self::Quarantined, Self::References, Self::Manifests, Self::Contents];

    /// The name in the database, in metrics and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Quarantined => "quarantined",
            Self::References => "references",
            Self::Manifests => "manifests",
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

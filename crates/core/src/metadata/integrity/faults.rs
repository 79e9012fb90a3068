//! What can be wrong, and a finding of it.

use std::fmt;
use std::str::FromStr;

use wharf_oci::{Digest, RepositoryName};

use crate::clock::Timestamp;

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
    /// The bytes that the database has of a manifest are not what its digest says.
    DamagedManifest,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Unexplained,
        Self::Missing,
        Self::WrongSize,
        Self::WrongDigest,
        Self::Unreadable,
        Self::BrokenReference,
        Self::DamagedManifest,
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
            Self::DamagedManifest => "damaged_manifest",
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

/// The kind of a finding: one that is known here, or one that only newer releases know, by the name that they gave it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FoundKind {
    /// A kind of this release.
    Known(FaultKind),
    /// A name that is none of [`FaultKind::name`]: a node of a newer release wrote it down.
    Newer(String),
}

impl FoundKind {
    /// The kind of this name.
    pub fn named(name: &str) -> Self {
        name.parse().map_or_else(|_| Self::Newer(name.to_owned()), Self::Known)
    }

    /// The kind, where it is known here.
    pub const fn known(&self) -> Option<FaultKind> {
        match self {
            Self::Known(kind) => Some(*kind),
            Self::Newer(_) => None,
        }
    }

    /// The name in the database, in metrics and JSON.
    pub fn name(&self) -> &str {
        match self {
            Self::Known(kind) => kind.name(),
            Self::Newer(name) => name,
        }
    }
}

impl fmt::Display for FoundKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Why an object, or a manifest, cannot be served any more.
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

/// A fault that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrubFinding {
    /// Its number: later ones have higher numbers.
    pub id: i64,
    /// What is wrong.
    pub kind: FoundKind,
    /// The blob, or the manifest that is damaged; where a reference is broken, what is missing.
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
    /// Whether the object is in quarantine, or the bytes of the manifest are kept beside those that it was repaired with: served to nobody.
    pub is_quarantined: bool,
}

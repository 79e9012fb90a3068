//! What can be wrong.

use std::fmt;
use std::str::FromStr;

use wharf_oci::Digest;

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

//! Findings of scrubs: what was wrong, and what became of it.

use std::fmt;

use wharf_oci::{Digest, RepositoryName};

use super::FaultKind;
use crate::clock::Timestamp;

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

impl ScrubFinding {
    /// What became of it.
    pub const fn state(&self) -> FindingState {
        match (self.resolved_at, &self.repaired_from) {
            (None, _) if self.is_quarantined => FindingState::Quarantined,
            (None, _) => FindingState::Open,
            (Some(_), Some(_)) => FindingState::Repaired,
            (Some(_), None) => FindingState::Gone,
        }
    }
}

/// What became of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingState {
    /// It is told of, and waits for somebody.
    Open,
    /// The damaged object was taken out of use, and nothing has taken its place yet.
    Quarantined,
    /// Another copy has taken its place.
    Repaired,
    /// The fault is gone by itself: the object is sound after all, or nothing needs it any more.
    Gone,
}

impl FindingState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Open, Self::Quarantined, Self::Repaired, Self::Gone];

    /// The name in JSON and in queries.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Quarantined => "quarantined",
            Self::Repaired => "repaired",
            Self::Gone => "gone",
        }
    }
}

/// Findings by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FindingStates {
    /// Whose fault is there still: open, or quarantined.
    #[default]
    Unresolved,
    /// Of this state alone.
    Only(FindingState),
    /// All of them.
    All,
}

/// Which findings are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FindingFilter {
    /// Of this kind alone.
    pub kind: Option<FaultKind>,
    /// In which states.
    pub states: FindingStates,
}

impl FindingFilter {
    /// All that are known, also those whose fault is gone.
    pub const ALL: Self = Self { kind: None, states: FindingStates::All };
}

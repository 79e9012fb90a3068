//! A tag that goes back to where it stood.

use wharf_oci::{Digest, RepositoryName, Tag};

use crate::actor::Actor;
use crate::clock::Timestamp;
use crate::immutability::Frozen;
use crate::metadata::{Once, TagChange};

/// Where a tag is to stand again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollBackTo {
    /// Where it stood before it came to where it stands; where it is deleted, where it stood last.
    Previous,
    /// Where it stood at this version.
    Version(i64),
    /// Where it stood at this time.
    Time(Timestamp),
    /// At this manifest, where it stood once.
    Digest(Digest),
}

/// The last change of a tag, as somebody knows it who decides by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownTag {
    /// The version that it gave.
    pub version: i64,
    /// When it was, where they know: versions of another repository that had the same name are told apart by it.
    pub at: Option<Timestamp>,
}

/// Has a tag stand again where it stood, with its history and event.
#[derive(Clone, Debug)]
pub struct RollBackTag {
    /// Where.
    pub repository: RepositoryName,
    /// Which; it may be deleted now.
    pub tag: Tag,
    /// Where to.
    pub to: RollBackTo,
    /// What its last change must be; any without it.
    pub expected: Option<KnownTag>,
    /// Whether it is to happen once.
    pub once: Option<Once>,
    /// Who asks.
    pub by: Actor,
}

/// What became of [`RollBackTag`]. Whatever is not `Done` changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollBackOutcome {
    /// It stands there now, by this change.
    Done(TagChange),
    /// It stood there already.
    Unchanged,
    /// The same was done before, under the same key.
    Again,
    /// The key was used for something else.
    KeyReused,
    /// There is no such tag, and never was one.
    NotFound,
    /// Its last change is another one than expected, and gave it this version.
    Stale(i64),
    /// It stood at no such place.
    NoPlace(NoPlace),
    /// Where it stood was forgotten: its history is known from this moment on.
    Forgotten(Timestamp),
    /// The repository does not hold this any more: where it stood, or what that needs.
    Gone(Digest),
    /// A policy keeps it where it stands.
    Frozen(Box<Frozen>),
}

/// Why a tag cannot go back somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// It stood nowhere else before.
    #[error("the tag stood nowhere else before")]
    NothingBefore,
    /// It had no such version.
    #[error("the tag had no version {0}")]
    NoVersion(i64),
    /// At that version it was deleted.
    #[error("version {0} of the tag is its deletion; to delete it again, delete it")]
    Deletion(i64),
    /// At that time it was not there.
    #[error("there was no such tag at that time")]
    NotThen,
    /// That time is still to come.
    #[error("that time is still to come")]
    ToCome,
    /// It never stood at that manifest, as far as its history is kept.
    #[error(
        "the tag never stood at {0}, as far as its history is kept; push the manifest under it instead"
    )]
    NeverAt(Digest),
}

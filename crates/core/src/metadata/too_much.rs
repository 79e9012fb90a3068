//! What is more than one transaction takes on: all of it is done or nothing, so what has no bound of its own gets one here. Each is far above
//! what is ordinary, and below what a database does in the time that a transaction may take.

use wharf_oci::{Digest, RepositoryName};

/// The most tags that are changed at once: those at a manifest that is deleted or brought back.
pub const MOST_TAGS: usize = 10_000;

/// The most manifests that one may need, below it at any depth: what seven full indexes name, in an index of them.
pub const MOST_NEEDED: usize = 30_000;

/// The most blobs of a repository that goes to another namespace, or is deleted. By the thousand images there are some thousands.
pub const MOST_MOVED: u64 = 100_000;

/// Why something is not done at once, and what to do instead. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    /// Tags would go with a manifest.
    #[error(
        "more than {MOST_TAGS} tags are at {0}, and would be deleted with it; delete or move tags first (DELETE of a manifest by its \
         tag deletes that tag alone, and a retention policy drops many), and then the manifest"
    )]
    TagsAt(Digest),
    /// Tags need a manifest by the indexes that they are at.
    #[error(
        "more than {MOST_TAGS} tags are at indexes that {0} is in, or it is in more than {MOST_NEEDED} of them, and immutability policies hold \
         there; delete the indexes that are not needed first"
    )]
    TagsAbove(Digest),
    /// Tags would come back with a manifest.
    #[error(
        "more than {MOST_TAGS} tags went with {0}; bring back each that is needed by its name, as by `wharf restore REPO:TAG`: the \
         first brings the manifest back"
    )]
    TagsBack(Digest),
    /// A manifest needs others, which need others.
    #[error(
        "{0} needs more than {MOST_NEEDED} manifests, with those below its own; push its parts as indexes of their own"
    )]
    Needed(Digest),
    /// It takes longer than a transaction may, and is about that much.
    #[error("it takes longer than one transaction may: {0}")]
    Slow(String),
    /// A repository holds too many blobs.
    #[error(
        "{name} holds {blobs} blobs, and no more than {MOST_MOVED} are deleted or moved to another namespace at once; delete images \
         in it first (a retention policy does), and try again when garbage collection has taken what they leave behind"
    )]
    Blobs {
        /// What it is called.
        name: RepositoryName,
        /// How many.
        blobs: u64,
    },
}

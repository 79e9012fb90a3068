//! What can go wrong, told by what the caller can do about it.

use wharf_oci::{Digest, ErrorCode, Reference, RepositoryName, Tag};

use crate::UploadId;
use crate::clock::Timestamp;
use crate::immutability::Frozen;
use crate::metadata::{KeptBy, MOST_RESTORED, NoPin, OverQuota, PinName, TooMuch};
use crate::writes::Closed;

/// The result of what the registry does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A fault of a store behind a trait: metadata, blobs. Its text is for operators, never for clients.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Try again later: the store cannot be reached or is overloaded.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Try again: the answer to a change was lost, and it may have been made. Metadata says so of every such
    /// change; after any other fault of it nothing has changed.
    #[error("uncertain: {0}")]
    Uncertain(String),
    /// There is no room left.
    #[error("full: {0}")]
    Full(String),
    /// What is stored contradicts itself; a person must look.
    #[error("corrupt: {0}")]
    Corrupt(String),
    /// What was to be written may not be now: it is read-only, or drained. Nothing has changed. This text is for
    /// clients too.
    #[error("{0}")]
    Closed(Box<Closed>),
    /// It does not fit into a quota. An error and no outcome, so that whatever transaction finds it out leaves nothing behind.
    /// This text is for clients too.
    #[error("{0}")]
    OverQuota(Box<OverQuota>),
    /// It is more than one transaction takes on. An error and no outcome, like [`Self::OverQuota`]; this text is for clients too.
    #[error("{0}")]
    TooMuch(Box<TooMuch>),
}

impl From<TooMuch> for StoreError {
    fn from(too_much: TooMuch) -> Self {
        Self::TooMuch(Box::new(too_much))
    }
}

/// What was asked for and is not there, or not for who asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The repository.
    #[error("the repository {0} is not known")]
    Repository(RepositoryName),
    /// The manifest, in this repository.
    #[error("the manifest {1} is not known in {0}")]
    Manifest(RepositoryName, Reference),
    /// The blob, in this repository.
    #[error("the blob {1} is not known in {0}")]
    Blob(RepositoryName, Digest),
    /// The upload, in this repository.
    #[error("the upload {1} is not known in {0}: it was finished, cancelled, or it expired")]
    Upload(RepositoryName, UploadId),
    /// The pin, in this repository.
    #[error("the pin {1} is not known in {0}: it was never put, taken away, or it expired")]
    Pin(RepositoryName, PinName),
    /// What was to be brought back, in this repository.
    #[error(
        "nothing was deleted in {0} as {1} that can be brought back: it is there, never was, or its grace is over; \
         `wharf repo deleted {0}` lists what can be"
    )]
    Deleted(RepositoryName, Reference),
    /// The repository that was to be brought back.
    #[error(
        "no repository {0} was deleted that can be brought back: it never was, or its grace is over; \
         `wharf repo deleted --namespace {ns}` lists those that can be", ns = .0.namespace()
    )]
    DeletedRepository(RepositoryName),
}

/// What was there, and is not any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    /// A manifest that a tag stood at, or one that it needs.
    #[error(
        "{repository} does not hold the manifest {digest} any more: it was deleted or collected since"
    )]
    Collected {
        /// Where it was.
        repository: RepositoryName,
        /// The manifest.
        digest: Digest,
    },
    /// What a deleted manifest needs to come back.
    #[error(
        "it cannot be brought back: {repository} does not hold {} any more, which it needs: collected or deleted \
         since; push the image again",
        some_of(needed)
    )]
    Needed {
        /// Where it was.
        repository: RepositoryName,
        /// The manifests and blobs.
        needed: Vec<Digest>,
    },
    /// Where a tag stood.
    #[error("the history of the tag {tag} is known from {since} on; what was before is forgotten")]
    Forgotten {
        /// The tag.
        tag: Tag,
        /// When its first known change was.
        since: Timestamp,
    },
}

/// Why an operation was not done. Nothing was changed, unless a variant says so.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Not there, or not for who asks: the two look the same.
    #[error(transparent)]
    NotFound(#[from] Missing),
    /// The request contradicts the specification or itself; asking again will not help.
    #[error("{message}")]
    Invalid {
        /// The specification's code.
        code: ErrorCode,
        /// What was wrong, with its value.
        message: String,
    },
    /// The manifest names content that the repository does not hold.
    #[error("the repository does not hold everything that the manifest names")]
    MissingContent(Vec<Digest>),
    /// A tag stands elsewhere than the request required.
    #[error("{}", precondition_text(tag.as_ref(), *current))]
    Precondition {
        /// The tag, where the manifest was named by one.
        tag: Option<Tag>,
        /// Where it stands.
        current: Option<Digest>,
    },
    /// What was asked for was there, and is not any more.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The last change of a tag is another one than the request expected.
    #[error(
        "the last change of the tag {tag} is its version {version} now; look at it, and decide again"
    )]
    Stale {
        /// The tag.
        tag: Tag,
        /// The version.
        version: i64,
    },
    /// A part of the request is of its form, and cannot be.
    #[error("{message}")]
    Unfit {
        /// Which part.
        field: &'static str,
        /// What is wrong with it, with its value.
        message: String,
    },
    /// What was deleted stays so.
    #[error("{0}")]
    NotRestored(#[from] NotRestored),
    /// The manifest is not pinned, since a rule is against it.
    #[error("{0}")]
    Unpinnable(#[from] NoPin),
    /// The manifest cannot be deleted: a pin keeps it.
    #[error("the pin {} keeps the manifest {}; unpin that first", .0.pin, .0.digest)]
    Pinned(Box<KeptBy>),
    /// The chunk does not begin where the upload ends. The upload is as it was.
    #[error("the upload stands at byte {offset}, the chunk begins elsewhere")]
    WrongOffset {
        /// Where the upload stands.
        offset: u64,
    },
    /// Something is longer than the registry takes.
    #[error("{what} is larger than the {limit} bytes that this registry takes")]
    TooLarge {
        /// What is too long.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// The bytes stopped coming. What had come is kept where an upload can be resumed.
    #[error(transparent)]
    Source(#[from] SourceFault),
    /// The blob cannot be removed: a manifest of the repository needs it.
    #[error("the blob {} is needed by the manifest {}; delete that first", .0.blob, .0.manifest)]
    Needed(Box<Need>),
    /// A policy keeps a tag as it is.
    #[error("{0}; nothing was changed")]
    Immutable(#[from] Box<Frozen>),
    /// The registry's settings allow no such operation.
    #[error("{0}")]
    Unsupported(&'static str),
    /// Who asks may not.
    #[error("requested access to the resource is denied")]
    Denied,
    /// Too much is under way.
    #[error("{0}")]
    Busy(&'static str),
    /// A store failed.
    #[error("a store failed: {0}")]
    Store(#[from] StoreError),
}

/// Why what was deleted is not brought back, though it could be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRestored {
    /// The tag was made again since.
    #[error(
        "the tag {tag} stands at {digest} now; delete or move it first, or bring back the manifest by its digest"
    )]
    Stands {
        /// The tag.
        tag: Tag,
        /// Where it stands.
        digest: Digest,
    },
    /// It needs too much.
    #[error(
        "it needs more than {MOST_RESTORED} manifests that were deleted; bring back some of these by their digests first"
    )]
    TooMany,
    /// Another repository was made under the name since.
    #[error(
        "there is a repository {0} again; rename or delete that one first, or bring this one back under another name"
    )]
    NameTaken(RepositoryName),
    /// The namespace is nobody's any more.
    #[error(
        "the user or organization {} was deleted; bring the repository back under another namespace", .0.namespace()
    )]
    NoNamespace(RepositoryName),
}

/// A blob, and a manifest of the same repository that needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// The blob.
    pub blob: Digest,
    /// One of the manifests.
    pub manifest: Digest,
}

/// Why the bytes of a request stopped coming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceFault {
    /// The connection ended before the body did.
    #[error("the request's body ended before its length was reached")]
    Broken,
    /// The bytes came too slowly.
    #[error("the request's body came too slowly")]
    TooSlow,
}

impl Error {
    /// An [`Error::Invalid`].
    pub(crate) fn invalid(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Invalid { code, message: message.into() }
    }
}

/// The first of them, and how many more there are: a manifest can name thousands.
fn some_of(digests: &[Digest]) -> String {
    const SHOWN: usize = 3;
    let mut text: Vec<String> = digests.iter().take(SHOWN).map(ToString::to_string).collect();
    if digests.len() > SHOWN {
        text.push(format!("{} more", digests.len() - SHOWN));
    }
    text.join(", ")
}

fn precondition_text(tag: Option<&Tag>, current: Option<Digest>) -> String {
    let what = tag.map_or_else(|| "the manifest".to_owned(), |tag| format!("the tag {tag}"));
    match current {
        Some(digest) => {
            format!(
                "{what} stands at {digest}, which the request's condition rules out; nothing was changed"
            )
        }
        None => format!(
            "{what} does not exist, and the request's condition is that it does; nothing was changed"
        ),
    }
}

//! The trash: what was deleted and can be brought back until the grace is over. Bringing something back is a push of what it was, by the
//! same rules as any other.

use std::time::Duration;

use async_trait::async_trait;
use wharf_oci::{Digest, Reference, RepositoryName, Tag};

use crate::StoreError;
use crate::actor::Actor;
use crate::clock::Timestamp;
use crate::metadata::CommitOutcome;

/// The most manifests that are brought back at once: an index of indexes with all that is in it.
pub const MOST_RESTORED: usize = 10_000;

/// How many tags are told of each manifest in the trash.
pub const MOST_TAGS_LISTED: usize = 100;

/// A manifest in the trash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedManifest {
    /// Which.
    pub digest: Digest,
    /// Who deleted it.
    pub deleted_by: String,
    /// When.
    pub deleted_at: Timestamp,
    /// The tags that went with it and stand nowhere now, in the order of their names: the first [`MOST_TAGS_LISTED`] of them.
    pub tags: Vec<Tag>,
}

/// Asks for what is in the trash of a repository.
#[derive(Clone, Debug)]
pub struct ListDeleted {
    /// Where.
    pub repository: RepositoryName,
    /// How long something can be brought back.
    pub grace: Duration,
    /// Only those behind this one, in the order of [`Digest`].
    pub after: Option<Digest>,
    /// How many at most.
    pub limit: usize,
}

/// Brings something back: a manifest with the tags that went with it and all that it needs, or a tag to where it stood.
#[derive(Clone, Debug)]
pub struct Restore {
    /// Where.
    pub repository: RepositoryName,
    /// What.
    pub what: Reference,
    /// How long something can be brought back.
    pub grace: Duration,
    /// Who asks.
    pub by: Actor,
}

/// What became of [`Restore`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreOutcome {
    /// It is back.
    Restored {
        /// The manifest.
        digest: Digest,
        /// The tags on it that came back.
        tags: Vec<Tag>,
        /// How many manifests came back; none where only a tag was to.
        manifests: usize,
    },
    /// It was not deleted, or the grace is over.
    NotDeleted,
    /// The tag stands here: it was made again since.
    Stands(Digest),
    /// It needs a manifest that is in the trash no more.
    Lost(Digest),
    /// It needs more than [`MOST_RESTORED`] manifests that were deleted.
    TooMany,
    /// What it was cannot be pushed (any more), for this reason.
    Refused(CommitOutcome),
}

/// The trash.
#[async_trait]
pub trait Trash: Send + Sync + 'static {
    /// What is in the trash of a repository; `None` when there is no such repository.
    async fn list_deleted(
        &self,
        query: ListDeleted,
    ) -> Result<Option<Vec<DeletedManifest>>, StoreError>;

    /// Brings something back.
    async fn restore(&self, restore: Restore) -> Result<RestoreOutcome, StoreError>;
}

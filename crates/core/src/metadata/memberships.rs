//! Memberships: which repository holds which blob.

use std::time::Duration;

use async_trait::async_trait;
use wharf_oci::{Digest, RepositoryName};

use crate::StoreError;
use crate::actor::Actor;
use crate::blobs::ObjectKey;
use crate::permissions::Sources;

/// A blob that a repository holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundBlob {
    /// Where its object lies.
    pub key: ObjectKey,
    /// Whether a manifest of the repository needs it. Then it stays for a grace at least; else it may go at any time.
    pub needed: bool,
}

/// Asks for a blob in the name of who is about to push what needs it.
#[derive(Clone, Debug)]
pub struct KeepBlob {
    /// Where.
    pub repository: RepositoryName,
    /// Which.
    pub digest: Digest,
    /// The grace. If the repository holds the blob, it does so for three quarters of it, unless somebody deletes it by hand.
    pub grace: Duration,
}

/// Adds a membership for a blob that another repository holds.
#[derive(Clone, Debug)]
pub struct MountBlob {
    /// Where it is added.
    pub repository: RepositoryName,
    /// Which.
    pub digest: Digest,
    /// Who must hold it; any of the sources where nobody is named.
    pub from: Option<RepositoryName>,
    /// Who may be asked for it. Of all others nothing is told, not even by which statements run.
    pub sources: Sources,
}

/// Removes a membership.
#[derive(Clone, Debug)]
pub struct RemoveBlob {
    /// Where.
    pub repository: RepositoryName,
    /// Which.
    pub digest: Digest,
    /// Who asks.
    pub by: Actor,
}

/// What became of [`RemoveBlob`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoveOutcome {
    /// The repository does not hold the blob any more.
    Removed,
    /// It did not hold it.
    NotHeld,
    /// A manifest of the repository needs it; it is still held.
    Needed(Digest),
}

/// The memberships.
#[async_trait]
pub trait Memberships: Send + Sync + 'static {
    /// Where the repository's blob lies; `None` when the repository does not hold it, or its object is quarantined.
    async fn find_blob(
        &self,
        repository: RepositoryName,
        digest: Digest,
    ) -> Result<Option<FoundBlob>, StoreError>;

    /// Whether the repository holds a blob, and goes on doing so: decided on the primary, and written down only where no manifest needs
    /// the blob and it might be swept too soon. What is read-only is left alone, since nothing is swept there.
    async fn keep_blob(&self, keep: KeepBlob) -> Result<bool, StoreError>;

    /// Adds a membership by the rules of sharing: the mark row is taken first, and a condemned blob is not
    /// added. `false` when no source holds the blob or it is condemned.
    async fn mount_blob(&self, mount: MountBlob) -> Result<bool, StoreError>;

    /// Removes a membership, unless a manifest of the repository needs it.
    async fn remove_blob(&self, removal: RemoveBlob) -> Result<RemoveOutcome, StoreError>;
}

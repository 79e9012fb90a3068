//! Memberships: which repository holds which blob.

use async_trait::async_trait;
use wharf_oci::{Digest, RepositoryName};

use crate::StoreError;
use crate::actor::Actor;
use crate::blobs::ObjectKey;
use crate::permissions::Sources;

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
    ) -> Result<Option<ObjectKey>, StoreError>;

    /// Adds a membership by the rules of sharing: the mark row is taken first, and a condemned blob is not
    /// added. `false` when no source holds the blob or it is condemned.
    async fn mount_blob(&self, mount: MountBlob) -> Result<bool, StoreError>;

    /// Removes a membership, unless a manifest of the repository needs it.
    async fn remove_blob(&self, removal: RemoveBlob) -> Result<RemoveOutcome, StoreError>;
}

//! Memberships: which repository holds which blob.

use async_trait::async_trait;
use wharf_oci::{Digest, RepositoryName};

use crate::StoreError;
use crate::blobs::ObjectKey;

/// Adds a membership for a blob that another repository holds.
#[derive(Clone, Debug)]
pub struct MountBlob {
    /// Where it is added.
    pub repository: RepositoryName,
    /// Which.
    pub digest: Digest,
    /// Who must hold it.
    pub from: RepositoryName,
}

/// Removes a membership.
#[derive(Clone, Debug)]
pub struct RemoveBlob {
    /// Where.
    pub repository: RepositoryName,
    /// Which.
    pub digest: Digest,
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
    /// Where the repository's blob lies; `None` when the repository does not hold it.
    async fn find_blob(
        &self,
        repository: RepositoryName,
        digest: Digest,
    ) -> Result<Option<ObjectKey>, StoreError>;

    /// Up to `limit` repositories that hold the blob.
    async fn find_holders(
        &self,
        digest: Digest,
        limit: usize,
    ) -> Result<Vec<RepositoryName>, StoreError>;

    /// Adds a membership by the rules of sharing: the mark row is taken first, and a condemned blob is not
    /// added. `false` when the source does not hold the blob or it is condemned.
    async fn mount_blob(&self, mount: MountBlob) -> Result<bool, StoreError>;

    /// Removes a membership, unless a manifest of the repository needs it.
    async fn remove_blob(&self, removal: RemoveBlob) -> Result<RemoveOutcome, StoreError>;
}

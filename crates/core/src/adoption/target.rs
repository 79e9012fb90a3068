//! What becomes of the pieces that are found on the way.

use std::collections::HashSet;

use async_trait::async_trait;
use bytes::Bytes;
use wharf_oci::{Digest, Manifest, RepositoryName, Tag};

use super::fault::{Piece, Stop};
use crate::metadata::Finding;

/// A manifest that was read.
pub(super) struct Read {
    pub(super) digest: Digest,
    pub(super) payload: Bytes,
    pub(super) manifest: Manifest,
}

/// What a repository came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tallied {
    pub(super) manifests: u64,
    pub(super) tags: u64,
    pub(super) left_out: u64,
}

/// Takes the pieces, each of which may be no good for a reason. What a quota has no room for is [`Stop::OverQuota`], and was not
/// taken.
#[async_trait]
pub(super) trait Target: Send {
    /// A repository is begun, or whatever lies under its path. Returns what was found of it before this slice.
    async fn begin(&mut self, path: &str) -> Result<HashSet<String>, Stop>;

    /// Which of these manifests the repository holds already.
    async fn held(
        &mut self,
        repository: &RepositoryName,
        digests: &[Digest],
    ) -> Result<HashSet<Digest>, Stop>;

    /// Makes the repository hold a blob that it links to.
    async fn blob(
        &mut self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Piece<()>, Stop>;

    /// Makes the repository hold a manifest whose blobs it holds.
    async fn manifest(
        &mut self,
        repository: &RepositoryName,
        read: Read,
    ) -> Result<Piece<()>, Stop>;

    /// Makes a tag stand at a manifest that the repository holds.
    async fn tag(
        &mut self,
        repository: &RepositoryName,
        tag: Tag,
        digest: &Digest,
    ) -> Result<Piece<()>, Stop>;

    /// Something was left out.
    async fn found(&mut self, finding: Finding) -> Result<(), Stop>;

    /// What was begun is gone through.
    async fn done(&mut self, path: &str, tallied: Tallied) -> Result<(), Stop>;
}

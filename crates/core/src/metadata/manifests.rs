//! Manifests: the bytes, who holds them, and what refers to what.

use async_trait::async_trait;
use bytes::Bytes;
use wharf_oci::{Digest, Manifest, MediaType, Reference, RepositoryName, Tag};

use crate::StoreError;
use crate::actor::Actor;
use crate::immutability::Frozen;
use crate::metadata::{KeptBy, Precondition};

/// A manifest as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// Its bytes, exactly as pushed.
    pub payload: Bytes,
}

/// Stores a manifest in a repository and moves tags to it: all of it or nothing.
#[derive(Clone, Debug)]
pub struct CommitManifest {
    /// Where.
    pub repository: RepositoryName,
    /// The digest of the bytes.
    pub digest: Digest,
    /// The bytes.
    pub payload: Bytes,
    /// What the bytes say.
    pub manifest: Manifest,
    /// The tags to move.
    pub tags: Vec<Tag>,
    /// Where each tag must stand; where there is none, whether the repository must hold the manifest.
    pub precondition: Precondition,
    /// Who asks.
    pub by: Actor,
}

/// What became of [`CommitManifest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It is stored, and every tag is at it.
    Committed,
    /// The repository does not hold these blobs and manifests, which the manifest names.
    Missing(Vec<Digest>),
    /// The precondition does not hold for this tag (or for the manifest, where there is none).
    Precondition(Option<Tag>, Option<Digest>),
    /// A policy keeps one of the tags where it is.
    Frozen(Box<Frozen>),
}

/// Deletes a manifest from a repository, with all tags on it, their histories and events: all of it or nothing.
#[derive(Clone, Debug)]
pub struct DeleteManifest {
    /// Where.
    pub repository: RepositoryName,
    /// Which.
    pub digest: Digest,
    /// Whether it must be there.
    pub precondition: Precondition,
    /// Who asks.
    pub by: Actor,
}

/// What became of a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// It is gone.
    Deleted,
    /// It was not there.
    NotFound,
    /// There is no such repository.
    NoRepository,
    /// The precondition does not hold: it stands here.
    Precondition(Option<Digest>),
    /// A policy keeps the tag, or one that needs the manifest.
    Frozen(Box<Frozen>),
    /// A pin keeps the manifest.
    Pinned(KeptBy),
}

/// Asks for the manifests whose subject is a manifest.
#[derive(Clone, Debug)]
pub struct ListReferrers {
    /// Where.
    pub repository: RepositoryName,
    /// What they are about.
    pub subject: Digest,
    /// Only those of this type.
    pub artifact_type: Option<String>,
    /// Only those after this one, in the order of [`Digest`].
    pub after: Option<Digest>,
    /// How many at most.
    pub limit: usize,
    /// After how many bytes of annotations to stop, if there is one to return.
    pub max_bytes: usize,
}

/// A manifest about another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// Its size in bytes.
    pub size: u64,
    /// Its type, by the rule of [`Manifest::referrer_type`].
    pub artifact_type: Option<String>,
    /// Its annotations, as a JSON object of strings.
    pub annotations: String,
}

/// The manifests. Every answer is of one repository: a manifest that it does not hold is not there.
#[async_trait]
pub trait ManifestMetadata: Send + Sync + 'static {
    /// Finds a manifest by tag or digest.
    async fn find_manifest(
        &self,
        repository: RepositoryName,
        reference: Reference,
    ) -> Result<Option<StoredManifest>, StoreError>;

    /// Stores a manifest. Each membership that it needs is *updated*, so that a sweep of it either comes
    /// before, and the commit fails, or waits, and finds it touched.
    async fn commit_manifest(&self, commit: CommitManifest) -> Result<CommitOutcome, StoreError>;

    /// Deletes a manifest.
    async fn delete_manifest(&self, deletion: DeleteManifest) -> Result<DeleteOutcome, StoreError>;

    /// Lists referrers in the order of their digests.
    async fn list_referrers(&self, query: ListReferrers) -> Result<Vec<Referrer>, StoreError>;
}

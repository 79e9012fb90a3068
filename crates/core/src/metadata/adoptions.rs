//! Adoptions: how far another registry's store has been taken over, and the transactions that take a piece of it.

use std::time::Duration;

use async_trait::async_trait;
use wharf_oci::{Digest, HashState, NamePattern, RepositoryName, Tag};

use crate::StoreError;
use crate::actor::Actor;
use crate::blobs::ObjectKey;
use crate::clock::Timestamp;
use crate::immutability::Frozen;

/// The most findings that are kept of an adoption; more are only counted.
pub const MOST_FINDINGS: usize = 100_000;

/// Begins an adoption.
#[derive(Clone, Debug)]
pub struct StartAdoption {
    /// The other registry's store, as settings name it.
    pub source: String,
    /// Only these repositories; all of them without one.
    pub repositories: Option<NamePattern>,
    /// Who asks.
    pub by: Actor,
}

/// Where an adoption stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdoptionState {
    /// It goes on, or waits for a node that works on it.
    Running,
    /// It came to its end.
    Finished,
    /// Somebody stopped it. What was adopted by then stays.
    Stopped,
}

/// A blob that is being hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashing {
    /// Which.
    pub digest: Digest,
    /// When it was found to be no collector's, by the database's clock.
    pub begun: Timestamp,
    /// How many bytes of it have been hashed.
    pub offset: u64,
    /// The hash of those.
    pub state: HashState,
}

/// How far an adoption is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdoptionProgress {
    /// How many repositories there are, once they have been counted.
    pub repositories_total: Option<u64>,
    /// How many have been gone through.
    pub repositories: u64,
    /// How many of their manifests are here now.
    pub manifests: u64,
    /// How many of their tags.
    pub tags: u64,
    /// How many blobs were hashed, each once.
    pub blobs: u64,
    /// How many bytes that were.
    pub bytes: u64,
    /// How many manifests, tags and repositories were left out.
    pub left_out: u64,
    /// The folder of the last repository that was gone through.
    pub done_up_to: Option<String>,
    /// The blob that is half-way.
    pub hashing: Option<Hashing>,
}

/// An adoption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// Its number.
    pub id: i64,
    /// The other registry's store.
    pub source: String,
    /// Which repositories; all of them without one.
    pub repositories: Option<NamePattern>,
    /// Where it stands.
    pub state: AdoptionState,
    /// How often it was recorded: whoever records names what they saw last.
    pub version: i64,
    /// When it was begun.
    pub started_at: Timestamp,
    /// When it was last recorded.
    pub updated_at: Timestamp,
    /// How far it is.
    pub progress: AdoptionProgress,
}

/// What became of [`StartAdoption`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartedAdoption {
    /// It is the one that runs now.
    Started(Adoption),
    /// One ran already, and goes on.
    Running(Adoption),
}

/// Something that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The repository's name, or the folder's, as it is in the other store.
    pub repository: String,
    /// What of it: `manifest sha256:…`, `tag v1`, `repository`.
    pub subject: String,
    /// Why.
    pub reason: String,
}

/// Records how far an adoption is. Findings that are recorded already stay as they are.
#[derive(Clone, Debug)]
pub struct RecordAdoption {
    /// Which.
    pub id: i64,
    /// What its version was.
    pub version: i64,
    /// How far it is.
    pub progress: AdoptionProgress,
    /// What was found since.
    pub findings: Vec<Finding>,
    /// Whether it has come to its end.
    pub finished: bool,
}

/// Whether a repository can come to hold a blob of the other registry's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adoptable {
    /// It holds it.
    Held,
    /// Another repository holds it, so its bytes were hashed before; now this one does too.
    Shared,
    /// Once the bytes under this key have been hashed.
    Unhashed {
        /// Where they are.
        key: ObjectKey,
        /// Now, by the database's clock.
        now: Timestamp,
    },
    /// A collector is deleting it.
    BeingDeleted,
}

/// Makes a repository hold a blob whose bytes were hashed.
#[derive(Clone, Debug)]
pub struct AdoptBlob {
    /// Where.
    pub repository: RepositoryName,
    /// Where the bytes are.
    pub key: ObjectKey,
    /// How many they are: those that were hashed. The repository is charged with them.
    pub size: u64,
    /// When it was found [`Adoptable::Unhashed`].
    pub begun: Timestamp,
    /// How long ago that may be: less than the time in which a collector marks and deletes.
    pub within: Duration,
}

/// What became of [`AdoptBlob`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdoptedBlob {
    /// The repository holds it.
    Held,
    /// It took too long, or a collector was faster: it must be looked at again.
    Lost,
}

/// Makes a tag stand where it stands in the other registry.
#[derive(Clone, Debug)]
pub struct AdoptTag {
    /// Where.
    pub repository: RepositoryName,
    /// Which.
    pub tag: Tag,
    /// Where it stands.
    pub digest: Digest,
    /// Who asks.
    pub by: Actor,
}

/// What became of [`AdoptTag`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdoptedTag {
    /// It stands there.
    Stands,
    /// Somebody has moved it here since it was adopted, or pushed it: it stays.
    MovedHere(Digest),
    /// It was deleted here: it stays away.
    DeletedHere,
    /// A policy keeps it where it stands.
    Frozen(Box<Frozen>),
    /// The repository does not hold the manifest.
    NoManifest,
}

/// The adoptions. There is one at a time, and the last one is remembered.
#[async_trait]
pub trait Adoptions: Send + Sync + 'static {
    /// Begins an adoption, unless one runs, and forgets those before it.
    async fn start_adoption(&self, start: StartAdoption) -> Result<StartedAdoption, StoreError>;

    /// The adoption that runs, or the last one that did.
    async fn last_adoption(&self) -> Result<Option<Adoption>, StoreError>;

    /// Records how far it is and returns its new version; `None` when it does not run any more, or another node has
    /// recorded since.
    async fn record_adoption(&self, record: RecordAdoption) -> Result<Option<i64>, StoreError>;

    /// Stops the adoption that runs; `false` when none does.
    async fn stop_adoption(&self, by: Actor) -> Result<bool, StoreError>;

    /// What an adoption has found behind the finding of this repository and subject, in their order.
    async fn list_findings(
        &self,
        adoption: i64,
        after: Option<(String, String)>,
        limit: usize,
    ) -> Result<Vec<Finding>, StoreError>;

    /// Which of these manifests a repository holds.
    async fn held_manifests(
        &self,
        repository: RepositoryName,
        digests: Vec<Digest>,
    ) -> Result<Vec<Digest>, StoreError>;

    /// Whether the repository can come to hold a blob; where another one does, it comes to hold it right away.
    async fn find_adoptable(
        &self,
        repository: RepositoryName,
        digest: Digest,
    ) -> Result<Adoptable, StoreError>;

    /// Adds the membership of a blob whose bytes were hashed, by the rules of sharing.
    async fn adopt_blob(&self, adopt: AdoptBlob) -> Result<AdoptedBlob, StoreError>;

    /// Moves a tag, unless somebody here has had it otherwise.
    async fn adopt_tag(&self, adopt: AdoptTag) -> Result<AdoptedTag, StoreError>;
}

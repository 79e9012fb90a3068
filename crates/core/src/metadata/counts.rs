//! How often manifests are pulled and pushed: sums in buckets of an hour, added in batches.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wharf_oci::{Digest, MediaType, RepositoryName};

use crate::StoreError;
use crate::clock::Timestamp;
use crate::permissions::AccountName;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CountKind {
    /// A manifest that is no index was sent to a client: the pull of one image, as limits count it too. Neither `HEAD`
    /// nor a reply that the client has it already is one.
    Pull,
    /// A manifest, an index or not, was stored by a `PUT`, new or not.
    Push,
    /// An index was sent to a client. The pull of the image in it follows, so that the sums of a repository
    /// leave these out of [`CountKind::Pull`].
    IndexPull,
}

impl CountKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Pull, Self::Push, Self::IndexPull];

    /// The kind that a pull of a manifest of this type is.
    pub const fn of_pull(media_type: MediaType) -> Self {
        if media_type.is_index() { Self::IndexPull } else { Self::Pull }
    }
}

/// How often one manifest of a repository was pulled or pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestTally {
    /// Where.
    pub repository: RepositoryName,
    /// Which.
    pub digest: Digest,
    /// Pulled or pushed.
    pub kind: CountKind,
    /// How often.
    pub count: u64,
}

/// What one process counted, to be added once, however often it is asked for.
#[derive(Clone, Debug)]
pub struct CountBatch {
    /// 128 random bits. A batch whose id is known is not added again.
    pub id: [u8; 16],
    /// How long ago it was counted. The database subtracts that from its own clock, so that the clock of a node
    /// decides nothing and a batch that waited still falls into its own hour.
    pub age: Duration,
    /// The process's part of the rows, below [`CountBatch::SHARDS`]: processes of different shards never
    /// write to the same row.
    pub shard: u8,
    /// The counts.
    pub tallies: Arc<[ManifestTally]>,
}

impl CountBatch {
    /// How many shards there are.
    pub const SHARDS: u8 = 16;

    /// For how long the id of a batch is remembered. Nobody may ask again for a batch that was first asked
    /// for as long ago as that.
    pub const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);
}

/// Whose sums are asked for.
#[derive(Clone, Debug)]
pub struct CountsOf {
    /// The repository.
    pub repository: RepositoryName,
    /// One manifest of it; without it the repository's sum.
    pub manifest: Option<Digest>,
    /// Pulled or pushed.
    pub kind: CountKind,
}

/// How long a bucket is in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An hour.
    Hour,
    /// A day, in UTC.
    Day,
}

/// A span of time. An hour is in it if it begins in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment behind it.
    pub to: Timestamp,
}

/// The sum of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountAt {
    /// When the bucket begins.
    pub at: Timestamp,
    /// How often.
    pub count: u64,
}

/// The sum of a period up to now, and that of the same length before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trend {
    /// Up to now.
    pub current: u64,
    /// Before that.
    pub previous: u64,
}

/// Where a top list looks.
#[derive(Clone, Debug)]
pub enum Within {
    /// In all repositories.
    Everywhere,
    /// In those of a namespace.
    Namespace(AccountName),
    /// In one.
    Repository(RepositoryName),
}

/// Asks for what was pulled or pushed most.
#[derive(Clone, Debug)]
pub struct TopList {
    /// Where.
    pub within: Within,
    /// Only repositories that everyone may see.
    pub public_only: bool,
    /// Pulled or pushed.
    pub kind: CountKind,
    /// When.
    pub span: Span,
    /// How many places the list has.
    pub limit: usize,
}

/// A repository's place in a top list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopRepository {
    /// Which.
    pub repository: RepositoryName,
    /// How often.
    pub count: u64,
}

/// A manifest's place in a top list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopManifest {
    /// Where.
    pub repository: RepositoryName,
    /// Which.
    pub digest: Digest,
    /// How often.
    pub count: u64,
}

/// The counts. What is asked of a repository or manifest that is not there, or was never counted, is zero or empty.
#[async_trait]
pub trait Counts: Send + Sync + 'static {
    /// Adds a batch, but for repositories that are not there any more. `false` if it was added before, and
    /// nothing is changed then: after [`StoreError::Uncertain`] the same batch is simply asked for again.
    async fn add_counts(&self, batch: CountBatch) -> Result<bool, StoreError>;

    /// The sums of the buckets in a span, in their order, without those in which there was nothing; `limit` at most.
    async fn count_range(
        &self,
        of: CountsOf,
        span: Span,
        step: Step,
        limit: usize,
    ) -> Result<Vec<CountAt>, StoreError>;

    /// The sums of the last `period` by the database's clock, the hour that runs included, and of the one before.
    async fn count_trend(&self, of: CountsOf, period: Duration) -> Result<Trend, StoreError>;

    /// The repositories of the largest sums, the largest first; equal ones in the order of their names.
    async fn top_repositories(&self, list: TopList) -> Result<Vec<TopRepository>, StoreError>;

    /// The same of manifests; equal ones in the order of names and digests.
    async fn top_manifests(&self, list: TopList) -> Result<Vec<TopManifest>, StoreError>;

    /// When the hour began in which each of these manifests was pulled last, indexes by their own pulls. Those that
    /// were not pulled for as long as counts are kept are left out. What was pulled in the last moments may not
    /// be added yet: who deletes by this leaves an hour and more between.
    async fn last_pulled(
        &self,
        repository: RepositoryName,
        digests: Vec<Digest>,
    ) -> Result<Vec<(Digest, Timestamp)>, StoreError>;

    /// Makes the partitions that counts to come will need, where the database keeps counts in those; how many.
    async fn make_room_for_counts(&self) -> Result<u64, StoreError>;

    /// Forgets a bounded part of what is older than `age`: up to `limit` rows, or one partition where the database
    /// keeps counts in those, which goes only as a whole. Returns how many of either; 0 when nothing is left to forget.
    async fn expire_counts(&self, age: Duration, limit: usize) -> Result<u64, StoreError>;

    /// Forgets up to `limit` ids of batches older than [`CountBatch::REMEMBERED`]. Returns how many.
    async fn forget_batches(&self, limit: usize) -> Result<u64, StoreError>;
}

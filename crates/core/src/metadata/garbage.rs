//! Garbage: what nobody needs any more, found and taken away in steps of bounded size. Each step decides by what the primary database says
//! in its own transaction, and any number of collectors may take them at once. The rules for blobs are in [`blob_life`](crate::blob_life).

use std::time::Duration;

use async_trait::async_trait;
use wharf_oci::{Digest, RepositoryName, Tag};

use crate::blob_life::Mark;
use crate::blobs::ObjectKey;
use crate::clock::Timestamp;
use crate::metadata::PinName;
use crate::{StoreError, UploadId};

/// A place in a walk over what repositories hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldPlace {
    /// The repository's row.
    pub repository: i64,
    /// The blob or manifest.
    pub digest: Digest,
}

/// What a step of a walk took away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// How many memberships or manifests.
    pub count: u64,
    /// From which repositories. What caches keep of these is not true any more.
    pub repositories: Vec<RepositoryName>,
    /// Where to go on; nowhere at the end of the walk.
    pub next: Option<HeldPlace>,
}

/// What a step took away of repositories that were deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// How many rows of them.
    pub rows: u64,
    /// How many repositories of which nothing is left to take away.
    pub repositories: u64,
}

/// How long what is deleted stays, and what of the rest is collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestRules {
    /// How long a deleted manifest can be brought back, and how old a manifest is before it can be collected.
    pub grace: Duration,
    /// After which time a manifest is collected that no tag needs; never without it.
    pub untagged_after: Option<Duration>,
}

/// What became of marks whose grace was over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// So many blobs are about to be deleted.
    pub condemned: u64,
    /// So many are held.
    pub spared: u64,
}

/// A blob on its way out, and what holds it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkedBlob {
    /// Where its object lies.
    pub key: ObjectKey,
    /// How far it is.
    pub mark: Mark,
    /// A repository that holds it, if one does: then it will be spared.
    pub held_by: Option<RepositoryName>,
    /// Whether an upload has reserved a key of it: then it will be spared, too.
    pub reserved: bool,
}

/// Bytes that go with a manifest, unless something else needs them: a blob's, or the manifest's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freed {
    /// Whose.
    pub digest: Digest,
    /// How many, where that is known.
    pub bytes: Option<u64>,
    /// How many manifests need them, over all repositories and the trash, this one included; [`MOST_NEEDING`] stands for more, too.
    pub needed_by: u64,
}

/// How many manifests that need a blob are counted at most.
pub const MOST_NEEDING: u64 = 1000;

/// A manifest that is on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoingManifest {
    /// Where it is.
    pub repository: RepositoryName,
    /// Which.
    pub digest: Digest,
    /// When it was deleted; where it was not, the next collection of manifests does so.
    pub deleted_at: Option<Timestamp>,
    /// What goes with it.
    pub frees: Vec<Freed>,
}

/// A part of what is on its way out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Going {
    /// The manifests.
    pub manifests: Vec<GoingManifest>,
    /// Where to go on; nowhere at the end of the walk.
    pub next: Option<HeldPlace>,
}

/// What keeps a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// A tag on it.
    Tag(Tag),
    /// A pin on it.
    Pin(PinName),
    /// An index that it is in.
    Index(Digest),
    /// What it is about.
    Subject(Digest),
    /// A tagged, pinned or young manifest that is about it.
    Referrer(Digest),
    /// It was pushed, or a tag left it, not long enough before this moment.
    Age(Timestamp),
    /// Nothing; but nothing says either that manifests without a tag go from its repository.
    NoRule,
    /// Its repository may not be written to.
    ReadOnly,
}

/// What becomes of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays, for one of these reasons: the first few of each kind.
    Stays(Vec<Keeper>),
    /// Nothing keeps it: the next collection of manifests deletes it.
    Goes,
    /// It was deleted, and can be brought back until the grace is over.
    Deleted {
        /// By whom.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// The repository does not hold it, and cannot have it back.
    Unknown,
}

/// A repository that was deleted and holds something still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoingRepository {
    /// Its number: several may have had one name.
    pub number: i64,
    /// What it was called.
    pub name: RepositoryName,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// Whether it is being taken away, and cannot be brought back any more.
    pub is_begun: bool,
    /// How many manifests it has left.
    pub manifests: u64,
    /// How many bytes the blobs have that no other repository holds, as far as their sizes are known.
    pub bytes: u64,
}

/// A blob that its repository holds and that none of its manifests needs, nor one that could be brought back: it was pushed for nothing so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnneededBlob {
    /// Where.
    pub repository: RepositoryName,
    /// Which.
    pub digest: Digest,
    /// Its size in bytes, where that is known.
    pub bytes: Option<u64>,
    /// When it was pushed or mounted, or somebody was told of it, last.
    pub touched_at: Timestamp,
    /// Whether another repository holds it: then nothing is freed when this one does not any more.
    pub is_held_elsewhere: bool,
}

/// A page of a walk over such blobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unneeded {
    /// Which.
    pub blobs: Vec<UnneededBlob>,
    /// Where to go on; nowhere at the end of the walk.
    pub next: Option<HeldPlace>,
}

/// An upload that is open, or that has expired and waits to be cleared away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedUpload {
    /// Which.
    pub id: UploadId,
    /// To where; nowhere for the copy of a repair.
    pub repository: Option<RepositoryName>,
    /// How many bytes are staged.
    pub bytes: u64,
    /// When it expires, unless it goes on.
    pub expires_at: Timestamp,
}

/// How much garbage there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GarbageCounts {
    /// Uploads that are open, or have expired.
    pub uploads: u64,
    /// Repositories that were deleted and hold something still.
    pub deleted_repositories: u64,
    /// Manifests that were deleted and can be brought back.
    pub deleted_manifests: u64,
    /// Memberships that no manifest needs, those of pushes under way included.
    pub unneeded_memberships: u64,
    /// Blobs that wait for their grace to end.
    pub marked: u64,
    /// Blobs whose objects are about to be deleted.
    pub condemned: u64,
    /// Keys of deleted objects that are not used again yet.
    pub deleted: u64,
}

/// Garbage collection, a step at a time.
#[async_trait]
pub trait Garbage: Send + Sync + 'static {
    /// How long a step should take, so that a push, which is several transactions, does not wait for steps long: short where nobody writes beside
    /// one.
    fn moment(&self) -> Duration;

    /// Takes away up to `limit` memberships behind `after` that no manifest needs and that nothing touched for `grace`, and marks their blobs.
    async fn sweep_memberships(
        &self,
        after: Option<HeldPlace>,
        grace: Duration,
        limit: usize,
    ) -> Result<Taken, StoreError>;

    /// Judges up to `limit` blobs that were marked for longer than `grace`.
    async fn condemn_blobs(&self, grace: Duration, limit: usize) -> Result<Judged, StoreError>;

    /// Up to `limit` condemned blobs behind `after`, in the order of their keys. Whoever deletes one sends that soon, or reads the list again:
    /// [`forget_deleted`](Self::forget_deleted) counts on it.
    ///
    /// # Errors
    /// [`StoreError::Closed`] while nothing may be written, as of every step that takes something away.
    async fn condemned_blobs(
        &self,
        after: Option<ObjectKey>,
        limit: usize,
    ) -> Result<Vec<ObjectKey>, StoreError>;

    /// The store has confirmed that these objects are deleted. Returns how many of them were condemned.
    async fn confirm_deleted(&self, keys: Vec<ObjectKey>) -> Result<u64, StoreError>;

    /// Forgets up to `limit` keys that were deleted longer than `latest` ago: longer than it can take from reading a key in the list of the
    /// condemned to the landing of its delete.
    async fn forget_deleted(&self, latest: Duration, limit: usize) -> Result<u64, StoreError>;

    /// Waits until what was being written when this was called has ended: a step of which it is uncertain whether it was committed shows after that, or never
    /// will. That takes no longer than a transaction may.
    ///
    /// # Errors
    /// [`StoreError::Uncertain`] where something has not ended in that time.
    async fn settle(&self) -> Result<(), StoreError>;

    /// The first `limit` repositories behind `after`, in the order of their names: all that a collection may take something from, also those
    /// that hold nothing any more.
    async fn collected_repositories(
        &self,
        after: Option<RepositoryName>,
        limit: usize,
    ) -> Result<Vec<RepositoryName>, StoreError>;

    /// Ends the grace of up to `limit` deleted manifests: what only they needed (children, referrers) is deleted in turn, and the bytes of
    /// a manifest go with the last repository that had it. Nothing is left to do where nothing was taken away.
    async fn empty_trash(&self, rules: ManifestRules, limit: usize) -> Result<Taken, StoreError>;

    /// Takes up to `limit` rows away from a repository that was deleted longer than `grace` ago, and marks the blobs that it held. Nothing is left
    /// to do where nothing was taken away. Once this has begun with a repository, it is not brought back.
    async fn purge_repositories(&self, grace: Duration, limit: usize)
    -> Result<Purged, StoreError>;

    /// Looks at up to `limit` manifests behind `after`, and deletes those whose subject is gone or that no tag needs, as `rules` say.
    async fn collect_manifests(
        &self,
        after: Option<HeldPlace>,
        rules: ManifestRules,
        limit: usize,
    ) -> Result<Taken, StoreError>;

    /// Which of up to `limit` manifests behind `after` [`collect_manifests`](Self::collect_manifests) would delete.
    async fn plan_manifests(
        &self,
        after: Option<HeldPlace>,
        rules: ManifestRules,
        limit: usize,
    ) -> Result<Going, StoreError>;

    /// Up to `limit` deleted manifests behind `after`.
    async fn list_trash(&self, after: Option<HeldPlace>, limit: usize)
    -> Result<Going, StoreError>;

    /// What becomes of a manifest, and why.
    async fn explain_manifest(
        &self,
        repository: RepositoryName,
        digest: Digest,
        rules: ManifestRules,
    ) -> Result<Fate, StoreError>;

    /// Up to `limit` blobs that are marked or condemned, behind `after`, in the order of their keys.
    async fn list_marked(
        &self,
        after: Option<ObjectKey>,
        limit: usize,
    ) -> Result<Vec<MarkedBlob>, StoreError>;

    /// Up to `limit` deleted repositories behind the number `after` that hold something still.
    async fn list_going_repositories(
        &self,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<GoingRepository>, StoreError>;

    /// Up to `limit` blobs behind `after` that nothing in their repository needs, but for those of repositories that are read-only.
    async fn list_unneeded(
        &self,
        after: Option<HeldPlace>,
        limit: usize,
    ) -> Result<Unneeded, StoreError>;

    /// Up to `limit` uploads behind `after`, in the order of their ids.
    async fn list_staged(
        &self,
        after: Option<UploadId>,
        limit: usize,
    ) -> Result<Vec<StagedUpload>, StoreError>;

    /// How much garbage there is, of each kind up to `limit`: the rows are counted.
    async fn count_garbage(&self, limit: usize) -> Result<GarbageCounts, StoreError>;
}

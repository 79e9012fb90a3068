//! The seam to the cache. Losing it loses speed, nothing else.
//!
//! A value read from the database can be stale before it reaches the cache: a write may come between. So
//! a miss hands out a [`Ticket`], taken *before* the database is read; a write invalidates its repository
//! *before* it is acknowledged; and a value put under a ticket from before an invalidation is never served.
//! The same holds for an absence, the fact that something is not there: the write that makes it exist invalidates it.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wharf_oci::{Digest, Reference, RepositoryName};

use crate::StoreError;

/// What a cached value is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// What a tag or digest names.
    Manifest(RepositoryName, Reference),
    /// Where the repository's blob lies.
    Blob(RepositoryName, Digest),
}

impl Key {
    /// The repository that the value belongs to and is invalidated with.
    pub const fn repository(&self) -> &RepositoryName {
        match self {
            Self::Manifest(repository, _) | Self::Blob(repository, _) => repository,
        }
    }

    /// The kind of value, which is invalidated with the others of that kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Manifest(..) => Kind::Manifest,
            Self::Blob(..) => Kind::Blob,
        }
    }
}

/// What a repository has, by what writes change: a push of a blob makes no manifest untrue, nor the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Manifests and the tags on them.
    Manifest,
    /// Memberships of blobs.
    Blob,
}

/// The right to put a value: the key, and the versions that its repository had at the look-up, for values of that kind.
#[derive(Debug)]
pub struct Ticket {
    /// What the value will be about.
    pub key: Key,
    /// The version of the repository in this process, in the cache's own counting.
    pub version: u64,
    /// Its version in the cache that nodes share; 0 where there is none.
    pub shared: u64,
}

/// What a look-up found.
#[derive(Debug)]
pub enum Lookup {
    /// The value.
    Hit(Bytes),
    /// It was looked for a moment ago and is not there; whatever made it exist since is not acknowledged yet.
    Absent,
    /// Nothing; what is then read elsewhere may be put under the ticket.
    Miss(Ticket),
}

/// A cache of small values.
#[async_trait]
pub trait Cache: Send + Sync + 'static {
    /// Looks a value up.
    async fn get(&self, key: Key) -> Lookup;

    /// Keeps a value for `life` at most. It is not served when its repository was invalidated since the look-up.
    async fn put(&self, ticket: Ticket, value: Bytes, life: Duration);

    /// Keeps for `life` at most that there is nothing. It takes no room from values, however many absent names
    /// are asked for. Not kept where a write on another node would go unnoticed.
    async fn put_absence(&self, ticket: Ticket, life: Duration);

    /// What is known of a key where the database cannot be asked: for pulls while it is away. It may be older than
    /// what [`Cache::get`] gives, and never says that there is nothing.
    async fn last_known(&self, key: Key) -> Option<Bytes>;

    /// Forgets everything of that kind of a repository. Called after a write is committed and before it is acknowledged.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when others may still serve what the write replaced. The write is then not
    /// acknowledged, and its client asks again.
    async fn invalidate(&self, repository: &RepositoryName, kind: Kind) -> Result<(), StoreError>;

    /// Forgets what this process alone keeps of that kind of a repository, since another node is known to have written
    /// there. Nothing relies on it: it only ends early what is believed for a while.
    fn forget(&self, repository: &RepositoryName, kind: Kind);
}

/// The state of the cache that nodes share, kept in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Which cache is meant: values of another epoch are never looked at. Even while the cache is in use, odd
    /// while it is suspended. A new database begins with one that no other has.
    pub number: i64,
    /// For how long it has been so.
    pub since: Duration,
}

impl Epoch {
    /// Whether nobody uses the shared cache.
    pub const fn is_suspended(&self) -> bool {
        self.number % 2 != 0
    }
}

/// By what nodes agree to leave a shared cache alone, when one of them cannot invalidate what is in it.
#[async_trait]
pub trait Epochs: Send + Sync + 'static {
    /// The state now.
    async fn epoch(&self) -> Result<Epoch, StoreError>;

    /// Goes on to the next number, if it is `from` still.
    async fn advance_epoch(&self, from: i64) -> Result<(), StoreError>;
}

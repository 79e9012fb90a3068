//! The seam to the cache. Losing it loses speed, nothing else.
//!
//! A value read from the database can be stale before it reaches the cache: a write may come between. So
//! a miss hands out a [`Ticket`], taken *before* the database is read; a write invalidates its repository
//! *before* it is acknowledged; and a value put under a ticket from before an invalidation is never served.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wharf_oci::{Digest, Reference, RepositoryName};

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
}

/// The right to put a value: the key, and the version that its repository had at the look-up.
#[derive(Debug)]
pub struct Ticket {
    /// What the value will be about.
    pub key: Key,
    /// The version of the repository at the look-up, in the cache's own counting.
    pub version: u64,
}

/// What a look-up found.
#[derive(Debug)]
pub enum Lookup {
    /// The value.
    Hit(Bytes),
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

    /// Forgets everything of a repository. Called after a write is committed and before it is acknowledged.
    async fn invalidate(&self, repository: &RepositoryName);
}

//! Backups of the metadata: a snapshot taken while nodes work, the list of the blobs that it needs, and the way back
//! into an empty database.
//!
//! Both engines take a single snapshot. On SQLite it is a copy of the file; on PostgreSQL a transaction whose snapshot
//! `pg_dump` shares, so that the list is exactly that of the dump.

mod postgres;
mod program;
mod restoring;
mod sqlite;

use wharf_core::blobs::ObjectKey;
use wharf_oci::Digest;

use crate::migrations::newest;
use crate::postgres::PostgresError;
pub use postgres::PostgresSnapshot;
pub use restoring::{
    Missing, PostgresRestore, SqliteRestore, recovered_on_postgres, recovered_on_sqlite,
};
pub use sqlite::SqliteSnapshot;

/// The version of the schema that this program's backups have.
pub fn schema() -> i64 {
    newest()
}

/// Why a backup was not made, or not restored. Nothing is half restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// SQLite failed.
    #[error("the database file {file}: {reason}")]
    Sqlite {
        /// Which file.
        file: String,
        /// What SQLite said.
        reason: String,
    },
    /// PostgreSQL failed.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// A program of PostgreSQL's failed, or is not there.
    #[error("{program}: {reason}")]
    Program {
        /// Its name.
        program: &'static str,
        /// What it said.
        reason: String,
    },
    /// The database holds something already.
    #[error("{0} is not empty: restore into a database that has nothing of Wharf's in it")]
    NotEmpty(String),
    /// A snapshot of another schema than this program's.
    #[error(
        "the backup has schema version {found}, this wharf has {known}; restore it by the wharf that made it, then migrate"
    )]
    Schema {
        /// The version found.
        found: i64,
        /// The version known.
        known: i64,
    },
    /// What the database holds contradicts itself.
    #[error("corrupt: {0}")]
    Corrupt(String),
}

/// What a snapshot holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The version of its schema.
    pub schema: i64,
    /// How many repositories.
    pub repositories: u64,
    /// How many manifests, each counted in every repository that holds it.
    pub manifests: u64,
    /// How many tags.
    pub tags: u64,
    /// How many blobs are needed, each once.
    pub blobs: u64,
    /// The number of the last event in it.
    pub last_event: u64,
    /// The number of the last record of the audit log in it.
    pub last_audit: u64,
    /// Where PostgreSQL's log stood, for who recovers to a point in time.
    pub wal: Option<String>,
}

/// What lacks a blob that is not in the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Affected {
    /// The repository: what it was called, where it was deleted.
    pub repository: String,
    /// Whether it was deleted: it can be brought back until its grace is over.
    pub is_deleted: bool,
    /// The tag; none for a manifest without one.
    pub tag: Option<String>,
    /// The manifest, be it the one that names the blob or an index above it.
    pub manifest: Digest,
    /// The blob.
    pub blob: Digest,
}

/// How many rows are read at once.
const PAGE: i64 = 5000;

/// Counts of all that is in a snapshot, in the order of [`Contents`].
const CONTENTS: &str = "SELECT (SELECT coalesce(max(version), 0) FROM schema_migrations),
    (SELECT count(*) FROM repositories), (SELECT count(*) FROM repository_manifests),
    (SELECT count(*) FROM tags), (SELECT count(DISTINCT blob_digest) FROM repository_blobs),
    (SELECT coalesce(max(id), 0) FROM events), (SELECT coalesce(max(id), 0) FROM audit_log)";

/// The blobs behind the digest `$1` that a repository holds, in order, `$2` at most, each with its incarnation.
const BLOBS: &str = "SELECT b.blob_digest, coalesce(i.incarnation, 0)
    FROM (SELECT DISTINCT blob_digest FROM repository_blobs WHERE blob_digest > $1
          ORDER BY blob_digest LIMIT $2) b
    LEFT JOIN blob_incarnations i ON i.digest = b.blob_digest
    ORDER BY b.blob_digest";

/// What needs the blobs in the table `missing_blobs`: manifests that name them, and indexes above these.
const AFFECTED: &str = "WITH RECURSIVE needing (blob, manifest) AS (
        SELECT f.blob_digest, f.manifest_digest FROM missing_blobs x
        JOIN blob_references f ON f.blob_digest = x.digest
        UNION
        SELECT n.blob, p.parent FROM needing n JOIN manifest_references p ON p.child = n.manifest
    )
    SELECT coalesce(d.name, r.name) AS repository, t.name AS tag, n.manifest AS manifest, n.blob AS blob,
           CASE WHEN d.name IS NULL THEN 0 ELSE 1 END AS deleted
    FROM needing n JOIN repository_manifests h ON h.digest = n.manifest
    JOIN repositories r ON r.id = h.repository_id
    LEFT JOIN deleted_repositories d ON d.repository_id = r.id
    LEFT JOIN tags t ON t.repository_id = h.repository_id AND t.manifest_digest = n.manifest";

fn contents(row: impl Fn(usize) -> Option<i64>, wal: Option<String>) -> Option<Contents> {
    let count = |column| row(column).and_then(|value| u64::try_from(value).ok());
    Some(Contents {
        schema: row(0)?,
        repositories: count(1)?,
        manifests: count(2)?,
        tags: count(3)?,
        blobs: count(4)?,
        last_event: count(5)?,
        last_audit: count(6)?,
        wal,
    })
}

fn key(digest: &[u8], incarnation: i64) -> Result<ObjectKey, BackupError> {
    let wrong = || BackupError::Corrupt("a repository holds a blob without a digest".into());
    Ok(ObjectKey {
        digest: Digest::from_binary(digest).ok_or_else(wrong)?,
        incarnation: u32::try_from(incarnation).map_err(|_| wrong())?,
    })
}

/// A snapshot, read a page at a time.
pub enum Snapshot {
    /// A copy of SQLite's file.
    Sqlite(SqliteSnapshot),
    /// A transaction of PostgreSQL's.
    Postgres(Box<PostgresSnapshot>),
}

impl Snapshot {
    /// What it holds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contents(&self) -> Result<Contents, BackupError> {
        match self {
            Self::Sqlite(copy) => copy.contents(),
            Self::Postgres(snapshot) => snapshot.contents().await,
        }
    }

    /// The next blobs that it needs, behind `after`, in the order of their digests; none at the end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blobs(&self, after: Option<Digest>) -> Result<Vec<ObjectKey>, BackupError> {
        let after = after.map(|digest| digest.to_binary()).unwrap_or_default();
        match self {
            Self::Sqlite(copy) => copy.blobs(&after),
            Self::Postgres(snapshot) => snapshot.blobs(&after).await,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;

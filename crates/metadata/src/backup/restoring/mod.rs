//! The way back: a snapshot into an empty database, set right, all of it or nothing; and a database set right that was
//! recovered otherwise.

mod postgres;
mod sqlite;

use std::collections::BTreeSet;

use wharf_oci::Digest;

use super::{Affected, BackupError, schema};
pub use postgres::{PostgresRestore, recovered_on_postgres};
pub use sqlite::{SqliteRestore, recovered_on_sqlite};

/// Memberships of blobs that are not there: a client that pushes such a blob again sends it.
const FORGET_MISSING: &str =
    "DELETE FROM repository_blobs WHERE blob_digest IN (SELECT digest FROM missing_blobs)";

/// Blobs that are not in the store, and whether that is accepted.
#[derive(Clone, Copy, Debug)]
pub struct Missing<'a> {
    /// Which.
    pub blobs: &'a BTreeSet<Digest>,
    /// Whether to go on without them.
    pub accepted: bool,
}

impl Missing<'_> {
    fn allows(self) -> bool {
        self.blobs.is_empty() || self.accepted
    }
}

fn affected(
    (repository, is_deleted): (String, bool),
    tag: Option<String>,
    manifest: &[u8],
    blob: &[u8],
) -> Result<Affected, BackupError> {
    let digest = |bytes: &[u8]| {
        let wrong = || BackupError::Corrupt(format!("{bytes:?} is no digest"));
        Digest::from_binary(bytes).ok_or_else(wrong)
    };
    Ok(Affected { repository, is_deleted, tag, manifest: digest(manifest)?, blob: digest(blob)? })
}

fn require_schema(found: i64) -> Result<(), BackupError> {
    let known = schema();
    if found == known { Ok(()) } else { Err(BackupError::Schema { found, known }) }
}

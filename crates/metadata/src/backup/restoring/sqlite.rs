//! A copy of SQLite's file becomes the database.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{FORGET_MISSING, Missing, affected, require_schema};
use crate::backup::sqlite::failed;
use crate::backup::{AFFECTED, Affected, BackupError, SqliteSnapshot};

/// What must be set right.
const AFTER: &str = include_str!("after.sqlite.sql");

/// A restore into a file.
pub struct SqliteRestore<'a> {
    /// The copy in the backup.
    pub copy: &'a Path,
    /// The new database.
    pub file: &'a Path,
}

impl SqliteRestore<'_> {
    /// Fails where there is a database already.
    ///
    /// # Errors
    /// [`BackupError::NotEmpty`].
    pub fn require_empty(&self) -> Result<(), BackupError> {
        match self.file.try_exists() {
            Ok(false) => Ok(()),
            _ => Err(BackupError::NotEmpty(self.file.display().to_string())),
        }
    }

    /// Restores, unless blobs are missing that are not accepted to be. Returns what lacks them. Blocks.
    ///
    /// # Errors
    /// When the database is not empty, or the copy is not this program's. Nothing is there then.
    pub fn run(&self, missing: Missing<'_>) -> Result<BTreeSet<Affected>, BackupError> {
        self.require_empty()?;
        let SqliteRestore { copy, file } = self;
        require_schema(SqliteSnapshot::open(copy)?.contents()?.schema)?;
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".restoring");
        let restoring = file.with_file_name(name);
        let io = |error: std::io::Error| BackupError::Sqlite {
            file: restoring.display().to_string(),
            reason: error.to_string(),
        };
        let _ = fs::remove_file(&restoring);
        fs::copy(copy, &restoring).map_err(io)?;
        let restored = set_right(&restoring, missing);
        if !missing.allows() || restored.is_err() {
            fs::remove_file(&restoring).map_err(io)?;
            return restored;
        }
        File::open(&restoring).and_then(|file| file.sync_all()).map_err(io)?;
        fs::rename(&restoring, file).map_err(io)?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new("."))).and_then(|it| it.sync_all()).map_err(io)?;
        restored
    }
}

/// Sets a database right that is there, since it was put back by other means. Nothing may serve it. Blocks.
///
/// # Errors
/// When there is none, or it is not of this program's schema. It is as it was then.
pub fn recovered_on_sqlite(
    file: &Path,
    missing: Missing<'_>,
) -> Result<BTreeSet<Affected>, BackupError> {
    require_schema(SqliteSnapshot::open(file)?.contents()?.schema)?;
    set_right(file, missing)
}

/// What lacks a blob, as it is read: repository, tag, manifest, blob, and whether the repository was deleted.
type Found = (String, Option<String>, Vec<u8>, Vec<u8>, bool);

/// Sets a copy right where it lies, unless blobs are missing that must not be, and tells what lacks them.
fn set_right(file: &Path, missing: Missing<'_>) -> Result<BTreeSet<Affected>, BackupError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(file, flags).map_err(failed(file))?;
    connection.execute_batch("PRAGMA foreign_keys = ON").map_err(failed(file))?;
    let sound: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(failed(file))?;
    if sound != "ok" {
        return Err(BackupError::Corrupt(format!("the copy is damaged: {sound}")));
    }
    let transaction = connection.transaction().map_err(failed(file))?;
    let work = || -> rusqlite::Result<Vec<Found>> {
        transaction.execute_batch(AFTER)?;
        transaction.execute_batch("CREATE TEMP TABLE missing_blobs (digest BLOB PRIMARY KEY)")?;
        for digest in missing.blobs {
            let sql = "INSERT INTO missing_blobs (digest) VALUES (?1)";
            transaction.execute(sql, [digest.to_binary()])?;
        }
        let mut statement = transaction.prepare(AFFECTED)?;
        let rows = statement.query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })?;
        let affected = rows.collect::<Result<_, _>>()?;
        transaction.execute(FORGET_MISSING, [])?;
        Ok(affected)
    };
    let rows = work().map_err(failed(file))?;
    if missing.allows() {
        transaction.commit().map_err(failed(file))?;
    }
    let affected = rows.into_iter().map(|(repository, tag, manifest, blob, is_deleted)| {
        affected((repository, is_deleted), tag, &manifest, &blob)
    });
    affected.collect()
}

//! A snapshot of SQLite: a copy of the file, made beside the process that serves.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use wharf_core::blobs::ObjectKey;

use super::{BLOBS, BackupError, CONTENTS, Contents, PAGE, contents, key};

/// A copy of a database.
pub struct SqliteSnapshot {
    connection: Connection,
    file: String,
}

pub(super) fn failed(file: &Path) -> impl Fn(rusqlite::Error) -> BackupError {
    let file = file.display().to_string();
    move |error| BackupError::Sqlite { file: file.clone(), reason: error.to_string() }
}

impl SqliteSnapshot {
    /// Copies the database `from` into the new file `to`, as it is at one moment. Writers go on meanwhile: the log is
    /// only not shortened until this is done. Blocks.
    ///
    /// # Errors
    /// When there is no database, or `to` cannot be written or is there already.
    pub fn take(from: &Path, to: &Path) -> Result<Self, BackupError> {
        let source = open(from)?;
        let target = to.to_str().ok_or_else(|| BackupError::Sqlite {
            file: to.display().to_string(),
            reason: "its path is no UTF-8".into(),
        })?;
        source.execute("VACUUM INTO ?1", [target]).map_err(failed(from))?;
        Self::open(to)
    }

    /// Opens a copy. Blocks.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(file: &Path) -> Result<Self, BackupError> {
        Ok(Self { connection: open(file)?, file: file.display().to_string() })
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> BackupError {
        failed(Path::new(&self.file))
    }

    pub(super) fn contents(&self) -> Result<Contents, BackupError> {
        let read = self
            .connection
            .query_row(CONTENTS, [], |row| Ok(contents(|column| row.get(column).ok(), None)));
        let corrupt = || BackupError::Corrupt("the copy cannot be counted".into());
        read.map_err(self.failed())?.ok_or_else(corrupt)
    }

    pub(super) fn blobs(&self, after: &[u8]) -> Result<Vec<ObjectKey>, BackupError> {
        let mut statement = self.connection.prepare_cached(BLOBS).map_err(self.failed())?;
        let rows = statement
            .query_map((after, PAGE), |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(self.failed())?;
        let rows: Vec<(Vec<u8>, i64)> = rows.collect::<Result<_, _>>().map_err(self.failed())?;
        rows.iter().map(|(digest, incarnation)| key(digest, *incarnation)).collect()
    }
}

fn open(file: &Path) -> Result<Connection, BackupError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(failed(file))?;
    connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(failed(file))?;
    Ok(connection)
}

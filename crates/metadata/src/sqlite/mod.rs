//! SQLite: one writer on a thread of its own, readers beside it that never wait for the writer (WAL).

mod readers;
mod statements;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use wharf_core::StoreError;
use wharf_core::clock::Clock;

use crate::engine::{Engine, Result, Transaction};
use crate::migrations::{MIGRATIONS, MigrationError, newest};
use readers::Readers;
use writer::Writer;

/// How many reads run at once.
const READERS: usize = 4;

/// SQLite in a file.
pub struct Sqlite {
    writer: Writer,
    readers: Readers,
}

/// Why a database file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// SQLite refuses the file.
    #[error("the database {path} cannot be opened: {reason}")]
    Sqlite {
        /// The file.
        path: String,
        /// What SQLite said.
        reason: String,
    },
    /// The schema cannot be brought to this binary's version.
    #[error("the database {path}: {source}")]
    Migration {
        /// The file.
        path: String,
        /// Why.
        source: MigrationError,
    },
}

impl Sqlite {
    /// Opens the database in `file`, making it if there is none, and applies the migrations that it lacks.
    /// `clock` is the database's clock. Blocks: call it at start.
    ///
    /// # Errors
    /// When the file is no database of this kind, cannot be written, or is newer than the binary.
    pub fn open(file: &Path, clock: Arc<dyn Clock>) -> std::result::Result<Self, OpenError> {
        let path = file.display().to_string();
        let refused = |error: rusqlite::Error| OpenError::Sqlite {
            path: path.clone(),
            reason: error.to_string(),
        };
        let mut connection =
            connect(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
                .map_err(refused)?;
        migrate(&mut connection, clock.as_ref())
            .map_err(|source| OpenError::Migration { path: path.clone(), source })?;
        let readers = (0..READERS)
            .map(|_| connect(file, OpenFlags::SQLITE_OPEN_READ_ONLY))
            .collect::<rusqlite::Result<Vec<_>>>()
            .map_err(refused)?;
        Ok(Self {
            writer: Writer::start(connection, Arc::clone(&clock)),
            readers: Readers::new(readers, clock),
        })
    }
}

impl Engine for Sqlite {
    /// There is one writer, for which everybody waits.
    const MOMENT: Duration = Duration::from_millis(5);

    async fn write<T: Transaction>(&self, transaction: T) -> Result<T::Output> {
        self.writer.run(transaction).await
    }

    /// Writers follow one another: none is left behind.
    async fn settle(&self) -> Result<()> {
        Ok(())
    }

    async fn read<T: Transaction>(&self, transaction: T) -> Result<T::Output> {
        self.readers.run(transaction).await
    }
}

fn connect(file: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(64);
    // Else a statement whose plan may hang on an argument is planned again each time that it gets one, although it is cached.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if !flags.contains(OpenFlags::SQLITE_OPEN_READ_ONLY) {
        // FULL: in WAL mode the log is synced at each commit, so what is acknowledged survives a power cut.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
        )?;
    }
    Ok(connection)
}

fn migrate(
    connection: &mut Connection,
    clock: &dyn Clock,
) -> std::result::Result<(), MigrationError> {
    let start = |error: rusqlite::Error| MigrationError::Failed {
        version: 0,
        name: "schema_migrations",
        reason: error.to_string(),
    };
    connection
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
                 version     INTEGER NOT NULL PRIMARY KEY,
                 name        TEXT    NOT NULL,
                 applied_at  INTEGER NOT NULL
             ) STRICT",
        )
        .map_err(start)?;
    let found: i64 = connection
        .query_row("SELECT coalesce(max(version), 0) FROM schema_migrations", [], |row| row.get(0))
        .map_err(start)?;
    let known = newest();
    if found > known {
        return Err(MigrationError::Newer { found, known });
    }
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > found) {
        let apply = || -> rusqlite::Result<()> {
            let transaction = connection.transaction()?;
            transaction.execute_batch(migration.sqlite)?;
            transaction.execute(
                "INSERT INTO schema_migrations (version, name, applied_at) VALUES (?1, ?2, ?3)",
                (migration.version, migration.name, clock.now().0),
            )?;
            transaction.commit()
        };
        let failed = |error: rusqlite::Error| MigrationError::Failed {
            version: migration.version,
            name: migration.name,
            reason: error.to_string(),
        };
        let mut apply = apply;
        apply().map_err(failed)?;
    }
    Ok(())
}

/// What a caller can do about an error of SQLite.
fn store_error(error: &rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(text),
        Some(
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation,
        ) => StoreError::Corrupt(text),
        _ => StoreError::Unavailable(text),
    }
}

//! A snapshot of PostgreSQL: a transaction that stays open, and `pg_dump` at its snapshot.

use std::path::Path;
use std::process::Stdio;

use tokio::task::JoinHandle;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use wharf_core::blobs::ObjectKey;

use super::program::{command, not_started};
use super::{BLOBS, BackupError, CONTENTS, Contents, PAGE, contents, key};
use crate::postgres::{PostgresError, PostgresSettings, connect_alone};

/// A transaction that sees one moment for as long as this lives.
pub struct PostgresSnapshot {
    client: Client,
    settings: PostgresSettings,
    id: String,
    _driver: JoinHandle<()>,
}

impl PostgresSnapshot {
    /// Begins one, by the direct URL if there is one: a PgBouncer would do, but `pg_dump` needs a session.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn begin(settings: &PostgresSettings) -> Result<Self, BackupError> {
        let (client, driver) = connect_alone(settings).await?;
        let begin = async {
            client
                .batch_execute(
                    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
                     SET LOCAL statement_timeout = 0;
                     SET LOCAL idle_in_transaction_session_timeout = 0",
                )
                .await?;
            let row = client.query_typed_one("SELECT pg_export_snapshot()", &[]).await?;
            row.try_get(0)
        };
        let id = begin.await.map_err(|error| PostgresError::of(&error, settings.direct()))?;
        Ok(Self { client, settings: settings.clone(), id, _driver: driver })
    }

    /// Has `pg_dump` write the snapshot into the new file `to`, in its own format. Blocks.
    ///
    /// # Errors
    /// When `pg_dump` is not there, is older than the server, or fails.
    pub fn dump(&self, to: &Path) -> Result<(), BackupError> {
        let mut dump = command("pg_dump", &self.settings);
        dump.args(["--format=custom", "--no-owner", "--no-privileges", "--no-password"])
            .arg(format!("--snapshot={}", self.id))
            .arg("--file")
            .arg(to)
            .stdin(Stdio::null());
        let failed = |reason| BackupError::Program { program: "pg_dump", reason };
        let done = dump.output().map_err(|error| failed(not_started(&error)))?;
        if done.status.success() {
            return Ok(());
        }
        Err(failed(String::from_utf8_lossy(&done.stderr).trim().to_owned()))
    }

    fn failed(&self) -> impl Fn(tokio_postgres::Error) -> BackupError {
        |error| PostgresError::of(&error, self.settings.direct()).into()
    }

    pub(super) async fn contents(&self) -> Result<Contents, BackupError> {
        let read = async {
            let row = self.client.query_typed_one(CONTENTS, &[]).await?;
            let wal = "SELECT CASE WHEN pg_is_in_recovery() THEN NULL
                       ELSE pg_current_wal_lsn()::text END";
            Ok((row, self.client.query_typed_one(wal, &[]).await?))
        };
        let (row, wal) = read.await.map_err(self.failed())?;
        let wal = wal.try_get(0).map_err(self.failed())?;
        let corrupt = || BackupError::Corrupt("the database cannot be counted".into());
        contents(|column| row.try_get(column).ok(), wal).ok_or_else(corrupt)
    }

    pub(super) async fn blobs(&self, after: &[u8]) -> Result<Vec<ObjectKey>, BackupError> {
        let arguments: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
            [(&after, Type::BYTEA), (&PAGE, Type::INT8)];
        let rows = self.client.query_typed(BLOBS, &arguments).await.map_err(self.failed())?;
        let read = |row: &Row| {
            let digest: Vec<u8> = row.try_get(0).map_err(self.failed())?;
            key(&digest, row.try_get(1).map_err(self.failed())?)
        };
        rows.iter().map(read).collect()
    }
}

//! A dump of PostgreSQL becomes the database, in one transaction of `psql`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::{FORGET_MISSING, Missing, affected, require_schema};
use crate::backup::program::{Program, command};
use crate::backup::{AFFECTED, Affected, BackupError, PostgresSnapshot};
use crate::postgres::{PostgresError, PostgresSettings, connect_alone};

/// What must be set right, in the transaction of the restore.
const AFTER: &str = include_str!("after.postgres.sql");

/// Where the missing blobs are named.
const MISSING_BLOBS: &str =
    "CREATE TEMP TABLE missing_blobs (digest bytea PRIMARY KEY) ON COMMIT DROP";

/// A restore into a database of PostgreSQL.
pub struct PostgresRestore<'a> {
    /// The dump in the backup.
    pub dump: &'a Path,
    /// The version of its schema.
    pub schema: i64,
    /// Where the database is.
    pub settings: &'a PostgresSettings,
}

impl PostgresRestore<'_> {
    /// Fails where the database has tables of Wharf's.
    ///
    /// # Errors
    /// [`BackupError::NotEmpty`], or when the database cannot be reached.
    pub async fn require_empty(&self) -> Result<(), BackupError> {
        let (client, _driver) = connect_alone(self.settings).await?;
        let sql = "SELECT to_regclass('schema_migrations') IS NOT NULL
                       OR to_regclass('repositories') IS NOT NULL";
        let asked = client.query_typed_one(sql, &[]).await.and_then(|row| row.try_get(0));
        let is_there: bool =
            asked.map_err(|error| PostgresError::of(&error, self.settings.direct()))?;
        if is_there {
            return Err(BackupError::NotEmpty(format!("the database {}", self.settings.direct())));
        }
        Ok(())
    }

    /// Restores in one transaction, by `pg_restore` and `psql`, which is rolled back where blobs are missing that are
    /// not accepted to be. Returns what lacks them. Blocks.
    ///
    /// # Errors
    /// When a program is not there or fails, or the dump is not of this program's schema. Nothing is there then.
    pub fn run(&self, missing: Missing<'_>) -> Result<BTreeSet<Affected>, BackupError> {
        require_schema(self.schema)?;
        let mut script = Command::new("pg_restore");
        script
            .args(["--no-owner", "--no-privileges", "--file=-"])
            .arg(self.dump)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut script = Program::start("pg_restore", script)?;
        let mut psql = command("psql", self.settings);
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password"])
            .args(["--field-separator=\t", "--set=ON_ERROR_STOP=1", "--file=-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut psql = Program::start("psql", psql)?;
        let rows = psql.rows();
        let fed = feed(&mut psql, &mut script, missing);
        let done = psql.end();
        let rows = rows.join().map_err(|_| psql.failed("its output cannot be read".into()))?;
        // What it said itself comes before that its pipe broke.
        done?;
        fed?;
        rows.map_err(|error| psql.failed(error.to_string()))?.iter().map(|row| read(row)).collect()
    }
}

/// Sends the whole transaction to psql. Where this fails its end is missing, and psql rolls back.
fn feed(psql: &mut Program, script: &mut Program, missing: Missing<'_>) -> Result<(), BackupError> {
    let (Some(mut to), Some(mut from)) = (psql.child.stdin.take(), script.child.stdout.take())
    else {
        return Err(psql.failed("its input cannot be written".into()));
    };
    let broken = |error: std::io::Error| psql.failed(error.to_string());
    to.write_all(b"\\o /dev/null\nBEGIN;\n").map_err(broken)?;
    let copied = std::io::copy(&mut from, &mut to);
    drop(from);
    // A script that broke off in the middle is not committed.
    let whole = script.end();
    copied.map_err(broken)?;
    whole?;
    set_right_by(&mut to, missing).map_err(broken)
}

/// Sends what follows the script: what is set right, and the question what lacks the missing blobs.
fn set_right_by(to: &mut impl Write, missing: Missing<'_>) -> std::io::Result<()> {
    // The script leaves no search path.
    to.write_all(b"\nSET search_path TO DEFAULT;\n")?;
    to.write_all(AFTER.as_bytes())?;
    writeln!(to, "{MISSING_BLOBS};")?;
    to.write_all(b"COPY missing_blobs (digest) FROM stdin;\n")?;
    for digest in missing.blobs {
        writeln!(to, "\\\\x{}", hex(&digest.to_binary()))?;
    }
    writeln!(to, "\\.\n\\o")?;
    let columns =
        "repository, coalesce(tag, ''), encode(manifest, 'hex'), encode(blob, 'hex'), deleted";
    writeln!(to, "SELECT {columns} FROM ({AFFECTED}) affected;\n\\o /dev/null")?;
    writeln!(to, "{FORGET_MISSING};\n{};", if missing.allows() { "COMMIT" } else { "ROLLBACK" })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(row: &str) -> Result<Affected, BackupError> {
    let columns: Vec<&str> = row.split('\t').collect();
    let [repository, tag, manifest, blob, deleted] = columns[..] else {
        return Err(BackupError::Corrupt(format!("psql said {row:?}")));
    };
    let bytes = |text: &str| -> Vec<u8> {
        let pairs = text.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
        pairs.map_while(byte).collect()
    };
    let tag = (!tag.is_empty()).then(|| tag.to_owned());
    let repository = (repository.to_owned(), deleted == "1");
    affected(repository, tag, &bytes(manifest), &bytes(blob))
}

/// Sets a database right that is there, since it was put back by other means, unless blobs are missing that must not
/// be. No node may run. Returns what lacks them.
///
/// # Errors
/// When the database cannot be reached, or is not of this program's schema. It is as it was then.
pub async fn recovered_on_postgres(
    settings: &PostgresSettings,
    missing: Missing<'_>,
) -> Result<BTreeSet<Affected>, BackupError> {
    require_schema(PostgresSnapshot::begin(settings).await?.contents().await?.schema)?;
    let (client, _driver) = connect_alone(settings).await?;
    let work = async {
        client.batch_execute("BEGIN; SET LOCAL statement_timeout = 0").await?;
        client.batch_execute(AFTER).await?;
        client.batch_execute(MISSING_BLOBS).await?;
        for digest in missing.blobs {
            let sql = "INSERT INTO missing_blobs (digest) VALUES ($1)";
            client.execute_typed(sql, &[(&digest.to_binary(), Type::BYTEA)]).await?;
        }
        let rows = client.query_typed(AFFECTED, &[]).await?;
        client.execute_typed(FORGET_MISSING, &[]).await?;
        client.batch_execute(if missing.allows() { "COMMIT" } else { "ROLLBACK" }).await?;
        Ok(rows)
    };
    let rows = work.await.map_err(|error| PostgresError::of(&error, settings.direct()))?;
    let read = |row: &Row| -> Result<Affected, BackupError> {
        let failed = |error| BackupError::from(PostgresError::of(&error, settings.direct()));
        let (repository, tag) = (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
        let manifest: Vec<u8> = row.try_get(2).map_err(failed)?;
        let blob: Vec<u8> = row.try_get(3).map_err(failed)?;
        let is_deleted: i32 = row.try_get(4).map_err(failed)?;
        affected((repository, is_deleted == 1), tag, &manifest, &blob)
    };
    rows.iter().map(read).collect()
}

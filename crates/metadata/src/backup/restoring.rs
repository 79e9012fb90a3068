//! The way back: a snapshot into an empty database, set right, all of it or nothing.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rusqlite::{Connection, OpenFlags};
use wharf_oci::Digest;

use super::postgres::{not_started, program};
use super::sqlite::failed;
use super::{AFFECTED, Affected, BackupError, SqliteSnapshot, schema};
use crate::postgres::{PostgresError, PostgresSettings, connect_alone};

/// What must be set right on SQLite.
const AFTER_ON_SQLITE: &str = include_str!("after_restore.sqlite.sql");

/// The same on PostgreSQL, in the transaction of the restore.
const AFTER_ON_POSTGRES: &str = include_str!("after_restore.postgres.sql");

/// Memberships of blobs that are not there: a client that pushes such a blob again sends it.
const FORGET_MISSING: &str =
    "DELETE FROM repository_blobs WHERE blob_digest IN (SELECT digest FROM missing_blobs)";

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
    pub fn run(
        &self,
        missing: &BTreeSet<Digest>,
        accept_missing: bool,
    ) -> Result<BTreeSet<Affected>, BackupError> {
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
        let commits = missing.is_empty() || accept_missing;
        let restored = set_right(&restoring, missing);
        if !commits || restored.is_err() {
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

/// Sets a copy right where it lies, and tells what lacks the missing blobs.
fn set_right(file: &Path, missing: &BTreeSet<Digest>) -> Result<BTreeSet<Affected>, BackupError> {
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
    let work = || -> rusqlite::Result<Vec<(String, Option<String>, Vec<u8>, Vec<u8>)>> {
        transaction.execute_batch(AFTER_ON_SQLITE)?;
        transaction.execute_batch("CREATE TEMP TABLE missing_blobs (digest BLOB PRIMARY KEY)")?;
        for digest in missing {
            let sql = "INSERT INTO missing_blobs (digest) VALUES (?1)";
            transaction.execute(sql, [digest.to_binary()])?;
        }
        let mut statement = transaction.prepare(AFFECTED)?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        let affected = rows.collect::<Result<_, _>>()?;
        transaction.execute(FORGET_MISSING, [])?;
        Ok(affected)
    };
    let rows = work().map_err(failed(file))?;
    transaction.commit().map_err(failed(file))?;
    let affected = rows
        .into_iter()
        .map(|(repository, tag, manifest, blob)| affected(repository, tag, &manifest, &blob));
    affected.collect()
}

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
    pub fn run(
        &self,
        missing: &BTreeSet<Digest>,
        accept_missing: bool,
    ) -> Result<BTreeSet<Affected>, BackupError> {
        require_schema(self.schema)?;
        let mut script = Command::new("pg_restore");
        script
            .args(["--no-owner", "--no-privileges", "--file=-"])
            .arg(self.dump)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut script = Program::start("pg_restore", script)?;
        let mut psql = program("psql", self.settings);
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password"])
            .args(["--field-separator=\t", "--set=ON_ERROR_STOP=1", "--file=-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut psql = Program::start("psql", psql)?;
        let rows = psql.rows();
        let commits = missing.is_empty() || accept_missing;
        let fed = feed(&mut psql, &mut script, missing, commits);
        let done = psql.end();
        let rows = rows.join().map_err(|_| psql.failed("its output cannot be read".into()))?;
        // What it said itself comes before that its pipe broke.
        done?;
        fed?;
        rows.map_err(|error| psql.failed(error.to_string()))?.iter().map(|row| read(row)).collect()
    }
}

/// Sends the whole transaction to psql. Where this fails its end is missing, and psql rolls back.
fn feed(
    psql: &mut Program,
    script: &mut Program,
    missing: &BTreeSet<Digest>,
    commits: bool,
) -> Result<(), BackupError> {
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
    set_right_by(&mut to, missing, commits).map_err(broken)
}

/// Sends what follows the script: what is set right, and the question what lacks the missing blobs.
fn set_right_by(
    to: &mut impl Write,
    missing: &BTreeSet<Digest>,
    commits: bool,
) -> std::io::Result<()> {
    // The script leaves no search path.
    to.write_all(b"\nSET search_path TO DEFAULT;\n")?;
    to.write_all(AFTER_ON_POSTGRES.as_bytes())?;
    to.write_all(b"CREATE TEMP TABLE missing_blobs (digest bytea PRIMARY KEY) ON COMMIT DROP;\n")?;
    to.write_all(b"COPY missing_blobs (digest) FROM stdin;\n")?;
    for digest in missing {
        writeln!(to, "\\\\x{}", hex(&digest.to_binary()))?;
    }
    writeln!(to, "\\.\n\\o")?;
    let columns = "repository, coalesce(tag, ''), encode(manifest, 'hex'), encode(blob, 'hex')";
    writeln!(to, "SELECT {columns} FROM ({AFFECTED}) affected;\n\\o /dev/null")?;
    writeln!(to, "{FORGET_MISSING};\n{};", if commits { "COMMIT" } else { "ROLLBACK" })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(row: &str) -> Result<Affected, BackupError> {
    let columns: Vec<&str> = row.split('\t').collect();
    let [repository, tag, manifest, blob] = columns[..] else {
        return Err(BackupError::Corrupt(format!("psql said {row:?}")));
    };
    let bytes = |text: &str| -> Vec<u8> {
        let pairs = text.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
        pairs.map_while(byte).collect()
    };
    let tag = (!tag.is_empty()).then(|| tag.to_owned());
    affected(repository.to_owned(), tag, &bytes(manifest), &bytes(blob))
}

fn affected(
    repository: String,
    tag: Option<String>,
    manifest: &[u8],
    blob: &[u8],
) -> Result<Affected, BackupError> {
    let digest = |bytes: &[u8]| {
        let wrong = || BackupError::Corrupt(format!("{bytes:?} is no digest"));
        Digest::from_binary(bytes).ok_or_else(wrong)
    };
    Ok(Affected { repository, tag, manifest: digest(manifest)?, blob: digest(blob)? })
}

fn require_schema(found: i64) -> Result<(), BackupError> {
    let known = schema();
    if found == known { Ok(()) } else { Err(BackupError::Schema { found, known }) }
}

/// A program that runs, and what it complains of.
struct Program {
    name: &'static str,
    child: Child,
    complaints: Option<std::thread::JoinHandle<String>>,
}

/// The most of a program's complaints that is told.
const LONGEST_COMPLAINT: u64 = 4096;

impl Program {
    fn start(name: &'static str, mut command: Command) -> Result<Self, BackupError> {
        let failed = |reason| BackupError::Program { program: name, reason };
        let mut child = command.spawn().map_err(|error| failed(not_started(&error)))?;
        let complaints = child.stderr.take().map(|mut said| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                let _ = said.by_ref().take(LONGEST_COMPLAINT).read_to_end(&mut text);
                // The rest, so that it does not wait for who reads.
                let _ = std::io::copy(&mut said, &mut std::io::sink());
                String::from_utf8_lossy(&text).trim().to_owned()
            })
        });
        Ok(Self { name, child, complaints })
    }

    fn failed(&self, reason: String) -> BackupError {
        BackupError::Program { program: self.name, reason }
    }

    /// What it prints, read meanwhile.
    fn rows(&mut self) -> std::thread::JoinHandle<std::io::Result<Vec<String>>> {
        let output = self.child.stdout.take();
        std::thread::spawn(move || match output {
            Some(output) => BufReader::new(output).lines().collect(),
            None => Ok(Vec::new()),
        })
    }

    /// Waits until it has ended well.
    fn end(&mut self) -> Result<(), BackupError> {
        drop(self.child.stdin.take());
        drop(self.child.stdout.take());
        let status = self.child.wait().map_err(|error| self.failed(error.to_string()))?;
        let complaints = self.complaints.take().and_then(|reader| reader.join().ok());
        if status.success() {
            return Ok(());
        }
        let said = complaints.filter(|said| !said.is_empty());
        Err(self.failed(said.unwrap_or_else(|| status.to_string())))
    }
}

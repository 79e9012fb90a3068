//! Loads a SQLite file: its indexes are taken off and put back, nothing is synced before the end.

use std::path::Path;

use anyhow::{Result, ensure};
use rusqlite::Connection;
use wharf_oci::Digest;

use crate::images::MANIFEST;
use crate::progress::Progress;
use crate::rows::{PRINCIPAL, Pushed, Rows, repository_id, repository_name};

/// How many pushes are one transaction.
const BATCH: u64 = 50_000;

/// An index that can be taken off.
struct Index {
    name: String,
    definition: String,
}

/// Fills the tables of a file that `wharf migrate` has made, and returns the size of the file in bytes.
pub fn load(file: &Path, rows: &Rows) -> Result<u64> {
    let mut connection = Connection::open(file)?;
    connection.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF;
         PRAGMA journal_mode = OFF; PRAGMA cache_size = -2000000; PRAGMA temp_store = FILE;",
    )?;
    let indexes = indexes(&connection)?;
    for index in &indexes {
        connection.execute_batch(&format!("DROP INDEX \"{}\"", index.name))?;
    }
    fill(&mut connection, rows)?;
    for index in &indexes {
        Progress::tell(&format!("index {}", index.name));
        connection.execute_batch(&index.definition)?;
    }
    check(&connection)?;
    // The file is as a server leaves it: in WAL mode, on the disk.
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL; BEGIN; COMMIT;")?;
    drop(connection);
    let file = std::fs::File::open(file)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

fn indexes(connection: &Connection) -> Result<Vec<Index>> {
    let mut statement = connection.prepare(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name",
    )?;
    let found = statement
        .query_map([], |row| Ok(Index { name: row.get(0)?, definition: row.get(1)? }))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(found)
}

fn fill(connection: &mut Connection, rows: &Rows) -> Result<()> {
    let transaction = connection.transaction()?;
    for repository in 0..rows.shape.repositories() {
        transaction
            .prepare_cached("INSERT INTO repositories (id, name, created_at) VALUES (?, ?, ?)")?
            .execute((repository_id(repository), repository_name(repository), rows.made_at()))?;
    }
    transaction.commit()?;
    let all = rows.shape.manifests();
    let mut progress = Progress::new(all);
    for first in (0..all).step_by(BATCH as usize) {
        let transaction = connection.transaction()?;
        for nth in first..(first + BATCH).min(all) {
            insert(&transaction, &rows.push(nth))?;
            progress.step();
        }
        transaction.commit()?;
    }
    Ok(())
}

fn insert(on: &Connection, pushed: &Pushed) -> Result<()> {
    let (repository, at, manifest) = (pushed.repository_id(), pushed.at, &pushed.manifest);
    let digest = manifest.digest.to_binary();
    let (payload, tag) = (manifest.payload.as_bytes(), pushed.tag.as_str());
    on.prepare_cached(
        "INSERT INTO manifests
             (digest, media_type, artifact_type, subject, annotations, size, payload, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute((
        &digest,
        MANIFEST,
        manifest.artifact_type,
        manifest.subject.as_ref().map(Digest::to_binary),
        &manifest.annotations,
        payload.len() as i64,
        payload,
        at,
    ))?;
    on.prepare_cached(
        "INSERT INTO repository_manifests (repository_id, digest, pushed_by, pushed_at)
         VALUES (?, ?, ?, ?)",
    )?
    .execute((repository, &digest, PRINCIPAL, at))?;
    on.prepare_cached(
        "INSERT INTO tags (repository_id, name, manifest_digest, version, updated_by, updated_at)
         VALUES (?, ?, ?, 1, ?, ?)",
    )?
    .execute((repository, tag, &digest, PRINCIPAL, at))?;
    on.prepare_cached(
        "INSERT INTO tag_history
             (repository_id, name, version, action, from_digest, to_digest, changed_by, changed_at)
         VALUES (?, ?, 1, 'create', NULL, ?, ?, ?)",
    )?
    .execute((repository, tag, &digest, PRINCIPAL, at))?;
    let mut reference = on.prepare_cached(
        "INSERT INTO blob_references (manifest_digest, blob_digest) VALUES (?, ?)",
    )?;
    for blob in &manifest.blobs {
        reference.execute((&digest, blob.to_binary()))?;
    }
    let mut membership = on.prepare_cached(
        "INSERT INTO repository_blobs (repository_id, blob_digest, touched_at) VALUES (?, ?, ?)",
    )?;
    for blob in &pushed.new_blobs {
        membership.execute((repository, blob.to_binary(), at))?;
    }
    if pushed.has_events {
        let mut event = on.prepare_cached(
            "INSERT INTO events (repository_id, kind, payload, created_at) VALUES (?, ?, ?, ?)",
        )?;
        for (kind, payload) in pushed.events() {
            event.execute((repository, kind, payload, at))?;
        }
    }
    Ok(())
}

/// What was loaded is what the product could have written: no reference leads nowhere.
fn check(connection: &Connection) -> Result<()> {
    Progress::tell("foreign keys");
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let broken = statement.query([])?.next()?.is_some();
    ensure!(!broken, "the rows loaded do not fit together");
    Ok(())
}

//! A copy of SQLite's file, restored: what it holds, and what is set right.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;
use wharf_core::clock::SystemClock;
use wharf_oci::{Algorithm, Hasher};

use super::*;
use crate::Sqlite;

/// A database with these rows, and where it is copied and restored to.
struct Scene {
    folder: TempDir,
}

impl Scene {
    fn with(sql: &str) -> Self {
        let scene = Self { folder: TempDir::new().unwrap() };
        drop(Sqlite::open(&scene.file("metadata.sqlite"), Arc::new(SystemClock)).unwrap());
        scene.open("metadata.sqlite").execute_batch(sql).unwrap();
        scene
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, name: &str) -> Connection {
        Connection::open(self.file(name)).unwrap()
    }

    fn copy(&self) -> SqliteSnapshot {
        SqliteSnapshot::take(&self.file("metadata.sqlite"), &self.file("copy")).unwrap()
    }

    fn restore(&self, missing: &[Digest], accept: bool) -> Vec<Affected> {
        let restore = SqliteRestore { copy: &self.file("copy"), file: &self.file("restored") };
        let blobs = &missing.iter().copied().collect();
        restore.run(Missing { blobs, accepted: accept }).unwrap().into_iter().collect()
    }
}

fn digest(text: &str) -> Digest {
    Hasher::digest(Algorithm::Sha256, text.as_bytes())
}

fn literal(digest: Digest) -> String {
    let hex: String = digest.to_binary().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("x'{hex}'")
}

/// An image of the blobs `one` and `two` under the tags `v1` of `a` and an index above it under `all` of `b`.
fn images() -> String {
    const HELD: &str =
        "INSERT INTO repository_manifests (repository_id, digest, pushed_by, pushed_at) VALUES";
    let (image, index) = (literal(digest("image")), literal(digest("index")));
    let (one, two) = (literal(digest("one")), literal(digest("two")));
    let manifest = |digest: &str| {
        format!(
            "INSERT INTO manifests (digest, media_type, annotations, size, payload, created_at)
             VALUES ({digest}, 'm', '{{}}', 1, x'00', 1);"
        )
    };
    let held = |repository: i64, digest: &str, tag: &str| {
        format!(
            "{HELD} ({repository}, {digest}, 'ada', 1);
             INSERT INTO tags (repository_id, name, manifest_digest, version, updated_by, updated_at)
             VALUES ({repository}, '{tag}', {digest}, 1, 'ada', 1);"
        )
    };
    let mut sql =
        "INSERT INTO repositories (id, name, created_at) VALUES (1, 'a', 1), (2, 'b', 1);"
            .to_owned();
    for (repository, blob) in [(1, &one), (1, &two), (2, &one), (2, &two)] {
        sql += &format!(
            "INSERT INTO repository_blobs (repository_id, blob_digest, touched_at)
             VALUES ({repository}, {blob}, 1);"
        );
    }
    sql += &manifest(&image);
    sql += &manifest(&index);
    sql += &held(1, &image, "v1");
    sql += &format!("{HELD} (2, {image}, 'ada', 1);");
    sql += &held(2, &index, "all");
    sql += &format!("INSERT INTO blob_references VALUES ({image}, {one}), ({image}, {two});");
    sql += &format!("INSERT INTO manifest_references VALUES ({index}, {image});");
    sql += &format!("INSERT INTO blob_incarnations VALUES ({two}, 3);");
    sql
}

#[tokio::test]
async fn a_copy_names_the_blobs_that_it_needs_where_they_lie() {
    let scene = Scene::with(&images());
    let copy = Snapshot::Sqlite(scene.copy());
    // What comes later is not in it.
    scene.open("metadata.sqlite").execute_batch("DELETE FROM tags").unwrap();
    let contents = copy.contents().await.unwrap();
    let expected = Contents {
        schema: schema(),
        repositories: 2,
        manifests: 3,
        tags: 2,
        blobs: 2,
        ..Contents::default()
    };
    assert_eq!(contents, expected);
    let mut keys =
        [ObjectKey::canonical(digest("one")), ObjectKey { digest: digest("two"), incarnation: 3 }];
    keys.sort_by_key(|key| key.digest.to_binary());
    assert_eq!(copy.blobs(None).await.unwrap(), keys);
    assert_eq!(copy.blobs(Some(keys[0].digest)).await.unwrap(), keys[1..]);
    assert!(copy.blobs(Some(keys[1].digest)).await.unwrap().is_empty());
}

#[test]
fn what_lacks_a_blob_is_told_up_to_the_index_above_it() {
    let scene = Scene::with(&images());
    drop(scene.copy());
    let affected = |repository: &str, tag: Option<&str>, manifest: &str| Affected {
        repository: repository.into(),
        is_deleted: false,
        tag: tag.map(str::to_owned),
        manifest: digest(manifest),
        blob: digest("two"),
    };
    let expected = [
        affected("a", Some("v1"), "image"),
        affected("b", None, "image"),
        affected("b", Some("all"), "index"),
    ];
    assert_eq!(scene.restore(&[digest("two")], false), expected);
    assert!(!scene.file("restored").exists());
    assert!(!scene.file("restored.restoring").exists());
    assert_eq!(scene.restore(&[digest("two")], true), expected);
    let left: i64 = scene
        .open("restored")
        .query_row("SELECT count(*) FROM repository_blobs", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 2, "the memberships of the other blob");
}

/// By the name that it had, under which it can be brought back.
#[test]
fn a_deleted_repository_that_lacks_a_blob_is_told_by_its_name() {
    let delete = "UPDATE repositories SET name = '~deleted/1' WHERE id = 1;
        INSERT INTO deleted_repositories
            (repository_id, name, namespace, visibility, deleted_by, deleted_at)
            VALUES (1, 'a', 'a', 'private', 'ada', 1);";
    let scene = Scene::with(&(images() + delete));
    drop(scene.copy());
    let affected = scene.restore(&[digest("two")], false);
    let told: Vec<_> = affected.iter().map(|it| (&*it.repository, it.is_deleted)).collect();
    assert_eq!(told, [("a", true), ("b", false), ("b", false)]);
}

#[test]
fn what_must_not_live_again_does_not() {
    let hash = |number: u8| format!("x'{}'", format!("{number:02x}").repeat(32));
    let sql = format!(
        "INSERT INTO repositories (id, name, created_at) VALUES (1, 'a', 1);
         INSERT INTO uploads (id, repository_id, principal, staged_bytes, digest_state, parts, created_at, expires_at)
             VALUES (x'01', 1, 'ada', 0, x'00', x'00', 1, 9);
         INSERT INTO blob_reservations VALUES (x'02', x'01', 0, 9);
         INSERT INTO namespaces (id, name, kind, created_at) VALUES (1, 'ada', 'user', 1);
         INSERT INTO users (id, name, namespace_id, created_at) VALUES (1, 'ada', 1, 1);
         INSERT INTO user_tokens (user_id, kind, name, secret_hash, role, pattern, created_at)
             VALUES (1, 'personal', 'p', {}, 'read', '', 1), (1, 'refresh', 'r', {}, 'read', '', 1);
         INSERT INTO sessions (secret_hash, user_id, idle, last_used_at, expires_at, created_at)
             VALUES ({}, 1, 1, 1, 9, 1);
         INSERT INTO jobs (kind, key, payload, due_at, leased, claims)
             VALUES ('k', 'held', '', 5, 1, 7), ('k', 'waits', '', 6, 0, 2);",
        hash(1),
        hash(2),
        hash(3)
    );
    let scene = Scene::with(&sql);
    drop(scene.copy());
    scene.restore(&[], false);
    let restored = scene.open("restored");
    let rows = |sql: &str| -> Vec<String> {
        let mut statement = restored.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    for gone in ["uploads", "blob_reservations", "sessions"] {
        assert!(rows(&format!("SELECT 'there' FROM {gone}")).is_empty(), "{gone}");
    }
    assert_eq!(rows("SELECT kind FROM user_tokens"), ["personal"]);
    let jobs = "SELECT key || ' ' || leased || ' ' || claims FROM jobs ORDER BY id";
    assert_eq!(rows(jobs), ["held 0 8", "waits 0 2"]);
    assert_eq!(rows("SELECT by || ' ' || action FROM audit_log"), ["system database.restore"]);
    // An event of the registry, behind all that were in the backup.
    let events = "SELECT kind || ' ' || payload FROM events
                  WHERE repository_id IS NULL AND namespace IS NULL ORDER BY id";
    assert_eq!(rows(events), [r#"database.restored {"by": "system"}"#]);
    let epoch = |on: &Connection| -> i64 {
        on.query_row("SELECT epoch FROM cache_epoch", [], |row| row.get(0)).unwrap()
    };
    assert_ne!(epoch(&restored), epoch(&scene.open("metadata.sqlite")));
    assert_eq!(epoch(&restored) % 2, 0, "an odd one is of caches that are left alone");
}

#[test]
fn a_copy_of_another_schema_is_refused() {
    let scene = Scene::with("");
    drop(scene.copy());
    let older = "DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)";
    scene.open("copy").execute_batch(older).unwrap();
    let restore = SqliteRestore { copy: &scene.file("copy"), file: &scene.file("restored") };
    let refused = restore.run(Missing { blobs: &Default::default(), accepted: false }).unwrap_err();
    assert!(matches!(refused, BackupError::Schema { known, .. } if known == schema()), "{refused}");
    assert!(!scene.file("restored").exists());
}

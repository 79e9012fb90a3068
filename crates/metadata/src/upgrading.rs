//! Databases of older releases, full of rows, and what must be there when they were upgraded: all that was, and all that works.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;

use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{
    Damage, DeleteOutcome, Position, Precondition, RemoveBlob, RemoveOutcome, RepositoryDeletion,
    RepositoryRestoration, ScopeKind, SetWrites,
};
use wharf_core::writes::{WriteMode, WriteScope};
use wharf_oci::Digest;

use crate::contract::deleted_repositories::{deletion, restoration};
use crate::contract::samples::name;
use crate::contract::usage::is_counted_right;
use crate::contract::{Stand, read};

/// The versions of the schema from which databases are upgraded: the last one of a release, each.
pub(crate) const RELEASES: [i64; 2] = [21, 26];

/// How many repositories share the manifests.
const REPOSITORIES: u32 = 10;

/// How the engines write what they write differently.
pub(crate) struct Dialect {
    /// The bytes of a text.
    pub(crate) bytes: fn(&str) -> String,
    /// A number as a text of so many digits.
    pub(crate) digits: fn(&str, usize) -> String,
    /// The character that says the algorithm of every digest here.
    pub(crate) algorithm: &'static str,
}

impl Dialect {
    /// The digest of this kind and number: no hash of anything.
    fn digest(&self, kind: char, number: &str) -> String {
        let text = format!("{} || '{kind}' || {}", self.algorithm, (self.digits)(number, 31));
        (self.bytes)(&text)
    }
}

/// The same here.
fn digest(kind: char, number: u32) -> Digest {
    Digest::from_binary(format!("\u{1}{kind}{number:031}").as_bytes()).unwrap()
}

/// How many manifests there are: `WHARF_UPGRADE_ROWS` of them, by which one finds out how long an upgrade takes.
pub(crate) fn count() -> u32 {
    std::env::var("WHARF_UPGRADE_ROWS").map_or(500, |text| text.parse().unwrap())
}

/// Statements that fill a database of this version with all that a release of it leaves behind.
pub(crate) fn fill(version: i64, count: u32, dialect: &Dialect) -> String {
    let mut sql = format!(
        "CREATE TABLE numbers (i integer NOT NULL PRIMARY KEY);
         INSERT INTO numbers WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
             SELECT i FROM n;"
    );
    sql += &of_the_first(dialect, count);
    if version >= 26 {
        sql += &of_deleted_repositories(dialect);
    }
    sql + "DROP TABLE numbers;"
}

/// Manifests, each with a blob of its own and one that many share, and a tag; some in two repositories, some deleted; blobs that nobody
/// needs, on their way out, and on their way in; and the events of all that, the first of which are forgotten.
fn of_the_first(dialect: &Dialect, count: u32) -> String {
    let digest = |kind| dialect.digest(kind, "i");
    let (manifest, deleted, needed, kept, free, marked) =
        (digest('m'), digest('d'), digest('b'), digest('x'), digest('f'), digest('g'));
    let shared = dialect.digest('s', "(i % 50)");
    let payload = "'{\"number\":' || i || '}'";
    let (bytes, upload) = ((dialect.bytes)(payload), (dialect.bytes)(&(dialect.digits)("i", 16)));
    let (empty, forgotten) = ((dialect.bytes)("''"), count / 10);
    let (own, next) = (format!("i % {REPOSITORIES} + 1"), format!("(i + 1) % {REPOSITORIES} + 1"));
    format!(
        "INSERT INTO namespaces (name, kind, created_at) VALUES ('team', 'user', 0);
         INSERT INTO users (name, namespace_id, created_at) SELECT name, id, 0 FROM namespaces;
         INSERT INTO repositories (name, created_at, visibility)
             SELECT 'team/r' || i, i, CASE i % 3 WHEN 0 THEN 'public' ELSE 'private' END
             FROM numbers WHERE i <= {REPOSITORIES} ORDER BY i;
         INSERT INTO usage_scopes (namespace, repository_id) VALUES ('team', 0);
         INSERT INTO usage_scopes (namespace, repository_id, parent, max_tags)
             SELECT 'team', r.id, s.id, 1000000 FROM repositories r JOIN usage_scopes s ON s.repository_id = 0;
         INSERT INTO usage_shards (scope, shard, tags_allowed)
             SELECT id, 0, max_tags FROM usage_scopes WHERE repository_id > 0;

         INSERT INTO manifests (digest, media_type, annotations, size, payload, created_at)
             SELECT {manifest}, 'application/vnd.oci.image.manifest.v1+json', '{{}}', length({payload}), {bytes}, i
             FROM numbers;
         INSERT INTO manifests (digest, media_type, annotations, size, payload, created_at)
             SELECT {deleted}, 'application/vnd.oci.image.manifest.v1+json', '{{}}', length({payload}), {bytes}, i
             FROM numbers WHERE i % 20 = 0;
         INSERT INTO blob_references (manifest_digest, blob_digest)
             SELECT {manifest}, {needed} FROM numbers UNION SELECT {manifest}, {shared} FROM numbers
             UNION SELECT {deleted}, {kept} FROM numbers WHERE i % 20 = 0;
         INSERT INTO repository_manifests (repository_id, digest, pushed_by, pushed_at, touched_at)
             SELECT {own}, {manifest}, 'user:ada', i, i FROM numbers
             UNION SELECT {next}, {manifest}, 'user:ada', i, i FROM numbers WHERE i % 10 = 0;
         INSERT INTO deleted_manifests (repository_id, digest, pushed_by, pushed_at, deleted_by, deleted_at)
             SELECT {own}, {deleted}, 'user:ada', i, 'user:bob', {DELETED_AT} FROM numbers WHERE i % 20 = 0;
         INSERT INTO repository_blobs (repository_id, blob_digest, touched_at, needed, size, charge)
             SELECT DISTINCT m.repository_id, b.blob_digest, 1, 1, 100, 2
             FROM repository_manifests m JOIN blob_references b ON b.manifest_digest = m.digest;
         INSERT INTO repository_blobs (repository_id, blob_digest, touched_at, needed, size, charge)
             SELECT {own}, {free}, {DELETED_AT}, 0, 7, 1 FROM numbers WHERE i % 10 = 0
             UNION SELECT {own}, {kept}, {DELETED_AT}, 0, 5, 0 FROM numbers WHERE i % 20 = 0;
         INSERT INTO namespace_blobs (scope, digest, size, used, held)
             SELECT s.id, b.blob_digest, max(b.size), sum(CASE b.charge WHEN 2 THEN 1 ELSE 0 END),
                 sum(CASE b.charge WHEN 1 THEN 1 ELSE 0 END)
             FROM repository_blobs b JOIN usage_scopes s ON s.repository_id = 0 WHERE b.charge > 0
             GROUP BY s.id, b.blob_digest;
         INSERT INTO tags (repository_id, name, manifest_digest, version, updated_by, updated_at, created_at)
             SELECT {own}, 'v' || i, {manifest}, 1, 'user:ada', i, i FROM numbers;
         INSERT INTO tag_history (repository_id, name, version, action, to_digest, changed_by, changed_at, reason)
             SELECT {own}, 'v' || i, 1, 'create', {manifest}, 'user:ada', i, 'pushed' FROM numbers;
         INSERT INTO pins (repository_id, name, digest, created_by, created_at)
             SELECT {own}, 'pin-' || i, {manifest}, 'user:ada', i FROM numbers WHERE i % 100 = 0;

         INSERT INTO blob_marks (digest, incarnation, state, marked_at)
             SELECT {marked}, 0, CASE i % 3 WHEN 0 THEN 'marked' WHEN 1 THEN 'condemned' ELSE 'deleted' END, {DELETED_AT}
             FROM numbers WHERE i % 5 = 0;
         INSERT INTO blob_incarnations (digest, incarnation) SELECT {marked}, 1 FROM numbers WHERE i % 25 = 0;
         INSERT INTO uploads (id, repository_id, principal, staged_bytes, digest_state, parts, created_at, expires_at, held)
             SELECT {upload}, {own}, 'user:ada', 3, {empty}, {empty}, i, i, 3 FROM numbers WHERE i % 50 = 0;
         INSERT INTO blob_reservations (digest, upload_id, incarnation, deadline)
             SELECT {marked}, {upload}, 1, i FROM numbers WHERE i % 50 = 0;

         INSERT INTO events (repository_id, kind, payload, created_at)
             SELECT {own}, 'tag.created', '{{\"tag\":\"any\"}}', i FROM numbers ORDER BY i;
         DELETE FROM events WHERE id <= {forgotten};
         INSERT INTO jobs (kind, key, payload, due_at) SELECT 'some.kind', 'key-' || i, '', i FROM numbers WHERE i % 50 = 0;
         INSERT INTO audit_log (at, by, action, target, outcome, detail)
             SELECT i, 'user:ada', 'tag.create', 'team/r' || i, 'done', '{{}}' FROM numbers;
         INSERT INTO adoptions (source, pattern, state, version, started_at, updated_at)
             VALUES ('file:///old', '', 'finished', 1, 0, 0);"
    )
}

/// A moment of whatever was deleted: a little before those in which the clock of the tests stands.
const DELETED_AT: i64 = 1_699_999_000_000_000;

/// What there is since repositories can be brought back: one that was deleted, blobs that were removed, damaged objects, and events of a
/// namespace and of all.
fn of_deleted_repositories(dialect: &Dialect) -> String {
    let (damaged, removed) = (dialect.digest('q', "i"), dialect.digest('x', "i"));
    let none = (dialect.bytes)("''");
    format!(
        "INSERT INTO repositories (name, created_at) VALUES ('~deleted/{0}', 0);
         INSERT INTO deleted_repositories (repository_id, name, namespace, visibility, deleted_by, deleted_at)
             SELECT id, 'team/gone', 'team', 'private', 'user:bob', {DELETED_AT} FROM repositories WHERE name LIKE '~deleted/%';
         UPDATE repository_blobs SET removed = 1 WHERE blob_digest IN (SELECT {removed} FROM numbers WHERE i % 40 = 0);
         INSERT INTO blob_marks (digest, incarnation, state, marked_at)
             SELECT {damaged}, 0, 'quarantined', {DELETED_AT} FROM numbers WHERE i % 50 = 0;
         INSERT INTO scrub_findings (kind, digest, incarnation, repository_id, needed_by, detail, found_at, seen_at)
             SELECT 'wrong-digest', {damaged}, 0, 0, {none}, '', 1, 1 FROM numbers WHERE i % 50 = 0;
         INSERT INTO scrub_passes (pass, begun_at, looked_at) VALUES ('store', 1, 1);
         INSERT INTO events (namespace, kind, payload, created_at) VALUES ('team', 'quota.set', '{{}}', 0);
         INSERT INTO events (kind, payload, created_at) VALUES ('registry.writable', '{{}}', 0);",
        REPOSITORIES + 1
    )
}

/// All rows of each table, with the columns that they are made of. A row is a text of all columns.
pub(crate) type Tables = BTreeMap<String, (Vec<String>, Vec<String>)>;

/// Each row that was there is there, and looks as it did.
pub(crate) fn is_the_same(before: &Tables, after: &Tables) {
    assert!(before.len() > 30, "{} tables", before.len());
    for (table, (columns, rows)) in before {
        let (columns_now, rows_now) = &after[table];
        assert_eq!(columns, columns_now, "{table}");
        assert_eq!(rows.len(), rows_now.len(), "{table}");
        for (was, is) in rows.iter().zip(rows_now) {
            assert_eq!(was, is, "{table}");
        }
    }
}

/// What there was is served, and what each step was made for works with it.
pub(crate) async fn works(stand: &Stand, version: i64, count: u32) {
    // Serving. Manifest 20 is in the first repository, and in the second.
    assert_eq!(stand.tag("team/r1", "v20").await, Some(digest('m', 20)));
    assert!(stand.has("team/r2", digest('m', 20)).await);
    assert_eq!(stand.held("team/r1", digest('b', 20)).await.map(|key| key.incarnation), Some(0));
    assert_eq!(stand.history("team/r1", "v20").await, [format!("1 create - {}", digest('m', 20))]);

    // Events go on behind those that there were.
    let scope = WriteScope::All;
    for mode in [WriteMode::ReadOnly, WriteMode::Writable] {
        stand.change(SetWrites { scope: scope.clone(), mode, reason: None }).await;
    }
    let more = if version < 26 { 2 } else { 4 };
    let events = read(stand, Position::default(), (count - count / 10 + more) as usize, 1000).await;
    assert_eq!(events[0].kind, "tag.created");
    assert_eq!(events.last().unwrap().kind, "registry.writable");

    // A blob that is damaged is held no more; what is pushed takes its place.
    let damaged = ObjectKey::canonical(digest('b', 10));
    assert!(stand.integrity.quarantine(damaged, Damage::Missing).await.unwrap());
    assert_eq!(stand.held("team/r1", damaged.digest).await, None);
    assert_eq!(stand.hold("team/r1", damaged.digest).await.incarnation, 1);

    // A repository goes, and comes back as it was.
    let tags = stand.metadata.list_tags(name("team/r3"), None, 10_000).await.unwrap();
    assert!(tags.as_ref().is_some_and(|tags| !tags.is_empty()));
    let deleted = stand.metadata.delete_repository(deletion("team/r3")).await.unwrap();
    assert_eq!(deleted, RepositoryDeletion::Deleted);
    assert_eq!(stand.metadata.list_tags(name("team/r3"), None, 10).await.unwrap(), None);
    let restored = stand.metadata.restore_repository(restoration("team/r3")).await.unwrap();
    assert_eq!(restored, RepositoryRestoration::Restored);
    assert_eq!(stand.metadata.list_tags(name("team/r3"), None, 10_000).await.unwrap(), tags);

    // A blob that only what is in the trash needs is removed, and its row stays.
    let kept = digest('x', 60);
    let removal = RemoveBlob { repository: name("team/r1"), digest: kept, by: "bob".into() };
    assert_eq!(stand.metadata.remove_blob(removal).await.unwrap(), RemoveOutcome::Removed);
    assert_eq!(stand.held("team/r1", kept).await, None);
    let row = "SELECT removed FROM repository_blobs WHERE blob_digest = $1";
    assert_eq!(stand.rows(row, &[kept]).await, ["1"]);

    // Once all is counted, what changes is counted right.
    stand.usage.count_scopes(ScopeKind::Repositories, None, 100).await.unwrap();
    stand.usage.count_scopes(ScopeKind::Namespaces, None, 100).await.unwrap();
    is_counted_right(stand).await;
    let deleted = stand.delete("team/r1", digest('m', 20), Precondition::None).await;
    assert_eq!(deleted, DeleteOutcome::Deleted);
    is_counted_right(stand).await;
}

//! A request reads about as much as it is about, in a repository of very much that the planner knows nothing of.

use std::time::Duration;

use wharf_core::UploadId;
use wharf_core::blobs::{ObjectKey, Staged};
use wharf_core::clock::SystemRandom;
use wharf_core::metadata::{
    CommitManifest, CommitOutcome, DeleteManifest, DeleteOutcome, DeleteTag, Precondition, Restore,
    RestoreOutcome, StartRepair,
};
use wharf_oci::{Digest, Reference};

use super::{digest_of, reads_few};
use crate::Postgres;
use crate::contract::samples::{blob, commit, image, index, name};
use crate::engine::{Engine, Transaction};
use crate::postgres::tests::fresh::Fresh;
use crate::transactions::integrity::findings::Resolve;
use crate::transactions::integrity::manifests::Stored;

/// How many there are of each kind.
const ROWS: u64 = 20_000;

/// How many rows a request may read: it is about a hundred of them at most.
const FEW: u64 = 1000;

const HOUR: Duration = Duration::from_secs(3600);

const APP: &str = "team/app";

/// Rows from the `from`th on, of one repository: blobs, manifests that need one each, with a tag and its history; the same of deleted ones; and
/// marks of blobs that nobody holds.
fn rows(from: u64, to: u64) -> String {
    let [held, kept, let_go, deleted] = ["held", "kept", "let go", "deleted"].map(digest_of);
    let each = format!("FROM generate_series({from}, {to}) n");
    let manifest = "0, 'application/vnd.oci.image.manifest.v1+json', '{}'::jsonb, ''::bytea, 0";
    format!(
        "INSERT INTO repository_blobs (repository_id, blob_digest, touched_at, needed, size, charge)
         SELECT 1, {held}, 0, 1, 1, 2 {each};
         INSERT INTO blob_marks (digest, incarnation, state, marked_at)
         SELECT {let_go}, 0, 'marked', 0 {each};
         INSERT INTO namespace_blobs (scope, digest, size, used, held) SELECT 1, {held}, 1, 1, 0 {each};
         INSERT INTO manifests (digest, size, media_type, annotations, payload, created_at)
         SELECT {kept}, {manifest} {each} UNION ALL SELECT {deleted}, {manifest} {each};
         INSERT INTO blob_references (manifest_digest, blob_digest)
         SELECT {kept}, {held} {each} UNION ALL SELECT {deleted}, {held} {each};
         INSERT INTO manifest_references (parent, child) SELECT {deleted}, {kept} {each};
         INSERT INTO repository_manifests (repository_id, digest, pushed_by, pushed_at)
         SELECT 1, {kept}, 'user:ann', 0 {each};
         INSERT INTO tags (repository_id, name, manifest_digest, version, updated_by, updated_at)
         SELECT 1, 't' || n, {kept}, 1, 'user:ann', 0 {each};
         INSERT INTO tag_history (repository_id, name, version, action, to_digest, changed_by, changed_at)
         SELECT 1, 't' || n, 1, 'create', {kept}, 'user:ann', 0 {each};
         INSERT INTO deleted_manifests
             (repository_id, digest, pushed_by, pushed_at, deleted_by, deleted_at)
         SELECT 1, {deleted}, 'user:ann', 0, 'user:ann', 0 {each}"
    )
}

/// Ten findings of each kind that are to stay, one that is not, and a blob in quarantine.
fn faults() -> String {
    let [held, kept, let_go, lost] = ["held", "kept", "let go", "lost"].map(digest_of);
    let finding = "INSERT INTO scrub_findings
        (kind, digest, incarnation, repository_id, needed_by, detail, found_at, seen_at) SELECT";
    let each = "FROM generate_series(1, 10) n";
    format!(
        "{finding} 'missing', {held}, 0, 0, ''::bytea, '', 0, 0 {each};
         {finding} 'unexplained', {let_go}, 0, 0, ''::bytea, '', 0, 0 {each};
         {finding} 'broken_reference', {lost}, 0, 1, {kept}, '', 0, 0 {each};
         {finding} 'damaged_manifest', {kept}, 0, 0, ''::bytea, '', 0, 0 {each};
         {finding} 'missing', {lost}, 0, 0, ''::bytea, '', 0, 0 FROM (VALUES (1)) v (n);
         INSERT INTO blob_marks (digest, incarnation, state, marked_at)
         SELECT {held}, 0, 'quarantined', 0 FROM (VALUES (7)) v (n)"
    )
}

/// Whatever is known of the tables stays so.
const UNKNOWN: &str = "
    DO $$
    DECLARE item record;
    BEGIN
        FOR item IN SELECT oid::regclass AS name FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
        LOOP
            EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', item.name);
        END LOOP;
    END $$";

/// A repository of which the planner knows what the first `known` rows were.
async fn large(known: u64) -> (Fresh, Postgres) {
    let fresh = Fresh::own().await;
    let client = fresh.client().await;
    let scopes = "INSERT INTO repositories (id, name, created_at) VALUES (1, 'team/app', 0);
        INSERT INTO usage_scopes (namespace, repository_id, parent, counted_at)
            VALUES ('team', 0, NULL, 0), ('team', 1, 1, 0)";
    for sql in [UNKNOWN, scopes, &rows(1, known)] {
        client.batch_execute(sql).await.unwrap();
    }
    if known > 0 {
        client.batch_execute("ANALYZE").await.unwrap();
    }
    client.batch_execute(&rows(known + 1, ROWS)).await.unwrap();
    client.batch_execute(&faults()).await.unwrap();
    let engine = fresh.engine().await;
    (fresh, engine)
}

/// Ten blobs, manifests or tags of the repository.
fn ten(text: &str) -> Vec<String> {
    (1..=10).map(|number| format!("{text}{}", number * 100)).collect()
}

fn digests(kind: &str) -> Vec<Digest> {
    ten(&format!("{kind} ")).iter().map(|text| blob(text)).collect()
}

/// Does it, and returns what came of it. It must read no more than a request may.
async fn few<T: Transaction>(engine: &Postgres, what: &str, transaction: T) -> T::Output {
    reads_few(engine, FEW, what, transaction).await
}

fn push(manifest: &serde_json::Value, tags: &[String]) -> CommitManifest {
    let tags: Vec<_> = tags.iter().map(String::as_str).collect();
    commit(APP, manifest, &tags)
}

/// A push of an image of ten blobs, with ten new tags.
fn of_blobs() -> CommitManifest {
    push(&image(&digests("held")), &ten("new"))
}

/// A push of an index of ten manifests, to which their tags go.
fn of_manifests() -> CommitManifest {
    push(&index(&digests("kept")), &ten("t"))
}

#[tokio::test]
async fn a_push_reads_what_it_is_about() {
    for known in [0, 1, 5] {
        let (_fresh, engine) = large(known).await;
        let outcome = few(&engine, "a push with new tags", of_blobs()).await;
        assert_eq!(outcome, CommitOutcome::Committed);
        let outcome = few(&engine, "a push of an index that moves tags", of_manifests()).await;
        assert_eq!(outcome, CommitOutcome::Committed);
        let tag = DeleteTag {
            repository: name(APP),
            tag: "t200".parse().unwrap(),
            precondition: Precondition::None,
            by: "bob".into(),
            dropped_by: None,
        };
        let outcome = few(&engine, "a deletion of a tag", tag).await;
        assert_eq!(outcome, DeleteOutcome::Deleted);
    }
}

/// Not where a single row is known, by which the planner takes each row for that of another repository: PostgreSQL itself then reads all tags of
/// the repository, to see that none refers to what is deleted.
#[tokio::test]
async fn a_deletion_and_a_restore_read_what_they_are_about() {
    for known in [0, 5] {
        let (_fresh, engine) = large(known).await;
        let pushed = [of_blobs(), of_manifests()];
        let digests = pushed.each_ref().map(|push| push.digest);
        for push in pushed {
            engine.write(push).await.unwrap();
        }
        for digest in digests {
            let (repository, precondition) = (name(APP), Precondition::None);
            let deletion = DeleteManifest { repository, digest, precondition, by: "bob".into() };
            let outcome = few(&engine, "a deletion", deletion).await;
            assert_eq!(outcome, DeleteOutcome::Deleted);
        }
        for digest in digests {
            let (repository, what) = (name(APP), Reference::Digest(digest));
            let restore = Restore { repository, what, grace: HOUR, by: "bob".into() };
            let outcome = few(&engine, "a restore", restore).await;
            assert!(matches!(outcome, RestoreOutcome::Restored { .. }), "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_scrub_reads_what_it_is_about() {
    for known in [0, 1, 5] {
        let (_fresh, engine) = large(known).await;
        let resolved = few(&engine, "resolving findings", Resolve).await;
        assert_eq!(resolved, 1);
        let stored = Stored { after: None, limit: 50, max_bytes: 1 << 20 };
        let stored = few(&engine, "a page of stored manifests", stored).await;
        assert_eq!(stored.len(), 50);
        let repair = StartRepair {
            damaged: ObjectKey::canonical(blob("held 7")),
            id: UploadId::random(&SystemRandom),
            staged: Staged::default(),
            lifetime: HOUR,
        };
        assert!(few(&engine, "the begin of a repair", repair).await);
    }
}

//! A step of a collection or a scrub reads about as much as it takes, however old what the planner knows of the tables is.

mod requests;

use std::time::Duration;

use wharf_core::metadata::ManifestRules;

use super::fresh::Fresh;
use super::told::Told;
use crate::Postgres;
use crate::engine::{Engine, Transaction};
use crate::transactions::garbage::blobs::Condemn;
use crate::transactions::garbage::manifests::Collect;
use crate::transactions::garbage::sweep::Sweep;
use crate::transactions::garbage::trash::Empty;
use crate::transactions::integrity::blobs::Held;
use crate::transactions::integrity::objects::Unexplained;
use crate::transactions::integrity::references::Check;

/// How many there are of each kind.
const ROWS: u64 = 5000;

/// How many a step takes.
const LIMIT: usize = 50;

/// Does it, and returns what came of it. It must read less than `few` rows.
async fn reads_few<T: Transaction>(engine: &Postgres, few: u64, what: &str, it: T) -> T::Output {
    let (output, told) = engine.write(Told(it)).await.unwrap();
    let read: u64 = told.iter().map(|statement| statement.read).sum();
    let most = told.iter().max_by_key(|statement| statement.read);
    assert!(read < few, "{what} read {read} rows, most of them by {most:?}");
    output
}

/// SQL that makes a digest of a kind of each number `n`: that of the text of both.
fn digest_of(kind: &str) -> String {
    format!("decode('01', 'hex') || sha256(('{kind} ' || n::text)::bytea)")
}

/// Rows from the `from`th on, of one repository: memberships that nobody needs, manifests without a tag, deleted ones; and marks that
/// nobody holds.
fn rows(from: u64, to: u64) -> String {
    let (held, let_go, kept, deleted) =
        (digest_of("held"), digest_of("let go"), digest_of("kept"), digest_of("deleted"));
    let each = format!("FROM generate_series({from}, {to}) n");
    let manifest = "0, 'application/vnd.oci.image.manifest.v1+json', '{}'::jsonb, ''::bytea, 0";
    format!(
        "INSERT INTO repository_blobs (repository_id, blob_digest, touched_at, needed, size)
         SELECT 1, {held}, 0, 0, 1 {each};
         INSERT INTO blob_marks (digest, incarnation, state, marked_at)
         SELECT {let_go}, 0, 'marked', 0 {each};
         INSERT INTO manifests (digest, size, media_type, annotations, payload, created_at)
         SELECT {kept}, {manifest} {each} UNION ALL SELECT {deleted}, {manifest} {each};
         INSERT INTO repository_manifests (repository_id, digest, pushed_by, pushed_at)
         SELECT 1, {kept}, 'user:ann', 0 {each};
         INSERT INTO deleted_manifests
             (repository_id, digest, pushed_by, pushed_at, deleted_by, deleted_at)
         SELECT 1, {deleted}, 'user:ann', 0, 'user:ann', 0 {each}"
    )
}

#[tokio::test]
async fn a_step_reads_what_it_takes() {
    // What the planner knows of its tables is of no use to another test.
    let fresh = Fresh::own().await;
    let client = fresh.client().await;
    let repository = "INSERT INTO repositories (id, name, created_at) VALUES (1, 'team/app', 0)";
    for sql in [repository, &rows(1, 5), "ANALYZE", &rows(6, ROWS)] {
        client.batch_execute(sql).await.unwrap();
    }
    let engine = fresh.engine().await;
    let (grace, limit) = (Duration::ZERO, LIMIT);
    let rules = ManifestRules { grace, untagged_after: Some(Duration::ZERO) };
    let few = 40 * LIMIT as u64;
    assert!(few < ROWS);

    let page = Held { after: None, up_to: None, limit };
    let held = reads_few(&engine, few, "a page of blobs", page).await;
    assert_eq!(held.len(), LIMIT);

    let keys = held.iter().map(|blob| blob.key).collect();
    let explain = Unexplained { keys, marks: true };
    let found = reads_few(&engine, few, "explaining objects", explain).await;
    assert!(found.is_empty(), "{found:?}");

    let check = Check { after: None, limit, notes: false };
    let checked = reads_few(&engine, few, "checking manifests", check).await;
    assert!(checked.next.is_some());

    let taken = reads_few(&engine, few, "emptying the trash", Empty { rules, limit }).await;
    assert_eq!(taken.count, LIMIT as u64);

    let collect = Collect { after: None, rules, limit };
    let taken = reads_few(&engine, few, "collecting manifests", collect).await;
    assert_eq!(taken.count, LIMIT as u64);

    let sweep = Sweep { after: None, grace, limit };
    let taken = reads_few(&engine, few, "a sweep", sweep).await;
    assert_eq!(taken.count, LIMIT as u64);

    let condemn = Condemn { grace, limit };
    let judged = reads_few(&engine, few, "judging", condemn).await;
    assert_eq!(judged.condemned, LIMIT as u64);
}

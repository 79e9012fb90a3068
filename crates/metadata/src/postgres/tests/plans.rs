//! A step of a collection or a scrub reads about as much as it takes, however old what the planner knows of the tables is.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::metadata::ManifestRules;

use super::fresh::Fresh;
use crate::engine::{Engine, Plans, Result, Sees, Statements, Transaction};
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

/// What a transaction returns, and how many rows of tables it read.
struct Counted<T>(T);

#[async_trait]
impl<T: Transaction> Transaction for Counted<T> {
    type Output = (T::Output, u64);

    const SEES: Sees = T::SEES;
    const PLANS: Plans = T::PLANS;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let output = self.0.run(on).await?;
        let read =
            "SELECT CAST(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) AS bigint)
                    FROM pg_stat_xact_user_tables";
        Ok((output, on.query(read, &[]).await?[0].size(0)?))
    }
}

/// Rows from the `from`th on, of one repository: memberships that nobody needs, manifests without a tag, deleted ones; and marks that
/// nobody holds.
fn rows(from: u64, to: u64) -> String {
    let digest = |kind| format!("decode('01', 'hex') || sha256(('{kind} ' || n::text)::bytea)");
    let (held, let_go, kept, deleted) =
        (digest("held"), digest("let go"), digest("kept"), digest("deleted"));
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

    let page = engine.write(Counted(Held { after: None, up_to: None, limit }));
    let (held, read) = page.await.unwrap();
    assert_eq!(held.len(), LIMIT);
    assert!(read < few, "a page of {LIMIT} blobs read {read} rows");

    let keys = held.iter().map(|blob| blob.key).collect();
    let (found, read) = engine.write(Counted(Unexplained { keys, marks: true })).await.unwrap();
    assert!(found.is_empty(), "{found:?}");
    assert!(read < few, "explaining {LIMIT} objects read {read} rows");

    let check = Check { after: None, limit, notes: false };
    let (checked, read) = engine.write(Counted(check)).await.unwrap();
    assert!(checked.next.is_some());
    assert!(read < few, "checking {LIMIT} manifests read {read} rows");

    let (taken, read) = engine.write(Counted(Empty { rules, limit })).await.unwrap();
    assert_eq!(taken.count, LIMIT as u64);
    assert!(read < few, "emptying the trash of {LIMIT} read {read} rows");

    let collect = Collect { after: None, rules, limit };
    let (taken, read) = engine.write(Counted(collect)).await.unwrap();
    assert_eq!(taken.count, LIMIT as u64);
    assert!(read < few, "collecting {LIMIT} manifests read {read} rows");

    let sweep = Sweep { after: None, grace, limit };
    let (taken, read) = engine.write(Counted(sweep)).await.unwrap();
    assert_eq!(taken.count, LIMIT as u64);
    assert!(read < few, "a sweep of {LIMIT} read {read} rows");

    let condemn = Condemn { grace, limit };
    let (judged, read) = engine.write(Counted(condemn)).await.unwrap();
    assert_eq!(judged.condemned, LIMIT as u64);
    assert!(read < few, "judging {LIMIT} read {read} rows");
}

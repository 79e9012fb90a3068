//! How long it takes to mark blobs to which many manifests refer, and to find that these need them.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use tokio_postgres::Client;
use wharf_blobs::MemoryBlobs;
use wharf_metadata::{Database, Postgres};

use crate::collector::Collector;
use crate::options::Options;
use crate::statements::watched;

/// How many blobs a manifest refers to.
const BLOBS_EACH: u64 = 100;

/// What was measured.
pub struct Marked {
    /// In seconds.
    pub took: f64,
    /// How long its longest statement took, in seconds.
    pub longest: f64,
}

/// Fills a database: `kept/app` holds all blobs and the manifests that refer to them; `gone/app` holds the same blobs, and its manifests were
/// deleted: none is needed there any more.
pub async fn fill(client: &Client, options: &Options) -> Result<()> {
    let Options { blobs, references, .. } = options;
    let manifests = blobs * references / BLOBS_EACH;
    ensure!(blobs % BLOBS_EACH == 0, "blobs are counted in hundreds: {blobs}");
    let (blob, manifest) = (digest("blob", "n"), digest("manifest", "m"));
    let referred = digest("blob", &format!("(m * {BLOBS_EACH} + k) % {blobs}"));
    eprintln!("PostgreSQL: {blobs} blobs with {references} references each");
    for sql in [
        // Nothing that is made here refers to what is not there.
        "SET session_replication_role = replica; SET synchronous_commit = off; SET work_mem = '1GB'".to_owned(),
        "INSERT INTO repositories (id, name, created_at) VALUES (1000001, 'gone/app', 0), (1000002, 'kept/app', 0)"
            .to_owned(),
        format!(
            "INSERT INTO manifests (digest, media_type, annotations, size, payload, created_at)
             SELECT {manifest}, 'application/vnd.oci.image.manifest.v1+json', '{{}}', 0, '', 0
             FROM generate_series(0, {manifests} - 1) m"
        ),
        format!(
            "INSERT INTO repository_manifests (repository_id, digest, pushed_by, pushed_at)
             SELECT 1000002, {manifest}, 'user:bench', 0 FROM generate_series(0, {manifests} - 1) m"
        ),
        // Rows in no order are put into a table far faster than into its indexes.
        "ALTER TABLE blob_references DROP CONSTRAINT blob_references_pkey; DROP INDEX blob_references_needed_by;
         SET maintenance_work_mem = '1GB'"
            .to_owned(),
        format!(
            "INSERT INTO blob_references (manifest_digest, blob_digest)
             SELECT {manifest}, {referred}
             FROM generate_series(0, {manifests} - 1) m, generate_series(0, {BLOBS_EACH} - 1) k"
        ),
        "ALTER TABLE blob_references ADD PRIMARY KEY (manifest_digest, blob_digest);
         CREATE INDEX blob_references_needed_by ON blob_references (blob_digest, manifest_digest)"
            .to_owned(),
        format!(
            "INSERT INTO repository_blobs (repository_id, blob_digest, touched_at, needed, size)
             SELECT 1000002, {blob}, 0, 1, 1 FROM generate_series(0, {blobs} - 1) n"
        ),
    ] {
        client.batch_execute(&sql).await?;
    }
    refill(client, options).await
}

/// Gives `gone/app` its memberships back.
pub async fn refill(client: &Client, options: &Options) -> Result<()> {
    let blob = digest("blob", "n");
    let sql = format!(
        "INSERT INTO repository_blobs (repository_id, blob_digest, touched_at, needed, size)
         SELECT 1000001, {blob}, 0, 0, 1 FROM generate_series(0, {} - 1) n",
        options.blobs
    );
    client.batch_execute(&sql).await?;
    Ok(client.batch_execute("VACUUM ANALYZE").await?)
}

/// SQL that makes the digest of the `number`th of a kind.
fn digest(kind: &str, number: &str) -> String {
    format!("decode('01', 'hex') || sha256(('{kind} ' || ({number})::text)::bytea)")
}

/// A collection: it takes all memberships of `gone/app` away, marks the blobs, and finds that `kept/app` needs each.
pub async fn measure(
    client: &Client,
    database: Arc<Database<Postgres>>,
    options: &Options,
) -> Result<Marked> {
    let collector = Collector::new(Arc::clone(&database) as _, Arc::new(MemoryBlobs::default()));
    let began = Instant::now();
    let (collected, longest) = watched(client, collector.run(&*database)).await?;
    let took = began.elapsed().as_secs_f64();
    ensure!(collected.memberships == options.blobs, "a sweep of {}: {collected:?}", options.blobs);
    ensure!(collected.condemned == 0, "blobs that are needed were condemned: {collected:?}");
    Ok(Marked { took, longest })
}

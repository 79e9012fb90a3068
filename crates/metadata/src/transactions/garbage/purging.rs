//! The end of deleted repositories: what one held goes a slice at a time, and its row at last, when no event tells of it any more.
//!
//! What it is charged with hangs on a namespace of its own by then, so that none of this is charged: see `usage::forget_namespace`.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::blob_life;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::Purged;
use wharf_oci::Digest;

use super::sweep::repository_name;
use super::trash::empty;
use super::{EVERYWHERE, marks};
use crate::engine::{Plans, Result, Row, Statements, Transaction, arguments};
use crate::transactions::deleted_repositories::hidden_name;
use crate::transactions::events::{self, Event};
use crate::transactions::writes::{self, Work};
use crate::transactions::{audit, usage};

/// By how much the oldest event is younger than the end of a repository of which there is none any more: longer than a transaction can
/// take from the time that it gives its event to the number.
const EVENT_LAG: Duration = Duration::from_secs(3600);

/// What goes by itself, each a slice of `$2` rows of the repository `$1`. Tags and pins refer to manifests, so they are first.
const BEFORE_MANIFESTS: [&str; 3] = [
    "DELETE FROM tags WHERE repository_id = $1 AND name IN
         (SELECT name FROM tags WHERE repository_id = $1 ORDER BY name LIMIT $2)",
    "DELETE FROM pins WHERE repository_id = $1 AND name IN
         (SELECT name FROM pins WHERE repository_id = $1 ORDER BY name LIMIT $2)",
    "DELETE FROM running_manifests WHERE repository_id = $1 AND (digest, reporter) IN
         (SELECT digest, reporter FROM running_manifests WHERE repository_id = $1
          ORDER BY digest, reporter LIMIT $2)",
];

/// The same behind the manifests.
const HISTORY: &str = "DELETE FROM tag_history WHERE repository_id = $1 AND (name, version) IN
     (SELECT name, version FROM tag_history WHERE repository_id = $1 ORDER BY name, version LIMIT $2)";

/// A slice of `$2` manifests of the repository `$1`, held ones and then deleted ones.
const MANIFESTS: [&str; 2] = [
    "DELETE FROM repository_manifests WHERE repository_id = $1 AND digest IN
         (SELECT digest FROM repository_manifests WHERE repository_id = $1 ORDER BY digest LIMIT $2)
     RETURNING digest",
    "SELECT digest FROM deleted_manifests WHERE repository_id = $1 ORDER BY digest LIMIT $2",
];

/// A slice of `$2` memberships of the repository `$1`.
const MEMBERSHIPS: &str = "DELETE FROM repository_blobs WHERE repository_id = $1 AND blob_digest IN
     (SELECT blob_digest FROM repository_blobs WHERE repository_id = $1 ORDER BY blob_digest LIMIT $2)
     RETURNING blob_digest";

/// `Garbage::purge_repositories`
pub(crate) struct Purge {
    pub(crate) grace: Duration,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Purge {
    type Output = Purged;

    const PLANS: Plans = Plans::ByIndex;

    async fn run(&self, on: &mut dyn Statements) -> Result<Purged> {
        let now = on.now().await?;
        writes::require(on, EVERYWHERE, Work::Change).await?;
        let forgotten = forget(on, now, self.limit).await?;
        if forgotten > 0 {
            return Ok(Purged { rows: forgotten, repositories: 0 });
        }
        let rows = on
            .query_locked(
                "SELECT repository_id, name FROM deleted_repositories
                 WHERE state = 'purging' OR state = 'whole' AND deleted_at <= $1
                 ORDER BY deleted_at LIMIT 1",
                arguments![now.before(self.grace)],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(Purged::default()) };
        let (repository, name) = (row.int(0)?, repository_name(row.text(1)?)?);
        // Written each time: of two that take a slice at once, or of one and whoever brings it back, the later begins again.
        let sql = "UPDATE deleted_repositories SET state = 'purging' WHERE repository_id = $1";
        on.execute(sql, arguments![repository]).await?;
        let mut slice = Slice { repository, now, limit: self.limit, left: self.limit };
        slice.take(on).await?;
        let rows = slice.taken();
        if slice.left == 0 {
            return Ok(Purged { rows, repositories: 0 });
        }
        finish(on, repository, now).await?;
        let (by, target) = (Actor::system(), format!("repository:{name}"));
        let detail = format!("number={repository}");
        audit::record(on, &by, "repository.purge", target, name.namespace(), detail).await?;
        events::record(on, repository, Event::RepositoryPurged(&name), &by.by, now).await?;
        Ok(Purged { rows, repositories: 1 })
    }
}

/// How much of a repository goes in one transaction.
struct Slice {
    repository: i64,
    now: Timestamp,
    limit: usize,
    left: usize,
}

impl Slice {
    fn taken(&self) -> u64 {
        (self.limit - self.left) as u64
    }

    fn count(&mut self, rows: u64) {
        self.left -= usize::try_from(rows).unwrap_or(usize::MAX).min(self.left);
    }

    /// Takes what there is, each only once there is nothing left that refers to it.
    async fn take(&mut self, on: &mut dyn Statements) -> Result<()> {
        for sql in BEFORE_MANIFESTS {
            self.rows(on, sql).await?;
        }
        for sql in MANIFESTS {
            for row in &self.found(on, sql).await? {
                empty(on, self.repository, &row.digest(0)?).await?;
            }
        }
        self.memberships(on).await?;
        self.rows(on, HISTORY).await?;
        if self.left > 0 {
            let namespace = hidden_name(self.repository);
            let rows = usage::forget_blobs(on, &namespace, self.left).await?;
            self.count(rows);
        }
        Ok(())
    }

    async fn rows(&mut self, on: &mut dyn Statements, sql: &'static str) -> Result<()> {
        if self.left > 0 {
            let rows = on.execute(sql, arguments![self.repository, self.left]).await?;
            self.count(rows);
        }
        Ok(())
    }

    async fn found(&mut self, on: &mut dyn Statements, sql: &'static str) -> Result<Vec<Row>> {
        if self.left == 0 {
            return Ok(Vec::new());
        }
        let rows = on.query(sql, arguments![self.repository, self.left]).await?;
        self.count(rows.len() as u64);
        Ok(rows)
    }

    /// No manifest of the repository is left that could need them. Their blobs are let go of as by a sweep.
    async fn memberships(&mut self, on: &mut dyn Statements) -> Result<()> {
        let rows = self.found(on, MEMBERSHIPS).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let blobs = rows.iter().map(|row| row.digest(0)).collect::<Result<Vec<Digest>>>()?;
        let currents = marks::currents(on, blobs.iter()).await?;
        let let_go = currents.iter().filter_map(blob_life::let_go);
        marks::write_all(on, let_go, self.now).await.map(drop)
    }
}

/// Takes the few rows that there are of each repository. Its own stays: events tell of it, and uploads that expired wait to be cleared away.
async fn finish(on: &mut dyn Statements, repository: i64, now: Timestamp) -> Result<()> {
    for sql in [
        "DELETE FROM immutability_policies WHERE repository_id = $1",
        "DELETE FROM retention_policies WHERE repository_id = $1",
        "DELETE FROM retention_runs WHERE repository_id = $1",
        "DELETE FROM pushes_under_way WHERE repository_id = $1",
    ] {
        on.execute(sql, arguments![repository]).await?;
    }
    usage::forget_namespace(on, &hidden_name(repository)).await?;
    on.execute(
        "UPDATE deleted_repositories SET state = 'purged', purged_at = $1 WHERE repository_id = $2",
        arguments![now, repository],
    )
    .await
    .map(drop)
}

/// Forgets up to `limit` repositories of which nothing is left, and no event tells. Returns how many.
async fn forget(on: &mut dyn Statements, now: Timestamp, limit: usize) -> Result<u64> {
    let oldest = on.query("SELECT created_at FROM events ORDER BY id LIMIT 1", &[]).await?;
    let oldest = oldest.first().map_or(Ok(now), |row| row.int(0).map(Timestamp))?;
    let rows = on
        .query(
            "SELECT d.repository_id FROM deleted_repositories d
             WHERE d.state = 'purged' AND d.purged_at <= $1
               AND NOT EXISTS (SELECT 1 FROM uploads u WHERE u.repository_id = d.repository_id)
             ORDER BY d.purged_at LIMIT $2",
            arguments![oldest.before(EVENT_LAG), limit],
        )
        .await?;
    for row in &rows {
        for sql in [
            "DELETE FROM deleted_repositories WHERE repository_id = $1",
            "DELETE FROM repositories WHERE id = $1",
        ] {
            on.execute(sql, arguments![row.int(0)?]).await?;
        }
    }
    Ok(rows.len() as u64)
}

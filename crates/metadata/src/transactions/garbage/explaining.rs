//! Why a manifest stays: what a collection looks at, told for one manifest.

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{Fate, Keeper, ManifestRules};
use wharf_oci::{Digest, RepositoryName};

use super::manifests::is_named;
use super::page::Page;
use super::unneeded::{Ages, unneeded};
use crate::engine::{Result, Statements, Transaction, Value, arguments};
use crate::transactions::repositories;

/// `Garbage::explain_manifest`
pub(crate) struct Explain {
    pub(crate) repository: RepositoryName,
    pub(crate) digest: Digest,
    pub(crate) rules: ManifestRules,
}

#[async_trait]
impl Transaction for Explain {
    type Output = Fate;

    async fn run(&self, on: &mut dyn Statements) -> Result<Fate> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(Fate::Unknown);
        };
        let (now, digest) = (on.now().await?, &self.digest);
        let held = on
            .query(
                "SELECT h.touched_at, h.pushed_at, r.write_mode
                 FROM repository_manifests h JOIN repositories r ON r.id = h.repository_id
                 WHERE h.repository_id = $1 AND h.digest = $2",
                arguments![repository, digest],
            )
            .await?;
        let Some(row) = held.first() else { return deleted(on, repository, digest).await };
        let page = Page::of(repository, *digest);
        let doomed = unneeded(on, now, &page, self.rules).await?;
        if doomed.iter().any(|(_, doomed, _)| doomed == digest) {
            return Ok(Fate::Goes);
        }
        let mut keepers = needed_by(on, repository, digest, now.before(self.rules.grace)).await?;
        let is_needed = !keepers.is_empty();
        let touched_at = Timestamp(row.int(0)?.max(row.int(1)?));
        // A referrer goes with its subject, and all else where a rule says after how long.
        let after = if is_referrer(on, digest).await? {
            Some(self.rules.grace)
        } else {
            Ages::of(on, &page, self.rules).await?.after(repository)
        };
        let due = touched_at.after(after.unwrap_or(self.rules.grace));
        if due > now {
            keepers.push(Keeper::Age(due));
        }
        if !is_needed && after.is_none() {
            keepers.push(Keeper::NoRule);
        }
        if row.text(2)? != "writable" {
            keepers.push(Keeper::ReadOnly);
        }
        Ok(Fate::Stays(keepers))
    }
}

async fn is_referrer(on: &mut dyn Statements, digest: &Digest) -> Result<bool> {
    let sql = "SELECT 1 FROM manifests WHERE digest = $1 AND subject IS NOT NULL";
    Ok(!on.query(sql, arguments![digest]).await?.is_empty())
}

async fn deleted(on: &mut dyn Statements, repository: i64, digest: &Digest) -> Result<Fate> {
    let sql = "SELECT deleted_by, deleted_at FROM deleted_manifests
               WHERE repository_id = $1 AND digest = $2";
    let rows = on.query(sql, arguments![repository, digest]).await?;
    rows.first().map_or(Ok(Fate::Unknown), |row| {
        Ok(Fate::Deleted { by: row.text(0)?.to_owned(), at: Timestamp(row.int(1)?) })
    })
}

/// What names or needs a manifest.
async fn needed_by(
    on: &mut dyn Statements,
    repository: i64,
    digest: &Digest,
    before: Timestamp,
) -> Result<Vec<Keeper>> {
    let mut keepers = Vec::new();
    let tags = "SELECT name FROM tags WHERE repository_id = $1 AND manifest_digest = $2 ORDER BY name LIMIT 10";
    for row in on.query(tags, arguments![repository, digest]).await? {
        keepers.push(Keeper::Tag(row.parsed(0)?));
    }
    let pins =
        "SELECT name FROM pins WHERE repository_id = $1 AND digest = $2 ORDER BY name LIMIT 10";
    for row in on.query(pins, arguments![repository, digest]).await? {
        keepers.push(Keeper::Pin(row.parsed(0)?));
    }
    let indexes = "SELECT e.parent FROM manifest_references e
                   JOIN repository_manifests p ON p.digest = e.parent AND p.repository_id = $1
                   WHERE e.child = $2 ORDER BY e.parent LIMIT 10";
    let subject = "SELECT s.subject FROM manifests s
                   JOIN repository_manifests p ON p.digest = s.subject AND p.repository_id = $1
                   WHERE s.digest = $2";
    let referrers = concat!(
        "SELECT g.digest FROM manifests s
         JOIN repository_manifests g ON g.digest = s.digest AND g.repository_id = $1
         WHERE s.subject = $2 AND ",
        is_named!("g", "$3"),
        " ORDER BY g.digest LIMIT 10"
    );
    let of = arguments![repository, digest];
    keepers.extend(digests(on, indexes, of).await?.into_iter().map(Keeper::Index));
    keepers.extend(digests(on, subject, of).await?.into_iter().map(Keeper::Subject));
    let roots = arguments![repository, digest, before];
    keepers.extend(digests(on, referrers, roots).await?.into_iter().map(Keeper::Referrer));
    Ok(keepers)
}

async fn digests(
    on: &mut dyn Statements,
    sql: &'static str,
    arguments: &[Value],
) -> Result<Vec<Digest>> {
    on.query(sql, arguments).await?.iter().map(|row| row.digest(0)).collect()
}

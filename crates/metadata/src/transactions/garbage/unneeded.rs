//! Which manifests nothing needs, a page of a walk at a time: subjects that are gone, and what no tag needs where that is wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wharf_core::clock::Timestamp;
use wharf_core::metadata::ManifestRules;
use wharf_core::retention::{Policy, Untagged};
use wharf_oci::Digest;

use super::manifests::{is_named, is_reached, is_root, is_subject_of_root};
use super::page::Page;
use crate::engine::{Result, Row, Statements, Value, arguments};

pub(super) type Found = (i64, Digest, String);

fn arguments(before: Timestamp, page: &Page) -> Vec<Value> {
    std::iter::once(before.into()).chain(page.bounds()).collect()
}

/// The manifests of a page that nothing needs. Pins that have expired are forgotten first.
pub(super) async fn unneeded(
    on: &mut dyn Statements,
    now: Timestamp,
    page: &Page,
    rules: ManifestRules,
) -> Result<BTreeSet<Found>> {
    on.execute(
        "DELETE FROM pins WHERE expires_at <= $1 AND repository_id >= $2 AND repository_id <= $3",
        arguments![now, page.after.0, page.last.repository],
    )
    .await?;
    let mut doomed = orphans(on, now.before(rules.grace), page).await?;
    let ages = Ages::of(on, page, rules).await?;
    if let Some(youngest) = ages.youngest() {
        for (repository, digest, name) in untagged(on, now.before(youngest), page).await? {
            let Some(age) = ages.after(repository) else { continue };
            if !is_kept(on, now.before(age), repository, &digest).await? {
                doomed.insert((repository, digest, name));
            }
        }
    }
    Ok(doomed)
}

/// After which time untagged manifests go: as the enabled policy of their repository says, else as the rules do.
pub(super) struct Ages {
    of_policies: BTreeMap<i64, Option<Duration>>,
    else_after: Option<Duration>,
    grace: Duration,
}

impl Ages {
    /// Those of the repositories of a page. Where a policy cannot be read, nothing goes.
    pub(super) async fn of(
        on: &mut dyn Statements,
        page: &Page,
        rules: ManifestRules,
    ) -> Result<Self> {
        // Locked for sharing, also what is not in force yet: once it is acknowledged that a policy was taken away or enabled, nothing is
        // deleted that it would not have go.
        let rows = on
            .query_shared(
                "SELECT repository_id, document, state FROM retention_policies
                 WHERE repository_id >= $1 AND repository_id <= $2",
                arguments![page.after.0, page.last.repository],
            )
            .await?;
        let mut of_policies = BTreeMap::new();
        for row in &rows {
            if row.text(2)? != "enabled" {
                continue;
            }
            let after = match Policy::parse(row.text(1)?).map(|policy| policy.untagged()) {
                Ok(Untagged::After(age)) => Some(age.get()),
                Ok(Untagged::Keep) | Err(_) => None,
            };
            of_policies.insert(row.int(0)?, after);
        }
        Ok(Self { of_policies, else_after: rules.untagged_after, grace: rules.grace })
    }

    pub(super) fn after(&self, repository: i64) -> Option<Duration> {
        let after = self.of_policies.get(&repository).copied().unwrap_or(self.else_after);
        after.map(|age| age.max(self.grace))
    }

    /// The least of them.
    fn youngest(&self) -> Option<Duration> {
        let all = self.of_policies.values().copied().chain([self.else_after]);
        all.flatten().min().map(|age| age.max(self.grace))
    }
}

/// Referrers of what the repository does not hold, and that nothing else keeps. Whether one is a referrer is asked row by row, by a subquery
/// that a planner leaves where it is: as a join, PostgreSQL reads all referrers of the registry for each page.
async fn orphans(
    on: &mut dyn Statements,
    before: Timestamp,
    page: &Page,
) -> Result<BTreeSet<Found>> {
    let sql = concat!(
        "SELECT h.repository_id, h.digest, r.name
         FROM repository_manifests h JOIN repositories r
             ON r.id = h.repository_id AND r.write_mode = 'writable' AND r.name < '~'
         WHERE (SELECT true FROM manifests o WHERE o.digest = h.digest AND o.subject IS NOT NULL)
           AND NOT ",
        is_root!("h", "$1"),
        " AND (h.repository_id, h.digest) > ($2, $3) AND (h.repository_id, h.digest) <= ($4, $5)
          AND NOT ",
        is_reached!("h")
    );
    let rows = on.query(sql, &arguments(before, page)).await?;
    rows.iter().map(found).collect()
}

/// Manifests without a tag.
async fn untagged(on: &mut dyn Statements, before: Timestamp, page: &Page) -> Result<Vec<Found>> {
    let sql = concat!(
        "SELECT h.repository_id, h.digest, r.name
         FROM repository_manifests h JOIN repositories r
             ON r.id = h.repository_id AND r.write_mode = 'writable' AND r.name < '~'
         WHERE NOT ",
        is_root!("h", "$1"),
        " AND (h.repository_id, h.digest) > ($2, $3) AND (h.repository_id, h.digest) <= ($4, $5)"
    );
    let rows = on.query(sql, &arguments(before, page)).await?;
    rows.iter().map(found).collect()
}

fn found(row: &Row) -> Result<Found> {
    Ok((row.int(0)?, row.digest(1)?, row.text(2)?.to_owned()))
}

/// Whether a manifest is reached from a root: upwards, from a child to its indexes and from a referrer to its subject.
pub(crate) async fn is_kept(
    on: &mut dyn Statements,
    before: Timestamp,
    repository: i64,
    digest: &Digest,
) -> Result<bool> {
    let sql = concat!(
        "WITH RECURSIVE up (digest) AS (
             SELECT h.digest FROM repository_manifests h WHERE h.digest = $1 AND h.repository_id = $2
             UNION
             SELECT h.digest FROM up
             JOIN (SELECT child AS below, parent AS above FROM manifest_references
                   UNION ALL
                   SELECT digest AS below, subject AS above FROM manifests WHERE subject IS NOT NULL) e
                 ON e.below = up.digest
             JOIN repository_manifests h ON h.repository_id = $2 AND h.digest = e.above)
         SELECT 1 FROM up JOIN repository_manifests h ON h.repository_id = $2 AND h.digest = up.digest
         WHERE ",
        is_root!("h", "$3"),
        " LIMIT 1"
    );
    Ok(!on.query(sql, arguments![digest, repository, before]).await?.is_empty())
}

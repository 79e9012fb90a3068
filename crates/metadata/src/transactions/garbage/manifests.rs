//! Manifests that nothing needs: what a deleted one leaves behind, subjects that are gone, and what no tag needs where that is wanted.
//!
//! Roots are tags, pins, and manifests younger than the grace. Kept is what is reached from one: from an index its children, from a subject its
//! referrers, and the subject of a referrer that is a root itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{HeldPlace, ManifestRules, Taken};
use wharf_core::retention::{Policy, Untagged};
use wharf_oci::Digest;

use super::EVERYWHERE;
use super::sweep::{place, repository_name};
use super::trash::Deletion;
use crate::engine::{Result, Row, Statements, Transaction, arguments};
use crate::transactions::writes::{self, Work};

/// SQL that says whether the manifest `h` has a tag or a pin, or came behind `before`. Pins that have expired are forgotten first.
macro_rules! is_named {
    ($h:literal, $before:literal) => {
        concat!(
            "(",
            $h,
            ".touched_at > ",
            $before,
            " OR ",
            $h,
            ".pushed_at > ",
            $before,
            " OR EXISTS (SELECT 1 FROM tags t WHERE t.repository_id = ",
            $h,
            ".repository_id AND t.manifest_digest = ",
            $h,
            ".digest) OR EXISTS (SELECT 1 FROM pins p WHERE p.repository_id = ",
            $h,
            ".repository_id AND p.digest = ",
            $h,
            ".digest))"
        )
    };
}

/// SQL that says whether the manifest `h` is a root, or the subject of one.
macro_rules! is_root {
    ($h:literal, $before:literal) => {
        concat!(
            "(",
            is_named!($h, $before),
            " OR EXISTS (SELECT 1 FROM manifests s
                         JOIN repository_manifests g ON g.repository_id = ",
            $h,
            ".repository_id AND g.digest = s.digest
                         WHERE s.subject = ",
            $h,
            ".digest AND ",
            is_named!("g", $before),
            "))"
        )
    };
}

/// SQL that says whether the repository holds an index with the manifest `h` in it, or the subject of it.
macro_rules! is_reached {
    ($h:literal) => {
        concat!(
            "(EXISTS (SELECT 1 FROM manifest_references e
                      JOIN repository_manifests p ON p.repository_id = ",
            $h,
            ".repository_id
                          AND p.digest = e.parent
                      WHERE e.child = ",
            $h,
            ".digest)
              OR EXISTS (SELECT 1 FROM manifests s
                         JOIN repository_manifests p ON p.repository_id = ",
            $h,
            ".repository_id
                             AND p.digest = s.subject
                         WHERE s.digest = ",
            $h,
            ".digest))"
        )
    };
}

/// What a manifest that is gone leaves behind in its repository, `limit` at most: its children and its referrers, but for those that are
/// older than `before`, are no roots, and are reached from nothing else.
pub(super) async fn doomed_by(
    on: &mut dyn Statements,
    repository: i64,
    gone: &Digest,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<Digest>> {
    let rows = on
        .query(
            concat!(
                "SELECT h.digest FROM repository_manifests h WHERE NOT ",
                is_root!("h", "$1"),
                " AND h.repository_id = $2 AND h.digest IN
                     (SELECT child FROM manifest_references WHERE parent = $3
                      UNION SELECT digest FROM manifests WHERE subject = $3)
                  AND NOT ",
                is_reached!("h"),
                // Deleted, and pushed again since: it is no reason.
                " AND NOT EXISTS (SELECT 1 FROM repository_manifests
                                  WHERE repository_id = $2 AND digest = $3)
                  ORDER BY h.digest LIMIT $4"
            ),
            arguments![before, repository, gone, limit],
        )
        .await?;
    rows.iter().map(|row| row.digest(0)).collect()
}

/// `Garbage::collect_manifests`
pub(crate) struct Collect {
    pub(crate) after: Option<HeldPlace>,
    pub(crate) rules: ManifestRules,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Collect {
    type Output = Taken;

    async fn run(&self, on: &mut dyn Statements) -> Result<Taken> {
        let now = on.now().await?;
        writes::require(on, EVERYWHERE, Work::Change).await?;
        let after = self.after.as_ref();
        let (repository, digest) = (
            after.map_or(i64::MIN, |place| place.repository),
            after.map(|place| place.digest.to_binary()).unwrap_or_default(),
        );
        let page = on
            .query(
                "SELECT repository_id, digest FROM repository_manifests
                 WHERE (repository_id, digest) > ($1, $2)
                 ORDER BY repository_id, digest LIMIT $3",
                arguments![repository, digest.as_slice(), self.limit],
            )
            .await?;
        let Some(last) = page.last().map(place).transpose()? else { return Ok(Taken::default()) };
        on.execute(
            "DELETE FROM pins WHERE expires_at <= $1 AND repository_id >= $2 AND repository_id <= $3",
            arguments![now, repository, last.repository],
        )
        .await?;
        let bounds = Bounds { repository, digest, last };
        let mut doomed = orphans(on, now.before(self.rules.grace), &bounds).await?;
        let ages = Ages::of(on, &bounds, self.rules).await?;
        if let Some(youngest) = ages.youngest() {
            for (repository, digest, name) in untagged(on, now.before(youngest), &bounds).await? {
                let Some(age) = ages.after(repository) else { continue };
                if !is_kept(on, now.before(age), repository, &digest).await? {
                    doomed.insert((repository, digest, name));
                }
            }
        }
        let (by, mut changed) = (Actor::system(), BTreeSet::new());
        for (repository, digest, name) in &doomed {
            let name = repository_name(name)?;
            let deletion = Deletion { repository: *repository, name: &name, by: &by, now };
            deletion
                .take(on, digest, "collected: no tag needs it, and its subject is not there")
                .await?;
            changed.insert(name);
        }
        Ok(Taken {
            count: doomed.len() as u64,
            repositories: changed.into_iter().collect(),
            next: (page.len() == self.limit).then_some(last),
        })
    }
}

/// A page of a walk: behind the first, up to the last.
struct Bounds {
    repository: i64,
    digest: Vec<u8>,
    last: HeldPlace,
}

type Found = (i64, Digest, String);

/// After which time untagged manifests go: as the enabled policy of their repository says, else as the rules do.
struct Ages {
    of_policies: BTreeMap<i64, Option<Duration>>,
    else_after: Option<Duration>,
    grace: Duration,
}

impl Ages {
    /// Those of the repositories of a page. Where a policy cannot be read, nothing goes.
    async fn of(on: &mut dyn Statements, bounds: &Bounds, rules: ManifestRules) -> Result<Self> {
        let rows = on
            .query(
                "SELECT repository_id, document FROM retention_policies
                 WHERE state = 'enabled' AND repository_id >= $1 AND repository_id <= $2",
                arguments![bounds.repository, bounds.last.repository],
            )
            .await?;
        let mut of_policies = BTreeMap::new();
        for row in &rows {
            let after = match Policy::parse(row.text(1)?).map(|policy| policy.untagged()) {
                Ok(Untagged::After(age)) => Some(age.get()),
                Ok(Untagged::Keep) | Err(_) => None,
            };
            of_policies.insert(row.int(0)?, after);
        }
        Ok(Self { of_policies, else_after: rules.untagged_after, grace: rules.grace })
    }

    fn after(&self, repository: i64) -> Option<Duration> {
        let after = self.of_policies.get(&repository).copied().unwrap_or(self.else_after);
        after.map(|age| age.max(self.grace))
    }

    /// The least of them.
    fn youngest(&self) -> Option<Duration> {
        let all = self.of_policies.values().copied().chain([self.else_after]);
        all.flatten().min().map(|age| age.max(self.grace))
    }
}

/// Referrers of what the repository does not hold, and that nothing else keeps.
async fn orphans(
    on: &mut dyn Statements,
    before: Timestamp,
    bounds: &Bounds,
) -> Result<BTreeSet<Found>> {
    let sql = concat!(
        "SELECT h.repository_id, h.digest, r.name
         FROM repository_manifests h JOIN repositories r
             ON r.id = h.repository_id AND r.write_mode = 'writable' AND r.name < '~'
         JOIN manifests o ON o.digest = h.digest AND o.subject IS NOT NULL
         WHERE NOT ",
        is_root!("h", "$1"),
        " AND (h.repository_id, h.digest) > ($2, $3) AND (h.repository_id, h.digest) <= ($4, $5)
          AND NOT ",
        is_reached!("h")
    );
    let rows = on.query(sql, &bounds.arguments(before)).await?;
    rows.iter().map(found).collect()
}

/// Manifests without a tag.
async fn untagged(
    on: &mut dyn Statements,
    before: Timestamp,
    bounds: &Bounds,
) -> Result<Vec<Found>> {
    let sql = concat!(
        "SELECT h.repository_id, h.digest, r.name
         FROM repository_manifests h JOIN repositories r
             ON r.id = h.repository_id AND r.write_mode = 'writable' AND r.name < '~'
         WHERE NOT ",
        is_root!("h", "$1"),
        " AND (h.repository_id, h.digest) > ($2, $3) AND (h.repository_id, h.digest) <= ($4, $5)"
    );
    let rows = on.query(sql, &bounds.arguments(before)).await?;
    rows.iter().map(found).collect()
}

fn found(row: &Row) -> Result<Found> {
    Ok((row.int(0)?, row.digest(1)?, row.text(2)?.to_owned()))
}

impl Bounds {
    fn arguments(&self, before: Timestamp) -> Vec<crate::engine::Value> {
        arguments![
            before,
            self.repository,
            self.digest.as_slice(),
            self.last.repository,
            self.last.digest,
        ]
        .to_vec()
    }
}

/// Whether a manifest is reached from a root: upwards, from a child to its indexes and from a referrer to its subject.
async fn is_kept(
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

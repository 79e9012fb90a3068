//! Manifests that nothing needs: what a deleted one leaves behind, subjects that are gone, and what no tag needs where that is wanted.
//!
//! Roots are tags, pins, and manifests younger than the grace. Kept is what is reached from one: from an index its children, from a subject its
//! referrers, and the subject of a referrer that is a root itself.

use std::collections::BTreeSet;

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{HeldPlace, ManifestRules, Taken};
use wharf_oci::Digest;

use super::EVERYWHERE;
use super::page::Page;
use super::sweep::repository_name;
use super::trash::Deletion;
use super::unneeded::unneeded;
use crate::engine::{Plans, Result, Statements, Transaction, arguments};
use crate::transactions::writes::{self, Work};

// Each row is asked by itself here, from its own side: `OFFSET 0` keeps PostgreSQL from doing otherwise, which would go through all that a
// repository or the registry has where it takes that for little.

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
            ".digest LIMIT 1 OFFSET 0) OR EXISTS (SELECT 1 FROM pins p WHERE p.repository_id = ",
            $h,
            ".repository_id AND p.digest = ",
            $h,
            ".digest LIMIT 1 OFFSET 0))"
        )
    };
}

/// SQL that says whether the manifest `h` is the subject of a root.
macro_rules! is_subject_of_root {
    ($h:literal, $before:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM manifests s WHERE s.subject = ",
            $h,
            ".digest AND EXISTS (SELECT 1 FROM repository_manifests g WHERE g.repository_id = ",
            $h,
            ".repository_id AND g.digest = s.digest AND ",
            is_named!("g", $before),
            " LIMIT 1 OFFSET 0) LIMIT 1 OFFSET 0)"
        )
    };
}

/// SQL that says whether the manifest `h` is a root, or the subject of one.
macro_rules! is_root {
    ($h:literal, $before:literal) => {
        concat!("(", is_named!($h, $before), " OR ", is_subject_of_root!($h, $before), ")")
    };
}

/// SQL that says whether the repository holds an index with the manifest `h` in it, or the subject of it.
macro_rules! is_reached {
    ($h:literal) => {
        concat!(
            "(EXISTS (SELECT 1 FROM manifest_references e WHERE e.child = ",
            $h,
            ".digest AND EXISTS (SELECT 1 FROM repository_manifests p WHERE p.repository_id = ",
            $h,
            ".repository_id AND p.digest = e.parent LIMIT 1 OFFSET 0) LIMIT 1 OFFSET 0)
              OR EXISTS (SELECT 1 FROM manifests s WHERE s.digest = ",
            $h,
            ".digest AND EXISTS (SELECT 1 FROM repository_manifests p WHERE p.repository_id = ",
            $h,
            ".repository_id AND p.digest = s.subject LIMIT 1 OFFSET 0) LIMIT 1 OFFSET 0))"
        )
    };
}

pub(super) use is_reached;
pub(crate) use {is_named, is_root, is_subject_of_root};

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
                "SELECT c.digest FROM
                     (SELECT child AS digest FROM manifest_references WHERE parent = $1
                      UNION SELECT digest FROM manifests WHERE subject = $1) c
                 WHERE (SELECT 1 FROM repository_manifests h
                        WHERE h.repository_id = $2 AND h.digest = c.digest AND NOT ",
                is_root!("h", "$3"),
                " AND NOT ",
                is_reached!("h"),
                " LIMIT 1) = 1",
                // Deleted, and pushed again since: it is no reason.
                " AND NOT EXISTS (SELECT 1 FROM repository_manifests
                                  WHERE repository_id = $2 AND digest = $1)
                  ORDER BY c.digest LIMIT $4"
            ),
            arguments![gone, repository, before, limit],
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

    const PLANS: Plans = Plans::ByIndex;

    async fn run(&self, on: &mut dyn Statements) -> Result<Taken> {
        let now = on.now().await?;
        writes::require(on, EVERYWHERE, Work::Change).await?;
        let Some(page) = Page::read(on, self.after.as_ref(), self.limit).await? else {
            return Ok(Taken::default());
        };
        let doomed = unneeded(on, now, &page, self.rules).await?;
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
            next: page.next,
        })
    }
}

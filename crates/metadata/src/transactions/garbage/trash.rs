//! Deleted manifests: into the trash with all that can bring them back, and out of it when the grace is over.

use std::collections::BTreeSet;

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{ManifestRules, Taken};
use wharf_oci::{Digest, RepositoryName};

use super::manifests::doomed_by;
use super::sweep::{is_needed, repository_name};
use super::{EVERYWHERE, signatures};
use crate::engine::{Dialect, Plans, Result, Statements, Transaction, arguments};
use crate::transactions::audit;
use crate::transactions::events::{self, Event};
use crate::transactions::pins;
use crate::transactions::usage::{self, Change, Charge, Limits, State, charge};
use crate::transactions::writes::{self, Work};

/// SQL that says whether a blob is one of those of a manifest. PostgreSQL finds these first then, and does not go through all blobs of a
/// repository where it takes that for small.
macro_rules! is_of {
    (sqlite, $manifest:literal) => {
        concat!("blob_digest IN (SELECT blob_digest FROM blob_references WHERE manifest_digest = ", $manifest, ")")
    };
    (postgres, $manifest:literal) => {
        concat!(
            "blob_digest = ANY (ARRAY (SELECT blob_digest FROM blob_references WHERE manifest_digest = ",
            $manifest,
            "))"
        )
    };
}

/// Statements about the memberships of the blobs of a manifest, in the words of each engine.
macro_rules! of_both {
    ($(#[$about:meta])* $name:ident, $head:expr, $manifest:literal, $tail:expr) => {
        $(#[$about])*
        const fn $name(dialect: Dialect) -> &'static str {
            match dialect {
                Dialect::Sqlite => concat!($head, is_of!(sqlite, $manifest), $tail),
                Dialect::Postgres => concat!($head, is_of!(postgres, $manifest), $tail),
            }
        }
    };
}

of_both!(
    /// Finds out at `$1` which of the blobs of the manifest `$3` something else in the repository `$2` needs.
    needed_no_more,
    concat!(
        "UPDATE repository_blobs SET touched_at = $1, removed = 0, needed = CASE WHEN ",
        is_needed!("repository_blobs.repository_id", "repository_blobs.blob_digest"),
        " THEN 1 ELSE 0 END WHERE repository_id = $2 AND "
    ),
    "$3",
    ""
);

of_both!(
    /// The memberships of the repository `$1` of the blobs of the manifest `$2`.
    blobs_of,
    "SELECT blob_digest, size, charge, needed FROM repository_blobs WHERE repository_id = $1 AND ",
    "$2",
    " ORDER BY blob_digest"
);

of_both!(
    /// Ends the charges of those that nothing needs.
    charged_no_more,
    "UPDATE repository_blobs SET charge = 0
     WHERE repository_id = $1 AND needed = 0 AND charge > 0 AND ",
    "$2",
    ""
);

/// What takes a manifest from a repository.
pub(crate) struct Deletion<'a> {
    pub(crate) repository: i64,
    pub(crate) name: &'a RepositoryName,
    pub(crate) by: &'a Actor,
    pub(crate) now: Timestamp,
}

impl Deletion<'_> {
    /// Takes a manifest on which no tag is. Its memberships are updated, so that of two deletions that are the last to need a blob the later
    /// one begins again and finds it; and touched, so that they outlast the time in which it can be brought back.
    pub(crate) async fn take(
        &self,
        on: &mut dyn Statements,
        digest: &Digest,
        why: &str,
    ) -> Result<()> {
        let Self { repository, name, by, now } = *self;
        on.execute(
            "INSERT INTO deleted_manifests
                 (deleted_by, deleted_at, repository_id, digest, pushed_by, pushed_at)
             SELECT $1, $2, repository_id, digest, pushed_by, pushed_at
             FROM repository_manifests WHERE repository_id = $3 AND digest = $4
             ON CONFLICT (repository_id, digest) DO UPDATE SET
                 deleted_by = excluded.deleted_by, deleted_at = excluded.deleted_at,
                 pushed_by = excluded.pushed_by, pushed_at = excluded.pushed_at",
            arguments![by.by.as_str(), now, repository, digest],
        )
        .await?;
        on.execute(
            "DELETE FROM repository_manifests WHERE repository_id = $1 AND digest = $2",
            arguments![repository, digest],
        )
        .await?;
        on.execute(needed_no_more(on.dialect()), arguments![now, repository, digest]).await?;
        free(on, repository, digest).await?;
        events::record(on, repository, Event::ManifestDeleted(digest), &by.by, now).await?;
        let target = format!("repository:{name}@{digest}");
        audit::record(on, by, "manifest.delete", target, name.namespace(), why.to_owned()).await
    }
}

/// Ends the charges of a manifest that is taken: its own, and those of the blobs that nothing needs any more.
async fn free(on: &mut dyn Statements, repository: i64, manifest: &Digest) -> Result<()> {
    let rows = on.query(blobs_of(on.dialect()), arguments![repository, manifest]).await?;
    let (mut named, mut changes) = (0, Vec::new());
    for row in &rows {
        let blob = usage::read(row)?;
        named += blob.size.unwrap_or_default();
        if row.int(3)? == 0 {
            changes.extend(blob.becomes(State::Free));
        }
    }
    on.execute(charged_no_more(on.dialect()), arguments![repository, manifest]).await?;
    let sql = "SELECT size FROM manifests WHERE digest = $1";
    let rows = on.query(sql, arguments![manifest]).await?;
    let own = rows.first().map_or(Ok(0), |row| row.int(0))?;
    let gone = Change { referenced: -named - own, bytes: -own, manifests: -1, ..Change::default() };
    let charged = usage::of_blobs(on, repository, &changes).await? + Charge::of(gone);
    charge(on, repository, charged, Limits::None).await
}

/// `Garbage::empty_trash`
pub(crate) struct Empty {
    pub(crate) rules: ManifestRules,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Empty {
    type Output = Taken;

    const PLANS: Plans = Plans::ByIndex;

    async fn run(&self, on: &mut dyn Statements) -> Result<Taken> {
        let now = on.now().await?;
        writes::require(on, EVERYWHERE, Work::Change).await?;
        let before = now.before(self.rules.grace);
        let rows = on
            .query(
                "SELECT d.repository_id, d.digest, r.name
                 FROM deleted_manifests d JOIN repositories r ON r.id = d.repository_id
                 WHERE d.deleted_at <= $1 AND r.write_mode = 'writable' AND r.name < '~'
                 ORDER BY d.deleted_at LIMIT $2",
                arguments![before, self.limit],
            )
            .await?;
        let (by, mut changed, mut left) = (Actor::system(), BTreeSet::new(), self.limit);
        let mut emptied = 0;
        for row in &rows {
            let (repository, digest) = (row.int(0)?, row.digest(1)?);
            let name = repository_name(row.text(2)?)?;
            pins::forget_expired(on, repository, now).await?;
            let doomed = doomed_by(on, repository, &digest, before, left).await?;
            let deletion = Deletion { repository, name: &name, by: &by, now };
            for manifest in &doomed {
                let why = format!("collected: only {digest} needed it, which was deleted");
                deletion.take(on, manifest, &why).await?;
            }
            left -= doomed.len();
            if !doomed.is_empty() {
                changed.insert(name.clone());
            }
            if left == 0 {
                // The rest of what it leaves behind is for the next step.
                break;
            }
            if signatures::delete_of(on, repository, &name, &digest, before).await? > 0 {
                changed.insert(name);
            }
            empty(on, repository, &digest).await?;
            emptied += 1;
        }
        Ok(Taken { count: emptied, repositories: changed.into_iter().collect(), next: None })
    }
}

/// Forgets a deleted manifest, and the bytes where no repository has them any more. Their row is updated first: of two that are the last the
/// later one begins again. A push of the same bytes locks the row by its reference, and is either seen or finds nothing and stores them anew.
pub(super) async fn empty(on: &mut dyn Statements, repository: i64, digest: &Digest) -> Result<()> {
    on.execute(
        "DELETE FROM deleted_manifests WHERE repository_id = $1 AND digest = $2",
        arguments![repository, digest],
    )
    .await?;
    on.execute(
        "UPDATE manifests SET created_at = created_at WHERE digest = $1",
        arguments![digest],
    )
    .await?;
    let held = on
        .query(
            "SELECT 1 FROM manifests WHERE digest = $1
                 AND (EXISTS (SELECT 1 FROM repository_manifests WHERE digest = $1)
                   OR EXISTS (SELECT 1 FROM deleted_manifests WHERE digest = $1))",
            arguments![digest],
        )
        .await?;
    if held.is_empty() {
        for sql in [
            "DELETE FROM blob_references WHERE manifest_digest = $1",
            "DELETE FROM manifest_references WHERE parent = $1",
            "DELETE FROM manifests WHERE digest = $1",
        ] {
            on.execute(sql, arguments![digest]).await?;
        }
    }
    Ok(())
}

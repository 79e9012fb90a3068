//! Memberships that no manifest needs: which these are, and a sweep of them.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::blob_life::{self, Membership};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{HeldPlace, Taken};
use wharf_oci::{Digest, RepositoryName};

use super::{EVERYWHERE, marks, pairs};
use crate::engine::{Dialect, Plans, Result, Row, Statements, Transaction, arguments};
use crate::transactions::events::{self, Event, Of};
use crate::transactions::usage::{self, Charged, Limits, State, charge};
use crate::transactions::writes::{self, Work};

/// SQL that says whether a manifest which the repository holds needs the blob. It goes from the blob's side where few manifests anywhere need
/// it, and else from the repository's: there are blobs (an empty configuration) that are needed by millions of manifests of others. The
/// `OFFSET` keeps planners from choosing a side themselves.
macro_rules! is_needed {
    ($repository:literal, $blob:literal) => {
        concat!(
            "CASE WHEN (SELECT 1 FROM blob_references WHERE blob_digest = ",
            $blob,
            " LIMIT 1 OFFSET 500) IS NULL
             THEN EXISTS (SELECT 1 FROM blob_references b WHERE b.blob_digest = ",
            $blob,
            " AND EXISTS (SELECT 1 FROM repository_manifests m WHERE m.repository_id = ",
            $repository,
            " AND m.digest = b.manifest_digest LIMIT 1 OFFSET 0))
             ELSE EXISTS (SELECT 1 FROM repository_manifests m WHERE m.repository_id = ",
            $repository,
            " AND EXISTS (SELECT 1 FROM blob_references b WHERE b.manifest_digest = m.digest AND b.blob_digest = ",
            $blob,
            " LIMIT 1 OFFSET 0)) END"
        )
    };
}
pub(super) use is_needed;

/// `Garbage::sweep_memberships`
pub(crate) struct Sweep {
    pub(crate) after: Option<HeldPlace>,
    pub(crate) grace: Duration,
    pub(crate) limit: usize,
}

/// Those of the memberships `$1` that a manifest needs.
const fn needed(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => concat!(
            "SELECT s.repository, s.blob FROM
             (SELECT value ->> 0 AS repository, unhex(value ->> 1) AS blob FROM json_each($1)) s
             WHERE ",
            is_needed!("s.repository", "s.blob")
        ),
        Dialect::Postgres => concat!(
            "SELECT s.repository, s.blob FROM
             (SELECT (value ->> 0)::bigint AS repository, decode(value ->> 1, 'hex') AS blob
              FROM jsonb_array_elements($1) e (value)) s
             WHERE ",
            is_needed!("s.repository", "s.blob")
        ),
    }
}

/// Takes the memberships `$1` away.
const fn take(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "DELETE FROM repository_blobs WHERE (repository_id, blob_digest) IN
                 (SELECT value ->> 0, unhex(value ->> 1) FROM json_each($1))"
        }
        Dialect::Postgres => {
            "DELETE FROM repository_blobs h USING jsonb_array_elements($1) e (value)
             WHERE h.repository_id = (e.value ->> 0)::bigint
               AND h.blob_digest = decode(e.value ->> 1, 'hex')"
        }
    }
}

#[async_trait]
impl Transaction for Sweep {
    type Output = Taken;

    const PLANS: Plans = Plans::ByIndex;

    async fn run(&self, on: &mut dyn Statements) -> Result<Taken> {
        let now = on.now().await?;
        writes::require(on, EVERYWHERE, Work::Change).await?;
        let after = self.after.as_ref();
        let rows = on
            .query(
                "SELECT h.repository_id, h.blob_digest, h.touched_at, r.name, h.size, h.charge
                 FROM repository_blobs h JOIN repositories r ON r.id = h.repository_id
                 WHERE h.needed = 0 AND r.write_mode = 'writable' AND r.name < '~'
                   AND (h.repository_id, h.blob_digest) > ($1, $2)
                 ORDER BY h.repository_id, h.blob_digest LIMIT $3",
                arguments![
                    after.map_or(i64::MIN, |place| place.repository),
                    after.map(|place| place.digest.to_binary()).unwrap_or_default().as_slice(),
                    self.limit,
                ],
            )
            .await?;
        let mut chosen = Vec::new();
        for row in &rows {
            let membership = Membership { needed: false, touched_at: Timestamp(row.int(2)?) };
            if blob_life::sweep(&membership, now, self.grace) {
                let charged = Charged {
                    digest: row.digest(1)?,
                    size: row.optional_int(4)?,
                    state: State::read(row, 5)?,
                };
                chosen.push((row.int(0)?, charged, row.text(3)?));
            }
        }
        let found =
            needed_of(on, chosen.iter().map(|(repository, blob, _)| (*repository, blob.digest)));
        let (needed, swept): (Vec<_>, Vec<_>) = {
            let found = found.await?;
            chosen
                .into_iter()
                .partition(|(repository, blob, _)| found.contains(&(*repository, blob.digest)))
        };
        // A node of the version before did not write down that it needs them.
        note_needed(on, needed.iter().map(|(repository, blob, _)| (*repository, blob.digest)))
            .await?;
        if !swept.is_empty() {
            let list = pairs(swept.iter().map(|(repository, blob, _)| (*repository, blob.digest)));
            free(on, &swept).await?;
            tell(on, &swept, now).await?;
            let sql = take(on.dialect());
            on.execute(sql, arguments![list]).await?;
            let blobs: BTreeSet<Digest> = swept.iter().map(|(_, blob, _)| blob.digest).collect();
            let currents = marks::currents(on, blobs.iter()).await?;
            marks::write_all(on, currents.iter().filter_map(blob_life::let_go), now).await?;
        }
        let names: BTreeSet<&str> = swept.iter().map(|(_, _, name)| *name).collect();
        Ok(Taken {
            count: swept.len() as u64,
            repositories: names.into_iter().map(repository_name).collect::<Result<_>>()?,
            next: rows.last().filter(|_| rows.len() == self.limit).map(place).transpose()?,
        })
    }
}

/// Ends the charges of memberships that are taken away, which are in the order of their repositories.
async fn free(on: &mut dyn Statements, swept: &[(i64, Charged, &str)]) -> Result<()> {
    for of_one in swept.chunk_by(|one, other| one.0 == other.0) {
        let Some((repository, ..)) = of_one.first() else { continue };
        let changes: Vec<_> =
            of_one.iter().filter_map(|(_, blob, _)| blob.becomes(State::Free)).collect();
        let charged = usage::of_blobs(on, *repository, &changes).await?;
        charge(on, *repository, charged, Limits::None).await?;
    }
    Ok(())
}

/// One event for each repository: with thousands of blobs in a step, one for each blob would tell nothing more that anybody acts on.
async fn tell(
    on: &mut dyn Statements,
    swept: &[(i64, Charged, &str)],
    now: Timestamp,
) -> Result<()> {
    let by = Actor::system().by;
    let events = swept.chunk_by(|one, other| one.0 == other.0).filter_map(|of_one| {
        let (repository, ..) = of_one.first()?;
        Some((Of::Repository(*repository), Event::BlobsSwept(of_one.len())))
    });
    events::record_all(on, events, &by, now).await
}

pub(crate) fn place(row: &Row) -> Result<HeldPlace> {
    Ok(HeldPlace { repository: row.int(0)?, digest: row.digest(1)? })
}

pub(super) fn repository_name(name: &str) -> Result<RepositoryName> {
    name.parse()
        .map_err(|_| wharf_core::StoreError::Corrupt(format!("a repository is stored as {name:?}")))
}

async fn needed_of(
    on: &mut dyn Statements,
    memberships: impl Iterator<Item = (i64, Digest)> + Send,
) -> Result<BTreeSet<(i64, Digest)>> {
    let sql = needed(on.dialect());
    let rows = on.query(sql, arguments![pairs(memberships)]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.digest(1)?))).collect()
}

async fn note_needed(
    on: &mut dyn Statements,
    memberships: impl Iterator<Item = (i64, Digest)> + Send,
) -> Result<()> {
    let rows: Vec<_> =
        memberships.map(|(repository, blob)| arguments![repository, blob].to_vec()).collect();
    on.execute_each(
        "UPDATE repository_blobs SET needed = 1 WHERE repository_id = $1 AND blob_digest = $2",
        &rows,
    )
    .await
    .map(drop)
}

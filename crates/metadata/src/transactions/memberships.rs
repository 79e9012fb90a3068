//! Memberships: found, added, removed. Adding one takes the blob's mark away, and removing one sets it, as [`blob_life`] says.

mod removing;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::blob_life::{self, Membership};
use wharf_core::blobs::ObjectKey;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{FoundBlob, KeepBlob, MountBlob};
use wharf_core::permissions::Sources;
use wharf_core::writes::WriteMode;
use wharf_oci::{Digest, RepositoryName};

use crate::engine::{Reads, Result, Statements, Transaction, arguments};
use crate::transactions::garbage::marks;
use crate::transactions::repositories;
use crate::transactions::usage::{self, Charge, Charged, Limits, State, charge};
use crate::transactions::writes::{self, Work};

/// SQL that says whether the membership `b` is one for whoever asks: not only for what is in the trash, and of no object in quarantine.
macro_rules! is_served {
    ($b:literal) => {
        concat!(
            "(",
            $b,
            ".removed = 0 OR ",
            $b,
            ".needed = 1) AND NOT EXISTS
                 (SELECT 1 FROM blob_marks qm LEFT JOIN blob_incarnations qi ON qi.digest = qm.digest
                  WHERE qm.digest = ",
            $b,
            ".blob_digest AND qm.state = 'quarantined' AND qm.incarnation = coalesce(qi.incarnation, 0))"
        )
    };
}
pub(crate) use is_served;

pub(crate) fn number(value: i64) -> Result<u32> {
    u32::try_from(value).map_err(|_| {
        wharf_core::StoreError::Corrupt(format!("{value} is no incarnation of a blob"))
    })
}

/// Makes a repository hold a blob of a size, where that is known, whose mark is taken away. Returns what it is to be charged with: its bytes are
/// held for it until a manifest needs it or a sweep takes it away.
pub(crate) async fn add(
    on: &mut dyn Statements,
    repository: i64,
    digest: &Digest,
    size: Option<i64>,
    now: Timestamp,
) -> Result<Charge> {
    // Locked, so that nobody takes it away meanwhile with its charge: the upsert below would bring it back as it was.
    let rows = on
        .query_locked(
            "SELECT blob_digest, size, charge, needed FROM repository_blobs
             WHERE repository_id = $1 AND blob_digest = $2",
            arguments![repository, digest],
        )
        .await?;
    let (before, needed) = match rows.first() {
        Some(row) => (usage::read(row)?, row.int(3)? == 1),
        None => (Charged { digest: *digest, size, state: State::Free }, false),
    };
    // One that is needed and whose size is not known is charged when a job finds that out.
    let known = if needed { before.size } else { before.size.or(size) };
    let before = Charged { size: known, ..before };
    let is_charged = known.is_some() && !needed && before.state == State::Free;
    let state = if is_charged { State::Held } else { before.state };
    on.execute(
        "INSERT INTO repository_blobs (repository_id, blob_digest, touched_at, size, charge)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (repository_id, blob_digest) DO UPDATE SET
             touched_at = excluded.touched_at, size = excluded.size, charge = excluded.charge,
             removed = 0",
        arguments![repository, digest, now, known, state.number()],
    )
    .await?;
    let changes: Vec<_> = before.becomes(state).into_iter().collect();
    usage::of_blobs(on, repository, &changes).await
}

/// Somebody stops holding a blob.
pub(crate) async fn let_go(on: &mut dyn Statements, digest: &Digest, now: Timestamp) -> Result<()> {
    let current = marks::current(on, digest).await?;
    marks::write(on, blob_life::let_go(&current), now).await
}

/// `Memberships::find_blob`
pub(crate) struct Find {
    pub(crate) repository: RepositoryName,
    pub(crate) digest: Digest,
}

#[async_trait]
impl Transaction for Find {
    type Output = Option<FoundBlob>;

    const READS: Reads = Reads::Replica;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let rows = on
            .query(
                concat!(
                    "SELECT coalesce(i.incarnation, 0), b.needed
                     FROM repositories r
                     JOIN repository_blobs b ON b.repository_id = r.id
                     LEFT JOIN blob_incarnations i ON i.digest = b.blob_digest
                     WHERE r.name = $1 AND b.blob_digest = $2 AND ",
                    is_served!("b")
                ),
                arguments![self.repository.as_str(), self.digest],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let key = ObjectKey { digest: self.digest, incarnation: number(row.int(0)?)? };
        Ok(Some(FoundBlob { key, needed: row.int(1)? == 1 }))
    }
}

#[async_trait]
impl Transaction for KeepBlob {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let is_open = match writes::enter(on, &self.repository, Work::Change).await {
            Err(StoreError::Closed(_)) => false,
            entered => entered.map(|_| true)?,
        };
        let rows = on
            .query(
                concat!(
                    "SELECT b.repository_id, b.needed, b.touched_at
                     FROM repositories r JOIN repository_blobs b ON b.repository_id = r.id
                     WHERE r.name = $1 AND b.blob_digest = $2 AND ",
                    is_served!("b")
                ),
                arguments![self.repository.as_str(), self.digest],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(false) };
        let touched_at = Timestamp(row.int(2)?);
        let membership = Membership { needed: row.int(1)? == 1, touched_at };
        let now = on.now().await?;
        if is_open && blob_life::renew(&membership, now, self.grace) {
            on.execute(
                "UPDATE repository_blobs SET touched_at = $1
                 WHERE repository_id = $2 AND blob_digest = $3",
                arguments![now, row.int(0)?, self.digest],
            )
            .await?;
        }
        Ok(true)
    }
}

#[async_trait]
impl Transaction for MountBlob {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let found = match writes::enter(on, &self.repository, Work::Change).await {
            // Whoever is in the middle of a push sends the blob instead.
            Err(StoreError::Closed(closed)) if closed.mode == WriteMode::Draining => {
                return Ok(false);
            }
            entered => entered?,
        };
        // First, so that who may not take it changes nothing: a mark that went would tell, and would keep the blob.
        if !is_held(on, self).await? {
            return Ok(false);
        }
        let current = marks::current(on, &self.digest).await?;
        let Some(write) = blob_life::hold(&current) else { return Ok(false) };
        let now = on.now().await?;
        marks::write(on, write, now).await?;
        let size = size(on, &self.digest).await?;
        let repository = repositories::or_create(on, found, &self.repository, now).await?;
        let charged = add(on, repository, &self.digest, size, now).await?;
        charge(on, repository, charged, Limits::All).await?;
        Ok(true)
    }
}

/// The size of a blob that somebody holds, in bytes.
pub(crate) async fn size(on: &mut dyn Statements, digest: &Digest) -> Result<Option<i64>> {
    let sql =
        "SELECT size FROM repository_blobs WHERE blob_digest = $1 AND size IS NOT NULL LIMIT 1";
    let rows = on.query(sql, arguments![digest]).await?;
    rows.first().map(|row| row.int(0)).transpose()
}

/// Whether one of the sources holds the blob.
async fn is_held(on: &mut dyn Statements, mount: &MountBlob) -> Result<bool> {
    let digest = &mount.digest;
    match (&mount.from, &mount.sources) {
        (Some(from), Sources::Any) => is_held_by(on, from, digest).await,
        (Some(from), Sources::PublicOr(named)) if named.contains(from) => {
            is_held_by(on, from, digest).await
        }
        (Some(from), Sources::PublicOr(_)) => {
            let sql = concat!(
                "SELECT 1 FROM repositories r JOIN repository_blobs b ON b.repository_id = r.id
                 WHERE r.name = $1 AND r.visibility = 'public' AND b.blob_digest = $2 AND ",
                is_served!("b")
            );
            Ok(!on.query(sql, arguments![from.as_str(), digest]).await?.is_empty())
        }
        (None, Sources::Any) => {
            let sql = concat!(
                "SELECT 1 FROM repository_blobs b JOIN repositories r ON r.id = b.repository_id
                 WHERE b.blob_digest = $1 AND r.name < '~' AND ",
                is_served!("b"),
                " LIMIT 1"
            );
            Ok(!on.query(sql, arguments![digest]).await?.is_empty())
        }
        (None, Sources::PublicOr(named)) => {
            // However many private ones hold it, this takes as long.
            let sql = concat!(
                "SELECT 1 FROM public_blobs p JOIN repositories r ON r.id = p.repository_id
                 JOIN repository_blobs b
                     ON b.repository_id = p.repository_id AND b.blob_digest = p.blob_digest
                 WHERE p.blob_digest = $1 AND r.visibility = 'public' AND ",
                is_served!("b"),
                " LIMIT 1"
            );
            let mut held = !on.query(sql, arguments![digest]).await?.is_empty();
            for from in named {
                held |= is_held_by(on, from, digest).await?;
            }
            Ok(held)
        }
    }
}

async fn is_held_by(
    on: &mut dyn Statements,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<bool> {
    let sql = concat!(
        "SELECT 1 FROM repositories r JOIN repository_blobs b ON b.repository_id = r.id
         WHERE r.name = $1 AND b.blob_digest = $2 AND ",
        is_served!("b")
    );
    Ok(!on.query(sql, arguments![repository.as_str(), digest]).await?.is_empty())
}

//! Read-only mode and draining: what every transaction asks that changes content.
//!
//! The question is asked in the transaction's own snapshot. On SQLite that makes it exact, as writers follow one
//! another; on PostgreSQL whoever sets a mode waits for the transactions that began before (`Engine::settle`).

pub(crate) mod setting;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::clock::Timestamp;
use wharf_core::writes::{Closed, PUSH_PAUSE, WriteMode, WriteReason, WriteScope};
use wharf_oci::RepositoryName;

use crate::engine::{Result, Row, Statements, Transaction, arguments};

/// What is about to be written.
#[derive(Clone, Copy)]
pub(crate) enum Work<'a> {
    /// A part of a push by this principal.
    PushBy(&'a str),
    /// The next bytes of an upload that is there.
    Bytes,
    /// Anything else that changes content: a deletion, by whomever or by a rule, a mount, another name.
    Change,
}

/// The modes of a repository that may be there, and of all.
struct Modes {
    id: Option<i64>,
    name: Option<RepositoryName>,
    own: Standing,
    all: Standing,
}

/// A mode, as it stands.
struct Standing {
    mode: WriteMode,
    reason: Option<WriteReason>,
}

/// A repository's row, if there is one; the statement that asks for it tells whether the work may be done.
///
/// # Errors
/// [`StoreError::Closed`] where it may not.
pub(crate) async fn enter(
    on: &mut dyn Statements,
    name: &RepositoryName,
    work: Work<'_>,
) -> Result<Option<i64>> {
    let rows = on
        .query(
            "SELECT r.id, r.name, r.write_mode, r.write_reason, s.mode, s.reason
             FROM site_writes s LEFT JOIN repositories r ON r.name = $1",
            arguments![name.as_str()],
        )
        .await?;
    let modes = Modes::read(rows.first())?;
    modes.allow(on, work).await?;
    Ok(modes.id)
}

/// The same by the repository's number. Background work asks this, as [`Work::Change`], in the transaction in which it
/// removes something.
pub(crate) async fn require(
    on: &mut dyn Statements,
    repository: i64,
    work: Work<'_>,
) -> Result<()> {
    of_number(on, repository).await?.allow(on, work).await
}

async fn of_number(on: &mut dyn Statements, repository: i64) -> Result<Modes> {
    let rows = on
        .query(
            "SELECT r.id, r.name, r.write_mode, r.write_reason, s.mode, s.reason
             FROM site_writes s LEFT JOIN repositories r ON r.id = $1",
            arguments![repository],
        )
        .await?;
    Modes::read(rows.first())
}

/// That an upload may become a blob. One that is there while its repository is drained was begun before, or belongs to a
/// push that was: no other could begin. So its principal goes on with that push.
pub(crate) async fn finishes(
    on: &mut dyn Statements,
    repository: i64,
    upload: &[u8],
    now: Timestamp,
) -> Result<()> {
    let modes = of_number(on, repository).await?;
    for (of_all, standing) in [(0_i64, &modes.own), (1, &modes.all)] {
        match standing.mode {
            WriteMode::Writable => {}
            WriteMode::ReadOnly => return Err(modes.closed(of_all)),
            WriteMode::Draining => {
                on.execute(
                    "INSERT INTO pushes_under_way (of_all, repository_id, principal, seen_at)
                     SELECT $1, repository_id, principal, $2 FROM uploads WHERE id = $3
                     ON CONFLICT (of_all, repository_id, principal)
                         DO UPDATE SET seen_at = excluded.seen_at",
                    arguments![of_all, now, upload],
                )
                .await?;
            }
        }
    }
    Ok(())
}

impl Modes {
    fn read(row: Option<&Row>) -> Result<Self> {
        let row = row.ok_or_else(|| StoreError::Corrupt("site_writes has no row".into()))?;
        let id = row.optional_int(0)?;
        let (name, own) = match id {
            Some(_) => (Some(row.parsed(1)?), Standing::read(row, 2)?),
            None => (None, Standing { mode: WriteMode::Writable, reason: None }),
        };
        Ok(Self { id, name, own, all: Standing::read(row, 4)? })
    }

    /// That the work may be done, noted where it belongs to a push that is waited for.
    async fn allow(&self, on: &mut dyn Statements, work: Work<'_>) -> Result<()> {
        for (of_all, standing) in [(0_i64, &self.own), (1, &self.all)] {
            let allowed = match (standing.mode, work, self.id) {
                (WriteMode::Writable, ..) | (WriteMode::Draining, Work::Bytes, _) => true,
                (WriteMode::Draining, Work::PushBy(principal), Some(id)) => {
                    is_under_way(on, of_all, id, principal).await?
                }
                _ => false,
            };
            if !allowed {
                return Err(self.closed(of_all));
            }
        }
        Ok(())
    }

    fn closed(&self, of_all: i64) -> StoreError {
        let (scope, standing) = match &self.name {
            Some(name) if of_all == 0 => (WriteScope::Repository(name.clone()), &self.own),
            _ => (WriteScope::All, &self.all),
        };
        let Standing { mode, reason } = standing;
        StoreError::Closed(Box::new(Closed { scope, mode: *mode, reason: reason.clone() }))
    }
}

impl Standing {
    fn read(row: &Row, column: usize) -> Result<Self> {
        let reason = row.optional_text(column + 1)?;
        let reason = reason.and_then(|reason| reason.parse().ok());
        Ok(Self { mode: row.parsed(column)?, reason })
    }
}

/// Whether a push is one that a drain waits for: then it goes on now.
async fn is_under_way(
    on: &mut dyn Statements,
    of_all: i64,
    repository: i64,
    principal: &str,
) -> Result<bool> {
    let now = on.now().await?;
    let going_on = on
        .execute(
            "UPDATE pushes_under_way SET seen_at = $1
             WHERE of_all = $2 AND repository_id = $3 AND principal = $4 AND seen_at > $5",
            arguments![now, of_all, repository, principal, now.before(PUSH_PAUSE)],
        )
        .await?;
    Ok(going_on > 0)
}

/// `WriteModes::closed`
pub(crate) struct Ask(pub(crate) WriteScope);

#[async_trait]
impl Transaction for Ask {
    type Output = Option<Closed>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let asked = match &self.0 {
            // No repository has this number.
            WriteScope::All => require(on, 0, Work::Change).await,
            WriteScope::Repository(name) => enter(on, name, Work::Change).await.map(drop),
        };
        match asked {
            Ok(()) => Ok(None),
            Err(StoreError::Closed(closed)) => Ok(Some(*closed)),
            Err(fault) => Err(fault),
        }
    }
}

//! Blobs that begin or end to be charged: to their repository by their size, and to its namespace where it is the first or last there.

use std::collections::BTreeMap;

use wharf_core::StoreError;
use wharf_oci::Digest;

use super::scopes::{self, Which};
use super::{Change, Charge};
use crate::engine::{Dialect, Result, Row, Statements, Value, arguments};
use crate::transactions::garbage::list_of;
use crate::transactions::memberships::is_served;

/// What a membership is charged with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Nothing: it is not there, was deleted, or its size is not known.
    Free,
    /// Its bytes, though no manifest needs it.
    Held,
    /// Its bytes, because a manifest needs it.
    Used,
}

impl State {
    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Free => 0,
            Self::Held => 1,
            Self::Used => 2,
        }
    }

    pub(crate) fn read(row: &Row, column: usize) -> Result<Self> {
        match row.int(column)? {
            0 => Ok(Self::Free),
            1 => Ok(Self::Held),
            2 => Ok(Self::Used),
            other => Err(StoreError::Corrupt(format!("a membership has the charge {other}"))),
        }
    }

    /// What a blob of a size adds in this state.
    const fn of(self, size: i64) -> Change {
        let mut change = Change { referenced: 0, bytes: 0, reserved: 0, manifests: 0, tags: 0 };
        match self {
            Self::Free => {}
            Self::Held => change.reserved = size,
            Self::Used => change.bytes = size,
        }
        change
    }
}

/// A blob of a repository that is charged otherwise than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlobChange {
    pub(crate) digest: Digest,
    /// In bytes.
    pub(crate) size: i64,
    pub(crate) from: State,
    pub(crate) to: State,
}

/// In how many repositories of a namespace a blob is charged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sharing {
    pub(super) used: i64,
    pub(super) held: i64,
}

impl Sharing {
    const fn state(self) -> State {
        match self {
            Self { used: 1.., .. } => State::Used,
            Self { held: 1.., .. } => State::Held,
            _ => State::Free,
        }
    }

    const fn count(&mut self, state: State, by: i64) {
        match state {
            State::Free => {}
            State::Held => self.held += by,
            State::Used => self.used += by,
        }
    }
}

/// What it comes to that blobs of a repository are charged otherwise. The counts of its namespace are changed; the memberships are the
/// caller's to change.
pub(crate) async fn of_blobs(
    on: &mut dyn Statements,
    repository: i64,
    changes: &[BlobChange],
) -> Result<Charge> {
    let changes: Vec<_> = changes.iter().filter(|change| change.from != change.to).collect();
    if changes.is_empty() {
        return Ok(Charge::default());
    }
    let scope = scopes::find_or_make(on, repository, Which::Namespace).await?.id;
    Ok(Charge {
        repository: changes.iter().fold(Change::default(), |sum, change| {
            sum + change.to.of(change.size) + -change.from.of(change.size)
        }),
        namespace: share(on, scope, &changes).await?,
    })
}

/// Counts in which state the repositories of a namespace have blobs. Returns what the namespace holds more by that.
async fn share(on: &mut dyn Statements, scope: i64, changes: &[&BlobChange]) -> Result<Change> {
    let known = sharing(on, scope, changes).await?;
    let mut counts: BTreeMap<Digest, (i64, Sharing)> = BTreeMap::new();
    for change in changes {
        let before = known.get(&change.digest).copied().unwrap_or_default();
        let (_, count) = counts.entry(change.digest).or_insert((change.size, before));
        count.count(change.from, -1);
        count.count(change.to, 1);
    }
    let (mut sum, mut writes) = (Change::default(), SharingWrites::default());
    for (digest, (size, count)) in counts {
        let before = known.get(&digest).copied();
        sum = sum + count.state().of(size) + -before.unwrap_or_default().state().of(size);
        // A count that was lost (by hand, or by a fault) must not stop a push: a count of the rows corrects it.
        let count = Sharing { used: count.used.max(0), held: count.held.max(0) };
        writes.add(scope, &digest, size, before.is_some(), count);
    }
    writes.write(on).await?;
    Ok(sum)
}

/// Counts that are to be written, in the order of their digests: first all that are there, so that those which are gone then are locked in
/// the same order as the others, and behind them the new ones. Of two that change one at once the later begins again: so a row that was
/// read is updated, which finds that somebody has taken it away meanwhile, where an upsert would bring it back.
#[derive(Default)]
pub(super) struct SharingWrites {
    new: Vec<Vec<Value>>,
    changed: Vec<Vec<Value>>,
    gone: Vec<Vec<Value>>,
}

impl SharingWrites {
    pub(super) fn add(
        &mut self,
        scope: i64,
        digest: &Digest,
        size: i64,
        is_there: bool,
        count: Sharing,
    ) {
        let Sharing { used, held } = count;
        match (is_there, count.state()) {
            (false, State::Free) => {}
            (true, state) => {
                self.changed.push(arguments![used, held, scope, digest].to_vec());
                if state == State::Free {
                    self.gone.push(arguments![scope, digest].to_vec());
                }
            }
            (false, _) => self.new.push(arguments![scope, digest, size, used, held].to_vec()),
        }
    }

    pub(super) async fn write(&self, on: &mut dyn Statements) -> Result<()> {
        for (sql, rows) in [
            (
                "UPDATE namespace_blobs SET used = $1, held = $2 WHERE scope = $3 AND digest = $4",
                &self.changed,
            ),
            ("DELETE FROM namespace_blobs WHERE scope = $1 AND digest = $2", &self.gone),
            (
                "INSERT INTO namespace_blobs (scope, digest, size, used, held)
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (scope, digest) DO UPDATE SET
                     used = excluded.used, held = excluded.held",
                &self.new,
            ),
        ] {
            if !rows.is_empty() {
                on.execute_each(sql, rows).await?;
            }
        }
        Ok(())
    }
}

/// The counts of the digests `$2` in the namespace `$1`.
const fn sharing_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT digest, used, held FROM namespace_blobs
             WHERE scope = $1 AND digest IN (SELECT unhex(value) FROM json_each($2))"
        }
        Dialect::Postgres => {
            "SELECT n.digest, n.used, n.held FROM jsonb_array_elements_text($2) e (value), LATERAL
                 (SELECT digest, used, held FROM namespace_blobs
                  WHERE scope = $1 AND digest = decode(e.value, 'hex') OFFSET 0) n"
        }
    }
}

async fn sharing(
    on: &mut dyn Statements,
    scope: i64,
    changes: &[&BlobChange],
) -> Result<BTreeMap<Digest, Sharing>> {
    let list = list_of(changes.iter().map(|change| &change.digest));
    let rows = on.query(sharing_of(on.dialect()), arguments![scope, list]).await?;
    rows.iter()
        .map(|row| Ok((row.digest(0)?, Sharing { used: row.int(1)?, held: row.int(2)? })))
        .collect()
}

/// A membership, as it is charged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charged {
    pub(crate) digest: Digest,
    /// In bytes, where it is known.
    pub(crate) size: Option<i64>,
    pub(crate) state: State,
}

/// The memberships of the digests `$2` in the repository `$1`, but for those that were deleted by hand.
const fn charged_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            concat!(
                "SELECT blob_digest, size, charge FROM repository_blobs b
                 WHERE repository_id = $1 AND blob_digest IN (SELECT unhex(value) FROM json_each($2))
                   AND ",
                is_served!("b")
            )
        }
        Dialect::Postgres => {
            concat!(
                "SELECT h.blob_digest, h.size, h.charge
                 FROM jsonb_array_elements_text($2) e (value), LATERAL
                     (SELECT blob_digest, size, charge FROM repository_blobs b
                      WHERE repository_id = $1 AND blob_digest = decode(e.value, 'hex') AND ",
                is_served!("b"),
                " OFFSET 0) h"
            )
        }
    }
}

/// How memberships are charged that the caller is about to change: of two that change one at once the later begins again.
pub(crate) async fn charged<'a>(
    on: &mut dyn Statements,
    repository: i64,
    blobs: impl Iterator<Item = &'a Digest> + Send,
) -> Result<Vec<Charged>> {
    let list = list_of(blobs);
    let rows = on.query(charged_of(on.dialect()), arguments![repository, list]).await?;
    rows.iter().map(read).collect()
}

/// A row of a digest, a size and a charge.
pub(crate) fn read(row: &Row) -> Result<Charged> {
    Ok(Charged { digest: row.digest(0)?, size: row.optional_int(1)?, state: State::read(row, 2)? })
}

impl Charged {
    /// That it is charged as `to`, from now on, which is nothing where its size is not known.
    pub(crate) fn becomes(&self, to: State) -> Option<BlobChange> {
        let size = self.size?;
        Some(BlobChange { digest: self.digest, size, from: self.state, to })
    }
}

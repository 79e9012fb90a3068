//! Usage: what repositories and namespaces hold, charged in the transactions that change it, and counted again by the rows.
//!
//! On PostgreSQL rows are locked in one order, so that two transactions never wait for each other in a circle, which costs a second until its
//! detector ends one of them: uploads, memberships by their digests, the repository's row, `namespace_blobs` by their digests, then of the repository
//! and after it of its namespace the scope's row and its shards by their numbers. Who locks no membership may have the repository's row from the
//! beginning. Two things keep another order, rather than cost each push a trip more: a repository whose own shard has no room is charged by
//! all of its shards after its namespace was; and what goes through several repositories or namespaces (a sweep, sizes that became known, a
//! move) does so one after another.

mod blobs;
mod counting;
mod escrow;
mod finding;
mod moving;
mod quota;
mod scopes;
mod sizes;
mod tally;

pub(crate) use blobs::{Charged, State, charged, of_blobs, read};
pub(crate) use counting::{CountNamespaces, CountRepositories, NextScope};
pub(crate) use finding::{Find, List, OfAll};
pub(crate) use moving::{forget_blobs, forget_namespace, relocate};
pub(crate) use scopes::begin;
pub(crate) use sizes::{Record, Unsized};
pub(crate) use tally::CountStored;

use wharf_core::StoreError;
use wharf_core::metadata::{Meter, OverQuota, Scope};

use crate::engine::{Result, Statements, arguments};
use escrow::{BYTES, Full, MANIFESTS, METERS, Shard, TAGS, TOTAL};
use scopes::Which;

/// How what a scope holds changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Bytes that its manifests name, however often the same.
    pub(crate) referenced: i64,
    /// Bytes that they need, each blob once, and their own.
    pub(crate) bytes: i64,
    /// Bytes of uploads, and of blobs that no manifest needs yet.
    pub(crate) reserved: i64,
    pub(crate) manifests: i64,
    pub(crate) tags: i64,
}

impl Change {
    const fn of_meters(&self) -> [i64; METERS] {
        let mut all = [0; METERS];
        all[BYTES] = self.bytes;
        all[TOTAL] = self.bytes + self.reserved;
        all[MANIFESTS] = self.manifests;
        all[TAGS] = self.tags;
        all
    }
}

impl std::ops::Add for Change {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            referenced: self.referenced + other.referenced,
            bytes: self.bytes + other.bytes,
            reserved: self.reserved + other.reserved,
            manifests: self.manifests + other.manifests,
            tags: self.tags + other.tags,
        }
    }
}

impl std::ops::Neg for Change {
    type Output = Self;

    fn neg(self) -> Self {
        Self {
            referenced: -self.referenced,
            bytes: -self.bytes,
            reserved: -self.reserved,
            manifests: -self.manifests,
            tags: -self.tags,
        }
    }
}

/// How what a repository holds changes, and what its namespace does by that: less, where another of its repositories shares it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) repository: Change,
    pub(crate) namespace: Change,
}

impl Charge {
    /// The same for both: of what is not shared.
    pub(crate) const fn of(change: Change) -> Self {
        Self { repository: change, namespace: change }
    }
}

impl std::ops::Add for Charge {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            repository: self.repository + other.repository,
            namespace: self.namespace + other.namespace,
        }
    }
}

/// Which limits hold for a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limits {
    /// All of them.
    All,
    /// All but that uploads under way count, too: for what had room reserved before.
    Reserved,
    /// None: for what is freed, and what is there already.
    None,
}

impl Limits {
    const fn enforced(self) -> [bool; METERS] {
        let mut all = [!matches!(self, Self::None); METERS];
        all[TOTAL] = matches!(self, Self::All);
        all
    }
}

/// Charges the shard `$6` of a scope, where it has room for that and nobody of the scope is in debt.
const CHARGE: &str = "
    UPDATE usage_shards SET
        referenced = referenced + $1, bytes = bytes + $2, total = total + $3,
        manifests = manifests + $4, tags = tags + $5
    WHERE shard = $6
      AND scope = (SELECT s.id FROM usage_scopes r
                   JOIN usage_scopes s ON s.id = CASE WHEN $7 = 1 THEN r.parent ELSE r.id END
                   WHERE r.repository_id = $8 AND s.indebted = 0)
      AND ($2 <= 0 OR bytes_allowed IS NULL OR bytes + $2 <= bytes_allowed)
      AND ($3 <= 0 OR total_allowed IS NULL OR total + $3 <= total_allowed)
      AND ($4 <= 0 OR manifests_allowed IS NULL OR manifests + $4 <= manifests_allowed)
      AND ($5 <= 0 OR tags_allowed IS NULL OR tags + $5 <= tags_allowed)";

/// Charges a repository and its namespace: whatever changes what they hold goes through here, in its own transaction.
///
/// A transaction writes to a shard that no other of this node writes to at the time (`Statements::shard`), first of the repository and then of the
/// namespace. Only where that shard's part of a limit does not do, it looks at the others: see [`escrow`].
///
/// # Errors
/// [`StoreError::OverQuota`] where it does not fit. The transaction is to end with it, so that it leaves nothing behind.
pub(crate) async fn charge(
    on: &mut dyn Statements,
    repository: i64,
    charge: Charge,
    limits: Limits,
) -> Result<()> {
    let both = [(Which::Repository, charge.repository), (Which::Namespace, charge.namespace)];
    let both: Vec<_> =
        both.into_iter().filter(|(_, change)| *change != Change::default()).collect();
    let shard = on.shard();
    let rows: Vec<_> = both
        .iter()
        .map(|(which, change)| {
            let [bytes, total, manifests, tags] = change.of_meters();
            arguments![
                change.referenced,
                bytes,
                total,
                manifests,
                tags,
                shard,
                which.number(),
                repository
            ]
            .to_vec()
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let charged = on.execute_each(CHARGE, &rows).await?;
    for ((which, change), charged) in both.iter().zip(charged) {
        if charged == 0 {
            charge_slowly(on, repository, *which, change, limits).await?;
        }
    }
    Ok(())
}

/// Whether an upload that holds nothing yet may be begun, as far as the shard of this transaction tells: in a repository and in its namespace, that has room
/// left, or there is no limit. Nothing is charged.
pub(crate) async fn has_room(on: &mut dyn Statements, repository: i64) -> Result<bool> {
    let sql = "SELECT count(*) FROM usage_scopes r
               JOIN usage_shards u ON u.shard = $1 AND u.scope IN (r.id, r.parent)
                AND (u.total_allowed IS NULL OR u.total < u.total_allowed)
               WHERE r.repository_id = $2";
    let rows = on.query(sql, arguments![on.shard(), repository]).await?;
    rows.first().map_or(Ok(false), |row| Ok(row.int(0)? == 2))
}

/// Charges a scope whose shard is not there, has no room, or that has debts: by all of its shards.
async fn charge_slowly(
    on: &mut dyn Statements,
    repository: i64,
    which: Which,
    change: &Change,
    limits: Limits,
) -> Result<()> {
    let scope = scopes::find_or_make(on, repository, which).await?;
    let own = on.shard();
    let before = scopes::shards(on, scope.id).await?;
    let mut after = before.clone();
    if !before.iter().any(|shard| shard.number == own) {
        scopes::make_shard(on, &scope, own).await?;
        after.push(Shard {
            number: own,
            used: [0; METERS],
            allowed: scope.limits.map(|limit| limit.map(|_| 0)),
        });
    }
    if let Err(full) = escrow::charge(&mut after, own, change.of_meters(), limits.enforced()) {
        let scope = scopes::named(on, scope.id).await?;
        return Err(StoreError::OverQuota(Box::new(over_quota(scope, &full))));
    }
    scopes::write(on, &scope, &before, &after, (own, change.referenced)).await
}

fn over_quota(scope: Scope, full: &Full) -> OverQuota {
    let meter = match full.meter {
        BYTES => Meter::Bytes,
        TOTAL => Meter::BytesWithUploads,
        MANIFESTS => Meter::Manifests,
        _ => Meter::Tags,
    };
    let size = |number: i64| u64::try_from(number).unwrap_or_default();
    OverQuota {
        scope,
        meter,
        used: size(full.used),
        limit: size(full.limit),
        needed: size(full.needed),
    }
}

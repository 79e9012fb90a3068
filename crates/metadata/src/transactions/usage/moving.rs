//! A repository that goes to another namespace: with all that it holds.

use super::blobs::{self, BlobChange, Charged, State};
use super::scopes::{self, Which};
use super::{Change, Charge, Limits, charge};
use crate::engine::{Result, Statements, arguments};

/// Charges what a repository holds to another namespace instead of the one that it is charged to.
///
/// # Errors
/// [`StoreError::OverQuota`](wharf_core::StoreError::OverQuota) where the other namespace has no room for it.
pub(crate) async fn relocate(on: &mut dyn Statements, repository: i64, to: &str) -> Result<()> {
    let from = scopes::find_or_make(on, repository, Which::Namespace).await?;
    let own = scopes::find_or_make(on, repository, Which::Repository).await?;
    let to_scope = scopes::find_or_make_namespace(on, to).await?;
    // Whoever charges the repository at the same time (a tag that is made does) writes to one of its shards, or makes one and locks the scope
    // for it: the later of the two begins again.
    on.execute("UPDATE usage_shards SET tags = tags WHERE scope = $1", arguments![own.id]).await?;
    on.execute("UPDATE usage_scopes SET indebted = indebted WHERE id = $1", arguments![own.id])
        .await?;
    if from.id == to_scope.id {
        return Ok(());
    }
    let held = held(on, own.id).await?;
    let rows = on
        .query(
            "SELECT blob_digest, size, charge FROM repository_blobs
             WHERE repository_id = $1 AND charge > 0 AND size IS NOT NULL ORDER BY blob_digest",
            arguments![repository],
        )
        .await?;
    let blobs = rows.iter().map(blobs::read).collect::<Result<Vec<_>>>()?;
    let leaving: Vec<_> = blobs.iter().filter_map(|blob| blob.becomes(State::Free)).collect();
    let entering: Vec<_> = blobs.iter().filter_map(entering).collect();
    let unshared = held + -of_all(&blobs);
    let freed = blobs::share(on, from.id, &leaving.iter().collect::<Vec<_>>()).await?;
    let freed = Charge { namespace: freed + -unshared, ..Charge::default() };
    charge(on, repository, freed, Limits::None).await?;
    on.execute(
        "UPDATE usage_scopes SET namespace = $1, parent = $2 WHERE id = $3",
        arguments![to, to_scope.id, own.id],
    )
    .await?;
    let more = blobs::share(on, to_scope.id, &entering.iter().collect::<Vec<_>>()).await?;
    let more = Charge { namespace: more + unshared, ..Charge::default() };
    charge(on, repository, more, Limits::All).await
}

/// Forgets a namespace in which there are no repositories, or none but one that holds nothing any more.
pub(crate) async fn forget_namespace(on: &mut dyn Statements, namespace: &str) -> Result<()> {
    for sql in [
        "DELETE FROM namespace_blobs WHERE scope IN (SELECT id FROM usage_scopes WHERE namespace = $1)",
        "DELETE FROM usage_shards WHERE scope IN (SELECT id FROM usage_scopes WHERE namespace = $1)",
        "DELETE FROM usage_scopes WHERE namespace = $1 AND repository_id > 0",
        "DELETE FROM usage_scopes WHERE namespace = $1 AND repository_id = 0",
    ] {
        on.execute(sql, arguments![namespace]).await?;
    }
    Ok(())
}

/// Forgets up to `limit` of the blobs of a namespace that is about to be forgotten. Returns how many.
pub(crate) async fn forget_blobs(
    on: &mut dyn Statements,
    namespace: &str,
    limit: usize,
) -> Result<u64> {
    on.execute(
        "DELETE FROM namespace_blobs WHERE (scope, digest) IN (
             SELECT b.scope, b.digest FROM usage_scopes s JOIN namespace_blobs b ON b.scope = s.id
             WHERE s.namespace = $1 AND s.repository_id = 0 ORDER BY b.digest LIMIT $2)",
        arguments![namespace, limit],
    )
    .await
}

fn entering(blob: &Charged) -> Option<BlobChange> {
    blob.becomes(blob.state).map(|change| BlobChange { from: State::Free, ..change })
}

/// What the blobs of a repository come to by themselves.
fn of_all(blobs: &[Charged]) -> Change {
    let sum = |state: State| {
        blobs.iter().filter(|blob| blob.state == state).filter_map(|blob| blob.size).sum()
    };
    Change { bytes: sum(State::Used), reserved: sum(State::Held), ..Change::default() }
}

/// What a scope holds by its counters.
pub(super) async fn held(on: &mut dyn Statements, scope: i64) -> Result<Change> {
    let rows = on
        .query(
            concat!(
                "SELECT ",
                super::finding::held_columns!(),
                " FROM usage_shards h WHERE h.scope = $1"
            ),
            arguments![scope],
        )
        .await?;
    rows.first().map_or_else(|| Ok(Change::default()), super::finding::change)
}

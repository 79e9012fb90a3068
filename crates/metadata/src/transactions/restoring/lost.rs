//! What must come back with a manifest: all that it needs, at any depth, and its repository does not hold any more.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use wharf_core::StoreError;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{MOST_NEEDED, MOST_RESTORED, RestoreOutcome, TooMuch};
use wharf_oci::Digest;

use crate::engine::{Dialect, Result, Statements, arguments};
use crate::transactions::garbage::list_of;
use crate::transactions::holding::{children, digests, held};

/// How often manifests are looked at, at most: indexes that name each other in all ways are no images.
const MOST_LOOKED_AT: usize = 4 * MOST_NEEDED;

/// The manifests that must come back for this one to be whole, those first that others need; itself the last, where it is not held. What is
/// held is looked at, too: a part of it may be gone. Level by level, with three queries for each.
///
/// # Errors
/// [`TooMuch::Needed`] where it needs more than [`MOST_NEEDED`], or these need one another on too many levels.
pub(super) async fn lost(
    on: &mut dyn Statements,
    repository: i64,
    root: Digest,
    before: Timestamp,
) -> Result<std::result::Result<Vec<Digest>, RestoreOutcome>> {
    // The lowest level on which each is found: whatever needs it is above that.
    let mut levels: BTreeMap<Digest, usize> = BTreeMap::new();
    let (mut lost, mut level, mut looked_at) = (BTreeSet::new(), BTreeSet::from([root]), 0);
    for depth in 0.. {
        if level.is_empty() {
            break;
        }
        // One that is on many levels is looked at on each of them.
        looked_at += level.len();
        if looked_at > MOST_LOOKED_AT {
            return Err(TooMuch::Needed(root).into());
        }
        let new: BTreeSet<_> =
            level.iter().filter(|it| !levels.contains_key(it)).copied().collect();
        levels.extend(level.iter().map(|it| (*it, depth)));
        if levels.len() > MOST_NEEDED + 1 {
            return Err(TooMuch::Needed(root).into());
        }
        if depth >= levels.len() {
            return Err(StoreError::Corrupt(format!(
                "{root} needs manifests that need each other"
            )));
        }
        let held = held(on, repository, &new).await?;
        let missing: BTreeSet<_> = new.difference(&held).copied().collect();
        let deleted = deleted(on, repository, &missing, before).await?;
        if let Some(gone) = missing.difference(&deleted).next() {
            return Ok(Err(RestoreOutcome::Lost(*gone)));
        }
        lost.extend(deleted);
        if lost.len() > MOST_RESTORED {
            return Ok(Err(RestoreOutcome::TooMany));
        }
        level = children(on, &level).await?;
    }
    let mut lost: Vec<_> = lost.into_iter().collect();
    lost.sort_by_key(|it| Reverse(levels.get(it).copied()));
    Ok(Ok(lost))
}

/// Those of the manifests `$3` that were deleted from the repository `$1` behind `$2`.
const fn deleted_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT digest FROM deleted_manifests
             WHERE repository_id = $1 AND deleted_at > $2
               AND digest IN (SELECT unhex(value) FROM json_each($3))"
        }
        Dialect::Postgres => {
            "SELECT d.digest FROM jsonb_array_elements_text($3) e (value), LATERAL
                 (SELECT digest FROM deleted_manifests
                  WHERE repository_id = $1 AND deleted_at > $2 AND digest = decode(e.value, 'hex')
                  OFFSET 0) d"
        }
    }
}

/// Which of the manifests were deleted and can be brought back.
async fn deleted(
    on: &mut dyn Statements,
    repository: i64,
    manifests: &BTreeSet<Digest>,
    before: Timestamp,
) -> Result<BTreeSet<Digest>> {
    let asked = arguments![repository, before, list_of(manifests.iter())];
    digests(&on.query(deleted_of(on.dialect()), asked).await?)
}

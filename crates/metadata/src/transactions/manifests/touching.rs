//! Touches: updates of what a push or a tag needs, which keep it from being taken away meanwhile.

use std::collections::BTreeSet;

use wharf_core::clock::Timestamp;
use wharf_oci::Digest;

use crate::engine::{Dialect, Result, Statements, arguments};
use crate::transactions::garbage::list_of;
use crate::transactions::holding::digests as found;
use crate::transactions::memberships::is_served;

/// Up to how many manifests are touched by a statement for each, in one trip: those of nearly every push.
const FEW: usize = 100;

/// Touches memberships, in the order of their digests so that two commits never wait for each other. The update is what stops a
/// sweep or removal of one of them: the later of the two finds a row that was changed since it began, where a row that was only read or locked would let it go on.
pub(super) async fn touch_blobs(
    on: &mut dyn Statements,
    repository: i64,
    digests: &BTreeSet<Digest>,
    now: Timestamp,
) -> Result<()> {
    let arguments = digests.iter().map(|digest| arguments![now, repository, digest].to_vec());
    on.execute_each(
        concat!(
            "UPDATE repository_blobs AS b SET touched_at = $1, needed = 1, removed = 0,
                 charge = CASE WHEN size IS NULL THEN charge ELSE 2 END
             WHERE repository_id = $2 AND blob_digest = $3 AND ",
            is_served!("b")
        ),
        &arguments.collect::<Vec<_>>(),
    )
    .await
    .map(drop)
}

/// Touches manifests, and returns those that are there. It stops a manifest from being collected for want of a parent or a referrer while
/// that is committed, by the same reasoning as [`touch_blobs`].
pub(crate) async fn touch_manifests(
    on: &mut dyn Statements,
    repository: i64,
    digests: &BTreeSet<Digest>,
    now: Timestamp,
) -> Result<BTreeSet<Digest>> {
    if digests.len() > FEW && on.dialect() == Dialect::Postgres {
        let asked = arguments![now, repository, list_of(digests.iter())];
        return found(&on.query(TOUCH_MANY, asked).await?);
    }
    let arguments = digests.iter().map(|digest| arguments![now, repository, digest].to_vec());
    let changed = on
        .execute_each(
            "UPDATE repository_manifests SET touched_at = $1
             WHERE repository_id = $2 AND digest = $3",
            &arguments.collect::<Vec<_>>(),
        )
        .await?;
    Ok(there(digests, &changed))
}

/// The same of many: PostgreSQL takes a statement for each of thousands ten times as long. The rows are locked in the order of their digests, by their
/// index; then they are where they are.
const TOUCH_MANY: &str = "UPDATE repository_manifests SET touched_at = $1
     WHERE repository_id = $2 AND ctid = ANY (ARRAY
         (SELECT h.ctid FROM jsonb_array_elements_text($3) e (value), LATERAL
              (SELECT ctid FROM repository_manifests
               WHERE repository_id = $2 AND digest = decode(e.value, 'hex')
               OFFSET 0 FOR NO KEY UPDATE) h))
     RETURNING digest";

/// The same for one manifest that is to be tagged: it cannot be deleted with its tags meanwhile. `false` where it is
/// not there.
pub(crate) async fn touch(
    on: &mut dyn Statements,
    repository: i64,
    digest: &Digest,
) -> Result<bool> {
    let now = on.now().await?;
    Ok(!touch_manifests(on, repository, &BTreeSet::from([*digest]), now).await?.is_empty())
}

fn there(digests: &BTreeSet<Digest>, changed: &[u64]) -> BTreeSet<Digest> {
    digests.iter().zip(changed).filter(|(_, rows)| **rows > 0).map(|(digest, _)| *digest).collect()
}

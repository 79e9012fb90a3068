//! A manifest that a repository is to go on holding, with the manifests that it needs.

use std::collections::BTreeSet;

use wharf_oci::Digest;

use crate::engine::{Result, Statements, arguments};
use crate::transactions::manifests::touch_manifests;

/// Touches a manifest and every manifest below it, so that none of them is deleted while what
/// keeps it from being collected is committed. Returns one that the repository does not hold, if there is any. The blobs
/// need no such thing: no sweep takes one that a held manifest needs.
pub(crate) async fn hold(
    on: &mut dyn Statements,
    repository: i64,
    digest: &Digest,
) -> Result<Option<Digest>> {
    let now = on.now().await?;
    let mut seen = BTreeSet::from([*digest]);
    let mut level = seen.clone();
    while !level.is_empty() {
        let there = touch_manifests(on, repository, &level, now).await?;
        if let Some(missing) = level.difference(&there).next() {
            return Ok(Some(*missing));
        }
        let mut below = BTreeSet::new();
        for parent in &level {
            let sql = "SELECT child FROM manifest_references WHERE parent = $1";
            for row in on.query(sql, arguments![parent]).await? {
                let child = row.digest(0)?;
                if seen.insert(child) {
                    below.insert(child);
                }
            }
        }
        level = below;
    }
    Ok(None)
}

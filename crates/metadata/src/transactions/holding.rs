//! A manifest that a repository is to go on holding, with the manifests that it needs: its children, the children of those, and so on.
//!
//! Of an index that is held, parts may be gone: a client may delete each manifest by its digest, and a collector takes what nothing needs page by
//! page, the parts of an index before or after the index. So whoever adds what needs it looks all the way down, and writes the row of each
//! manifest, so that of this and of what takes one away the later begins again.

use std::collections::BTreeSet;

use wharf_core::metadata::{MOST_NEEDED, TooMuch};
use wharf_oci::Digest;

use crate::engine::{Dialect, Result, Row, Statements, arguments};
use crate::transactions::garbage::list_of;
use crate::transactions::manifests::touch_manifests;

/// How many manifests are few: most indexes have not as many.
const FEW: usize = 100;

/// Manifests of a repository, and all that are below them.
#[derive(Default)]
pub(crate) struct Below {
    /// Those that the repository holds.
    pub(crate) held: BTreeSet<Digest>,
    /// Those that it does not hold. What is below these is not looked at: other repositories may know it.
    pub(crate) missing: Vec<Digest>,
}

/// Finds what is below the manifests `roots`, themselves among them: level by level, with two queries for each. `of` is what needs them all, or is
/// itself the root.
///
/// # Errors
/// [`TooMuch::Needed`] where they are more than [`MOST_NEEDED`] beside `of`. Of what is held that cannot be, unless an older version took it in: whatever
/// was committed had to pass here.
pub(crate) async fn below(
    on: &mut dyn Statements,
    repository: i64,
    roots: BTreeSet<Digest>,
    of: &Digest,
) -> Result<Below> {
    let mut below = Below::default();
    let (mut seen, mut level) = (roots.clone(), roots);
    while !level.is_empty() {
        if seen.len() > MOST_NEEDED + usize::from(seen.contains(of)) {
            return Err(TooMuch::Needed(*of).into());
        }
        let held = held(on, repository, &level).await?;
        below.missing.extend(level.difference(&held));
        level = children(on, &held).await?;
        level.retain(|child| seen.insert(*child));
        below.held.extend(held);
    }
    Ok(below)
}

/// Finds the manifests of a repository that need one, at any depth: level by level, with one query for each.
///
/// # Errors
/// [`TooMuch::TagsAbove`] where they are more than [`MOST_NEEDED`].
pub(crate) async fn above(
    on: &mut dyn Statements,
    repository: i64,
    digest: &Digest,
) -> Result<BTreeSet<Digest>> {
    let (mut above, mut level) = (BTreeSet::new(), BTreeSet::from([*digest]));
    while !level.is_empty() {
        let asked = arguments![repository, list_of(level.iter())];
        level = digests(&on.query(parents_of(on.dialect()), asked).await?)?;
        level.retain(|parent| above.insert(*parent));
        if above.len() > MOST_NEEDED {
            return Err(TooMuch::TagsAbove(*digest).into());
        }
    }
    Ok(above)
}

/// Touches a manifest and every manifest below it, so that none of them is deleted while what
/// keeps it from being collected is committed. Returns one that the repository does not hold, if there is any. The blobs
/// need no such thing: no sweep takes one that a held manifest needs.
pub(crate) async fn hold(
    on: &mut dyn Statements,
    repository: i64,
    digest: &Digest,
) -> Result<Option<Digest>> {
    let now = on.now().await?;
    let Below { held, missing } = below(on, repository, BTreeSet::from([*digest]), digest).await?;
    if missing.is_empty() {
        touch_manifests(on, repository, &held, now).await?;
    }
    Ok(missing.first().copied())
}

/// Which of the manifests a repository holds.
pub(crate) async fn held(
    on: &mut dyn Statements,
    repository: i64,
    manifests: &BTreeSet<Digest>,
) -> Result<BTreeSet<Digest>> {
    let asked = arguments![repository, list_of(manifests.iter())];
    digests(&on.query(held_of(on.dialect()), asked).await?)
}

/// The children of the manifests: one more than there may be at most, where they are too many.
pub(crate) async fn children(
    on: &mut dyn Statements,
    of: &BTreeSet<Digest>,
) -> Result<BTreeSet<Digest>> {
    let asked = arguments![list_of(of.iter()), MOST_NEEDED + 1];
    digests(&on.query(children_of(on.dialect(), of.len()), asked).await?)
}

pub(crate) fn digests(rows: &[Row]) -> Result<BTreeSet<Digest>> {
    rows.iter().map(|row| row.digest(0)).collect()
}

/// Which of the manifests `$2` the repository `$1` holds.
const fn held_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT digest FROM repository_manifests
             WHERE repository_id = $1 AND digest IN (SELECT unhex(value) FROM json_each($2))"
        }
        Dialect::Postgres => {
            "SELECT h.digest FROM jsonb_array_elements_text($2) e (value), LATERAL
                 (SELECT digest FROM repository_manifests
                  WHERE repository_id = $1 AND digest = decode(e.value, 'hex') OFFSET 0) h"
        }
    }
}

/// The children of so `many` manifests `$1`, up to `$2` of them.
///
/// Of few PostgreSQL asks the index for each. Where it thinks that a table has rows of few parents only, it reads all of that instead, and
/// looks for each row through all of an array, so that many are better joined: by the index, or by a table of hashes.
const fn children_of(dialect: Dialect, many: usize) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT DISTINCT child FROM manifest_references
             WHERE parent IN (SELECT unhex(value) FROM json_each($1)) LIMIT $2"
        }
        Dialect::Postgres if many <= FEW => {
            "SELECT DISTINCT child FROM manifest_references
             WHERE parent = ANY (ARRAY
                 (SELECT decode(value, 'hex') FROM jsonb_array_elements_text($1) e (value))) LIMIT $2"
        }
        Dialect::Postgres => {
            "SELECT DISTINCT child FROM manifest_references
             WHERE parent IN
                 (SELECT decode(value, 'hex') FROM jsonb_array_elements_text($1) e (value)) LIMIT $2"
        }
    }
}

/// The manifests of the repository `$1` whose children are among `$2`.
const fn parents_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT DISTINCT m.parent FROM manifest_references m
             JOIN repository_manifests h ON h.repository_id = $1 AND h.digest = m.parent
             WHERE m.child IN (SELECT unhex(value) FROM json_each($2))"
        }
        Dialect::Postgres => {
            "SELECT DISTINCT m.parent FROM jsonb_array_elements_text($2) e (value), LATERAL
                 (SELECT r.parent FROM manifest_references r
                  WHERE r.child = decode(e.value, 'hex') AND EXISTS
                      (SELECT 1 FROM repository_manifests h
                       WHERE h.repository_id = $1 AND h.digest = r.parent OFFSET 0)
                  OFFSET 0) m"
        }
    }
}

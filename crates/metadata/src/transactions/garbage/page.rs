//! A walk over the manifests that repositories hold, a page at a time.

use wharf_core::metadata::HeldPlace;
use wharf_oci::Digest;

use super::sweep::place;
use crate::engine::{Result, Statements, Value, arguments};

/// A page: what is behind a place, up to the last.
pub(crate) struct Page {
    /// A repository and the binary form of a digest, or less than any.
    pub(super) after: (i64, Vec<u8>),
    pub(super) last: HeldPlace,
    /// How many manifests it has.
    pub(crate) count: usize,
    /// Where the walk goes on.
    pub(crate) next: Option<HeldPlace>,
}

impl Page {
    /// The page of `limit` manifests behind a place; nothing at the end of the walk.
    pub(crate) async fn read(
        on: &mut dyn Statements,
        after: Option<&HeldPlace>,
        limit: usize,
    ) -> Result<Option<Self>> {
        let (repository, digest) = (
            after.map_or(i64::MIN, |place| place.repository),
            after.map(|place| place.digest.to_binary()).unwrap_or_default(),
        );
        let rows = on
            .query(
                "SELECT repository_id, digest FROM repository_manifests
                 WHERE (repository_id, digest) > ($1, $2)
                 ORDER BY repository_id, digest LIMIT $3",
                arguments![repository, digest.as_slice(), limit],
            )
            .await?;
        let Some(last) = rows.last().map(place).transpose()? else { return Ok(None) };
        let next = (rows.len() == limit).then_some(last);
        Ok(Some(Self { after: (repository, digest), last, count: rows.len(), next }))
    }

    /// The page of one manifest alone: no digest is so near to another one.
    pub(super) fn of(repository: i64, digest: Digest) -> Self {
        let mut before = digest.to_binary();
        before.pop();
        let last = HeldPlace { repository, digest };
        Self { after: (repository, before), last, count: 1, next: None }
    }

    /// Four arguments: behind the first two, up to the last two.
    pub(crate) fn bounds(&self) -> Vec<Value> {
        let (repository, digest) = &self.after;
        arguments![*repository, digest.as_slice(), self.last.repository, self.last.digest].to_vec()
    }
}

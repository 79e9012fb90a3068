//! The tags of a repository by version or by time, by keys that are kept with them.

use async_trait::async_trait;
use wharf_core::metadata::{PreReleases, SortTags, TagRecord, TagSort};
use wharf_oci::{RepositoryName, Tag, TagOrder};

use super::repositories::tag;
use crate::engine::{Result, Statements, Transaction, Value, arguments};
use crate::transactions::repositories;

/// A list of tags in order.
pub(crate) enum Sorted {
    NoRepository,
    /// Tags of a release before this one have no place yet; see [`PutInOrder`].
    NotInOrder,
    Tags(Vec<TagRecord>),
}

/// Tags of the repository `$1` behind the place `$2` and the name `$3`, `$4` at most: those before a release, or the others.
macro_rules! by_version {
    ($pre_release:literal) => {
        concat!(
            "SELECT * FROM (SELECT name, manifest_digest, version, updated_by, updated_at, version_order FROM tags
             WHERE repository_id = $1 AND pre_release = ",
            $pre_release,
            " AND (version_order, name) > ($2, $3) ORDER BY version_order, name LIMIT $4) AS part"
        )
    };
}

const PRE_RELEASES: &str = concat!(by_version!("1"), " ORDER BY version_order, name");
const OTHERS: &str = concat!(by_version!("0"), " ORDER BY version_order, name");

/// Both, merged: each is walked by its part of the index and ends at its limit.
const ALL: &str = concat!(
    by_version!("1"),
    " UNION ALL ",
    by_version!("0"),
    " ORDER BY version_order, name LIMIT $4"
);

#[async_trait]
impl Transaction for SortTags {
    type Output = Sorted;

    async fn run(&self, on: &mut dyn Statements) -> Result<Sorted> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(Sorted::NoRepository);
        };
        let name = self.after.as_ref().map(|place| place.tag.as_str());
        let sql = match self.sort {
            TagSort::Version(PreReleases::Only) => PRE_RELEASES,
            TagSort::Version(PreReleases::None) => OTHERS,
            TagSort::Version(PreReleases::All) => ALL,
            TagSort::Updated => {
                let at = self.after.as_ref().map_or(i64::MAX, |place| place.updated_at.0);
                let rows = on
                    .query(
                        "SELECT name, manifest_digest, version, updated_by, updated_at FROM tags
                         WHERE repository_id = $1 AND (updated_at, name) < ($2, $3)
                         ORDER BY updated_at DESC, name DESC LIMIT $4",
                        arguments![repository, at, name.unwrap_or_default(), self.limit],
                    )
                    .await?;
                return rows.iter().map(tag).collect::<Result<_>>().map(Sorted::Tags);
            }
        };
        let missing =
            "SELECT name FROM tags WHERE repository_id = $1 AND version_order IS NULL LIMIT 1";
        if !on.query(missing, arguments![repository]).await?.is_empty() {
            return Ok(Sorted::NotInOrder);
        }
        let key = self.after.as_ref().map_or_else(Vec::new, |place| TagOrder::of(&place.tag).key);
        let arguments =
            arguments![repository, key.as_slice(), name.unwrap_or_default(), self.limit];
        let rows = on.query(sql, arguments).await?;
        rows.iter().map(tag).collect::<Result<_>>().map(Sorted::Tags)
    }
}

/// Gives up to `limit` tags of a repository their place that have none. Returns how many.
pub(crate) struct PutInOrder {
    pub(crate) repository: RepositoryName,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for PutInOrder {
    type Output = usize;

    async fn run(&self, on: &mut dyn Statements) -> Result<usize> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(0);
        };
        let sql =
            "SELECT name FROM tags WHERE repository_id = $1 AND version_order IS NULL LIMIT $2";
        let mut orders: Vec<Vec<Value>> = Vec::new();
        for row in on.query(sql, arguments![repository, self.limit]).await? {
            let name: Tag = row.parsed(0)?;
            let TagOrder { is_pre_release, key } = TagOrder::of(&name);
            let is_pre_release = i64::from(is_pre_release);
            orders.push(
                arguments![is_pre_release, key.as_slice(), repository, name.as_str()].to_vec(),
            );
        }
        on.execute_each(
            "UPDATE tags SET pre_release = $1, version_order = $2 WHERE repository_id = $3 AND name = $4",
            &orders,
        )
        .await?;
        Ok(orders.len())
    }
}

//! The history of tags: listed, and asked where tags stood at a time.

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{AsOf, ListChanges, Reason, Stood, TagChange, TagThen, Then};
use wharf_oci::{RepositoryName, Tag};

use crate::engine::{Result, Row, Statements, Transaction, arguments};
use crate::transactions::repositories;

#[async_trait]
impl Transaction for ListChanges {
    type Output = Option<Vec<TagChange>>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(None);
        };
        let from = self.from.unwrap_or(Timestamp(i64::MIN));
        let before = self.before.unwrap_or(Timestamp(i64::MAX));
        let after = self.after.as_ref();
        let version = after.map_or(i64::MAX, |place| place.version);
        let rows = match &self.tag {
            Some(tag) => {
                on.query(
                    "SELECT name, version, from_digest, to_digest, changed_by, changed_at, reason, detail
                     FROM tag_history WHERE repository_id = $1 AND name = $2 AND version < $3
                         AND changed_at >= $4 AND changed_at < $5
                     ORDER BY version DESC LIMIT $6",
                    arguments![repository, tag.as_str(), version, from, before, self.limit],
                )
                .await?
            }
            None => {
                let at = after.map_or(Timestamp(i64::MAX), |place| place.at);
                let name = after.map_or("", |place| place.tag.as_str());
                on.query(
                    "SELECT name, version, from_digest, to_digest, changed_by, changed_at, reason, detail
                     FROM tag_history WHERE repository_id = $1 AND (changed_at, name, version) < ($2, $3, $4)
                         AND changed_at >= $5 AND changed_at < $6
                     ORDER BY changed_at DESC, name DESC, version DESC LIMIT $7",
                    arguments![repository, at, name, version, from, before, self.limit],
                )
                .await?
            }
        };
        rows.iter().map(change).collect::<Result<_>>().map(Some)
    }
}

fn change(row: &Row) -> Result<TagChange> {
    let reason = match row.optional_text(6)? {
        None => None,
        Some(kind) => {
            let read = Reason::read(&kind, row.optional_text(7)?);
            let wrong = || StoreError::Corrupt(format!("a tag changed for the reason {kind:?}"));
            Some(read.ok_or_else(wrong)?)
        }
    };
    Ok(TagChange {
        tag: row.parsed(0)?,
        version: row.int(1)?,
        from: row.optional_digest(2)?,
        to: row.optional_digest(3)?,
        by: row.text(4)?.to_owned(),
        at: Timestamp(row.int(5)?),
        reason,
    })
}

/// The last change of a tag.
pub(crate) async fn last_change(
    on: &mut dyn Statements,
    repository: i64,
    tag: &Tag,
) -> Result<Option<TagChange>> {
    let rows = on
        .query(
            "SELECT name, version, from_digest, to_digest, changed_by, changed_at, reason, detail
             FROM tag_history WHERE repository_id = $1 AND name = $2 ORDER BY version DESC LIMIT 1",
            arguments![repository, tag.as_str()],
        )
        .await?;
    rows.first().map(change).transpose()
}

/// From when on the history of a tag is known; `None` where it is known from its beginning. Changes are forgotten from
/// the first one on, so that what is left is known without a gap.
pub(crate) async fn known_since(
    on: &mut dyn Statements,
    repository: i64,
    tag: &Tag,
) -> Result<Option<Timestamp>> {
    let rows = on
        .query(
            "SELECT version, changed_at FROM tag_history WHERE repository_id = $1 AND name = $2
             ORDER BY version LIMIT 1",
            arguments![repository, tag.as_str()],
        )
        .await?;
    match rows.first() {
        Some(row) if row.int(0)? > 1 => Ok(Some(Timestamp(row.int(1)?))),
        _ => Ok(None),
    }
}

/// Where a tag stood at a time.
pub(crate) async fn stood(
    on: &mut dyn Statements,
    repository: i64,
    tag: &Tag,
    at: Timestamp,
) -> Result<Stood> {
    let rows = on
        .query(
            "SELECT h.to_digest, h.version, h.changed_by, h.changed_at,
                 (SELECT count(*) FROM repository_manifests m
                  WHERE m.repository_id = h.repository_id AND m.digest = h.to_digest)
             FROM tag_history h
             WHERE h.repository_id = $1 AND h.name = $2 AND h.changed_at <= $3
             ORDER BY h.version DESC LIMIT 1",
            arguments![repository, tag.as_str(), at],
        )
        .await?;
    if let Some(row) = rows.first() {
        return Ok(then(row, 0)?.map_or(Stood::Nowhere, Stood::At));
    }
    Ok(known_since(on, repository, tag).await?.map_or(Stood::Nowhere, Stood::Forgotten))
}

/// Five columns: where to a change led, its version, who made it, when, and how many of the manifest the repository holds.
fn then(row: &Row, first: usize) -> Result<Option<Then>> {
    let Some(digest) = row.optional_digest(first)? else { return Ok(None) };
    Ok(Some(Then {
        digest,
        version: row.int(first + 1)?,
        by: row.text(first + 2)?.to_owned(),
        since: Timestamp(row.int(first + 3)?),
        is_held: row.int(first + 4)? > 0,
    }))
}

/// `TagHistory::tag_as_of`
pub(crate) struct TagAsOf {
    pub(crate) repository: RepositoryName,
    pub(crate) tag: Tag,
    pub(crate) at: Timestamp,
}

#[async_trait]
impl Transaction for TagAsOf {
    type Output = AsOf<Stood>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(AsOf::NoRepository);
        };
        let now = on.now().await?;
        if self.at > now {
            return Ok(AsOf::ToCome(now));
        }
        stood(on, repository, &self.tag, self.at).await.map(AsOf::Known)
    }
}

/// `TagHistory::tags_as_of`
pub(crate) struct TagsAsOf {
    pub(crate) repository: RepositoryName,
    pub(crate) at: Timestamp,
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for TagsAsOf {
    type Output = AsOf<Vec<TagThen>>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(AsOf::NoRepository);
        };
        let now = on.now().await?;
        if self.at > now {
            return Ok(AsOf::ToCome(now));
        }
        let after = self.after.as_deref().unwrap_or_default();
        let rows = on.query(THERE_THEN, arguments![repository, after, self.at, self.limit]).await?;
        let tag = |row: &Row| {
            let since = Timestamp(row.int(4)?);
            let stood = match then(row, 1)? {
                Some(then) if since <= self.at => Stood::At(then),
                _ => Stood::Forgotten(since),
            };
            Ok(TagThen { name: row.parsed(0)?, stood })
        };
        rows.iter().map(tag).collect::<Result<_>>().map(AsOf::Known)
    }
}

/// Of each tag behind the name `$2`, the last change up to the moment `$3` unless that deleted it, or its first known one
/// where that is later and others were before it. One walk along the key: what is asked of other changes of the same tag are
/// subqueries, which a planner leaves where they are.
const THERE_THEN: &str = "
    SELECT h.name, h.to_digest, h.version, h.changed_by, h.changed_at,
        (SELECT count(*) FROM repository_manifests m
         WHERE m.repository_id = h.repository_id AND m.digest = h.to_digest)
    FROM tag_history h
    WHERE h.repository_id = $1 AND h.name > $2 AND (
        (h.changed_at <= $3 AND h.to_digest IS NOT NULL AND
            (SELECT true FROM tag_history l WHERE l.repository_id = h.repository_id AND l.name = h.name
                AND l.version > h.version AND l.changed_at <= $3 LIMIT 1) IS NULL)
        OR (h.changed_at > $3 AND h.version > 1 AND
            (SELECT true FROM tag_history e WHERE e.repository_id = h.repository_id AND e.name = h.name
                AND e.version < h.version LIMIT 1) IS NULL AND
            (SELECT true FROM tag_history t WHERE t.repository_id = h.repository_id AND t.name = h.name
                AND t.changed_at <= $3 LIMIT 1) IS NULL))
    ORDER BY h.name LIMIT $4";

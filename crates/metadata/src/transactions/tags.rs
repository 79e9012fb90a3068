//! Tags: moved and deleted with their history and event, listed in byte order.

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{DeleteOutcome, DeleteTag};
use wharf_oci::{Digest, RepositoryName, Tag};

use crate::engine::{Reads, Result, Statements, Transaction, arguments};
use crate::transactions::audit;
use crate::transactions::events::{self, Event};
use crate::transactions::repositories;
use crate::transactions::usage::{self, Charge, Limits, charge};

/// Where a tag stands.
#[derive(Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) digest: Digest,
    version: i64,
}

/// A change of one tag: who, in which repository, when.
pub(crate) struct Change<'a> {
    pub(crate) repository: i64,
    pub(crate) by: &'a str,
    pub(crate) now: Timestamp,
}

/// Where a tag stands, in a transaction that writes. The row is locked, which stops what two snapshots would let
/// pass: two commits of the same two tags, each of which finds the one tag at its own manifest and moves the
/// other; and a commit that finds the tag at its manifest already, while that manifest is deleted with its tags.
/// A tag that is made twice is stopped by its key, one that is deleted and made again by that of its history.
pub(crate) async fn standing(
    on: &mut dyn Statements,
    repository: i64,
    tag: &Tag,
) -> Result<Option<Standing>> {
    let rows = on
        .query_locked(
            "SELECT manifest_digest, version FROM tags WHERE repository_id = $1 AND name = $2",
            arguments![repository, tag.as_str()],
        )
        .await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Standing { digest: row.digest(0)?, version: row.int(1)? }))
}

impl Change<'_> {
    /// Makes a tag stand at `to`. Where it stands there already, nothing changes.
    pub(crate) async fn move_tag(
        &self,
        on: &mut dyn Statements,
        tag: &Tag,
        from: Option<&Standing>,
        to: &Digest,
    ) -> Result<()> {
        if from.is_some_and(|from| from.digest == *to) {
            return Ok(());
        }
        let version = self.next_version(on, tag, from).await?;
        on.execute(
            "INSERT INTO tags (repository_id, name, manifest_digest, version, updated_by, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (repository_id, name) DO UPDATE SET
                 manifest_digest = excluded.manifest_digest, version = excluded.version,
                 updated_by = excluded.updated_by, updated_at = excluded.updated_at",
            arguments![self.repository, tag.as_str(), to, version, self.by, self.now],
        )
        .await?;
        match from {
            Some(from) => self.touch(on, &from.digest).await?,
            None => self.count(on, 1, Limits::All).await?,
        }
        self.remember(on, tag, version, from.map(|from| &from.digest), Some(to)).await
    }

    /// Makes a tag stand nowhere.
    pub(crate) async fn delete_tag(
        &self,
        on: &mut dyn Statements,
        tag: &Tag,
        from: &Standing,
    ) -> Result<()> {
        let version = self.next_version(on, tag, Some(from)).await?;
        on.execute(
            "DELETE FROM tags WHERE repository_id = $1 AND name = $2",
            arguments![self.repository, tag.as_str()],
        )
        .await?;
        self.touch(on, &from.digest).await?;
        self.count(on, -1, Limits::None).await?;
        self.remember(on, tag, version, Some(&from.digest), None).await
    }

    /// The repository has so many more tags.
    async fn count(&self, on: &mut dyn Statements, tags: i64, limits: Limits) -> Result<()> {
        let more = Charge::of(usage::Change { tags, ..usage::Change::default() });
        charge(on, self.repository, more, limits).await
    }

    /// A manifest that a tag leaves is not collected for as long as the tag can be brought back.
    async fn touch(&self, on: &mut dyn Statements, digest: &Digest) -> Result<()> {
        on.execute(
            "UPDATE repository_manifests SET touched_at = $1 WHERE repository_id = $2 AND digest = $3",
            arguments![self.now, self.repository, digest],
        )
        .await
        .map(drop)
    }

    /// Versions go on where a deleted tag is made again.
    async fn next_version(
        &self,
        on: &mut dyn Statements,
        tag: &Tag,
        from: Option<&Standing>,
    ) -> Result<i64> {
        if let Some(from) = from {
            return Ok(from.version + 1);
        }
        let rows = on
            .query(
                "SELECT coalesce(max(version), 0) + 1 FROM tag_history
                 WHERE repository_id = $1 AND name = $2",
                arguments![self.repository, tag.as_str()],
            )
            .await?;
        rows.first().map_or(Ok(1), |row| row.int(0))
    }

    async fn remember(
        &self,
        on: &mut dyn Statements,
        tag: &Tag,
        version: i64,
        from: Option<&Digest>,
        to: Option<&Digest>,
    ) -> Result<()> {
        let action = match (from, to) {
            (None, _) => "create",
            (Some(_), Some(_)) => "move",
            (Some(_), None) => "delete",
        };
        on.execute(
            "INSERT INTO tag_history
                 (repository_id, name, version, action, from_digest, to_digest, changed_by, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            arguments![self.repository, tag.as_str(), version, action, from, to, self.by, self.now],
        )
        .await?;
        let event = Event::TagChanged { tag, version, from, to };
        events::record(on, self.repository, event, self.by, self.now).await
    }
}

/// `Tags::list_tags`
pub(crate) struct List {
    pub(crate) repository: RepositoryName,
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for List {
    type Output = Option<Vec<Tag>>;

    const READS: Reads = Reads::Replica;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(None);
        };
        let after = self.after.as_deref().unwrap_or_default();
        let rows = on
            .query(
                "SELECT name FROM tags WHERE repository_id = $1 AND name > $2 ORDER BY name LIMIT $3",
                arguments![repository, after, self.limit],
            )
            .await?;
        rows.iter().map(|row| row.parsed(0)).collect::<Result<_>>().map(Some)
    }
}

#[async_trait]
impl Transaction for DeleteTag {
    type Output = DeleteOutcome;

    async fn run(&self, on: &mut dyn Statements) -> Result<DeleteOutcome> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(DeleteOutcome::NoRepository);
        };
        let standing = standing(on, repository, &self.tag).await?;
        let current = standing.as_ref().map(|standing| standing.digest);
        if !self.precondition.holds(current) {
            return Ok(DeleteOutcome::Precondition(current));
        }
        let Some(standing) = standing else { return Ok(DeleteOutcome::NotFound) };
        let change = Change { repository, by: &self.by.by, now: on.now().await? };
        change.delete_tag(on, &self.tag, &standing).await?;
        let target = format!("repository:{}:{}", self.repository, self.tag);
        let (namespace, detail) =
            (self.repository.namespace(), format!("from={}", standing.digest));
        audit::record(on, &self.by, "tag.delete", target, namespace, detail).await?;
        Ok(DeleteOutcome::Deleted)
    }
}

//! The one place where tags are written. A change is asked for and then made: only what the policies allow can be made at all.

use wharf_core::clock::Timestamp;
use wharf_core::immutability::{Frozen, Policies, Stands};
use wharf_core::metadata::Reason;
use wharf_oci::{Digest, RepositoryName, Tag, TagOrder};

use crate::engine::{Result, Row, Statements, arguments};
use crate::transactions::events::{self, Event};
use crate::transactions::immutability;
use crate::transactions::usage::{self, Charge, Limits, charge};

/// Where a tag stands.
#[derive(Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) digest: Digest,
    pub(crate) version: i64,
    created_at: Timestamp,
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
            "SELECT manifest_digest, version, coalesce(created_at, updated_at) FROM tags
             WHERE repository_id = $1 AND name = $2",
            arguments![repository, tag.as_str()],
        )
        .await?;
    let standing = |row: &Row| {
        let (digest, version) = (row.digest(0)?, row.int(1)?);
        Ok(Standing { digest, version, created_at: Timestamp(row.int(2)?) })
    };
    rows.first().map(standing).transpose()
}

/// A change of a tag that may be made. Only a [`Guard`] gives one.
pub(crate) struct Allowed {
    tag: Tag,
    from: Option<Standing>,
    to: Option<Digest>,
}

/// Asks whether tags of a repository may change, by the policies that hold there. They are read once a tag that there is would
/// change: making one is always allowed.
pub(crate) struct Guard<'a> {
    repository: Option<i64>,
    name: &'a RepositoryName,
    now: Timestamp,
    policies: Option<Policies>,
}

impl<'a> Guard<'a> {
    /// Before the tags of a repository, which may not be there yet.
    pub(crate) const fn new(
        repository: Option<i64>,
        name: &'a RepositoryName,
        now: Timestamp,
    ) -> Self {
        Self { repository, name, now, policies: None }
    }

    /// Whether a tag may go to `to`, or nowhere. Nothing is to be done where it stands there.
    pub(crate) async fn allow(
        &mut self,
        on: &mut dyn Statements,
        tag: &Tag,
        from: Option<Standing>,
        to: Option<Digest>,
    ) -> Result<std::result::Result<Option<Allowed>, Box<Frozen>>> {
        let stands = from.as_ref().map(|Standing { digest, created_at, .. }| Stands {
            digest: *digest,
            created_at: *created_at,
        });
        if stands.map(|stands| stands.digest) == to {
            return Ok(Ok(None));
        }
        if stands.is_some() {
            let now = self.now;
            let policies = self.policies(on).await?;
            if let Err(frozen) = policies.decide(tag, stands.as_ref(), to.as_ref(), now) {
                return Ok(Err(frozen));
            }
        }
        Ok(Ok(Some(Allowed { tag: tag.clone(), from, to })))
    }

    /// What keeps a tag that there is, whatever is done with it.
    pub(crate) async fn frozen(
        &mut self,
        on: &mut dyn Statements,
        tag: &Tag,
        stands: &Standing,
    ) -> Result<Option<Box<Frozen>>> {
        let now = self.now;
        Ok(self.policies(on).await?.frozen(tag, stands.created_at, now).map(Box::new))
    }

    async fn policies(&mut self, on: &mut dyn Statements) -> Result<&Policies> {
        let policies = match (self.policies.take(), self.repository) {
            (Some(policies), _) => policies,
            (None, Some(repository)) => immutability::in_force(on, repository, self.name).await?,
            (None, None) => Policies::new(self.name.clone(), Vec::new()),
        };
        Ok(self.policies.insert(policies))
    }
}

/// A change of tags: who, in which repository, when, why.
pub(crate) struct Change<'a> {
    pub(crate) repository: i64,
    pub(crate) by: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) reason: Reason,
}

impl Change<'_> {
    /// Makes a change, with its history and event.
    pub(crate) async fn make(&self, on: &mut dyn Statements, allowed: &Allowed) -> Result<()> {
        let Allowed { tag, from, to } = allowed;
        let version = self.next_version(on, tag, from.as_ref()).await?;
        match to {
            Some(to) => self.put(on, tag, to, version).await?,
            None => self.delete(on, tag).await?,
        }
        let from = from.as_ref().map(|from| &from.digest);
        if let Some(from) = from {
            self.touch(on, from).await?;
        }
        match (from, to) {
            (None, Some(_)) => self.count(on, 1, Limits::All).await?,
            (Some(_), None) => self.count(on, -1, Limits::None).await?,
            _ => {}
        }
        self.remember(on, tag, version, from, to.as_ref()).await
    }

    /// A tag that is moved stays as old as it is.
    async fn put(
        &self,
        on: &mut dyn Statements,
        tag: &Tag,
        to: &Digest,
        version: i64,
    ) -> Result<()> {
        let TagOrder { is_pre_release, key } = TagOrder::of(tag);
        on.execute(
            "INSERT INTO tags
                 (repository_id, name, manifest_digest, version, updated_by, updated_at, created_at,
                  pre_release, version_order)
             VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)
             ON CONFLICT (repository_id, name) DO UPDATE SET
                 manifest_digest = excluded.manifest_digest, version = excluded.version,
                 updated_by = excluded.updated_by, updated_at = excluded.updated_at,
                 created_at = coalesce(tags.created_at, tags.updated_at),
                 pre_release = excluded.pre_release, version_order = excluded.version_order",
            arguments![
                self.repository,
                tag.as_str(),
                to,
                version,
                self.by,
                self.now,
                i64::from(is_pre_release),
                key.as_slice(),
            ],
        )
        .await
        .map(drop)
    }

    async fn delete(&self, on: &mut dyn Statements, tag: &Tag) -> Result<()> {
        let sql = "DELETE FROM tags WHERE repository_id = $1 AND name = $2";
        on.execute(sql, arguments![self.repository, tag.as_str()]).await.map(drop)
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
                 (repository_id, name, version, action, from_digest, to_digest, changed_by, changed_at,
                 reason, detail)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            arguments![
                self.repository,
                tag.as_str(),
                version,
                action,
                from,
                to,
                self.by,
                self.now,
                self.reason.kind(),
                self.reason.detail(),
            ],
        )
        .await?;
        let event = Event::TagChanged { tag, version, from, to, reason: &self.reason };
        events::record(on, self.repository, event, self.by, self.now).await
    }
}

//! Manifests that are deleted, with all tags on them; unless a pin keeps one, or a policy a tag that needs it.

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::immutability::Frozen;
use wharf_core::metadata::{DeleteManifest, DeleteOutcome, MOST_TAGS, Reason, TooMuch};
use wharf_oci::Tag;

use super::held;
use crate::engine::{Result, Statements, Transaction, arguments};
use crate::transactions::garbage::trash::Deletion;
use crate::transactions::pins;
use crate::transactions::tags::{self, Allowed, Change, Guard};
use crate::transactions::writes::{self, Work};

#[async_trait]
impl Transaction for DeleteManifest {
    type Output = DeleteOutcome;

    async fn run(&self, on: &mut dyn Statements) -> Result<DeleteOutcome> {
        self.delete(on, "").await
    }
}

/// A deletion and its parts.
pub(crate) trait Delete {
    /// Deletes the manifest; the audit log says why.
    async fn delete(&self, on: &mut dyn Statements, why: &str) -> Result<DeleteOutcome>;

    /// The deletions of the tags at the manifest; or what keeps one of them, or a tag at an index that needs it.
    async fn gone_with_it(
        &self,
        on: &mut dyn Statements,
        repository: i64,
        now: Timestamp,
    ) -> Result<std::result::Result<Vec<Allowed>, Box<Frozen>>>;
}

impl Delete for DeleteManifest {
    async fn delete(&self, on: &mut dyn Statements, why: &str) -> Result<DeleteOutcome> {
        let Some(repository) = writes::enter(on, &self.repository, Work::Change).await? else {
            return Ok(DeleteOutcome::NoRepository);
        };
        let current = held(on, repository, &self.digest).await?.then_some(self.digest);
        if !self.precondition.holds(current) {
            return Ok(DeleteOutcome::Precondition(current));
        }
        if current.is_none() {
            return Ok(DeleteOutcome::NotFound);
        }
        let now = on.now().await?;
        if let Some(kept) = pins::keeping(on, repository, &self.digest, now).await? {
            return Ok(DeleteOutcome::Pinned(kept));
        }
        pins::forget_expired(on, repository, now).await?;
        let gone = match self.gone_with_it(on, repository, now).await? {
            Ok(gone) => gone,
            Err(frozen) => return Ok(DeleteOutcome::Frozen(frozen)),
        };
        let reason = Reason::ManifestDeleted;
        let change = Change { repository, by: &self.by.by, now, reason };
        change.make_all(on, gone.iter()).await?;
        let (name, by) = (&self.repository, &self.by);
        Deletion { repository, name, by, now }.take(on, &self.digest, why).await?;
        Ok(DeleteOutcome::Deleted)
    }

    async fn gone_with_it(
        &self,
        on: &mut dyn Statements,
        repository: i64,
        now: Timestamp,
    ) -> Result<std::result::Result<Vec<Allowed>, Box<Frozen>>> {
        let mut guard = Guard::new(Some(repository), &self.repository, now);
        let mut gone = Vec::new();
        let at_it = tags::standing_at(on, repository, &self.digest, MOST_TAGS + 1).await?;
        if at_it.len() > MOST_TAGS {
            return Err(TooMuch::TagsAt(self.digest).into());
        }
        for (tag, standing) in at_it {
            match guard.allow(on, &tag, Some(standing), None).await? {
                Ok(allowed) => gone.extend(allowed),
                Err(frozen) => return Ok(Err(frozen)),
            }
        }
        let above = arguments![self.digest, repository, MOST_TAGS + 1];
        let above = on.query(TAGS_ABOVE, above).await?;
        if above.is_empty() || guard.is_free(on).await? {
            return Ok(Ok(gone));
        }
        if above.len() > MOST_TAGS {
            return Err(TooMuch::TagsAbove(self.digest).into());
        }
        for row in &above {
            let tag: Tag = row.parsed(0)?;
            if let Some(standing) = tags::standing(on, repository, &tag).await?
                && let Some(frozen) = guard.frozen(on, &tag, &standing).await?
            {
                return Ok(Err(frozen));
            }
        }
        Ok(Ok(gone))
    }
}

/// The tags of the repository $2 at indexes there that the manifest $1 is in, at any depth, up to $3 of them. A push that puts it into
/// another index writes its row, as by `touch_manifests`: so none is missed.
const TAGS_ABOVE: &str = "WITH RECURSIVE needing (digest) AS (
         VALUES ($1)
         UNION
         SELECT h.digest FROM needing n
         JOIN manifest_references m ON m.child = n.digest
         JOIN repository_manifests h ON h.digest = m.parent AND h.repository_id = $2
     )
     SELECT t.name FROM needing n
     JOIN tags t ON t.repository_id = $2 AND t.manifest_digest = n.digest
     WHERE n.digest <> $1 ORDER BY t.name LIMIT $3";

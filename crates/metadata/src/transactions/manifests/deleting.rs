//! Manifests that are deleted, with all tags on them; unless a pin keeps one, or a policy a tag that needs it.

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::immutability::Frozen;
use wharf_core::metadata::{DeleteManifest, DeleteOutcome, MOST_TAGS, Reason, TooMuch};
use wharf_oci::{Digest, Tag};

use super::held;
use crate::engine::{Dialect, Result, Statements, Transaction, arguments};
use crate::transactions::garbage::list_of;
use crate::transactions::garbage::trash::Deletion;
use crate::transactions::holding::above;
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
        if guard.is_free(on).await? {
            return Ok(Ok(gone));
        }
        let above = tags_above(on, repository, &self.digest).await?;
        if above.len() > MOST_TAGS {
            return Err(TooMuch::TagsAbove(self.digest).into());
        }
        for tag in &above {
            if let Some(standing) = tags::standing(on, repository, tag).await?
                && let Some(frozen) = guard.frozen(on, tag, &standing).await?
            {
                return Ok(Err(frozen));
            }
        }
        Ok(Ok(gone))
    }
}

/// The tags at indexes of the repository that the manifest is in, at any depth, one more than may be at most. A push that puts it into another
/// index writes its row, as by `touch_manifests`: so none is missed.
async fn tags_above(on: &mut dyn Statements, repository: i64, digest: &Digest) -> Result<Vec<Tag>> {
    let above = above(on, repository, digest).await?;
    if above.is_empty() {
        return Ok(Vec::new());
    }
    let asked = arguments![repository, list_of(above.iter()), MOST_TAGS + 1];
    let rows = on.query(tags_at(on.dialect()), asked).await?;
    rows.iter().map(|row| row.parsed(0)).collect()
}

/// The tags of the repository `$1` at the manifests `$2`, up to `$3` of them.
const fn tags_at(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT name FROM tags WHERE repository_id = $1
               AND manifest_digest IN (SELECT unhex(value) FROM json_each($2))
             ORDER BY name LIMIT $3"
        }
        Dialect::Postgres => {
            "SELECT t.name FROM jsonb_array_elements_text($2) e (value), LATERAL
                 (SELECT name FROM tags
                  WHERE repository_id = $1 AND manifest_digest = decode(e.value, 'hex') OFFSET 0) t
             ORDER BY t.name LIMIT $3"
        }
    }
}

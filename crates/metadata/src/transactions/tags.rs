//! Tags: changed where policies allow it, with their history and event, and listed in byte order.

mod changing;

use async_trait::async_trait;
use wharf_core::metadata::{DeleteOutcome, DeleteTag, Reason};
use wharf_oci::{RepositoryName, Tag};

pub(crate) use self::changing::{
    Allowed, Change, Guard, Standing, standing, standing_at, standings,
};
use crate::engine::{Reads, Result, Statements, Transaction, arguments};
use crate::transactions::audit;
use crate::transactions::repositories;
use crate::transactions::writes::{self, Work};

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
        let Some(repository) = writes::enter(on, &self.repository, Work::Change).await? else {
            return Ok(DeleteOutcome::NoRepository);
        };
        let standing = standing(on, repository, &self.tag).await?;
        let current = standing.as_ref().map(|standing| standing.digest);
        if !self.precondition.holds(current) {
            return Ok(DeleteOutcome::Precondition(current));
        }
        let Some(standing) = standing else { return Ok(DeleteOutcome::NotFound) };
        let now = on.now().await?;
        let mut guard = Guard::new(Some(repository), &self.repository, now);
        let allowed = match guard.allow(on, &self.tag, Some(standing), None).await? {
            Ok(allowed) => allowed,
            Err(frozen) => return Ok(DeleteOutcome::Frozen(frozen)),
        };
        let reason = match &self.dropped_by {
            Some(dropped_by) => Reason::Retention(dropped_by.rule.to_string()),
            None => Reason::Deleted,
        };
        let change = Change { repository, by: &self.by.by, now, reason };
        if let Some(allowed) = &allowed {
            change.make(on, allowed).await?;
        }
        let target = format!("repository:{}:{}", self.repository, self.tag);
        let (namespace, mut detail) =
            (self.repository.namespace(), format!("from={}", standing.digest));
        if let Some(dropped_by) = &self.dropped_by {
            detail = format!("{detail} {dropped_by}");
        }
        audit::record(on, &self.by, "tag.delete", target, namespace, detail).await?;
        Ok(DeleteOutcome::Deleted)
    }
}

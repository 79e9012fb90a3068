//! What was deleted, until its grace ends: listed, and brought back.

use wharf_oci::{Digest, Reference, Tag};

use crate::cache::Kind;
use crate::error::{Gone, NotRestored};
use crate::metadata::{
    CommitOutcome, DeletedManifest, ListDeleted as DeletedQuery, Restore, RestoreOutcome,
};
use crate::operation::{ListDeleted, RestoreDeleted};
use crate::permissions::Permitted;
use crate::registry::{Listing, Registry};
use crate::{Error, Missing, Result, StoreError};

/// What was brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The manifest.
    pub digest: Digest,
    /// The tags that came back on it.
    pub tags: Vec<Tag>,
    /// How many manifests came back, with those that it needs; none where only a tag was to.
    pub manifests: usize,
}

impl Registry {
    /// Lists the manifests that were deleted and can be brought back, in the order of their digests, after `after`,
    /// `limit` of them.
    ///
    /// # Errors
    /// [`Missing::Repository`].
    pub async fn list_deleted(
        &self,
        operation: &Permitted<ListDeleted>,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Listing<DeletedManifest>> {
        let repository = &operation.repository;
        let query = DeletedQuery {
            repository: repository.clone(),
            grace: self.rules.grace,
            after,
            limit: limit + 1,
        };
        let found = self.parts.metadata.list_deleted(query).await?;
        let mut items = found.ok_or_else(|| Missing::Repository(repository.clone()))?;
        let more = items.len() > limit;
        items.truncate(limit);
        Ok(Listing { items, more })
    }

    /// Brings back a manifest, with what it needs and the tags that went with it, or a tag to where it stood.
    ///
    /// # Errors
    /// [`Missing::Deleted`]; [`Error::NotRestored`] where the tag was made again, or too much is needed;
    /// [`Error::Gone`] where something that is needed is not held any more; and whatever refuses a push of it.
    pub async fn restore(&self, operation: &Permitted<RestoreDeleted>) -> Result<Restored> {
        let RestoreDeleted { repository, what } = &**operation;
        let asked = Restore {
            repository: repository.clone(),
            what: what.clone(),
            grace: self.rules.grace,
            by: operation.actor(),
        };
        let outcome = self.parts.metadata.restore(asked).await;
        let needed = |needed| Gone::Needed { repository: repository.clone(), needed };
        match self.invalidated(repository, Kind::Manifest, outcome).await? {
            RestoreOutcome::Restored { digest, tags, manifests } => {
                Ok(Restored { digest, tags, manifests })
            }
            RestoreOutcome::NotDeleted => {
                Err(Missing::Deleted(repository.clone(), what.clone()).into())
            }
            RestoreOutcome::Stands(digest) => Err(match what {
                Reference::Tag(tag) => NotRestored::Stands { tag: tag.clone(), digest }.into(),
                Reference::Digest(_) => Missing::Deleted(repository.clone(), what.clone()).into(),
            }),
            RestoreOutcome::Lost(digest) => Err(needed(vec![digest]).into()),
            RestoreOutcome::TooMany => Err(NotRestored::TooMany.into()),
            RestoreOutcome::Refused(CommitOutcome::Missing(digests)) => Err(needed(digests).into()),
            RestoreOutcome::Refused(CommitOutcome::Frozen(frozen)) => Err(Error::Immutable(frozen)),
            RestoreOutcome::Refused(CommitOutcome::Precondition(tag, current)) => {
                Err(Error::Precondition { tag, current })
            }
            RestoreOutcome::Refused(CommitOutcome::Committed) => {
                let text = format!("{what} was stored again in {repository}, and called refused");
                Err(StoreError::Corrupt(text).into())
            }
        }
    }
}

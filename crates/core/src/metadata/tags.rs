//! Tags: mutable names, each with a version and a history.

use std::fmt;

use async_trait::async_trait;
use wharf_oci::{Digest, RepositoryName, Tag};

use crate::StoreError;
use crate::actor::Actor;
use crate::metadata::{DeleteOutcome, RollBackOutcome, RollBackTag};
use crate::retention::RuleName;

/// Where a tag (or a manifest named by digest) must stand for a change to happen (RFC 9110, section 13.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Anywhere.
    #[default]
    None,
    /// It must exist: `If-Match: *`.
    Exists,
    /// It must stand at one of these: `If-Match: "<digest>"`.
    At(Vec<Digest>),
    /// It must not exist: `If-None-Match: *`.
    Absent,
    /// It must not stand at one of these: `If-None-Match: "<digest>"`.
    NotAt(Vec<Digest>),
}

impl Precondition {
    /// Whether it holds for something that stands at `current`.
    pub fn holds(&self, current: Option<Digest>) -> bool {
        match self {
            Self::None => true,
            Self::Exists => current.is_some(),
            Self::At(digests) => current.is_some_and(|digest| digests.contains(&digest)),
            Self::Absent => current.is_none(),
            Self::NotAt(digests) => !current.is_some_and(|digest| digests.contains(&digest)),
        }
    }
}

/// Deletes a tag, with its history and event.
#[derive(Clone, Debug)]
pub struct DeleteTag {
    /// Where.
    pub repository: RepositoryName,
    /// Which.
    pub tag: Tag,
    /// Where it must stand.
    pub precondition: Precondition,
    /// Who asks.
    pub by: Actor,
    /// The rule of retention that asks, where one does.
    pub dropped_by: Option<DroppedBy>,
}

/// The rule by which a tag goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedBy {
    /// The version of the policy.
    pub policy: i64,
    /// The rule of it.
    pub rule: RuleName,
}

/// `policy=3 rule=builds`
impl fmt::Display for DroppedBy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "policy={} rule={}", self.policy, self.rule)
    }
}

/// The tags.
#[async_trait]
pub trait Tags: Send + Sync + 'static {
    /// The first `limit` tags after `after`, in byte order; `None` when there is no such repository.
    async fn list_tags(
        &self,
        repository: RepositoryName,
        after: Option<String>,
        limit: usize,
    ) -> Result<Option<Vec<Tag>>, StoreError>;

    /// Deletes a tag.
    async fn delete_tag(&self, deletion: DeleteTag) -> Result<DeleteOutcome, StoreError>;

    /// Has a tag stand again where it stood, by the rules of a push of it: what it is to stand at is written, as is all
    /// that this needs, so that none of it is deleted or collected meanwhile.
    async fn roll_back_tag(&self, back: RollBackTag) -> Result<RollBackOutcome, StoreError>;
}

//! Retention: the policy of a repository with its state, the facts that it is judged by, and the tags that it drops.

use std::time::Duration;

use async_trait::async_trait;
use wharf_oci::{Digest, RepositoryName, Tag};

use crate::StoreError;
use crate::clock::Timestamp;
use crate::retention::{Policy, RuleName, TagFacts, Untagged};
use crate::writes::Closed;

/// The most reports of what runs that a repository has.
pub const MOST_RUNNING: usize = 10_000;

/// How far a policy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetentionState {
    /// Nobody has seen what it would drop. Each change of the policy leads here.
    Draft,
    /// What this version would drop was shown to somebody.
    Previewed,
    /// It drops tags.
    Enabled,
}

impl RetentionState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Draft, Self::Previewed, Self::Enabled];

    /// Its name in the API and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Previewed => "previewed",
            Self::Enabled => "enabled",
        }
    }
}

/// The policy of a repository, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRecord {
    /// The policy as JSON. A newer or damaged one may not be readable; it drops nothing then.
    pub document: String,
    /// Counts the changes of the policy, one that was taken away among them.
    pub version: i64,
    /// How far this version is.
    pub state: RetentionState,
    /// Who changed it last.
    pub updated_by: String,
    /// When.
    pub updated_at: Timestamp,
    /// The last run in the repository, of whichever version.
    pub last_run: Option<RetentionRun>,
    /// What is read-only or being drained now, the repository or all: no tag is dropped for as long as it is.
    pub closed: Option<Closed>,
}

impl RetentionRecord {
    /// Why an enabled policy is passed over now, if it is.
    pub fn skipped(&self) -> Option<&Closed> {
        self.closed.as_ref().filter(|_| self.state == RetentionState::Enabled)
    }

    /// What becomes of manifests that nothing needs: they stay, unless an enabled policy that can be read says otherwise.
    pub fn untagged(&self) -> Untagged {
        match self.state {
            RetentionState::Enabled => {
                Policy::parse(&self.document).map_or(Untagged::Keep, |policy| policy.untagged())
            }
            RetentionState::Draft | RetentionState::Previewed => Untagged::Keep,
        }
    }
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRun {
    /// The version of the policy.
    pub version: i64,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How many tags it looked at and left.
    pub kept: u64,
    /// How many it dropped.
    pub dropped: u64,
    /// Why it did not come to its end, for administrators.
    pub problem: Option<String>,
}

/// As of when tags are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionBasis {
    /// Now, by the database's clock.
    pub now: Timestamp,
    /// The first moment from which on, by what the database holds, pulls were counted.
    pub counted_since: Option<Timestamp>,
}

/// What tags are ranked by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagKey {
    /// The tag.
    pub tag: Tag,
    /// When it was moved to where it stands.
    pub pushed_at: Timestamp,
}

/// Drops a tag that was judged, if it is still what was judged, and by a policy that is still in force.
#[derive(Clone, Debug)]
pub struct DropTag {
    /// Where.
    pub repository: RepositoryName,
    /// Which.
    pub tag: Tag,
    /// Where it stood.
    pub digest: Digest,
    /// The number of its last change.
    pub version: i64,
    /// The version of the policy.
    pub policy: i64,
    /// The rule that says so.
    pub rule: RuleName,
}

/// What became of [`DropTag`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropOutcome {
    /// It is gone.
    Dropped,
    /// It was moved or deleted meanwhile, or something forbids to delete it.
    Left,
    /// The policy is not in force any more, or in another version: nothing more is to be dropped by this one.
    Halted,
}

/// Of a page of the manifests of a repository those that a rule for what has no tag lets go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UntaggedPage {
    /// Which, in the order of their digests.
    pub going: Vec<Digest>,
    /// Where to go on; nowhere at the end of the walk.
    pub next: Option<Digest>,
}

/// Policies of retention. All of it is asked of the primary: what a replica or a cache says drops nothing.
#[async_trait]
pub trait Retention: Send + Sync + 'static {
    /// The policy of a repository.
    async fn find_retention(
        &self,
        repository: RepositoryName,
    ) -> Result<Option<RetentionRecord>, StoreError>;

    /// The first `limit` repositories behind `after`, in byte order, whose policy is enabled and whose tags may change: of what
    /// is read-only or being drained there are none.
    async fn list_retention(
        &self,
        after: Option<RepositoryName>,
        limit: usize,
    ) -> Result<Vec<RepositoryName>, StoreError>;

    /// As of when the tags of a repository are judged; `None` where it is not there.
    async fn retention_basis(
        &self,
        repository: RepositoryName,
    ) -> Result<Option<RetentionBasis>, StoreError>;

    /// The first `limit` tags behind `after`, in byte order, with what they are ranked by.
    async fn retention_keys(
        &self,
        repository: RepositoryName,
        after: Option<Tag>,
        limit: usize,
    ) -> Result<Vec<TagKey>, StoreError>;

    /// The facts of the first `limit` tags behind `after`, in byte order. Pulls before `pulled_since` are left out.
    async fn retention_facts(
        &self,
        repository: RepositoryName,
        after: Option<Tag>,
        limit: usize,
        pulled_since: Timestamp,
    ) -> Result<Vec<TagFacts>, StoreError>;

    /// Which of the first `limit` manifests behind `after`, in the order of their digests, a collection would delete by a rule that lets go what
    /// nothing has needed `for_long`; also where the repository is read-only for now. None where it is not there.
    async fn untagged_manifests(
        &self,
        repository: RepositoryName,
        for_long: Duration,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<UntaggedPage, StoreError>;

    /// Drops a tag, with its history, its event and a record in the audit log.
    async fn drop_tag(&self, drop: DropTag) -> Result<DropOutcome, StoreError>;

    /// Records how a run ended. Its moment is that of the database's clock.
    async fn record_retention_run(
        &self,
        repository: RepositoryName,
        run: RetentionRun,
    ) -> Result<(), StoreError>;

    /// Forgets up to `limit` reports of what runs whose time is over. Returns how many.
    async fn forget_running(&self, limit: usize) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_enabled_policy_that_can_be_read_lets_untagged_manifests_go() {
        let record = |document: &str, state| RetentionRecord {
            document: document.to_owned(),
            version: 1,
            state,
            updated_by: "user:ada".to_owned(),
            updated_at: Timestamp(0),
            last_run: None,
            closed: None,
        };
        let document = r#"{"rules":[],"untagged":{"after":"7d"}}"#;
        for state in RetentionState::ALL {
            let goes = record(document, state).untagged() != Untagged::Keep;
            assert_eq!(goes, state == RetentionState::Enabled, "{state:?}");
        }
        let newer = r#"{"rules":[],"untagged":{"after":"7d","except":"v*"}}"#;
        assert_eq!(record(newer, RetentionState::Enabled).untagged(), Untagged::Keep);
        assert_eq!(record("", RetentionState::Enabled).untagged(), Untagged::Keep);
    }
}

//! The policies by which tags freeze: read for those who manage them. They are changed by `Accounts::change`, and asked where a
//! tag is changed, in its own transaction.

use async_trait::async_trait;
use wharf_oci::{RepositoryName, Tag};

use crate::StoreError;
use crate::clock::Timestamp;
use crate::immutability::{Frozen, PolicyName, PolicyRecord, PolicyScope};
use crate::metadata::Page;

/// The most policies of a namespace, and of a repository.
pub const MOST_POLICIES: usize = 50;

/// What the policies say of a tag at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagImmutability {
    /// The tag.
    pub tag: Tag,
    /// Since when there has been the tag.
    pub created_at: Timestamp,
    /// Each policy that covers it, with the moment from which on it freezes the tag.
    pub covered_by: Vec<(PolicyRecord, Timestamp)>,
    /// What freezes it by now.
    pub frozen: Option<Frozen>,
}

/// The policies of namespaces and repositories. What is said of something that is not there is `None`.
#[async_trait]
pub trait ImmutabilityPolicies: Send + Sync + 'static {
    /// All policies that are there, by name: [`MOST_POLICIES`] at most.
    async fn list_policies(&self, of: PolicyScope)
    -> Result<Option<Vec<PolicyRecord>>, StoreError>;

    /// Finds a policy.
    async fn find_policy(
        &self,
        of: PolicyScope,
        name: PolicyName,
    ) -> Result<Option<PolicyRecord>, StoreError>;

    /// What the policies say of a tag now, by the database's clock.
    async fn tag_immutability(
        &self,
        repository: RepositoryName,
        tag: Tag,
    ) -> Result<Option<TagImmutability>, StoreError>;

    /// The same of all tags, by name.
    async fn list_tag_immutability(
        &self,
        repository: RepositoryName,
        page: Page,
    ) -> Result<Option<Vec<TagImmutability>>, StoreError>;
}

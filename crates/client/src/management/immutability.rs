//! The policies by which tags freeze, of namespaces and of repositories, and what they say of tags.

use serde::{Deserialize, Serialize};
use wharf_oci::{RepositoryName, Tag};

use super::query::path;
use super::{Answer, Management, Pages};
use crate::Error;

/// Where policies hold.
#[derive(Clone, Copy, Debug)]
pub enum PoliciesOf<'a> {
    /// In all repositories of a namespace.
    Namespace(&'a str),
    /// In a repository.
    Repository(&'a RepositoryName),
}

impl<'a> PoliciesOf<'a> {
    fn path(self, policy: Option<&'a str>) -> String {
        let (root, name) = match self {
            Self::Namespace(name) => ("namespaces", name),
            Self::Repository(name) => ("repositories", name.as_str()),
        };
        match policy {
            Some(policy) => path(&[root, name, "immutability", policy]),
            None => path(&[root, name, "immutability"]),
        }
    }
}

/// A policy by which tags freeze.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ImmutabilityPolicy {
    /// What it is called where it holds.
    pub name: String,
    /// Which tags: those that one of these covers.
    pub patterns: Vec<String>,
    /// Of those, which not.
    #[serde(default)]
    pub exceptions: Vec<String>,
    /// How many seconds after it was made a tag may still change.
    pub mutable_seconds: u64,
    /// Who made it.
    pub created_by: Option<String>,
    /// Since when there is such a policy (RFC 3339).
    #[serde(default)]
    pub created_at: String,
}

/// What a policy says.
#[derive(Clone, Debug, Serialize)]
pub struct ImmutabilityRule {
    /// Which tags: those that one of these covers.
    pub patterns: Vec<String>,
    /// Of those, which not.
    pub exceptions: Vec<String>,
    /// How many seconds after it was made a tag may still change; 0 freezes it at once.
    pub mutable_seconds: u64,
}

#[derive(Serialize)]
struct NewPolicy<'a> {
    name: &'a str,
    #[serde(flatten)]
    rule: &'a ImmutabilityRule,
}

/// What policies say of a tag.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TagImmutability {
    /// The tag.
    pub tag: String,
    /// Since when there has been the tag (RFC 3339).
    #[serde(default)]
    pub created_at: String,
    /// What freezes it by now.
    pub frozen_by: Option<FrozenBy>,
    /// All policies that cover it.
    #[serde(default)]
    pub covered_by: Vec<CoveredBy>,
}

/// A policy that freezes a tag.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FrozenBy {
    /// Where it holds: `namespace:NAME` or `repository:NAME`.
    pub of: String,
    /// Which.
    pub policy: String,
    /// Since when it does (RFC 3339).
    pub since: String,
}

/// A policy that covers a tag.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CoveredBy {
    /// Where it holds: `namespace:NAME` or `repository:NAME`.
    pub of: String,
    /// Which.
    pub policy: String,
    /// From when on it freezes the tag (RFC 3339).
    pub freezes_at: String,
}

impl Management {
    /// The policies that hold somewhere.
    pub fn immutability_policies(&self, of: PoliciesOf<'_>) -> Pages<ImmutabilityPolicy> {
        Pages::whole(self, of.path(None))
    }

    /// Makes a policy.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn create_immutability_policy(
        &self,
        of: PoliciesOf<'_>,
        name: &str,
        rule: &ImmutabilityRule,
    ) -> Result<Answer<ImmutabilityPolicy>, Error> {
        self.post(&of.path(None), &NewPolicy { name, rule }).await
    }

    /// Has a policy say something else.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn change_immutability_policy(
        &self,
        of: PoliciesOf<'_>,
        name: &str,
        rule: &ImmutabilityRule,
    ) -> Result<Answer<ImmutabilityPolicy>, Error> {
        self.put(&of.path(Some(name)), rule).await
    }

    /// Takes a policy away.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn delete_immutability_policy(
        &self,
        of: PoliciesOf<'_>,
        name: &str,
    ) -> Result<(), Error> {
        self.delete(&of.path(Some(name))).await
    }

    /// What the policies of a repository and of its namespace say of a tag.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn tag_immutability(
        &self,
        name: &RepositoryName,
        tag: &Tag,
    ) -> Result<Answer<TagImmutability>, Error> {
        let path = path(&["repositories", name.as_str(), "tags", tag.as_str(), "immutability"]);
        self.get(&path).await
    }

    /// The same of all tags of a repository.
    pub fn tags_immutability(&self, name: &RepositoryName) -> Pages<TagImmutability> {
        Pages::new(self, path(&["repositories", name.as_str(), "tag-immutability"]))
    }
}

//! Organizations: namespaces that are no user's.

use serde::{Deserialize, Serialize};

use super::query::path;
use super::{Answer, Management, Pages};
use crate::Error;

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Organization {
    /// The name, which is that of its namespace.
    pub name: String,
    /// Who may read its new repositories without a grant.
    #[serde(default)]
    pub default_visibility: String,
    /// Whether a push makes a repository.
    #[serde(default)]
    pub create_on_push: bool,
    /// Since when there is such an organization (RFC 3339).
    #[serde(default)]
    pub created_at: String,
}

/// What becomes different of a namespace, be it an organization's or a user's.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct NamespaceChange<'a> {
    /// Who may read its new repositories without a grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_visibility: Option<&'a str>,
    /// Whether a push makes a repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_on_push: Option<bool>,
}

/// An organization to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewOrganization<'a> {
    /// The name.
    pub name: &'a str,
    /// A user, who becomes its administrator; else who makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<&'a str>,
}

impl Management {
    /// The organizations that the user belongs to; all, for an administrator of the whole registry.
    pub fn organizations(&self) -> Pages<Organization> {
        Pages::new(self, path(&["organizations"]))
    }

    /// An organization.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn organization(&self, name: &str) -> Result<Answer<Organization>, Error> {
        self.get(&path(&["organizations", name])).await
    }

    /// Changes what holds for all repositories of a namespace.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn change_namespace(
        &self,
        name: &str,
        change: NamespaceChange<'_>,
    ) -> Result<Answer<Organization>, Error> {
        self.patch(&path(&["namespaces", name]), &change).await
    }

    /// Makes an organization.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn create_organization(
        &self,
        organization: &NewOrganization<'_>,
    ) -> Result<Answer<Organization>, Error> {
        self.post(&path(&["organizations"]), organization).await
    }

    /// Deletes an organization.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn delete_organization(&self, name: &str) -> Result<(), Error> {
        self.delete(&path(&["organizations", name])).await
    }
}

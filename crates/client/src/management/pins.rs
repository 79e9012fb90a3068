//! Pins: what keeps a manifest whatever tags do.

use serde::{Deserialize, Serialize};
use wharf_oci::RepositoryName;

use super::query::path;
use super::{Answer, Management, Pages};
use crate::Error;

/// A pin.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Pin {
    /// Its name.
    pub name: String,
    /// The manifest that it keeps.
    pub digest: String,
    /// Who made it.
    pub created_by: String,
    /// When (RFC 3339).
    pub created_at: String,
    /// Until when (RFC 3339); for ever without it.
    pub expires_at: Option<String>,
}

/// What is pinned: a digest, or a tag with a time or without one.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewPin {
    /// This manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Where this tag stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Where the tag stood at this time (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// Until when (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

impl Management {
    /// The pins of a repository.
    pub fn pins(&self, name: &RepositoryName) -> Pages<Pin> {
        Pages::new(self, path(&["repositories", name.as_str(), "pins"]))
    }

    /// Pins a manifest, or has its pin of that name last longer.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn pin(
        &self,
        name: &RepositoryName,
        pin: &str,
        new: &NewPin,
    ) -> Result<Answer<Pin>, Error> {
        self.put(&path(&["repositories", name.as_str(), "pins", pin]), new).await
    }

    /// Takes a pin away.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn unpin(&self, name: &RepositoryName, pin: &str) -> Result<(), Error> {
        self.delete(&path(&["repositories", name.as_str(), "pins", pin])).await
    }
}

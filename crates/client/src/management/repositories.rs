//! Repositories, as those see them who manage them.

use serde::{Deserialize, Serialize};
use wharf_oci::{Digest, RepositoryName};

use super::query::{path, with_parameters};
use super::{Answer, Management, Pages};
use crate::Error;

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Repository {
    /// The name.
    pub name: String,
    /// Who may read it without a grant.
    pub visibility: String,
    /// Since when there is such a repository (RFC 3339).
    #[serde(default)]
    pub created_at: String,
}

/// A tag of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TagRecord {
    /// The name.
    pub name: String,
    /// What it points to, or pointed to then; none where that is forgotten.
    pub digest: Option<String>,
    /// The version that its last move gave it.
    pub version: Option<i64>,
    /// Who moved it there.
    pub updated_by: Option<String>,
    /// When (RFC 3339).
    #[serde(default)]
    pub updated_at: String,
    /// `held`, `gone` or `forgotten`; none of a registry that does not say.
    pub state: Option<String>,
}

/// Which tags, in which order; all of them by name where nothing is said.
#[derive(Clone, Debug, Default)]
pub struct TagFilter {
    /// `name`, `version` or `updated`.
    pub sort: Option<String>,
    /// By version: `only`, `none` or `all`.
    pub pre_releases: Option<String>,
    /// Those that there were at this time (RFC 3339).
    pub as_of: Option<String>,
}

/// A manifest of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Manifest {
    /// Its digest.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// Its type, where it is no image.
    pub artifact_type: Option<String>,
    /// Its own size in bytes.
    pub size: u64,
    /// Who pushed it.
    pub pushed_by: Option<String>,
    /// When (RFC 3339).
    #[serde(default)]
    pub pushed_at: String,
}

/// Which repositories are listed; all that may be seen, where nothing is said.
#[derive(Clone, Copy, Debug, Default)]
pub struct RepositoryFilter<'a> {
    /// Those of a namespace.
    pub namespace: Option<&'a str>,
    /// Those that such people may read without a grant.
    pub visibility: Option<&'a str>,
}

#[derive(Serialize)]
struct NewVisibility<'a> {
    visibility: &'a str,
}

#[derive(Serialize)]
struct Rename<'a> {
    to: &'a str,
}

impl Management {
    /// The repositories that the user may pull from.
    pub fn repositories(&self, filter: RepositoryFilter<'_>) -> Pages<Repository> {
        let parameters = [
            ("namespace", filter.namespace.map(str::to_owned)),
            ("visibility", filter.visibility.map(str::to_owned)),
        ];
        Pages::new(self, with_parameters(path(&["repositories"]), &parameters))
    }

    /// A repository.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn repository(&self, name: &RepositoryName) -> Result<Answer<Repository>, Error> {
        self.get(&path(&["repositories", name.as_str()])).await
    }

    /// Says who may read a repository without a grant.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn set_visibility(
        &self,
        name: &RepositoryName,
        visibility: &str,
    ) -> Result<Answer<Repository>, Error> {
        self.patch(&path(&["repositories", name.as_str()]), &NewVisibility { visibility }).await
    }

    /// Gives a repository another name, which may be in another namespace.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn rename_repository(
        &self,
        name: &RepositoryName,
        to: &RepositoryName,
    ) -> Result<Answer<Repository>, Error> {
        let rename = Rename { to: to.as_str() };
        self.post(&path(&["repositories", name.as_str(), "rename"]), &rename).await
    }

    /// The tags of a repository.
    pub fn tags(&self, name: &RepositoryName, filter: TagFilter) -> Pages<TagRecord> {
        let TagFilter { sort, pre_releases, as_of } = filter;
        let parameters = [("sort", sort), ("pre_releases", pre_releases), ("as_of", as_of)];
        Pages::new(
            self,
            with_parameters(path(&["repositories", name.as_str(), "tags"]), &parameters),
        )
    }

    /// Where a tag stands, or stood at a time (RFC 3339).
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn tag(
        &self,
        name: &RepositoryName,
        tag: &wharf_oci::Tag,
        as_of: Option<String>,
    ) -> Result<Answer<TagRecord>, Error> {
        let path = path(&["repositories", name.as_str(), "tags", tag.as_str()]);
        self.get(&with_parameters(path, &[("as_of", as_of)])).await
    }

    /// The manifests of a repository.
    pub fn repository_manifests(&self, name: &RepositoryName) -> Pages<Manifest> {
        Pages::new(self, path(&["repositories", name.as_str(), "manifests"]))
    }

    /// Deletes a tag. Its manifest stays.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn delete_tag(
        &self,
        name: &RepositoryName,
        tag: &wharf_oci::Tag,
    ) -> Result<(), Error> {
        self.delete(&path(&["repositories", name.as_str(), "tags", tag.as_str()])).await
    }

    /// Deletes a manifest, with all tags on it.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn delete_manifest(
        &self,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Error> {
        let digest = digest.to_string();
        self.delete(&path(&["repositories", name.as_str(), "manifests", &digest])).await
    }
}

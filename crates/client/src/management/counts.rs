//! How often what was pulled and pushed.

use serde::Deserialize;
use wharf_oci::RepositoryName;

use super::query::{path, with_parameters};
use super::{Management, Pages};

/// The sum of a time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Count {
    /// When that time begins (RFC 3339).
    pub at: String,
    /// The sum.
    pub count: u64,
}

/// A manifest, and how often it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TopManifest {
    /// Its digest.
    pub digest: String,
    /// The sum.
    pub count: u64,
}

/// A repository, and how often it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TopRepository {
    /// Its name.
    pub repository: String,
    /// The sum.
    pub count: u64,
}

/// What is counted, and when; pulls of the last week where nothing is said.
#[derive(Clone, Debug, Default)]
pub struct CountFilter {
    /// `pull`, `push` or `index-pull`.
    pub kind: Option<String>,
    /// From this time on (RFC 3339).
    pub from: Option<String>,
    /// Before this time (RFC 3339).
    pub to: Option<String>,
}

impl CountFilter {
    fn parameters(self) -> Vec<(&'static str, Option<String>)> {
        vec![("kind", self.kind), ("from", self.from), ("to", self.to)]
    }
}

impl Management {
    /// How often a repository, or one manifest of it, was asked for, by steps: `hour` or `day`.
    pub fn counts(
        &self,
        name: &RepositoryName,
        filter: CountFilter,
        manifest: Option<String>,
        step: &str,
    ) -> Pages<Count> {
        let mut parameters = filter.parameters();
        parameters.extend([("manifest", manifest), ("step", Some(step.to_owned()))]);
        let path = path(&["repositories", name.as_str(), "counts"]);
        Pages::whole(self, with_parameters(path, &parameters))
    }

    /// The manifests of a repository that were asked for most, so many of them.
    pub fn top_manifests(
        &self,
        name: &RepositoryName,
        filter: CountFilter,
        places: usize,
    ) -> Pages<TopManifest> {
        let mut parameters = filter.parameters();
        parameters.push(("limit", Some(places.to_string())));
        let path = path(&["repositories", name.as_str(), "counts", "manifests"]);
        Pages::whole(self, with_parameters(path, &parameters))
    }

    /// The repositories that were asked for most, so many of them: all of a namespace, for who administers it, else
    /// the public ones everywhere.
    pub fn top_repositories(
        &self,
        namespace: Option<&str>,
        filter: CountFilter,
        places: usize,
    ) -> Pages<TopRepository> {
        let mut parameters = filter.parameters();
        parameters.push(("limit", Some(places.to_string())));
        parameters.push(("namespace", namespace.map(str::to_owned)));
        Pages::whole(self, with_parameters(path(&["counts", "repositories"]), &parameters))
    }
}

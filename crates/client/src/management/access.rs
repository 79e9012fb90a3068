//! Why somebody may or may not do something.

use serde::Deserialize;
use wharf_oci::RepositoryName;

use super::query::{path, with_parameters};
use super::{Answer, Management};
use crate::Error;

/// What is decided of an action.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Decision {
    /// Whether it may be done.
    pub allowed: bool,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
}

/// What is decided of somebody and a repository.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Explanation {
    /// Of pulling from it.
    pub pull: Decision,
    /// Of pushing to it.
    pub push: Decision,
    /// Of deleting in it.
    pub delete: Decision,
}

impl Management {
    /// What a principal may do with a repository, and which grant decided it. Without one, who asks is meant.
    ///
    /// # Errors
    /// When the registry refuses: only administrators of a namespace may ask about others.
    pub async fn explain(
        &self,
        principal: Option<&str>,
        repository: &RepositoryName,
    ) -> Result<Answer<Explanation>, Error> {
        let parameters = [
            ("principal", principal.map(str::to_owned)),
            ("repository", Some(repository.as_str().to_owned())),
        ];
        self.get(&with_parameters(path(&["access", "explain"]), &parameters)).await
    }
}

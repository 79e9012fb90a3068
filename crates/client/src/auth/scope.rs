//! What a token allows, in the words of the token specification (distribution, "Token Scope Documentation").

use std::fmt;

use wharf_oci::RepositoryName;

/// What a token allows: `type:name:actions`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(Box<str>);

impl Scope {
    /// Reading a repository.
    pub fn pull(repository: &RepositoryName) -> Self {
        Self(format!("repository:{repository}:pull").into())
    }

    /// Reading and writing a repository.
    pub fn push(repository: &RepositoryName) -> Self {
        Self(format!("repository:{repository}:pull,push").into())
    }

    /// Deleting in a repository.
    pub fn delete(repository: &RepositoryName) -> Self {
        Self(format!("repository:{repository}:delete").into())
    }

    /// Listing the repositories.
    pub fn catalog() -> Self {
        Self("registry:catalog:*".into())
    }

    /// A scope in a registry's own words.
    pub(super) fn other(text: &str) -> Self {
        Self(text.into())
    }

    /// The scope as it stands in a request for a token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

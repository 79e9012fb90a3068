//! Names of repositories and tags (distribution-spec, "Pulling manifests").

use std::fmt;
use std::str::FromStr;

/// Why a text is no repository name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing at all.
    #[error("a repository name must not be empty")]
    Empty,
    /// Longer than [`RepositoryName::MAX_LENGTH`].
    #[error("a repository name has at most {} characters", RepositoryName::MAX_LENGTH)]
    TooLong,
    /// A component is not of the specification's form.
    #[error(
        "a repository name is made of components between slashes, each of lower-case letters and \
         digits, separated inside by one '.', one or two '_', or any number of '-'"
    )]
    Component,
}

/// The name of a repository: `namespace/…/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(Box<str>);

impl RepositoryName {
    /// The longest name in bytes. Clients stop at 255 for host and name together.
    pub const MAX_LENGTH: usize = 255;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first component, owned by a user or an organization.
    pub fn namespace(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

impl FromStr for RepositoryName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(NameError::TooLong);
        }
        if text.split('/').all(is_component) {
            Ok(Self(text.into()))
        } else {
            Err(NameError::Component)
        }
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let mut rest = text.as_bytes();
    loop {
        let letters =
            rest.iter().take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit()).count();
        if letters == 0 {
            return false;
        }
        rest = &rest[letters..];
        let separator = match rest {
            [] => return true,
            [b'_', b'_', ..] => 2,
            [b'.' | b'_', ..] => 1,
            _ => rest.iter().take_while(|b| **b == b'-').count(),
        };
        if separator == 0 {
            return false;
        }
        rest = &rest[separator..];
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a text is no tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Not of the specification's form.
    #[error(
        "a tag has 1 to {} letters, digits, '_', '.' or '-', and begins with none of '.' and '-'",
        Tag::MAX_LENGTH
    )]
    Form,
}

/// The name of a tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Box<str>);

impl Tag {
    /// The longest tag in bytes.
    pub const MAX_LENGTH: usize = 128;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        match text.as_bytes() {
            [first, rest @ ..]
                if is_word(*first)
                    && rest.len() < Self::MAX_LENGTH
                    && rest.iter().all(|b| is_word(*b) || matches!(b, b'.' | b'-')) =>
            {
                Ok(Self(text.into()))
            }
            _ => Err(TagError::Form),
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

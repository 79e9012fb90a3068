//! Tags of a repository in another order than that of their names.

use std::fmt;
use std::str::FromStr;

use wharf_oci::{RepositoryName, Tag};

use crate::clock::Timestamp;
use crate::metadata::TagRecord;

/// Which of the versions that come before a release are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PreReleases {
    /// They alone.
    Only,
    /// None of them.
    None,
    /// Among the others, each behind the release that it leads to.
    #[default]
    All,
}

/// The order of a list of tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagSort {
    /// By version, the newest first; behind all versions what is none, by name, unless pre-releases alone are asked for.
    Version(PreReleases),
    /// By when they last moved, the latest first.
    Updated,
}

/// Which tags are asked for.
#[derive(Clone, Debug)]
pub struct SortTags {
    /// Of this repository.
    pub repository: RepositoryName,
    /// In this order.
    pub sort: TagSort,
    /// Behind this place.
    pub after: Option<TagPlace>,
    /// How many at most.
    pub limit: usize,
}

/// A place in a list of tags, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagPlace {
    /// When the tag moved.
    pub updated_at: Timestamp,
    /// Its name.
    pub tag: Tag,
}

impl TagRecord {
    /// Its place.
    #[must_use]
    pub fn place(&self) -> TagPlace {
        TagPlace { updated_at: self.updated_at, tag: self.name.clone() }
    }
}

/// `1764000000000000:v1.2`
impl fmt::Display for TagPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.updated_at.0, self.tag)
    }
}

/// A text that is no place in a list of tags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place in this list; it must be the `next` of the page before")]
pub struct NoTagPlace(String);

impl FromStr for TagPlace {
    type Err = NoTagPlace;

    fn from_str(text: &str) -> Result<Self, NoTagPlace> {
        let read = || {
            let (at, tag) = text.split_once(':')?;
            Some(Self { updated_at: Timestamp(at.parse().ok()?), tag: tag.parse().ok()? })
        };
        read().ok_or_else(|| NoTagPlace(text.chars().take(100).collect()))
    }
}

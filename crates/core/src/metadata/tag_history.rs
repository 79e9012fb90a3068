//! The history of tags: each change with who made it and why, and where tags stood at a time.

use async_trait::async_trait;
use wharf_oci::{Digest, RepositoryName, Tag};

use crate::StoreError;
use crate::clock::Timestamp;

/// Why a tag changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody pushed a manifest under it.
    Pushed,
    /// Somebody deleted it.
    Deleted,
    /// Somebody deleted the manifest that it stood at.
    ManifestDeleted,
    /// Somebody had it go back to where it stood at this version of it.
    RolledBack(i64),
    /// A retention rule of this name.
    Retention(String),
    /// Somebody had it come back after it was deleted.
    Restored,
    /// It changed in another registry, of this name, that this one follows.
    Replicated(String),
}

impl Reason {
    /// Its kind as it is recorded and told: `rolled-back`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Pushed => "pushed",
            Self::Deleted => "deleted",
            Self::ManifestDeleted => "manifest-deleted",
            Self::RolledBack(_) => "rolled-back",
            Self::Retention(_) => "retention",
            Self::Restored => "restored",
            Self::Replicated(_) => "replicated",
        }
    }

    /// What else there is to say: a version, the name of a rule or of a registry.
    #[must_use]
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::RolledBack(version) => Some(version.to_string()),
            Self::Retention(name) | Self::Replicated(name) => Some(name.clone()),
            Self::Pushed | Self::Deleted | Self::ManifestDeleted | Self::Restored => None,
        }
    }

    /// Reads what [`kind`](Self::kind) and [`detail`](Self::detail) wrote; `None` where they wrote no such thing.
    #[must_use]
    pub fn read(kind: &str, detail: Option<String>) -> Option<Self> {
        Some(match (kind, detail) {
            ("pushed", None) => Self::Pushed,
            ("deleted", None) => Self::Deleted,
            ("manifest-deleted", None) => Self::ManifestDeleted,
            ("rolled-back", Some(version)) => Self::RolledBack(version.parse().ok()?),
            ("retention", Some(rule)) => Self::Retention(rule),
            ("restored", None) => Self::Restored,
            ("replicated", Some(registry)) => Self::Replicated(registry),
            _ => return None,
        })
    }
}

/// A change of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagChange {
    /// The tag.
    pub tag: Tag,
    /// The version that this gave it: one more than the one before, over deletions too.
    pub version: i64,
    /// Where it stood; nowhere where this made it.
    pub from: Option<Digest>,
    /// Where it stands since; nowhere where this deleted it.
    pub to: Option<Digest>,
    /// Who.
    pub by: String,
    /// When, by the database's clock.
    pub at: Timestamp,
    /// Why; `None` where a release changed it that did not record that.
    pub reason: Option<Reason>,
}

/// A place in a list of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePlace {
    /// When the change was.
    pub at: Timestamp,
    /// The version that it gave.
    pub version: i64,
    /// The tag.
    pub tag: Tag,
}

impl TagChange {
    /// Its place.
    #[must_use]
    pub fn place(&self) -> ChangePlace {
        ChangePlace { at: self.at, version: self.version, tag: self.tag.clone() }
    }
}

/// `1764000000000000:3:v1.2`
impl std::fmt::Display for ChangePlace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}:{}", self.at.0, self.version, self.tag)
    }
}

/// A text that is no place in a list of changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place in a history; it must be the `next` of the page before")]
pub struct NoChangePlace(String);

impl std::str::FromStr for ChangePlace {
    type Err = NoChangePlace;

    fn from_str(text: &str) -> Result<Self, NoChangePlace> {
        let read = || {
            let mut parts = text.splitn(3, ':');
            let at = Timestamp(parts.next()?.parse().ok()?);
            let (version, tag) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some(Self { at, version, tag })
        };
        read().ok_or_else(|| NoChangePlace(text.chars().take(100).collect()))
    }
}

/// Which changes are asked for.
#[derive(Clone, Debug)]
pub struct ListChanges {
    /// Of this repository.
    pub repository: RepositoryName,
    /// Of this tag; of all tags without it.
    pub tag: Option<Tag>,
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub before: Option<Timestamp>,
    /// Behind this one.
    pub after: Option<ChangePlace>,
    /// How many at most.
    pub limit: usize,
}

/// Where a tag stood at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stood {
    /// At a manifest.
    At(Then),
    /// There was no such tag.
    Nowhere,
    /// Nobody knows: the history of that time was forgotten, and is known from this moment on.
    Forgotten(Timestamp),
}

/// What a tag stood at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Then {
    /// The manifest.
    pub digest: Digest,
    /// The version that the tag had.
    pub version: i64,
    /// Who had moved it there.
    pub by: String,
    /// When that was.
    pub since: Timestamp,
    /// Whether the repository holds the manifest now.
    pub is_held: bool,
}

/// A tag that there was at a time, or may have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagThen {
    /// Its name.
    pub name: Tag,
    /// Where it stood; never [`Stood::Nowhere`].
    pub stood: Stood,
}

/// What is known of a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AsOf<T> {
    /// There is no such repository.
    NoRepository,
    /// The time is still to come: it is this moment now, by the database's clock.
    ToCome(Timestamp),
    /// This.
    Known(T),
}

/// The history of tags.
#[async_trait]
pub trait TagHistory: Send + Sync + 'static {
    /// Changes, the newest first: of one tag by their versions, of a repository by their times. `None` when there is no
    /// such repository. A tag that never was has none.
    async fn list_changes(&self, query: ListChanges) -> Result<Option<Vec<TagChange>>, StoreError>;

    /// Where a tag stood at a time: after every change of that moment and before, by the database's clock.
    async fn tag_as_of(
        &self,
        repository: RepositoryName,
        tag: Tag,
        at: Timestamp,
    ) -> Result<AsOf<Stood>, StoreError>;

    /// The first `limit` tags that there were at a time, after `after` in byte order, with those of which that is
    /// forgotten.
    async fn tags_as_of(
        &self,
        repository: RepositoryName,
        at: Timestamp,
        after: Option<String>,
        limit: usize,
    ) -> Result<AsOf<Vec<TagThen>>, StoreError>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_read_as_it_was_written() {
        for reason in [
            Reason::Pushed,
            Reason::Deleted,
            Reason::ManifestDeleted,
            Reason::RolledBack(7),
            Reason::Retention("keep 10".into()),
            Reason::Restored,
            Reason::Replicated("eu".into()),
        ] {
            assert_eq!(Reason::read(reason.kind(), reason.detail()), Some(reason));
        }
        assert_eq!(Reason::read("rolled-back", Some("seven".into())), None);
        assert_eq!(Reason::read("pushed", Some("why".into())), None);
        assert_eq!(Reason::read("moved", None), None);
    }

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let place = ChangePlace { at: Timestamp(-5), version: 3, tag: "v1.2_rc".parse().unwrap() };
        assert_eq!(place.to_string().parse(), Ok(place));
        for text in ["", "1", "1:2", "1:2:", "a:2:v1", "1:b:v1", "1:2:a b"] {
            assert!(text.parse::<ChangePlace>().is_err(), "{text}");
        }
    }
}

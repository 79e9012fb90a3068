//! Immutability of tags: policies that freeze them, and the decision whether a tag may change.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use wharf_oci::{Digest, RepositoryName, Tag, TagSelection};

use crate::clock::Timestamp;
use crate::permissions::AccountName;

/// What a policy is called where it stands: 1 to 64 lower-case letters, digits, `.`, `_` and `-`, the first of them a letter
/// or a digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyName(Box<str>);

/// A text that is no name of a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no name of a policy: 1 to 64 lower-case letters, digits, . _ and -, the first a letter or a digit"
)]
pub struct NoPolicyName(String);

impl PolicyName {
    /// The longest, in bytes.
    pub const MAX_LENGTH: usize = 64;

    /// The name as a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PolicyName {
    type Err = NoPolicyName;

    fn from_str(text: &str) -> Result<Self, NoPolicyName> {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let begins_well = text.bytes().next().is_some_and(known);
        let is_name = begins_well
            && text.len() <= Self::MAX_LENGTH
            && text.bytes().all(|byte| known(byte) || b"._-".contains(&byte));
        if is_name {
            Ok(Self(text.into()))
        } else {
            Err(NoPolicyName(text.chars().take(100).collect()))
        }
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How long a tag may change after it was made, in whole seconds. Nought freezes it at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MutableFor(u32);

/// A time that is longer than a tag may be mutable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} seconds are more than the {max} (ten years) after which a policy freezes", max = MutableFor::MOST)]
pub struct TooLong(u64);

impl MutableFor {
    /// The most, in seconds: ten years.
    pub const MOST: u32 = 10 * 365 * 24 * 3600;

    /// So many seconds.
    ///
    /// # Errors
    /// [`TooLong`] for more than [`MutableFor::MOST`].
    pub fn from_seconds(seconds: u64) -> Result<Self, TooLong> {
        let fits = u32::try_from(seconds).ok().filter(|seconds| *seconds <= Self::MOST);
        fits.map(Self).ok_or(TooLong(seconds))
    }

    /// In seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.0
    }

    fn time(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

/// Which tags freeze, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What it is called.
    pub name: PolicyName,
    /// Which tags.
    pub tags: TagSelection,
    /// How long after it was made a tag may change.
    pub mutable_for: MutableFor,
}

/// Where a policy holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyScope {
    /// In all repositories of a namespace.
    Namespace(AccountName),
    /// In a repository.
    Repository(RepositoryName),
}

impl PolicyScope {
    /// The namespace that it is in.
    #[must_use]
    pub fn namespace(&self) -> &str {
        match self {
            Self::Namespace(name) => name.as_str(),
            Self::Repository(name) => name.namespace(),
        }
    }
}

/// `namespace:team`, `repository:team/app`
impl fmt::Display for PolicyScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace(name) => write!(formatter, "namespace:{name}"),
            Self::Repository(name) => write!(formatter, "repository:{name}"),
        }
    }
}

/// A policy as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    /// Where it holds.
    pub of: PolicyScope,
    /// What it says.
    pub policy: Policy,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Since when it says that.
    pub changed_at: Timestamp,
    /// Counts its changes.
    pub version: i64,
}

impl PolicyRecord {
    /// From when on it freezes a tag, if it covers that at all: once the tag is as old as the policy says.
    #[must_use]
    pub fn freezes(&self, tag: &Tag, created_at: Timestamp) -> Option<Timestamp> {
        let Policy { tags, mutable_for, .. } = &self.policy;
        tags.covers(tag).then(|| created_at.after(mutable_for.time()))
    }
}

/// Where a tag stands, as far as policies ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stands {
    /// At which manifest.
    pub digest: Digest,
    /// Since when there has been the tag. A move does not make it anew; a deletion does, which is refused once it is frozen.
    pub created_at: Timestamp,
}

/// Why a tag stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "tag {:?} of {repository} is immutable since {since} by policy {:?} of {} ({})",
    tag.as_str(), policy.name.as_str(), in_words(of), policy.tags
)]
pub struct Frozen {
    /// Of which repository the tag is.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// Where the policy holds that freezes it.
    pub of: PolicyScope,
    /// That policy.
    pub policy: Policy,
    /// Since when it does: since the tag is old enough and the policy says what it says.
    pub since: Timestamp,
}

fn in_words(of: &PolicyScope) -> String {
    match of {
        PolicyScope::Namespace(name) => format!("namespace {name}"),
        PolicyScope::Repository(_) => "the repository".to_owned(),
    }
}

/// The policies that hold in a repository: its own, and those of its namespace, of which it can take nothing back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    repository: RepositoryName,
    records: Vec<PolicyRecord>,
}

impl Policies {
    /// Those of a repository and of its namespace.
    #[must_use]
    pub fn new(repository: RepositoryName, records: Vec<PolicyRecord>) -> Self {
        Self { repository, records }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Each policy that covers a tag, with the moment from which on it freezes it.
    pub fn covering(
        &self,
        tag: &Tag,
        created_at: Timestamp,
    ) -> impl Iterator<Item = (&PolicyRecord, Timestamp)> {
        self.records
            .iter()
            .filter_map(move |record| Some((record, record.freezes(tag, created_at)?)))
    }

    /// What freezes a tag now: of several policies the one that has done so the longest.
    #[must_use]
    pub fn frozen(&self, tag: &Tag, created_at: Timestamp, now: Timestamp) -> Option<Frozen> {
        let freezing = self.covering(tag, created_at).filter(|(_, from)| *from <= now);
        let since = freezing.map(|(record, from)| (record, from.max(record.changed_at)));
        let (record, since) = since.min_by_key(|(_, since)| *since)?;
        Some(Frozen {
            repository: self.repository.clone(),
            tag: tag.clone(),
            of: record.of.clone(),
            policy: record.policy.clone(),
            since,
        })
    }

    /// Whether a tag may go to `to`, or nowhere, from where it stands, if it does. Making one is always allowed, and so is
    /// what changes nothing.
    ///
    /// # Errors
    /// What freezes it.
    pub fn decide(
        &self,
        tag: &Tag,
        stands: Option<&Stands>,
        to: Option<&Digest>,
        now: Timestamp,
    ) -> Result<(), Box<Frozen>> {
        match stands {
            Some(stands) if to != Some(&stands.digest) => self
                .frozen(tag, stands.created_at, now)
                .map_or(Ok(()), |frozen| Err(Box::new(frozen))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;

//! The log of what changed, as its readers see it: in the order of commits, each reader at its own pace.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use wharf_oci::RepositoryName;

use crate::StoreError;
use crate::clock::Timestamp;
use crate::permissions::AccountName;

/// A place in the log. Whatever commits later lies behind every position that a reader was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The transaction, where the database numbers them; else 0.
    pub transaction: i64,
    /// The number of the event, or of the record of the audit log.
    pub event: i64,
}

/// `transaction.event`
impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.transaction, self.event)
    }
}

/// A text that is no position.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no position in the event log")]
pub struct NoPosition(String);

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let parse = || {
            let (transaction, event) = text.split_once('.')?;
            Some(Self { transaction: transaction.parse().ok()?, event: event.parse().ok()? })
        };
        parse().ok_or_else(|| NoPosition(text.to_owned()))
    }
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventScope {
    /// All of the registry.
    Registry,
    /// A namespace, and all that is in it.
    Namespace(AccountName),
    /// A repository, by the name that it has now.
    Repository(RepositoryName),
}

/// `registry`, `namespace:team`, `repository:team/app`
impl fmt::Display for EventScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry => formatter.write_str("registry"),
            Self::Namespace(name) => write!(formatter, "namespace:{name}"),
            Self::Repository(name) => write!(formatter, "repository:{name}"),
        }
    }
}

/// A fact about a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Where it is in the log.
    pub position: Position,
    /// What it is about.
    pub scope: EventScope,
    /// What changed: `manifest.pushed`, `tag.moved`, …
    pub kind: String,
    /// The rest, as JSON.
    pub payload: String,
    /// When, by the database's clock.
    pub created_at: Timestamp,
}

/// How long events are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepEvents {
    /// How old an event must be to be forgotten once all readers have passed it.
    pub at_least: Duration,
    /// How old an event may become where a reader has not passed it. Such a reader goes on with what is left.
    pub at_most: Duration,
}

/// A place in the histories of all tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPlace {
    /// The repository's number.
    pub repository: i64,
    /// The tag's name.
    pub tag: String,
    /// The version.
    pub version: i64,
}

/// How far a walk over the histories of all tags came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryWalk {
    /// How many changes were forgotten.
    pub forgotten: u64,
    /// Where to go on; `None` at the end.
    pub next: Option<HistoryPlace>,
}

/// The log. Its order is that of commits as far as anyone can tell: of two changes that touch the same thing,
/// or of which one began after the other was acknowledged, the later one comes behind.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Events behind `after`, in the order of commits. An event that is missing here commits later, and
    /// will lie behind everything that was returned.
    async fn read_events(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<LoggedEvent>, StoreError>;

    /// Behind everything that can be read now: where a reader begins who needs no past.
    async fn newest_position(&self) -> Result<Position, StoreError>;

    /// Where a reader of that name stands; at the beginning if it never said.
    async fn reader_position(&self, reader: String) -> Result<Position, StoreError>;

    /// Remembers where a reader stands, unless it stands further already. `false` then.
    async fn advance_reader(&self, reader: String, to: Position) -> Result<bool, StoreError>;

    /// Forgets a bounded part of what need not be kept: up to `limit` events, or one partition where the
    /// database keeps events in those, which goes only as a whole. Returns how many of either; 0 when nothing
    /// is left to forget.
    async fn expire_events(&self, keep: KeepEvents, limit: usize) -> Result<u64, StoreError>;

    /// Makes the partitions that events to come will need, where the database keeps events in those; how many.
    async fn make_room(&self) -> Result<u64, StoreError>;

    /// Looks at up to `limit` (2 at least) changes of tags from behind `after`, and forgets those that a change of the
    /// same tag follows which is older than `age`: so where each tag stood is known for all of that time, and the last
    /// change of a tag is never forgotten.
    async fn expire_tag_history(
        &self,
        after: Option<HistoryPlace>,
        age: Duration,
        limit: usize,
    ) -> Result<HistoryWalk, StoreError>;
}

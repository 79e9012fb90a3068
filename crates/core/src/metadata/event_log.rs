//! The log of what changed, as its readers see it: in the order of commits, each reader at its own pace.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use wharf_oci::RepositoryName;

use crate::StoreError;
use crate::clock::Timestamp;

/// A place in the log. Whatever commits later lies behind every position that a reader was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The transaction, where the database numbers them; else 0.
    pub transaction: i64,
    /// The event's number.
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

/// A fact about a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Where it is in the log.
    pub position: Position,
    /// The repository.
    pub repository: RepositoryName,
    /// What changed: `manifest.pushed`, `tag.moved`, …
    pub kind: String,
    /// The rest, as JSON.
    pub payload: String,
    /// When, by the database's clock.
    pub created_at: Timestamp,
}

/// The log.
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

    /// Forgets up to `limit` events older than `age` that all readers have passed; how many.
    async fn expire_events(&self, age: Duration, limit: usize) -> Result<u64, StoreError>;
}

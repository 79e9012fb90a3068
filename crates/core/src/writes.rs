//! Who may write: read-only mode and draining, of one repository or of all, as a state with one function that moves it.
//!
//! Nothing here asks a clock or a store. Transactions that write ask for the state in their own snapshot
//! (`crates/metadata`: `transactions/writes.rs`), so that it is exact.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use wharf_oci::RepositoryName;

/// For how long a push counts as under way behind its last blob: time for the next blob, or for its manifest.
pub const PUSH_PAUSE: Duration = Duration::from_secs(60);

/// The longest reason, in characters.
pub const LONGEST_REASON: usize = 200;

/// What may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WriteMode {
    /// Everything.
    #[default]
    Writable,
    /// What belongs to pushes that were under way when this began.
    Draining,
    /// Nothing.
    ReadOnly,
}

/// What moves a [`WriteMode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// Everything may be written again.
    Open,
    /// Pushes under way may finish, others not begin.
    Drain,
    /// Nothing may be written any more.
    Close,
    /// No push is under way any more.
    NoneLeft,
}

/// Why a state does not move so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is read-only already: nothing is left to drain; make it writable first")]
pub struct NothingToDrain;

impl WriteMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Writable, Self::Draining, Self::ReadOnly];

    /// The state behind `turn`.
    ///
    /// # Errors
    /// [`NothingToDrain`]: what is read-only would be written to again.
    pub const fn after(self, turn: Turn) -> Result<Self, NothingToDrain> {
        match (self, turn) {
            (_, Turn::Open) | (Self::Writable, Turn::NoneLeft) => Ok(Self::Writable),
            (Self::Writable | Self::Draining, Turn::Drain) => Ok(Self::Draining),
            (Self::ReadOnly, Turn::Drain) => Err(NothingToDrain),
            (_, Turn::Close) | (Self::Draining | Self::ReadOnly, Turn::NoneLeft) => {
                Ok(Self::ReadOnly)
            }
        }
    }

    /// What brings about this state from any from which one gets there.
    #[must_use]
    pub const fn turn(self) -> Turn {
        match self {
            Self::Writable => Turn::Open,
            Self::Draining => Turn::Drain,
            Self::ReadOnly => Turn::Close,
        }
    }

    /// Its name in the database, the API and commands.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Writable => "writable",
            Self::Draining => "draining",
            Self::ReadOnly => "read-only",
        }
    }
}

/// A text that names no [`WriteMode`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} must be writable, draining or read-only")]
pub struct NoWriteMode(String);

impl FromStr for WriteMode {
    type Err = NoWriteMode;

    fn from_str(text: &str) -> Result<Self, NoWriteMode> {
        let found = Self::ALL.into_iter().find(|mode| mode.name() == text);
        found.ok_or_else(|| NoWriteMode(text.chars().take(100).collect()))
    }
}

impl fmt::Display for WriteMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Where a [`WriteMode`] holds. In a repository the stricter of its own and that of all does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WriteScope {
    /// Everywhere.
    All,
    /// In one repository.
    Repository(RepositoryName),
}

/// `the registry`, `the repository team/app`
impl fmt::Display for WriteScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str("the registry"),
            Self::Repository(name) => write!(formatter, "the repository {name}"),
        }
    }
}

/// Why something may not be written, for everybody who tries to: one line, [`LONGEST_REASON`] characters at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WriteReason(String);

/// A text that is no [`WriteReason`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reason is one line of 1 to {LONGEST_REASON} characters")]
pub struct NoWriteReason;

impl WriteReason {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WriteReason {
    type Err = NoWriteReason;

    fn from_str(text: &str) -> Result<Self, NoWriteReason> {
        let text = text.trim();
        let fits = (1..=LONGEST_REASON).contains(&text.chars().count());
        if fits && !text.chars().any(char::is_control) {
            return Ok(Self(text.to_owned()));
        }
        Err(NoWriteReason)
    }
}

impl fmt::Display for WriteReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why something was not written: what who tried to is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// What is closed.
    pub scope: WriteScope,
    /// How: never [`WriteMode::Writable`].
    pub mode: WriteMode,
    /// Why, as somebody said who closed it.
    pub reason: Option<WriteReason>,
}

impl fmt::Display for Closed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, mode, reason } = self;
        match mode {
            WriteMode::Draining => {
                write!(formatter, "{scope} is about to become read-only, and takes no new pushes")?;
            }
            _ => write!(formatter, "{scope} is read-only for now")?,
        }
        match reason {
            Some(reason) => write!(formatter, ": {reason}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;

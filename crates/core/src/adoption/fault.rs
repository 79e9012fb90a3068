//! What can go wrong on the way: with a piece, which is left out, or with all of it.

use crate::StoreError;
use crate::metadata::OverQuota;

/// The longest text of the other store that is repeated, in characters.
const LONGEST: usize = 300;

/// Why a piece was not read.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It is no good, and never will be.
    Bad(String),
    /// A store failed: later it may be read.
    Store(StoreError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(reason) => Self::Bad(reason),
            other => Self::Store(other),
        }
    }
}

/// Why the way ends before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// A store failed.
    Store(StoreError),
    /// A quota has no room for a piece: whoever goes through a repository leaves it out.
    OverQuota(Box<OverQuota>),
    /// The slice is over.
    Slice,
    /// The adoption was stopped, or another node goes on with it.
    Lost,
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OverQuota(over) => Self::OverQuota(over),
            other => Self::Store(other),
        }
    }
}

/// What was read, or why it is no good.
pub(super) type Piece<T> = Result<T, String>;

/// Tells a piece that is no good from a store that failed.
pub(super) fn piece<T>(read: Result<T, Fault>) -> Result<Piece<T>, Stop> {
    match read {
        Ok(found) => Ok(Ok(found)),
        Err(Fault::Bad(reason)) => Ok(Err(reason)),
        Err(Fault::Store(error)) => Err(Stop::Store(error)),
    }
}

/// A text of the other store as it may stand in a line.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).take(LONGEST).collect()
}

//! How many connections a pool has, and how many wait for one.

use std::fmt;

use deadpool_postgres::Pool;

/// The connections of a pool, to be counted.
#[derive(Clone)]
pub struct Connections(pub(super) Pool);

/// Connections at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// The most that there may be.
    pub most: usize,
    /// At work for someone.
    pub in_use: usize,
    /// Open and at rest.
    pub idle: usize,
    /// How many wait for one.
    pub waiting: usize,
}

impl Connections {
    /// The counts now.
    pub fn count(&self) -> ConnectionCounts {
        let status = self.0.status();
        ConnectionCounts {
            most: status.max_size,
            in_use: status.size.saturating_sub(status.available),
            idle: status.available.min(status.size),
            waiting: status.waiting,
        }
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.count())
    }
}

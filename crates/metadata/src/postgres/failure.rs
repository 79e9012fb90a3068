//! What PostgreSQL's errors mean: what a caller can do about one, and whether the transaction may run again.

use std::error::Error as _;

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity, SqlState};
use tokio_postgres::types::PgLsn;
use wharf_core::StoreError;

/// What PostgreSQL says, by its own last check, to one who updates a row at once with another one while a third has locked its key, where it missed to say
/// that the other one won. Nothing is broken by that, and it is not translated: it comes from `MultiXactIdCreateFromMembers`.
const TWO_UPDATES: &str = "new multixact has more than one updating member";

/// A statement, or the way to the database, failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) error: StoreError,
    /// Why the transaction may be run again from its beginning, if it may.
    pub(super) again: Option<Again>,
    /// Whether it took longer than it may.
    pub(super) is_late: bool,
}

/// Why a transaction may be run again, provided that its COMMIT was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// It ran against another one, which won.
    Conflict,
    /// A key was there already, or was missing: a race of two inserts, or of one with a delete. Where it comes
    /// again, it was no race.
    Constraint,
    /// The connection was lost.
    Lost,
    /// A replica has not come as far as what was asked for: at this place it is. It runs elsewhere.
    Behind(PgLsn),
    /// All connections of a replica are in use. It runs elsewhere.
    Busy,
    /// A server is no replica of the primary. It runs elsewhere.
    Foreign,
}

impl Failure {
    pub(super) const fn new(error: StoreError, again: Option<Again>) -> Self {
        Self { error, again, is_late: false }
    }

    /// Of an error of a statement or a connection.
    pub(super) fn of(error: &Error) -> Self {
        let text = describe(error);
        let Some(state) = error.code() else {
            // No answer of the server: the socket, TLS, or the protocol.
            return Self::new(StoreError::Unavailable(text), Some(Again::Lost));
        };
        if state == &SqlState::INTERNAL_ERROR && text.contains(TWO_UPDATES) {
            return Self::new(StoreError::Unavailable(text), Some(Again::Conflict));
        }
        let class = state.code().get(..2).unwrap_or_default();
        let again = match (state, class) {
            (&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED, _) => {
                Some(Again::Conflict)
            }
            (&SqlState::UNIQUE_VIOLATION | &SqlState::FOREIGN_KEY_VIOLATION, _) => {
                Some(Again::Constraint)
            }
            (
                &SqlState::ADMIN_SHUTDOWN
                | &SqlState::CRASH_SHUTDOWN
                | &SqlState::IDLE_SESSION_TIMEOUT,
                _,
            )
            | (_, "08") => Some(Again::Lost),
            _ => None,
        };
        let error = match (state, class) {
            (&SqlState::DISK_FULL, _) => StoreError::Full(text),
            // A broken rule of the schema, broken pages, or statements that the schema does not fit.
            (_, "22" | "23" | "42" | "XX") => StoreError::Corrupt(text),
            _ => StoreError::Unavailable(text),
        };
        Self { error, again, is_late: state == &SqlState::QUERY_CANCELED }
    }

    /// Of an error of what begins a transaction. A server that only follows another one does not begin any that
    /// writes: which server takes writes now, a new connection finds out.
    pub(super) fn of_begin(error: &Error) -> Self {
        let mut failure = Self::of(error);
        if error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) {
            failure.again = Some(Again::Lost);
        }
        failure
    }

    /// Of an error of the pool.
    pub(super) fn of_pool(error: &PoolError) -> Self {
        let unavailable =
            |text: &str| Self::new(StoreError::Unavailable(format!("PostgreSQL: {text}")), None);
        match error {
            PoolError::Backend(error) => {
                // One that cannot be made now is no better a moment later.
                Self::new(StoreError::Unavailable(describe(error)), None)
            }
            PoolError::Timeout(TimeoutType::Wait) => unavailable("all connections were busy"),
            PoolError::Timeout(_) => unavailable("it did not take a connection in time"),
            PoolError::Closed => unavailable("the pool is closed"),
            other => unavailable(&other.to_string()),
        }
    }

    /// Of a wait that took too long.
    pub(super) fn late(what: &str) -> Self {
        let error = StoreError::Unavailable(format!("PostgreSQL: {what} took too long"));
        Self { error, again: None, is_late: true }
    }

    /// Of a connection that turns out to be closed.
    pub(super) fn closed() -> Self {
        let error = StoreError::Unavailable("PostgreSQL: the connection was lost".into());
        Self::new(error, Some(Again::Lost))
    }
}

/// Whether an error of COMMIT says that nothing was committed. A lost reply says nothing.
pub(super) fn rolled_back(error: &Error) -> bool {
    error.as_db_error().is_some_and(|reply| {
        let class = reply.code().code().get(..2).unwrap_or_default();
        reply.parsed_severity() == Some(Severity::Error)
            && !matches!(class, "08" | "57")
            && reply.code() != &SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
    })
}

/// An error with its causes. None of them holds a password.
pub(super) fn describe(error: &Error) -> String {
    if let Some(reply) = error.as_db_error() {
        return format!("PostgreSQL: {}", describe_reply(reply));
    }
    let mut text = format!("PostgreSQL: {error}");
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let deeper_text = deeper.to_string();
        if !text.contains(&deeper_text) {
            text.push_str(": ");
            text.push_str(&deeper_text);
        }
        cause = deeper.source();
    }
    text
}

fn describe_reply(reply: &DbError) -> String {
    let (severity, message) = (reply.severity(), reply.message());
    let mut text = format!("{severity}: {message} (SQLSTATE {})", reply.code().code());
    for more in [reply.detail(), reply.hint()].into_iter().flatten() {
        text.push_str("; ");
        text.push_str(more);
    }
    text
}

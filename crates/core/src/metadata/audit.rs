//! The audit log: who did what, with what, from where, and what became of it. It is only ever added to.

use std::time::Duration;

use async_trait::async_trait;

use super::Position;
use crate::StoreError;
use crate::actor::Actor;
use crate::clock::Timestamp;

/// What became of what somebody did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOutcome {
    /// It is done.
    Done,
    /// They may not.
    Denied,
    /// They may, but it is not possible: a name is taken, a rule is against it.
    Refused,
}

impl AuditOutcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Done, Self::Denied, Self::Refused];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
            Self::Refused => "refused",
        }
    }

    /// The outcome of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// What somebody did, to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Who, from where.
    pub by: Actor,
    /// What: `grant.put`.
    pub action: String,
    /// With what: `robot:team+ci`.
    pub target: String,
    /// In which namespace, if it is not about an account itself.
    pub namespace: Option<String>,
    /// What became of it.
    pub outcome: AuditOutcome,
    /// What else matters, as words `name=value`, in which a value may be in quotes as in JSON; no secret.
    pub detail: String,
}

/// What is written down, as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number: what was written later has a higher one, but for transactions that overlap.
    pub id: i64,
    /// When, by the database's clock.
    pub at: Timestamp,
    /// The rest.
    pub entry: AuditEntry,
}

/// Which records; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this namespace.
    pub namespace: Option<String>,
    /// Of this principal.
    pub by: Option<String>,
    /// This was done.
    pub action: Option<String>,
    /// With this.
    pub target: Option<String>,
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub before: Option<Timestamp>,
}

/// In which order a walk over the audit log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOrder {
    /// The newest first: to look at.
    NewestFirst,
    /// The oldest first: to export.
    OldestFirst,
}

/// The audit log. Whatever changes accounts or repositories writes it in its own transaction.
#[async_trait]
pub trait AuditLog: Send + Sync + 'static {
    /// Writes down what changed nothing: what was denied, or a login that failed.
    async fn append_audit(&self, entry: AuditEntry) -> Result<(), StoreError>;

    /// Records, behind the one of number `after` in the order asked for; `limit` at most.
    async fn list_audit(
        &self,
        filter: AuditFilter,
        order: AuditOrder,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<AuditRecord>, StoreError>;

    /// Makes the partitions that records to come will need, where the database keeps them in those; how many.
    async fn make_room_for_audit(&self) -> Result<u64, StoreError>;

    /// Forgets a bounded part of what is older than `age`: up to `limit` records, or one partition. Returns how many
    /// of either; 0 when nothing is left to forget.
    async fn expire_audit(&self, age: Duration, limit: usize) -> Result<u64, StoreError>;
}

/// The audit log as those see it who export it: in the order of commits, each at its own pace.
#[async_trait]
pub trait AuditReaders: AuditLog {
    /// Records behind `after` in the order of commits, each with its place. One that is missing here commits later, and will
    /// lie behind everything that was returned.
    async fn follow_audit(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<(Position, AuditRecord)>, StoreError>;

    /// Where a reader of that name stands; at the beginning if it never said.
    async fn audit_reader(&self, reader: String) -> Result<Position, StoreError>;

    /// Remembers where a reader stands, unless it stands further already. `false` then.
    async fn advance_audit_reader(&self, reader: String, to: Position) -> Result<bool, StoreError>;
}

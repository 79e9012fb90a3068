//! Read-only mode and draining: how things stand, and the end of a drain. They are set by a change
//! ([`SetWrites`](crate::metadata::SetWrites)).

use async_trait::async_trait;

use crate::StoreError;
use crate::clock::Timestamp;
use crate::writes::{Closed, WriteMode, WriteReason, WriteScope};

/// How a repository stands, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteState {
    /// What may be written, as it was set here. In a repository that of all may be stricter.
    pub mode: WriteMode,
    /// Why, as somebody said.
    pub reason: Option<WriteReason>,
    /// Since when; the beginning of time where it was never set.
    pub since: Timestamp,
    /// How many uploads are open here.
    pub uploads: u64,
    /// How many pushes a drain still waits for: people who went on with one within
    /// [`PUSH_PAUSE`](crate::writes::PUSH_PAUSE). None where nothing is drained.
    pub pushes: u64,
}

/// Read-only mode and draining.
#[async_trait]
pub trait WriteModes: Send + Sync + 'static {
    /// How a repository stands, or all of them; `None` where there is no such repository.
    async fn write_state(&self, scope: WriteScope) -> Result<Option<WriteState>, StoreError>;

    /// Why nothing but pushes under way may change anything there now, if so. What removes things in the background
    /// asks this before it begins; inside a transaction `transactions/writes.rs` asks the same, exactly.
    async fn closed(&self, scope: WriteScope) -> Result<Option<Closed>, StoreError>;

    /// Makes read-only what is drained and has no push left. Returns how many became so.
    async fn end_drains(&self) -> Result<u64, StoreError>;
}

//! Sessions of browsers.

use std::time::Duration;

use async_trait::async_trait;

use super::{Change, ProviderName};
use crate::StoreError;
use crate::actor::Actor;
use crate::clock::Timestamp;
use crate::permissions::AccountName;

/// The most sessions of one user; the one used longest ago ends when there are more.
pub const MOST_SESSIONS: usize = 50;

/// A session to be started.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Whose.
    pub user: AccountName,
    /// The hash of its secret.
    pub secret_hash: [u8; 32],
    /// Who said who they are; none where a password did.
    pub provider: Option<ProviderName>,
    /// How long it lasts at most.
    pub life: Duration,
    /// How long it lasts without being used, to a few minutes.
    pub idle: Duration,
    /// Who logs in, from where, for the audit log.
    pub by: Actor,
}

/// A session that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub user: AccountName,
    /// Whether they may do everything everywhere.
    pub site_admin: bool,
    /// Who said who they are; none where a password did.
    pub provider: Option<ProviderName>,
    /// Since when.
    pub started_at: Timestamp,
    /// When it ends however much it is used.
    pub ends_at: Timestamp,
}

/// Sessions. All of a user's end when they are disabled or get another password (`Accounts`), and those by a provider when
/// its identity is taken from them (`Identities`).
#[async_trait]
pub trait Sessions: Send + Sync + 'static {
    /// Starts a session, and says so in the audit log. [`Change::NotFound`] where there is no such user, or they are
    /// disabled.
    async fn start_session(&self, session: NewSession) -> Result<Change, StoreError>;

    /// The session of a secret, by its hash, if it goes on.
    async fn find_session(&self, secret_hash: [u8; 32]) -> Result<Option<Session>, StoreError>;

    /// Ends a session.
    async fn end_session(&self, secret_hash: [u8; 32]) -> Result<Change, StoreError>;

    /// Ends all sessions of a user. Returns how many there were.
    async fn end_sessions(&self, user: AccountName) -> Result<u64, StoreError>;
}

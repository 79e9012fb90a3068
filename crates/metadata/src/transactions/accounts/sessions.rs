//! Sessions of browsers, found by the hash of what is in a cookie.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{AuditEntry, AuditOutcome, Change, MOST_SESSIONS, NewSession, Session};
use wharf_core::permissions::AccountName;

use super::changed;
use crate::engine::{Result, Statements, Transaction, arguments};
use crate::transactions::audit;

/// How old the time of a last use must be to be written again.
const USE_STEP: Duration = Duration::from_secs(300);

/// Ends all sessions of the user $1.
const END_SESSIONS: &str =
    "DELETE FROM sessions WHERE user_id = (SELECT id FROM users WHERE name = $1)";

#[async_trait]
impl Transaction for NewSession {
    type Output = Change;

    async fn run(&self, on: &mut dyn Statements) -> Result<Change> {
        let sql =
            "SELECT id, CASE WHEN disabled_at IS NULL THEN 0 ELSE 1 END FROM users WHERE name = $1";
        let rows = on.query(sql, arguments![self.user.as_str()]).await?;
        let Some(user) = rows.first() else { return Ok(Change::NotFound) };
        if user.int(1)? != 0 {
            write_down(on, self, AuditOutcome::Denied).await?;
            return Ok(Change::NotFound);
        }
        write_down(on, self, AuditOutcome::Done).await?;
        let (user, now) = (user.int(0)?, on.now().await?);
        // What has expired, and the oldest where there are too many: nobody else's, so that logins do not meet.
        on.execute(
            "DELETE FROM sessions WHERE user_id = $1 AND (expires_at <= $2
                 OR secret_hash IN (SELECT secret_hash FROM sessions WHERE user_id = $1
                     ORDER BY last_used_at DESC LIMIT 1000 OFFSET $3))",
            arguments![user, now, MOST_SESSIONS - 1],
        )
        .await?;
        on.execute(
            "INSERT INTO sessions
                 (secret_hash, user_id, provider, idle, last_used_at, expires_at, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $5)",
            arguments![
                self.secret_hash.as_slice(),
                user,
                self.provider.as_ref().map(|provider| provider.as_str()),
                self.idle,
                now,
                now.after(self.life),
            ],
        )
        .await?;
        Ok(Change::Done)
    }
}

/// Says in the audit log that somebody logged in, or might not.
async fn write_down(
    on: &mut dyn Statements,
    session: &NewSession,
    outcome: AuditOutcome,
) -> Result<()> {
    let provider = session.provider.as_ref().map(|provider| format!("provider={provider}"));
    let entry = AuditEntry {
        by: session.by.clone(),
        action: "login".to_owned(),
        target: format!("user:{}", session.user),
        namespace: Some(session.user.to_string()),
        outcome,
        detail: provider.unwrap_or_default(),
    };
    audit::write(on, &entry).await
}

/// A session that goes on, with its user's row.
pub(super) struct Live {
    pub(super) user_id: i64,
    /// How many codes that were none it has tried.
    pub(super) code_tries: i64,
    pub(super) session: Session,
    is_due: bool,
}

pub(super) async fn live(on: &mut dyn Statements, secret_hash: &[u8; 32]) -> Result<Option<Live>> {
    let now = on.now().await?;
    let sql = "SELECT u.name, u.site_admin, s.provider, s.created_at, s.expires_at, s.last_used_at,
                   s.user_id, s.code_tries
               FROM sessions s JOIN users u ON u.id = s.user_id
               WHERE s.secret_hash = $1 AND u.disabled_at IS NULL AND s.expires_at > $2
                   AND s.last_used_at > $2 - s.idle";
    let rows = on.query(sql, arguments![secret_hash.as_slice(), now]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let session = Session {
        user: row.parsed(0)?,
        site_admin: row.int(1)? != 0,
        provider: row.optional_text(2)?.and_then(|provider| provider.parse().ok()),
        started_at: Timestamp(row.int(3)?),
        ends_at: Timestamp(row.int(4)?),
    };
    let is_due = row.int(5)? < now.before(USE_STEP).0;
    Ok(Some(Live { user_id: row.int(6)?, code_tries: row.int(7)?, session, is_due }))
}

/// `Sessions::find_session`: the session, and whether its use is to be noted.
pub(crate) struct Find(pub(crate) [u8; 32]);

#[async_trait]
impl Transaction for Find {
    type Output = Option<(Session, bool)>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        Ok(live(on, &self.0).await?.map(|live| (live.session, live.is_due)))
    }
}

/// Notes that a session was used.
pub(crate) struct NoteUse(pub(crate) [u8; 32]);

#[async_trait]
impl Transaction for NoteUse {
    type Output = ();

    async fn run(&self, on: &mut dyn Statements) -> Result<()> {
        let now = on.now().await?;
        let sql = "UPDATE sessions SET last_used_at = $1 WHERE secret_hash = $2";
        on.execute(sql, arguments![now, self.0.as_slice()]).await.map(drop)
    }
}

/// `Sessions::end_session`
pub(crate) struct End(pub(crate) [u8; 32]);

#[async_trait]
impl Transaction for End {
    type Output = Change;

    async fn run(&self, on: &mut dyn Statements) -> Result<Change> {
        let sql = "DELETE FROM sessions WHERE secret_hash = $1";
        Ok(changed(on.execute(sql, arguments![self.0.as_slice()]).await?))
    }
}

/// `Sessions::end_sessions`
pub(crate) struct EndAll(pub(crate) AccountName);

#[async_trait]
impl Transaction for EndAll {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        on.execute(END_SESSIONS, arguments![self.0.as_str()]).await
    }
}

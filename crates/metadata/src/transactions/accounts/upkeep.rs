//! What has expired is forgotten.

use std::time::Duration;

use async_trait::async_trait;

use crate::engine::{Result, Statements, Transaction, arguments};

/// How long a change is known that was to happen once.
const ONCE: Duration = Duration::from_secs(24 * 3600);

/// How long a personal token is in the list after its end, so that its user sees why it works no more.
const SEEN: Duration = Duration::from_secs(7 * 24 * 3600);

/// `Accounts::forget_expired`
pub(crate) struct Forget {
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Forget {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        let now = on.now().await?;
        let mut forgotten = 0;
        for (sql, before) in [
            (
                "DELETE FROM user_tokens WHERE id IN (SELECT id FROM user_tokens
                     WHERE kind = 'refresh' AND expires_at <= $1 LIMIT $2)",
                now,
            ),
            (
                "DELETE FROM user_tokens WHERE id IN (SELECT id FROM user_tokens
                     WHERE kind = 'personal' AND expires_at <= $1 LIMIT $2)",
                now.before(SEEN),
            ),
            (
                "DELETE FROM workload_tokens WHERE secret_hash IN
                     (SELECT secret_hash FROM workload_tokens WHERE expires_at <= $1 LIMIT $2)",
                now,
            ),
            (
                "DELETE FROM sessions WHERE secret_hash IN
                     (SELECT secret_hash FROM sessions WHERE expires_at <= $1 LIMIT $2)",
                now,
            ),
            (
                "DELETE FROM device_logins WHERE device_hash IN
                     (SELECT device_hash FROM device_logins WHERE expires_at <= $1 LIMIT $2)",
                now,
            ),
            (
                "DELETE FROM invitations WHERE secret_hash IN
                     (SELECT secret_hash FROM invitations WHERE expires_at <= $1 LIMIT $2)",
                now,
            ),
            (
                "DELETE FROM once_keys WHERE (principal, key) IN
                     (SELECT principal, key FROM once_keys WHERE created_at <= $1 LIMIT $2)",
                now.before(ONCE),
            ),
        ] {
            forgotten += on.execute(sql, arguments![before, self.limit]).await?;
        }
        Ok(forgotten)
    }
}

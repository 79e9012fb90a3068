//! Secrets of machines: robots and users' tokens, found by their hashes.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::access::{Narrowing, Role};
use wharf_core::actor::Actor;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    Change, MOST_REFRESH_TOKENS, NewRobot, NewToken, ProviderName, Refusal, RemoveRobot,
    RemoveToken, RotateRobot, SecretHolder, TokenKind, UpdateRobot,
};
use wharf_core::permissions::{Principal, RobotName};
use wharf_oci::NamePattern;

use super::grants::stored;
use super::holding::hold_in_use;
use super::limits::{Limited, is_full};
use super::{Apply, changed, fresh, namespace, robot, robot_named, user};
use crate::engine::{Result, Row, Statements, Transaction, arguments};

/// How old the time of a last use must be to be written again.
const USE_STEP: Duration = Duration::from_secs(3600);

/// Whether a robot `r` of the namespace `n` may do anything at a moment: not one of a user who is disabled or gone.
macro_rules! is_let_in {
    ($now:literal) => {
        concat!(
            "r.disabled_at IS NULL AND (r.expires_at IS NULL OR r.expires_at > ",
            $now,
            ") AND (n.kind = 'organization' OR EXISTS (
                 SELECT 1 FROM users o WHERE o.namespace_id = n.id AND o.disabled_at IS NULL))"
        )
    };
}
pub(super) use is_let_in;

const fn kind_name(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Personal => "personal",
        TokenKind::Refresh => "refresh",
    }
}

#[async_trait]
impl Apply for NewRobot {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let Some(namespace) = hold_in_use(on, &self.name.namespace).await? else {
            return Ok(Change::NotFound);
        };
        if robot(on, namespace.id, &self.name.name).await?.is_some() {
            return Ok(Change::Taken);
        }
        if is_full(on, Limited::Robots, namespace.id).await? {
            return Ok(Change::Refused(Refusal::TooManyRobots));
        }
        let now = on.now().await?;
        on.execute(
            "INSERT INTO robots (namespace_id, name, secret_hash, expires_at, created_by, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            arguments![
                namespace.id,
                self.name.name.as_str(),
                self.secret_hash.as_slice(),
                self.expires_at,
                by.by.as_str(),
                now,
            ],
        )
        .await?;
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for RotateRobot {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let Some(id) = robot_named(on, &self.name).await? else { return Ok(Change::NotFound) };
        let now = on.now().await?;
        let rotated = on
            .execute(
                "UPDATE robots SET secret_hash = $1, expires_at = $2, created_by = $3, created_at = $4,
                     version = version + 1 WHERE id = $5",
                arguments![
                    self.secret_hash.as_slice(),
                    self.expires_at,
                    by.by.as_str(),
                    now,
                    id,
                ],
            )
            .await?;
        Ok(changed(rotated))
    }
}

#[async_trait]
impl Apply for UpdateRobot {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let Some(namespace) = namespace(on, &self.name.namespace).await? else {
            return Ok(Change::NotFound);
        };
        let sql = "SELECT id, version FROM robots WHERE namespace_id = $1 AND name = $2";
        let rows = on.query_locked(sql, arguments![namespace, self.name.name.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(Change::NotFound) };
        if !fresh(row.int(1)?, self.expected) {
            return Ok(Change::Stale);
        }
        let (id, now) = (row.int(0)?, on.now().await?);
        if let Some(disabled) = self.disabled {
            let sql = "UPDATE robots SET disabled_at = $1 WHERE id = $2";
            on.execute(sql, arguments![disabled.then_some(now), id]).await?;
        }
        if let Some(expires_at) = self.expires_at {
            let sql = "UPDATE robots SET expires_at = $1 WHERE id = $2";
            on.execute(sql, arguments![expires_at, id]).await?;
        }
        let sql = "UPDATE robots SET version = version + 1 WHERE id = $1";
        Ok(changed(on.execute(sql, arguments![id]).await?))
    }
}

#[async_trait]
impl Apply for RemoveRobot {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let Some(id) = robot_named(on, &self.name).await? else { return Ok(Change::NotFound) };
        let sql = "DELETE FROM grants WHERE subject_kind = 'robot' AND subject_id = $1";
        on.execute(sql, arguments![id]).await?;
        Ok(changed(on.execute("DELETE FROM robots WHERE id = $1", arguments![id]).await?))
    }
}

#[async_trait]
impl Apply for NewToken {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let Some(user) = user(on, &self.user).await? else { return Ok(Change::NotFound) };
        let now = on.now().await?;
        if self.kind == TokenKind::Personal && is_full(on, Limited::Tokens, user).await? {
            // Those that have expired make room.
            let sql = "DELETE FROM user_tokens
                       WHERE user_id = $1 AND kind = 'personal' AND expires_at <= $2";
            on.execute(sql, arguments![user, now]).await?;
            if is_full(on, Limited::Tokens, user).await? {
                return Ok(Change::Refused(Refusal::TooManyTokens));
            }
        }
        on.execute(
            "INSERT INTO user_tokens
                 (user_id, kind, name, secret_hash, role, pattern, expires_at, created_at, provider)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            arguments![
                user,
                kind_name(self.kind),
                self.name.as_str(),
                self.secret_hash.as_slice(),
                self.most.role.name(),
                stored(self.most.pattern.as_ref()),
                self.expires_at,
                now,
                self.provider.as_ref().map(ProviderName::as_str),
            ],
        )
        .await?;
        if self.kind == TokenKind::Refresh {
            end_oldest_refresh_tokens(on, user).await?;
        }
        Ok(Change::Done)
    }
}

/// Ends the oldest of a user's refresh tokens, where there are more than there may be.
async fn end_oldest_refresh_tokens(on: &mut dyn Statements, user: i64) -> Result<()> {
    let sql = "DELETE FROM user_tokens WHERE user_id = $1 AND kind = 'refresh' AND id <= (
                   SELECT id FROM user_tokens WHERE user_id = $1 AND kind = 'refresh'
                   ORDER BY id DESC LIMIT 1 OFFSET $2)";
    on.execute(sql, arguments![user, MOST_REFRESH_TOKENS]).await.map(drop)
}

/// `Accounts::find_secret`: who it is of, and the token whose use is to be noted.
pub(crate) struct Find(pub(crate) [u8; 32]);

#[async_trait]
impl Transaction for Find {
    type Output = Option<(SecretHolder, Option<i64>)>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let now = on.now().await?;
        let rows = on
            .query(
                "SELECT t.id, u.name, t.kind, t.role, t.pattern, coalesce(t.last_used_at, 0), t.expires_at,
                     t.provider
                 FROM user_tokens t JOIN users u ON u.id = t.user_id
                 WHERE t.secret_hash = $1 AND u.disabled_at IS NULL
                     AND (t.expires_at IS NULL OR t.expires_at > $2)
                     AND (t.provider IS NULL OR EXISTS (
                         SELECT 1 FROM identities i
                         WHERE i.user_id = t.user_id AND i.provider = t.provider))",
                arguments![self.0.as_slice(), now],
            )
            .await?;
        if let Some(row) = rows.first() {
            let is_due = row.int(5)? < now.before(USE_STEP).0;
            let noted = is_due.then(|| row.int(0)).transpose()?;
            return Ok(Some((token(row)?, noted)));
        }
        let rows = on
            .query(
                concat!(
                    "SELECT n.name, r.name FROM robots r JOIN namespaces n ON n.id = r.namespace_id
                     WHERE r.secret_hash = $1 AND ",
                    is_let_in!("$2")
                ),
                arguments![self.0.as_slice(), now],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let name = RobotName { namespace: row.parsed(0)?, name: row.parsed(1)? };
        let principal = Principal::Robot(name);
        let (kind, expires_at, provider) = (None, None, None);
        let holder = SecretHolder { principal, kind, most: Narrowing::WHOLE, expires_at, provider };
        Ok(Some((holder, None)))
    }
}

/// Notes that a token was used.
pub(crate) struct NoteUse(pub(crate) i64);

#[async_trait]
impl Transaction for NoteUse {
    type Output = ();

    async fn run(&self, on: &mut dyn Statements) -> Result<()> {
        let now = on.now().await?;
        let sql = "UPDATE user_tokens SET last_used_at = $1 WHERE id = $2";
        on.execute(sql, arguments![now, self.0]).await.map(drop)
    }
}

fn token(row: &Row) -> Result<SecretHolder> {
    let kind = match row.text(2)? {
        "personal" => TokenKind::Personal,
        _ => TokenKind::Refresh,
    };
    Ok(SecretHolder {
        principal: Principal::User(row.parsed(1)?),
        kind: Some(kind),
        most: narrowing(row, 3, 4)?,
        expires_at: row.optional_int(6)?.map(Timestamp),
        provider: optional_provider(row, 7)?,
    })
}

/// The provider of a column, where there is one.
pub(super) fn optional_provider(row: &Row, column: usize) -> Result<Option<ProviderName>> {
    row.optional_text(column)?.map(|_| row.parsed(column)).transpose()
}

pub(super) fn narrowing(row: &Row, role_column: usize, pattern_column: usize) -> Result<Narrowing> {
    Ok(Narrowing { role: role(row, role_column)?, pattern: pattern(row, pattern_column)? })
}

fn role(row: &Row, column: usize) -> Result<Role> {
    let text = row.text(column)?;
    Role::named(text).ok_or_else(|| StoreError::Corrupt(format!("{text:?} is no role")))
}

fn pattern(row: &Row, column: usize) -> Result<Option<NamePattern>> {
    if row.text(column)?.is_empty() { Ok(None) } else { row.parsed(column).map(Some) }
}

#[async_trait]
impl Apply for RemoveToken {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let Some(user) = user(on, &self.user).await? else { return Ok(Change::NotFound) };
        let sql = "DELETE FROM user_tokens WHERE user_id = $1 AND substr(secret_hash, 1, 8) = $2";
        Ok(changed(on.execute(sql, arguments![user, self.id.as_slice()]).await?))
    }
}

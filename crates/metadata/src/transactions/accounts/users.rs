//! Users: made, found, changed, taken away.

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{Change, DeleteUser, NewUser, Refusal, SetPassword, UpdateUser, User};
use wharf_core::permissions::{AccountName, Principal};

use super::device_logins::refuse_devices;
use super::holding::{all_keep_administrators, clear};
use super::{Apply, changed, fresh, has_repositories};
use crate::engine::{Result, Row, Statements, Transaction, arguments};
use crate::transactions::repositories::below;

/// A new namespace's row; `None` where somebody has the name.
pub(super) async fn new_namespace(
    on: &mut dyn Statements,
    name: &AccountName,
    kind: &str,
    now: Timestamp,
) -> Result<Option<i64>> {
    let sql = "INSERT INTO namespaces (name, kind, created_at) VALUES ($1, $2, $3)
               ON CONFLICT (name) DO NOTHING RETURNING id";
    let made = on.query(sql, arguments![name.as_str(), kind, now]).await?;
    let Some(made) = made.first() else { return Ok(None) };
    // Changed, where there are any: whoever changes a tag there has them locked, and begins again once there may be policies.
    let sql = "UPDATE repositories SET immutability_policies = immutability_policies
               WHERE name = $1 OR (name > $2 AND name < $3)";
    let (from, to) = below(name);
    on.execute(sql, arguments![name.as_str(), from, to]).await?;
    made.int(0).map(Some)
}

#[async_trait]
impl Apply for NewUser {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let now = on.now().await?;
        let Some(namespace) = new_namespace(on, &self.name, "user", now).await? else {
            return Ok(Change::Taken);
        };
        on.execute(
            "INSERT INTO users (name, namespace_id, email, password_hash, site_admin, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            arguments![
                self.name.as_str(),
                namespace,
                self.email.clone(),
                self.password_hash.clone(),
                i64::from(self.site_admin),
                now,
            ],
        )
        .await?;
        Ok(Change::Done)
    }
}

/// A user as far as changes need to know.
struct Standing {
    id: i64,
    namespace: i64,
    version: i64,
    governs: bool,
}

/// Finds a user and keeps others from changing the row.
async fn standing(on: &mut dyn Statements, name: &AccountName) -> Result<Option<Standing>> {
    let sql = "SELECT id, version, site_admin, CASE WHEN disabled_at IS NULL THEN 1 ELSE 0 END,
                   namespace_id
               FROM users WHERE name = $1";
    let rows = on.query_locked(sql, arguments![name.as_str()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let governs = row.int(2)? != 0 && row.int(3)? != 0;
    let (id, namespace) = (row.int(0)?, row.int(4)?);
    Ok(Some(Standing { id, namespace, version: row.int(1)?, governs }))
}

/// Whether somebody but `user` may do everything. All who may are locked, so that of two who go at once one stays.
async fn others_govern(on: &mut dyn Statements, user: i64) -> Result<bool> {
    let sql = "SELECT id FROM users WHERE site_admin = 1 AND disabled_at IS NULL ORDER BY id";
    let rows = on.query_locked(sql, &[]).await?;
    for row in &rows {
        if row.int(0)? != user {
            return Ok(true);
        }
    }
    Ok(false)
}

#[async_trait]
impl Apply for UpdateUser {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let Some(user) = standing(on, &self.name).await? else { return Ok(Change::NotFound) };
        if !fresh(user.version, self.expected) {
            return Ok(Change::Stale);
        }
        let steps_down = self.disabled == Some(true) || self.site_admin == Some(false);
        if user.governs && steps_down && !others_govern(on, user.id).await? {
            return Ok(Change::Refused(Refusal::LastAdministrator));
        }
        if self.disabled == Some(true) && !all_keep_administrators(on, user.id).await? {
            return Ok(Change::Refused(Refusal::LastOwner));
        }
        let now = on.now().await?;
        if let Some(email) = &self.email {
            let sql = "UPDATE users SET email = $1 WHERE id = $2";
            on.execute(sql, arguments![email.clone(), user.id]).await?;
        }
        if let Some(site_admin) = self.site_admin {
            let sql = "UPDATE users SET site_admin = $1 WHERE id = $2";
            on.execute(sql, arguments![i64::from(site_admin), user.id]).await?;
        }
        if let Some(disabled) = self.disabled {
            let sql = "UPDATE users SET disabled_at = $1 WHERE id = $2";
            on.execute(sql, arguments![disabled.then_some(now), user.id]).await?;
            if disabled {
                end_logins(on, user.id).await?;
            }
        }
        let sql = "UPDATE users SET version = version + 1 WHERE id = $1";
        Ok(changed(on.execute(sql, arguments![user.id]).await?))
    }
}

/// Ends what gets new access tokens without a login.
async fn end_logins(on: &mut dyn Statements, user: i64) -> Result<()> {
    let sql = "DELETE FROM user_tokens WHERE kind = 'refresh' AND user_id = $1";
    on.execute(sql, arguments![user]).await?;
    refuse_devices(on, user).await?;
    on.execute("DELETE FROM sessions WHERE user_id = $1", arguments![user]).await.map(drop)
}

#[async_trait]
impl Apply for SetPassword {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let Some(user) = standing(on, &self.name).await? else { return Ok(Change::NotFound) };
        let sql = "UPDATE users SET password_hash = $1, version = version + 1 WHERE id = $2";
        on.execute(sql, arguments![self.hash.as_str(), user.id]).await?;
        // Whoever knew the old password may have got these with it.
        end_logins(on, user.id).await?;
        // Their user sees the list of these, and knows which are theirs. Who helps somebody whose password others know does not.
        if by.by != Principal::User(self.name.clone()).to_string() {
            let sql = "DELETE FROM user_tokens WHERE user_id = $1";
            on.execute(sql, arguments![user.id]).await?;
        }
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for DeleteUser {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let Some(user) = standing(on, &self.name).await? else { return Ok(Change::NotFound) };
        if user.governs && !others_govern(on, user.id).await? {
            return Ok(Change::Refused(Refusal::LastAdministrator));
        }
        if has_repositories(on, &self.name).await? {
            return Ok(Change::Refused(Refusal::NotEmpty));
        }
        if !all_keep_administrators(on, user.id).await? {
            return Ok(Change::Refused(Refusal::LastOwner));
        }
        // The namespace stays, so that nobody else is taken for them, and nothing in it does.
        clear(on, user.namespace, &self.name, by).await?;
        for sql in [
            "DELETE FROM user_tokens WHERE user_id = $1",
            "DELETE FROM team_members WHERE user_id = $1",
            "DELETE FROM grants WHERE subject_kind = 'user' AND subject_id = $1",
            "DELETE FROM users WHERE id = $1",
        ] {
            on.execute(sql, arguments![user.id]).await?;
        }
        Ok(Change::Done)
    }
}

/// `Accounts::find_user`
pub(crate) struct Find(pub(crate) AccountName);

#[async_trait]
impl Transaction for Find {
    type Output = Option<User>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let sql = "SELECT name, email, password_hash, site_admin,
                       CASE WHEN disabled_at IS NULL THEN 0 ELSE 1 END, version, created_at
                   FROM users WHERE name = $1";
        let rows = on.query(sql, arguments![self.0.as_str()]).await?;
        rows.first().map(found).transpose()
    }
}

/// A user of a row of these columns.
pub(super) fn found(row: &Row) -> Result<User> {
    Ok(User {
        name: row.parsed(0)?,
        email: row.optional_text(1)?,
        password_hash: row.optional_text(2)?,
        site_admin: row.int(3)? != 0,
        disabled: row.int(4)? != 0,
        version: row.int(5)?,
        created_at: Timestamp(row.int(6)?),
    })
}

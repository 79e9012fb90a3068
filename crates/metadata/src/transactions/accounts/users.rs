//! Users, organizations and teams.

use async_trait::async_trait;
use wharf_core::access::{Role, Visibility};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{Change, NewGrant, NewUser, Subject, User};
use wharf_core::permissions::AccountName;

use super::sessions::END_SESSIONS;
use super::{changed, grants, namespace, team, user};
use crate::engine::{Result, Row, Statements, Transaction, arguments};

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
    made.first().map(|row| row.int(0)).transpose()
}

#[async_trait]
impl Transaction for NewUser {
    type Output = Change;

    async fn run(&self, on: &mut dyn Statements) -> Result<Change> {
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

/// `Accounts::find_user`
pub(crate) struct Find(pub(crate) AccountName);

#[async_trait]
impl Transaction for Find {
    type Output = Option<User>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let sql = "SELECT name, email, password_hash, site_admin,
                       CASE WHEN disabled_at IS NULL THEN 0 ELSE 1 END
                   FROM users WHERE name = $1";
        let rows = on.query(sql, arguments![self.0.as_str()]).await?;
        rows.first().map(found).transpose()
    }
}

/// `Accounts::list_users`
pub(crate) struct List {
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for List {
    type Output = Vec<User>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let sql = "SELECT name, email, password_hash, site_admin,
                       CASE WHEN disabled_at IS NULL THEN 0 ELSE 1 END
                   FROM users WHERE name > $1 ORDER BY name LIMIT $2";
        let after = self.after.as_deref().unwrap_or_default();
        on.query(sql, arguments![after, self.limit]).await?.iter().map(found).collect()
    }
}

fn found(row: &Row) -> Result<User> {
    Ok(User {
        name: row.parsed(0)?,
        email: row.optional_text(1)?,
        password_hash: row.optional_text(2)?,
        site_admin: row.int(3)? != 0,
        disabled: row.int(4)? != 0,
    })
}

/// `Accounts::set_password`
pub(crate) struct SetPassword {
    pub(crate) name: AccountName,
    pub(crate) hash: String,
}

#[async_trait]
impl Transaction for SetPassword {
    type Output = Change;

    async fn run(&self, on: &mut dyn Statements) -> Result<Change> {
        let sql = "UPDATE users SET password_hash = $1 WHERE name = $2";
        let set = on.execute(sql, arguments![self.hash.as_str(), self.name.as_str()]).await?;
        // Whoever knew the old password may have got these with it.
        on.execute(END_REFRESHING, arguments![self.name.as_str()]).await?;
        on.execute(END_SESSIONS, arguments![self.name.as_str()]).await?;
        Ok(changed(set))
    }
}

const END_REFRESHING: &str = "DELETE FROM user_tokens WHERE kind = 'refresh'
    AND user_id = (SELECT id FROM users WHERE name = $1)";

/// `Accounts::set_disabled`
pub(crate) struct SetDisabled {
    pub(crate) name: AccountName,
    pub(crate) disabled: bool,
}

#[async_trait]
impl Transaction for SetDisabled {
    type Output = Change;

    async fn run(&self, on: &mut dyn Statements) -> Result<Change> {
        let now = on.now().await?;
        let at = self.disabled.then_some(now);
        let sql = "UPDATE users SET disabled_at = $1 WHERE name = $2";
        let set = on.execute(sql, arguments![at, self.name.as_str()]).await?;
        if self.disabled {
            on.execute(END_REFRESHING, arguments![self.name.as_str()]).await?;
            on.execute(END_SESSIONS, arguments![self.name.as_str()]).await?;
        }
        Ok(changed(set))
    }
}

/// `Accounts::create_organization`
pub(crate) struct CreateOrganization {
    pub(crate) name: AccountName,
    pub(crate) owner: AccountName,
}

#[async_trait]
impl Transaction for CreateOrganization {
    type Output = Change;

    async fn run(&self, on: &mut dyn Statements) -> Result<Change> {
        if user(on, &self.owner).await?.is_none() {
            return Ok(Change::NotFound);
        }
        let now = on.now().await?;
        if new_namespace(on, &self.name, "organization", now).await?.is_none() {
            return Ok(Change::Taken);
        }
        let grant = NewGrant {
            namespace: self.name.clone(),
            subject: Subject::User(self.owner.clone()),
            role: Role::Admin,
            pattern: None,
            by: format!("user:{}", self.owner),
        };
        grants::put(on, &grant).await
    }
}

/// `Accounts::set_namespace`
pub(crate) struct SetNamespace {
    pub(crate) name: AccountName,
    pub(crate) visibility: Visibility,
    pub(crate) create_on_push: bool,
}

#[async_trait]
impl Transaction for SetNamespace {
    type Output = Change;

    async fn run(&self, on: &mut dyn Statements) -> Result<Change> {
        let sql =
            "UPDATE namespaces SET default_visibility = $1, create_on_push = $2 WHERE name = $3";
        let create = i64::from(self.create_on_push);
        let arguments = arguments![self.visibility.name(), create, self.name.as_str()];
        Ok(changed(on.execute(sql, arguments).await?))
    }
}

/// `Accounts::create_team`
pub(crate) struct CreateTeam {
    pub(crate) namespace: AccountName,
    pub(crate) team: AccountName,
}

#[async_trait]
impl Transaction for CreateTeam {
    type Output = Change;

    async fn run(&self, on: &mut dyn Statements) -> Result<Change> {
        let Some(namespace) = namespace(on, &self.namespace).await? else {
            return Ok(Change::NotFound);
        };
        let now = on.now().await?;
        let sql = "INSERT INTO teams (namespace_id, name, created_at) VALUES ($1, $2, $3)
                   ON CONFLICT (namespace_id, name) DO NOTHING";
        let made = on.execute(sql, arguments![namespace, self.team.as_str(), now]).await?;
        Ok(if made > 0 { Change::Done } else { Change::Taken })
    }
}

/// `Accounts::set_member`
pub(crate) struct SetMember {
    pub(crate) namespace: AccountName,
    pub(crate) team: AccountName,
    pub(crate) user: AccountName,
    pub(crate) is_member: bool,
}

#[async_trait]
impl Transaction for SetMember {
    type Output = Change;

    async fn run(&self, on: &mut dyn Statements) -> Result<Change> {
        let namespace = namespace(on, &self.namespace).await?;
        let Some(namespace) = namespace else { return Ok(Change::NotFound) };
        let team = team(on, namespace, &self.team).await?;
        let (Some(team), Some(user)) = (team, user(on, &self.user).await?) else {
            return Ok(Change::NotFound);
        };
        let sql = if self.is_member {
            "INSERT INTO team_members (team_id, user_id) VALUES ($1, $2)
             ON CONFLICT (user_id, team_id) DO NOTHING"
        } else {
            "DELETE FROM team_members WHERE team_id = $1 AND user_id = $2"
        };
        on.execute(sql, arguments![team, user]).await?;
        Ok(Change::Done)
    }
}

//! Robots and personal tokens, without their secrets.

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{Page, RobotRecord, TokenId, TokenRecord};
use wharf_core::permissions::{AccountName, RobotName};

use crate::engine::{Result, Row, Statements, Transaction, arguments};
use crate::transactions::accounts::secrets::narrowing;
use crate::transactions::accounts::{namespace, user};

/// `Directory::list_robots`
pub(crate) struct ListRobots {
    pub(crate) namespace: AccountName,
    pub(crate) page: Page,
}

#[async_trait]
impl Transaction for ListRobots {
    type Output = Option<Vec<RobotRecord>>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(namespace) = namespace(on, &self.namespace).await? else { return Ok(None) };
        let sql = "SELECT name, expires_at, CASE WHEN disabled_at IS NULL THEN 0 ELSE 1 END,
                       created_by, created_at, version
                   FROM robots WHERE namespace_id = $1 AND name > $2 ORDER BY name LIMIT $3";
        let after = self.page.after.as_deref().unwrap_or_default();
        let rows = on.query(sql, arguments![namespace, after, self.page.limit]).await?;
        rows.iter().map(|row| robot(&self.namespace, row)).collect::<Result<_>>().map(Some)
    }
}

/// `Directory::find_robot`
pub(crate) struct FindRobot(pub(crate) RobotName);

#[async_trait]
impl Transaction for FindRobot {
    type Output = Option<RobotRecord>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let RobotName { namespace: of, name } = &self.0;
        let Some(namespace) = namespace(on, of).await? else { return Ok(None) };
        let sql = "SELECT name, expires_at, CASE WHEN disabled_at IS NULL THEN 0 ELSE 1 END,
                       created_by, created_at, version
                   FROM robots WHERE namespace_id = $1 AND name = $2";
        let rows = on.query(sql, arguments![namespace, name.as_str()]).await?;
        rows.first().map(|row| robot(of, row)).transpose()
    }
}

fn robot(namespace: &AccountName, row: &Row) -> Result<RobotRecord> {
    Ok(RobotRecord {
        name: RobotName { namespace: namespace.clone(), name: row.parsed(0)? },
        expires_at: row.optional_int(1)?.map(Timestamp),
        disabled: row.int(2)? != 0,
        created_by: row.text(3)?.to_owned(),
        created_at: Timestamp(row.int(4)?),
        version: row.int(5)?,
    })
}

/// `Directory::list_tokens`
pub(crate) struct ListTokens(pub(crate) AccountName);

#[async_trait]
impl Transaction for ListTokens {
    type Output = Option<Vec<TokenRecord>>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(user) = user(on, &self.0).await? else { return Ok(None) };
        let sql = "SELECT substr(secret_hash, 1, 8), name, role, pattern, expires_at, last_used_at,
                       created_at
                   FROM user_tokens WHERE user_id = $1 AND kind = 'personal' ORDER BY id";
        let rows = on.query(sql, arguments![user]).await?;
        rows.iter().map(token).collect::<Result<_>>().map(Some)
    }
}

/// `Directory::find_token`
pub(crate) struct FindToken {
    pub(crate) user: AccountName,
    pub(crate) id: TokenId,
}

#[async_trait]
impl Transaction for FindToken {
    type Output = Option<TokenRecord>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(user) = user(on, &self.user).await? else { return Ok(None) };
        let sql = "SELECT substr(secret_hash, 1, 8), name, role, pattern, expires_at, last_used_at,
                       created_at
                   FROM user_tokens WHERE user_id = $1 AND kind = 'personal'
                       AND substr(secret_hash, 1, 8) = $2";
        let rows = on.query(sql, arguments![user, self.id.as_slice()]).await?;
        rows.first().map(token).transpose()
    }
}

/// What something with a secret is called by, of a column.
pub(in crate::transactions::accounts) fn token_id(row: &Row, column: usize) -> Result<TokenId> {
    let id = row.bytes(column)?.try_into();
    id.map_err(|_| StoreError::Corrupt("a hash is too short".into()))
}

fn token(row: &Row) -> Result<TokenRecord> {
    Ok(TokenRecord {
        id: token_id(row, 0)?,
        name: row.text(1)?.to_owned(),
        most: narrowing(row, 2, 3)?,
        expires_at: row.optional_int(4)?.map(Timestamp),
        last_used_at: row.optional_int(5)?.map(Timestamp),
        created_at: Timestamp(row.int(6)?),
    })
}

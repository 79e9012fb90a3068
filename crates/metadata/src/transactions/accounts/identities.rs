//! The identities of users, and the groups that fill teams.

use std::collections::BTreeSet;

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::metadata::{
    Change, LinkIdentity, LinkedIdentity, MOST_TEAM_GROUPS, ProviderGroup, ProviderName, Refusal,
    SetTeamGroups, UnlinkIdentity,
};
use wharf_core::permissions::AccountName;

use super::device_logins::refuse_devices;
use super::{Apply, changed, team_of, user};
use crate::engine::{Result, Statements, Transaction, Value, arguments};

#[async_trait]
impl Apply for LinkIdentity {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let Some(user) = user(on, &self.user).await? else { return Ok(Change::NotFound) };
        let (provider, subject) = (self.provider.as_str(), self.subject.as_str());
        let now = on.now().await?;
        let sql = "INSERT INTO identities (provider, subject, user_id, created_at)
                   VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        if on.execute(sql, arguments![provider, subject, user, now]).await? > 0 {
            return Ok(Change::Done);
        }
        let sql =
            "SELECT user_id FROM identities WHERE provider = $1 AND subject = $2 AND user_id = $3";
        let same = on.query(sql, arguments![provider, subject, user]).await?;
        Ok(if same.is_empty() { Change::Taken } else { Change::Done })
    }
}

#[async_trait]
impl Apply for UnlinkIdentity {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let Some(user) = user(on, &self.user).await? else { return Ok(Change::NotFound) };
        let provider = self.provider.as_str();
        let sql = "DELETE FROM identities WHERE user_id = $1 AND provider = $2";
        let gone = on.execute(sql, arguments![user, provider]).await?;
        let sql = "DELETE FROM user_groups WHERE user_id = $1 AND provider = $2";
        on.execute(sql, arguments![user, provider]).await?;
        let sql = "DELETE FROM sessions WHERE user_id = $1 AND provider = $2";
        on.execute(sql, arguments![user, provider]).await?;
        // Who comes to be linked there later has not made these.
        let sql = "DELETE FROM user_tokens WHERE user_id = $1 AND provider = $2";
        on.execute(sql, arguments![user, provider]).await?;
        // All of them: nodes of the release before do not say which session let a device in.
        refuse_devices(on, user).await?;
        Ok(changed(gone))
    }
}

/// `Identities::list_identities`
pub(crate) struct List(pub(crate) AccountName);

#[async_trait]
impl Transaction for List {
    type Output = Option<Vec<LinkedIdentity>>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(user) = user(on, &self.0).await? else { return Ok(None) };
        let sql = "SELECT provider, subject FROM identities WHERE user_id = $1 ORDER BY provider";
        let mut identities = Vec::new();
        for row in on.query(sql, arguments![user]).await? {
            let (provider, subject) = (row.parsed(0)?, row.parsed(1)?);
            identities.push(LinkedIdentity { provider, subject, groups: BTreeSet::new() });
        }
        let sql = "SELECT provider, group_name FROM user_groups WHERE user_id = $1";
        for row in on.query(sql, arguments![user]).await? {
            let provider: ProviderName = row.parsed(0)?;
            if let Some(of) = identities.iter_mut().find(|it| it.provider == provider) {
                of.groups.insert(row.parsed(1)?);
            }
        }
        Ok(Some(identities))
    }
}

#[async_trait]
impl Apply for SetTeamGroups {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let team = team_of(on, &self.namespace, &self.team).await?;
        let Some(team) = team else { return Ok(Change::NotFound) };
        if self.groups.len() > MOST_TEAM_GROUPS {
            return Ok(Change::Refused(Refusal::TooManyGroups));
        }
        // Whoever sets them at the same time changes this row too, and so comes before or after, not in between.
        on.execute("UPDATE teams SET name = name WHERE id = $1", arguments![team]).await?;
        on.execute("DELETE FROM team_groups WHERE team_id = $1", arguments![team]).await?;
        let rows: Vec<Vec<Value>> = self
            .groups
            .iter()
            .map(|it| arguments![team, it.provider.as_str(), it.group.as_str()].to_vec())
            .collect();
        let sql = "INSERT INTO team_groups (team_id, provider, group_name) VALUES ($1, $2, $3)";
        on.execute_each(sql, &rows).await?;
        Ok(Change::Done)
    }
}

/// `Identities::team_groups`
pub(crate) struct TeamGroups {
    pub(crate) namespace: AccountName,
    pub(crate) team: AccountName,
}

#[async_trait]
impl Transaction for TeamGroups {
    type Output = Option<BTreeSet<ProviderGroup>>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let team = team_of(on, &self.namespace, &self.team).await?;
        let Some(team) = team else { return Ok(None) };
        let sql = "SELECT provider, group_name FROM team_groups WHERE team_id = $1";
        let rows = on.query(sql, arguments![team]).await?;
        let group = |row: &crate::engine::Row| {
            Ok(ProviderGroup { provider: row.parsed(0)?, group: row.parsed(1)? })
        };
        rows.iter().map(group).collect::<Result<_>>().map(Some)
    }
}

/// `Identities::list_group_members`
pub(crate) struct ListGroupMembers {
    pub(crate) namespace: AccountName,
    pub(crate) team: AccountName,
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for ListGroupMembers {
    type Output = Vec<AccountName>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let team = team_of(on, &self.namespace, &self.team).await?;
        let Some(team) = team else { return Ok(Vec::new()) };
        let sql = "SELECT DISTINCT u.name FROM team_groups f
                   JOIN user_groups m ON m.provider = f.provider AND m.group_name = f.group_name
                   JOIN users u ON u.id = m.user_id
                   WHERE f.team_id = $1 AND u.name > $2 ORDER BY u.name LIMIT $3";
        let after = self.after.as_deref().unwrap_or_default();
        let rows = on.query(sql, arguments![team, after, self.limit]).await?;
        rows.iter().map(|row| row.parsed(0)).collect()
    }
}

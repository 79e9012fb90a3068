//! Teams and their members.

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::metadata::{AddMember, Change, CreateTeam, DeleteTeam, Refusal, RemoveMember};

use super::grants::others_administer;
use super::holding::{Leaving, hold, hold_in_use, keeps_administrator};
use super::limits::{Limited, is_full};
use super::{Apply, team, user};
use crate::engine::{Result, Statements, arguments};

#[async_trait]
impl Apply for CreateTeam {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let Some(namespace) = hold_in_use(on, &self.namespace).await? else {
            return Ok(Change::NotFound);
        };
        if team(on, namespace.id, &self.team).await?.is_some() {
            return Ok(Change::Taken);
        }
        if is_full(on, Limited::Teams, namespace.id).await? {
            return Ok(Change::Refused(Refusal::TooManyTeams));
        }
        let now = on.now().await?;
        let sql = "INSERT INTO teams (namespace_id, name, created_at) VALUES ($1, $2, $3)";
        on.execute(sql, arguments![namespace.id, self.team.as_str(), now]).await?;
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for DeleteTeam {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let Some(namespace) = hold(on, &self.namespace).await? else {
            return Ok(Change::NotFound);
        };
        let Some(team) = team(on, namespace.id, &self.team).await? else {
            return Ok(Change::NotFound);
        };
        if namespace.is_organization && !others_administer(on, namespace.id, ("team", team)).await?
        {
            return Ok(Change::Refused(Refusal::LastOwner));
        }
        for sql in [
            "DELETE FROM grants WHERE subject_kind = 'team' AND subject_id = $1",
            "DELETE FROM team_members WHERE team_id = $1",
            "DELETE FROM teams WHERE id = $1",
        ] {
            on.execute(sql, arguments![team]).await?;
        }
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for AddMember {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let Some(namespace) = hold(on, &self.namespace).await? else {
            return Ok(Change::NotFound);
        };
        let team = team(on, namespace.id, &self.team).await?;
        let (Some(team), Some(user)) = (team, user(on, &self.user).await?) else {
            return Ok(Change::NotFound);
        };
        let sql = "SELECT 1 FROM team_members WHERE team_id = $1 AND user_id = $2";
        if !on.query(sql, arguments![team, user]).await?.is_empty() {
            return Ok(Change::Done);
        }
        if is_full(on, Limited::Members, team).await? {
            return Ok(Change::Refused(Refusal::TooManyMembers));
        }
        let sql = "INSERT INTO team_members (team_id, user_id) VALUES ($1, $2)
                   ON CONFLICT (user_id, team_id) DO NOTHING";
        on.execute(sql, arguments![team, user]).await?;
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for RemoveMember {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let Some(namespace) = hold(on, &self.namespace).await? else {
            return Ok(Change::NotFound);
        };
        let team = team(on, namespace.id, &self.team).await?;
        let (Some(team), Some(user)) = (team, user(on, &self.user).await?) else {
            return Ok(Change::NotFound);
        };
        let leaving = Leaving::Member { team, user };
        if namespace.is_organization && !keeps_administrator(on, namespace.id, leaving).await? {
            return Ok(Change::Refused(Refusal::LastOwner));
        }
        let sql = "DELETE FROM team_members WHERE team_id = $1 AND user_id = $2";
        on.execute(sql, arguments![team, user]).await?;
        Ok(Change::Done)
    }
}

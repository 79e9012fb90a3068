//! Teams and their members.

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::metadata::{AddMember, Change, CreateTeam, DeleteTeam, RemoveMember};

use super::{Apply, namespace, team_of, user};
use crate::engine::{Result, Statements, arguments};

#[async_trait]
impl Apply for CreateTeam {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
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

#[async_trait]
impl Apply for DeleteTeam {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let Some(team) = team_of(on, &self.namespace, &self.team).await? else {
            return Ok(Change::NotFound);
        };
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
        let team = team_of(on, &self.namespace, &self.team).await?;
        let (Some(team), Some(user)) = (team, user(on, &self.user).await?) else {
            return Ok(Change::NotFound);
        };
        let sql = "INSERT INTO team_members (team_id, user_id) VALUES ($1, $2)
                   ON CONFLICT (user_id, team_id) DO NOTHING";
        on.execute(sql, arguments![team, user]).await?;
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for RemoveMember {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let team = team_of(on, &self.namespace, &self.team).await?;
        let (Some(team), Some(user)) = (team, user(on, &self.user).await?) else {
            return Ok(Change::NotFound);
        };
        let sql = "DELETE FROM team_members WHERE team_id = $1 AND user_id = $2";
        on.execute(sql, arguments![team, user]).await?;
        Ok(Change::Done)
    }
}

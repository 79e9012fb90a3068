//! Trust rules of robots, and the tokens that workloads got by them.

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    Change, MOST_RULES, NewTrustRule, NewWorkloadToken, Refusal, RemoveTrustRule, TrustRule,
};
use wharf_core::permissions::RobotName;

use super::secrets::is_let_in;
use super::{Apply, changed, robot_named};
use crate::engine::{Result, Row, Statements, Transaction, arguments};

#[async_trait]
impl Apply for NewTrustRule {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let Some(robot) = robot_named(on, &self.robot).await? else { return Ok(Change::NotFound) };
        let sql = "SELECT count(*) FROM trust_rules WHERE robot_id = $1";
        let rows = on.query(sql, arguments![robot]).await?;
        if rows.first().map_or(Ok(0), |row| row.size(0))? >= MOST_RULES as u64 {
            return Ok(Change::Refused(Refusal::TooManyRules));
        }
        // Changed, so that of two rules made at once one is made again, and counts the other.
        let sql = "UPDATE robots SET version = version + 1 WHERE id = $1";
        on.execute(sql, arguments![robot]).await?;
        let now = on.now().await?;
        on.execute(
            "INSERT INTO trust_rules (robot_id, issuer, audience, conditions, created_by, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            arguments![
                robot,
                self.issuer.as_str(),
                self.audience.as_str(),
                self.conditions.to_string(),
                by.by.as_str(),
                now,
            ],
        )
        .await?;
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for RemoveTrustRule {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let Some(robot) = robot_named(on, &self.robot).await? else { return Ok(Change::NotFound) };
        let sql = "DELETE FROM trust_rules WHERE robot_id = $1 AND id = $2";
        Ok(changed(on.execute(sql, arguments![robot, self.id]).await?))
    }
}

/// `TrustRules::list_rules`
pub(crate) struct List(pub(crate) RobotName);

#[async_trait]
impl Transaction for List {
    type Output = Option<Vec<TrustRule>>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(robot) = robot_named(on, &self.0).await? else { return Ok(None) };
        let sql = "SELECT id, issuer, audience, conditions, created_by, created_at
                   FROM trust_rules WHERE robot_id = $1 ORDER BY id";
        let rows = on.query(sql, arguments![robot]).await?;
        rows.iter().map(rule).collect::<Result<_>>().map(Some)
    }
}

/// `TrustRules::rules_in_force`
pub(crate) struct InForce {
    pub(crate) robot: RobotName,
    pub(crate) issuer: String,
}

#[async_trait]
impl Transaction for InForce {
    type Output = Vec<TrustRule>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let now = on.now().await?;
        let sql = concat!(
            "SELECT t.id, t.issuer, t.audience, t.conditions, t.created_by, t.created_at
             FROM namespaces n JOIN robots r ON r.namespace_id = n.id
             JOIN trust_rules t ON t.robot_id = r.id
             WHERE n.name = $1 AND r.name = $2 AND t.issuer = $3 AND ",
            is_let_in!("$4"),
            " ORDER BY t.id"
        );
        let RobotName { namespace, name } = &self.robot;
        let arguments = arguments![namespace.as_str(), name.as_str(), self.issuer.as_str(), now];
        on.query(sql, arguments).await?.iter().map(rule).collect()
    }
}

fn rule(row: &Row) -> Result<TrustRule> {
    Ok(TrustRule {
        id: row.int(0)?,
        issuer: row.text(1)?.to_owned(),
        audience: row.text(2)?.to_owned(),
        conditions: row.parsed(3)?,
        created_by: row.text(4)?.to_owned(),
        created_at: Timestamp(row.int(5)?),
    })
}

#[async_trait]
impl Transaction for NewWorkloadToken {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let now = on.now().await?;
        let rule = "SELECT 1 FROM trust_rules WHERE id = $1";
        if on.query_locked(rule, arguments![self.rule]).await?.is_empty() {
            return Ok(false);
        }
        let sql =
            "INSERT INTO workload_tokens (secret_hash, rule_id, subject, expires_at, created_at)
                   VALUES ($1, $2, $3, $4, $5)";
        let (hash, ends) = (self.secret_hash.as_slice(), now.after(self.life));
        on.execute(sql, arguments![hash, self.rule, self.subject.as_str(), ends, now]).await?;
        Ok(true)
    }
}

/// `TrustRules::find_workload_token`
pub(crate) struct FindToken(pub(crate) [u8; 32]);

#[async_trait]
impl Transaction for FindToken {
    type Output = Option<RobotName>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let now = on.now().await?;
        let sql = concat!(
            "SELECT n.name, r.name FROM workload_tokens w
             JOIN trust_rules t ON t.id = w.rule_id JOIN robots r ON r.id = t.robot_id
             JOIN namespaces n ON n.id = r.namespace_id
             WHERE w.secret_hash = $1 AND w.expires_at > $2 AND ",
            is_let_in!("$2")
        );
        let rows = on.query(sql, arguments![self.0.as_slice(), now]).await?;
        let name = |row: &Row| Ok(RobotName { namespace: row.parsed(0)?, name: row.parsed(1)? });
        rows.first().map(name).transpose()
    }
}

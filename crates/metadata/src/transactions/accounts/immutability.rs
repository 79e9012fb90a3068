//! Changes of immutability policies. Each changes the row in which they are counted, too, which who changes a tag has locked: see
//! `transactions/immutability.rs`.

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::immutability::{Policy, PolicyName, PolicyScope};
use wharf_core::metadata::{
    AccountChange, Change, ChangeImmutabilityPolicy, MOST_POLICIES, NewImmutabilityPolicy, Refusal,
    RemoveImmutabilityPolicy,
};
use wharf_oci::TagPattern;

use super::holding::hold_in_use;
use super::{Apply, fresh};
use crate::engine::{Result, Row, Statements, arguments};
use crate::transactions::events::{self, Event, Of};
use crate::transactions::immutability::scoped;

/// What policies are changed of, held.
struct Held {
    id: i64,
    policies: u64,
}

async fn hold(on: &mut dyn Statements, of: &PolicyScope) -> Result<Option<Held>> {
    let rows = match of {
        PolicyScope::Namespace(name) => {
            let Some(held) = hold_in_use(on, name).await? else { return Ok(None) };
            let sql = "SELECT id, immutability_policies FROM namespaces WHERE id = $1";
            on.query(sql, arguments![held.id]).await?
        }
        PolicyScope::Repository(name) => {
            let sql = "UPDATE repositories SET immutability_policies = immutability_policies
                       WHERE name = $1 RETURNING id, immutability_policies";
            on.query(sql, arguments![name.as_str()]).await?
        }
    };
    let held = |row: &Row| Ok(Held { id: row.int(0)?, policies: row.size(1)? });
    rows.first().map(held).transpose()
}

async fn count(on: &mut dyn Statements, of: &PolicyScope, id: i64, more: i64) -> Result<()> {
    let sql = match of {
        PolicyScope::Namespace(_) => {
            "UPDATE namespaces SET immutability_policies = immutability_policies + $1 WHERE id = $2"
        }
        PolicyScope::Repository(_) => {
            "UPDATE repositories SET immutability_policies = immutability_policies + $1 WHERE id = $2"
        }
    };
    on.execute(sql, arguments![more, id]).await.map(drop)
}

/// A policy's row and version, whether or not it can be read: what cannot may still be put right, or be taken away.
async fn find(
    on: &mut dyn Statements,
    of: &PolicyScope,
    id: i64,
    name: &PolicyName,
) -> Result<Option<(i64, i64)>> {
    let sql = "SELECT id, version FROM immutability_policies
               WHERE (repository_id = $1 OR namespace_id = $2) AND name = $3";
    let [repository, namespace] = scoped(of, id);
    let rows = on.query(sql, &[repository, namespace, name.as_str().into()]).await?;
    rows.first().map(|row| Ok((row.int(0)?, row.int(1)?))).transpose()
}

/// Patterns as they are stored.
fn joined(patterns: &[TagPattern]) -> String {
    patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// Tells readers of events of a change of policies.
async fn tell(
    on: &mut dyn Statements,
    of: &PolicyScope,
    id: i64,
    event: Event<'_>,
    by: &Actor,
) -> Result<()> {
    let of = match of {
        PolicyScope::Namespace(name) => Of::Namespace(name),
        PolicyScope::Repository(_) => Of::Repository(id),
    };
    let now = on.now().await?;
    events::record_of(on, of, event, &by.by, now).await
}

#[async_trait]
impl Apply for NewImmutabilityPolicy {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let Some(held) = hold(on, &self.of).await? else { return Ok(Change::NotFound) };
        let Policy { name, tags, mutable_for } = &self.policy;
        if find(on, &self.of, held.id, name).await?.is_some() {
            return Ok(Change::Taken);
        }
        if held.policies >= MOST_POLICIES as u64 {
            return Ok(Change::Refused(Refusal::TooManyPolicies));
        }
        let now = on.now().await?;
        let [repository, namespace] = scoped(&self.of, held.id);
        on.execute(
            "INSERT INTO immutability_policies
                 (repository_id, namespace_id, name, patterns, exceptions, mutable_for, created_by,
                  created_at, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
            &[
                repository,
                namespace,
                name.as_str().into(),
                joined(tags.patterns()).into(),
                joined(tags.exceptions()).into(),
                i64::from(mutable_for.seconds()).into(),
                by.by.as_str().into(),
                now.into(),
            ],
        )
        .await?;
        count(on, &self.of, held.id, 1).await?;
        tell(on, &self.of, held.id, Event::PolicyMade(&self.policy), by).await?;
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for ChangeImmutabilityPolicy {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let Some(held) = hold(on, &self.of).await? else { return Ok(Change::NotFound) };
        let Policy { name, tags, mutable_for } = &self.policy;
        let Some((policy, version)) = find(on, &self.of, held.id, name).await? else {
            return Ok(Change::NotFound);
        };
        if !fresh(version, self.expected) {
            return Ok(Change::Stale);
        }
        let now = on.now().await?;
        on.execute(
            "UPDATE immutability_policies SET patterns = $1, exceptions = $2, mutable_for = $3,
                 changed_at = $4, version = version + 1 WHERE id = $5",
            arguments![
                joined(tags.patterns()),
                joined(tags.exceptions()),
                i64::from(mutable_for.seconds()),
                now,
                policy,
            ],
        )
        .await?;
        tell(on, &self.of, held.id, Event::PolicyChanged(&self.policy), by).await?;
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for RemoveImmutabilityPolicy {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let Some(held) = hold(on, &self.of).await? else { return Ok(Change::NotFound) };
        let Some((policy, version)) = find(on, &self.of, held.id, &self.name).await? else {
            return Ok(Change::NotFound);
        };
        if !fresh(version, self.expected) {
            return Ok(Change::Stale);
        }
        let sql = "DELETE FROM immutability_policies WHERE id = $1";
        on.execute(sql, arguments![policy]).await?;
        count(on, &self.of, held.id, -1).await?;
        tell(on, &self.of, held.id, Event::PolicyRemoved(&self.name), by).await?;
        Ok(Change::Done)
    }
}

/// What a policy says that a change is about to replace or to take away, for the audit log: as it is stored.
pub(super) async fn before(
    on: &mut dyn Statements,
    change: &AccountChange,
) -> Result<Option<String>> {
    let (of, name) = match change {
        AccountChange::ChangeImmutabilityPolicy(change) => (&change.of, &change.policy.name),
        AccountChange::RemoveImmutabilityPolicy(change) => (&change.of, &change.name),
        _ => return Ok(None),
    };
    let (sql, of) = match of {
        PolicyScope::Namespace(namespace) => (
            "SELECT p.patterns, p.exceptions, p.mutable_for FROM immutability_policies p
             JOIN namespaces n ON n.id = p.namespace_id WHERE n.name = $1 AND p.name = $2",
            namespace.as_str(),
        ),
        PolicyScope::Repository(repository) => (
            "SELECT p.patterns, p.exceptions, p.mutable_for FROM immutability_policies p
             JOIN repositories r ON r.id = p.repository_id WHERE r.name = $1 AND p.name = $2",
            repository.as_str(),
        ),
    };
    let rows = on.query(sql, arguments![of, name.as_str()]).await?;
    let said = |row: &Row| {
        let list = |column| -> Result<String> {
            Ok(row.text(column)?.split_whitespace().collect::<Vec<_>>().join(", "))
        };
        let (patterns, exceptions, seconds) = (list(0)?, list(1)?, row.int(2)?);
        let except = if exceptions.is_empty() { "" } else { " except " };
        Ok(format!("{patterns}{except}{exceptions}, mutable for {seconds} s"))
    };
    rows.first().map(said).transpose()
}

//! A namespace that is held while what is in it changes, and who is left to administer it.

use wharf_core::actor::Actor;
use wharf_core::immutability::PolicyName;
use wharf_core::permissions::AccountName;

use crate::engine::{Result, Statements, arguments};
use crate::transactions::events::{self, Event, Of};

/// A namespace that is held.
pub(super) struct Held {
    pub(super) id: i64,
    pub(super) is_organization: bool,
}

/// Holds a namespace: who changes its grants, teams, members or robots at the same time comes before or after. It is
/// changed for that and not only locked: behind a lock that is free again, a snapshot from before would go on without
/// what the other one made.
pub(super) async fn hold(on: &mut dyn Statements, name: &AccountName) -> Result<Option<Held>> {
    let sql = "UPDATE namespaces SET name = name WHERE name = $1 RETURNING id, kind";
    let rows = on.query(sql, arguments![name.as_str()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Held { id: row.int(0)?, is_organization: row.text(1)? == "organization" }))
}

/// The same, if it is in use: not that of a user or of an organization that was deleted, of which the name alone is left.
pub(super) async fn hold_in_use(
    on: &mut dyn Statements,
    name: &AccountName,
) -> Result<Option<Held>> {
    let Some(held) = hold(on, name).await? else { return Ok(None) };
    let sql = if held.is_organization {
        "SELECT 1 FROM grants WHERE namespace_id = $1 LIMIT 1"
    } else {
        "SELECT 1 FROM users WHERE namespace_id = $1"
    };
    let in_use = !on.query(sql, arguments![held.id]).await?.is_empty();
    Ok(in_use.then_some(held))
}

/// Whether a repository may come back to a namespace, which is held until the transaction ends: not to that of a user or of an organization
/// that was deleted.
pub(crate) async fn takes_repositories(on: &mut dyn Statements, namespace: &str) -> Result<bool> {
    let Ok(name) = namespace.parse::<AccountName>() else { return Ok(true) };
    Ok(hold(on, &name).await?.is_none() || hold_in_use(on, &name).await?.is_some())
}

/// Takes away all that is in a namespace. The name stays taken, and no push makes anything under it. Who changes its policies holds its row, as
/// the caller does.
pub(super) async fn clear(
    on: &mut dyn Statements,
    namespace: i64,
    name: &AccountName,
    by: &Actor,
) -> Result<()> {
    let now = on.now().await?;
    let sql = "SELECT name FROM immutability_policies WHERE namespace_id = $1 ORDER BY name";
    for row in on.query(sql, arguments![namespace]).await? {
        let policy: PolicyName = row.parsed(0)?;
        let event = Event::PolicyRemoved(&policy);
        events::record_of(on, Of::Namespace(name), event, &by.by, now).await?;
    }
    for sql in [
        "UPDATE namespaces SET create_on_push = 0, immutability_policies = 0, version = version + 1
         WHERE id = $1",
        "DELETE FROM immutability_policies WHERE namespace_id = $1",
        "DELETE FROM grants WHERE namespace_id = $1",
        "DELETE FROM team_members WHERE team_id IN (SELECT id FROM teams WHERE namespace_id = $1)",
        "DELETE FROM teams WHERE namespace_id = $1",
        // Their trust rules go along, and what workloads got by them.
        "DELETE FROM robots WHERE namespace_id = $1",
    ] {
        on.execute(sql, arguments![namespace]).await?;
    }
    Ok(())
}

/// What is about to go of that by which somebody administers an organization.
#[derive(Clone, Copy)]
pub(super) enum Leaving {
    /// The grant of a subject, by its kind and row.
    Grant(&'static str, i64),
    /// A user.
    User(i64),
    /// A user from a team.
    Member { team: i64, user: i64 },
}

/// Whether an organization that is held keeps somebody who administers it and is not disabled. Where nobody did before,
/// nothing is lost.
pub(super) async fn keeps_administrator(
    on: &mut dyn Statements,
    organization: i64,
    leaving: Leaving,
) -> Result<bool> {
    Ok(is_administered(on, organization, Some(leaving)).await?
        || !is_administered(on, organization, None).await?)
}

async fn is_administered(
    on: &mut dyn Statements,
    organization: i64,
    without: Option<Leaving>,
) -> Result<bool> {
    // No row has the number 0.
    let (kind, subject, user, team, member) = match without {
        Some(Leaving::Grant(kind, id)) => (kind, id, 0, 0, 0),
        Some(Leaving::User(id)) => ("", 0, id, 0, 0),
        Some(Leaving::Member { team, user }) => ("", 0, 0, team, user),
        None => ("", 0, 0, 0, 0),
    };
    let arguments = arguments![organization, kind, subject, user, team, member];
    Ok(!on.query(ADMINISTERED, arguments).await?.is_empty())
}

/// Whether the organization $1 has an administrator without the grant of the subject $2 and $3, the user $4, and the team
/// $5's member $6.
const ADMINISTERED: &str = "SELECT 1 FROM grants g
     WHERE g.namespace_id = $1 AND g.role = 'admin' AND g.pattern = ''
         AND NOT (g.subject_kind = $2 AND g.subject_id = $3) AND (
             g.subject_kind = 'user' AND EXISTS (
                 SELECT 1 FROM users u
                 WHERE u.id = g.subject_id AND u.disabled_at IS NULL AND u.id <> $4)
             OR g.subject_kind = 'team' AND EXISTS (
                 SELECT 1 FROM team_members m JOIN users u ON u.id = m.user_id
                 WHERE m.team_id = g.subject_id AND u.disabled_at IS NULL AND u.id <> $4
                     AND NOT (m.team_id = $5 AND m.user_id = $6))
             OR g.subject_kind = 'team' AND EXISTS (
                 SELECT 1 FROM team_groups f
                 JOIN user_groups m ON m.provider = f.provider AND m.group_name = f.group_name
                 JOIN users u ON u.id = m.user_id
                 WHERE f.team_id = g.subject_id AND u.disabled_at IS NULL AND u.id <> $4))
     LIMIT 1";

/// Whether every organization that a user administers keeps somebody else who does.
pub(super) async fn all_keep_administrators(on: &mut dyn Statements, user: i64) -> Result<bool> {
    let sql = "SELECT n.id FROM namespaces n WHERE n.kind = 'organization' AND n.id IN (
                   SELECT g.namespace_id FROM grants g
                   WHERE g.subject_kind = 'user' AND g.subject_id = $1
                       AND g.role = 'admin' AND g.pattern = ''
                   UNION
                   SELECT g.namespace_id FROM team_members m
                   JOIN grants g ON g.subject_kind = 'team' AND g.subject_id = m.team_id
                   WHERE m.user_id = $1 AND g.role = 'admin' AND g.pattern = ''
                   UNION
                   SELECT g.namespace_id FROM user_groups m
                   JOIN team_groups f ON f.provider = m.provider AND f.group_name = m.group_name
                   JOIN grants g ON g.subject_kind = 'team' AND g.subject_id = f.team_id
                   WHERE m.user_id = $1 AND g.role = 'admin' AND g.pattern = '')
               ORDER BY n.id";
    for row in on.query(sql, arguments![user]).await? {
        let organization = row.int(0)?;
        // Held, as by `hold`.
        let sql = "UPDATE namespaces SET name = name WHERE id = $1";
        on.execute(sql, arguments![organization]).await?;
        if !keeps_administrator(on, organization, Leaving::User(user)).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

//! Grants.

use async_trait::async_trait;
use wharf_core::access::Role;
use wharf_core::actor::Actor;
use wharf_core::metadata::{Change, NewGrant, Refusal, RemoveGrant, Subject};
use wharf_oci::NamePattern;

use super::holding::{Leaving, hold, hold_in_use, keeps_administrator};
use super::limits::{Limited, is_full};
use super::{Apply, changed, robot, team, user};
use crate::engine::{Result, Statements, arguments};

/// The kind and the row of a subject.
pub(super) async fn subject(
    on: &mut dyn Statements,
    namespace: i64,
    subject: &Subject,
) -> Result<Option<(&'static str, i64)>> {
    Ok(match subject {
        Subject::User(name) => user(on, name).await?.map(|id| ("user", id)),
        Subject::Team(name) => team(on, namespace, name).await?.map(|id| ("team", id)),
        Subject::Robot(name) => robot(on, namespace, name).await?.map(|id| ("robot", id)),
    })
}

/// The form in which a pattern is stored: that of no pattern is empty.
pub(super) fn stored(pattern: Option<&NamePattern>) -> String {
    pattern.map(NamePattern::to_string).unwrap_or_default()
}

/// The same, of a subject that is about to get a grant: held, as by `hold`, so that it is not taken away meanwhile.
pub(super) async fn held_subject(
    on: &mut dyn Statements,
    namespace: i64,
    of: &Subject,
) -> Result<Option<(&'static str, i64)>> {
    let found = subject(on, namespace, of).await?;
    let Some((kind, id)) = found else { return Ok(None) };
    let sql = match of {
        Subject::User(_) => "UPDATE users SET name = name WHERE id = $1",
        Subject::Team(_) => "UPDATE teams SET name = name WHERE id = $1",
        Subject::Robot(_) => "UPDATE robots SET name = name WHERE id = $1",
    };
    on.execute(sql, arguments![id]).await?;
    Ok(Some((kind, id)))
}

/// Whether an organization that is held keeps an administrator without the grant of a subject on all of it: another grant
/// of that kind, and by those left somebody.
pub(super) async fn others_administer(
    on: &mut dyn Statements,
    namespace: i64,
    (kind, id): (&'static str, i64),
) -> Result<bool> {
    let sql = "SELECT subject_kind, subject_id FROM grants WHERE namespace_id = $1
                   AND role = 'admin' AND pattern = '' AND subject_kind IN ('user', 'team')";
    let rows = on.query(sql, arguments![namespace]).await?;
    let mut others = false;
    for row in &rows {
        others |= (row.text(0)?, row.int(1)?) != (kind, id);
    }
    if !others {
        // Where nobody did before, nothing is lost.
        return Ok(rows.is_empty());
    }
    keeps_administrator(on, namespace, Leaving::Grant(kind, id)).await
}

/// Whether a subject has a grant with a pattern, which a new one replaces.
async fn is_granted(
    on: &mut dyn Statements,
    namespace: i64,
    (kind, id): (&'static str, i64),
    pattern: Option<&NamePattern>,
) -> Result<bool> {
    let sql = "SELECT 1 FROM grants WHERE namespace_id = $1 AND subject_kind = $2
               AND subject_id = $3 AND pattern = $4";
    let rows = on.query(sql, arguments![namespace, kind, id, stored(pattern)]).await?;
    Ok(!rows.is_empty())
}

/// Records a grant.
pub(super) async fn put(
    on: &mut dyn Statements,
    namespace: i64,
    grant: &NewGrant,
    (kind, id): (&'static str, i64),
    by: &Actor,
) -> Result<()> {
    let now = on.now().await?;
    on.execute(
        "INSERT INTO grants
             (namespace_id, subject_kind, subject_id, role, pattern, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (namespace_id, subject_kind, subject_id, pattern) DO UPDATE SET
             role = excluded.role, created_by = excluded.created_by,
             created_at = excluded.created_at",
        arguments![
            namespace,
            kind,
            id,
            grant.role.name(),
            stored(grant.pattern.as_ref()),
            by.by.as_str(),
            now,
        ],
    )
    .await
    .map(drop)
}

#[async_trait]
impl Apply for NewGrant {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let Some(namespace) = hold_in_use(on, &self.namespace).await? else {
            return Ok(Change::NotFound);
        };
        let Some(subject) = held_subject(on, namespace.id, &self.subject).await? else {
            return Ok(Change::NotFound);
        };
        let demotes =
            namespace.is_organization && self.pattern.is_none() && self.role < Role::Admin;
        if demotes && !others_administer(on, namespace.id, subject).await? {
            return Ok(Change::Refused(Refusal::LastOwner));
        }
        if is_full(on, Limited::Grants, namespace.id).await?
            && !is_granted(on, namespace.id, subject, self.pattern.as_ref()).await?
        {
            return Ok(Change::Refused(Refusal::TooManyGrants));
        }
        put(on, namespace.id, self, subject, by).await?;
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for RemoveGrant {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let Some(namespace) = hold(on, &self.namespace).await? else {
            return Ok(Change::NotFound);
        };
        let Some((kind, id)) = subject(on, namespace.id, &self.subject).await? else {
            return Ok(Change::NotFound);
        };
        let whole = namespace.is_organization && self.pattern.is_none();
        if whole && !others_administer(on, namespace.id, (kind, id)).await? {
            return Ok(Change::Refused(Refusal::LastOwner));
        }
        let sql = "DELETE FROM grants WHERE namespace_id = $1 AND subject_kind = $2
                   AND subject_id = $3 AND pattern = $4";
        let pattern = stored(self.pattern.as_ref());
        Ok(changed(on.execute(sql, arguments![namespace.id, kind, id, pattern]).await?))
    }
}

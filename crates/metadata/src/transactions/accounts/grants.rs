//! Grants.

use async_trait::async_trait;
use wharf_core::access::Role;
use wharf_core::actor::Actor;
use wharf_core::metadata::{Change, NewGrant, Refusal, RemoveGrant, Subject};
use wharf_core::permissions::AccountName;
use wharf_oci::NamePattern;

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

/// The row of a namespace, and whether an organization has it.
async fn owned(on: &mut dyn Statements, name: &AccountName) -> Result<Option<(i64, bool)>> {
    let sql = "SELECT id, kind FROM namespaces WHERE name = $1";
    let rows = on.query(sql, arguments![name.as_str()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some((row.int(0)?, row.text(1)? == "organization")))
}

/// Whether somebody but this subject administers all of a namespace. All who do are locked, so that of two who go at
/// once one stays.
async fn others_administer(
    on: &mut dyn Statements,
    namespace: i64,
    (kind, id): (&str, i64),
) -> Result<bool> {
    let sql = "SELECT subject_kind, subject_id FROM grants WHERE namespace_id = $1
                   AND role = 'admin' AND pattern = '' AND subject_kind IN ('user', 'team') ORDER BY id";
    let rows = on.query_locked(sql, arguments![namespace]).await?;
    for row in &rows {
        if (row.text(0)?, row.int(1)?) != (kind, id) {
            return Ok(true);
        }
    }
    // Where nobody did before, nothing is lost.
    Ok(rows.is_empty())
}

#[async_trait]
impl Apply for NewGrant {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let Some((namespace, is_organization)) = owned(on, &self.namespace).await? else {
            return Ok(Change::NotFound);
        };
        let Some((kind, id)) = subject(on, namespace, &self.subject).await? else {
            return Ok(Change::NotFound);
        };
        let demotes = is_organization && self.pattern.is_none() && self.role < Role::Admin;
        if demotes && !others_administer(on, namespace, (kind, id)).await? {
            return Ok(Change::Refused(Refusal::LastOwner));
        }
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
                self.role.name(),
                stored(self.pattern.as_ref()),
                by.by.as_str(),
                now,
            ],
        )
        .await?;
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for RemoveGrant {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let Some((namespace, is_organization)) = owned(on, &self.namespace).await? else {
            return Ok(Change::NotFound);
        };
        let Some((kind, id)) = subject(on, namespace, &self.subject).await? else {
            return Ok(Change::NotFound);
        };
        let whole = is_organization && self.pattern.is_none();
        if whole && !others_administer(on, namespace, (kind, id)).await? {
            return Ok(Change::Refused(Refusal::LastOwner));
        }
        let sql = "DELETE FROM grants WHERE namespace_id = $1 AND subject_kind = $2
                   AND subject_id = $3 AND pattern = $4";
        let pattern = stored(self.pattern.as_ref());
        Ok(changed(on.execute(sql, arguments![namespace, kind, id, pattern]).await?))
    }
}

//! Grants, and who may read without one.

use async_trait::async_trait;
use wharf_core::access::Visibility;
use wharf_core::metadata::{Change, NewGrant, Subject};
use wharf_core::permissions::AccountName;
use wharf_oci::{NamePattern, RepositoryName};

use super::{changed, namespace, team, user};
use crate::engine::{Result, Statements, Transaction, arguments};

/// The kind and the row of a subject.
async fn subject(
    on: &mut dyn Statements,
    namespace: i64,
    subject: &Subject,
) -> Result<Option<(&'static str, i64)>> {
    Ok(match subject {
        Subject::User(name) => user(on, name).await?.map(|id| ("user", id)),
        Subject::Team(name) => team(on, namespace, name).await?.map(|id| ("team", id)),
        Subject::Robot(name) => {
            let sql = "SELECT id FROM robots WHERE namespace_id = $1 AND name = $2";
            let rows = on.query(sql, arguments![namespace, name.as_str()]).await?;
            let id = rows.first().map(|row| row.int(0)).transpose()?;
            id.map(|id| ("robot", id))
        }
    })
}

/// The form in which a pattern is stored: that of no pattern is empty.
pub(super) fn stored(pattern: Option<&NamePattern>) -> String {
    pattern.map(NamePattern::to_string).unwrap_or_default()
}

pub(super) async fn put(on: &mut dyn Statements, grant: &NewGrant) -> Result<Change> {
    let Some(namespace) = namespace(on, &grant.namespace).await? else {
        return Ok(Change::NotFound);
    };
    let Some((kind, id)) = subject(on, namespace, &grant.subject).await? else {
        return Ok(Change::NotFound);
    };
    let now = on.now().await?;
    on.execute(
        "INSERT INTO grants
             (namespace_id, subject_kind, subject_id, role, pattern, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (namespace_id, subject_kind, subject_id, pattern) DO UPDATE SET
             role = excluded.role, created_by = excluded.created_by, created_at = excluded.created_at",
        arguments![
            namespace,
            kind,
            id,
            grant.role.name(),
            stored(grant.pattern.as_ref()),
            grant.by.as_str(),
            now,
        ],
    )
    .await?;
    Ok(Change::Done)
}

#[async_trait]
impl Transaction for NewGrant {
    type Output = Change;

    async fn run(&self, on: &mut dyn Statements) -> Result<Change> {
        put(on, self).await
    }
}

/// `Accounts::remove_grant`
pub(crate) struct Remove {
    pub(crate) namespace: AccountName,
    pub(crate) subject: Subject,
    pub(crate) pattern: Option<NamePattern>,
}

#[async_trait]
impl Transaction for Remove {
    type Output = Change;

    async fn run(&self, on: &mut dyn Statements) -> Result<Change> {
        let namespace = namespace(on, &self.namespace).await?;
        let Some(namespace) = namespace else { return Ok(Change::NotFound) };
        let Some((kind, id)) = subject(on, namespace, &self.subject).await? else {
            return Ok(Change::NotFound);
        };
        let sql = "DELETE FROM grants WHERE namespace_id = $1 AND subject_kind = $2
                   AND subject_id = $3 AND pattern = $4";
        let pattern = stored(self.pattern.as_ref());
        Ok(changed(on.execute(sql, arguments![namespace, kind, id, pattern]).await?))
    }
}

/// `Accounts::set_visibility`
pub(crate) struct SetVisibility {
    pub(crate) repository: RepositoryName,
    pub(crate) visibility: Visibility,
}

#[async_trait]
impl Transaction for SetVisibility {
    type Output = Change;

    async fn run(&self, on: &mut dyn Statements) -> Result<Change> {
        let sql = "UPDATE repositories SET visibility = $1 WHERE name = $2";
        let arguments = arguments![self.visibility.name(), self.repository.as_str()];
        Ok(changed(on.execute(sql, arguments).await?))
    }
}

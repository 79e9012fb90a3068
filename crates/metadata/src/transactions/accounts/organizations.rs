//! Organizations, and what holds in a namespace as a whole.

use async_trait::async_trait;
use wharf_core::access::Role;
use wharf_core::actor::Actor;
use wharf_core::metadata::{
    Change, CreateOrganization, DeleteOrganization, NewGrant, Refusal, Subject, UpdateNamespace,
};
use wharf_core::permissions::Principal;

use super::grants::{held_subject, put};
use super::holding::clear;
use super::limits::{Limited, is_full};
use super::users::new_namespace;
use super::{Apply, fresh, has_repositories, names_repositories};
use crate::engine::{Result, Statements, arguments};

#[async_trait]
impl Apply for CreateOrganization {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let owner = Subject::User(self.owner.clone());
        let Some((_, owner)) = held_subject(on, 0, &owner).await? else {
            return Ok(Change::NotFound);
        };
        if !may_adopt(on, by).await? {
            if names_repositories(on, &self.name).await? {
                return Ok(Change::Taken);
            }
            if is_full(on, Limited::Organizations, owner).await? {
                return Ok(Change::Refused(Refusal::TooManyOrganizations));
            }
        }
        let now = on.now().await?;
        let Some(id) = new_namespace(on, &self.name, "organization", now).await? else {
            return Ok(Change::Taken);
        };
        let grant = NewGrant {
            namespace: self.name.clone(),
            subject: Subject::User(self.owner.clone()),
            role: Role::Admin,
            pattern: None,
        };
        put(on, id, &grant, ("user", owner), by).await?;
        Ok(Change::Done)
    }
}

/// Whether somebody may get what nobody owns: who may do everything, or the registry itself.
async fn may_adopt(on: &mut dyn Statements, by: &Actor) -> Result<bool> {
    match by.by.parse() {
        Ok(Principal::System) => Ok(true),
        Ok(Principal::User(name)) => {
            let sql =
                "SELECT 1 FROM users WHERE name = $1 AND site_admin = 1 AND disabled_at IS NULL";
            Ok(!on.query(sql, arguments![name.as_str()]).await?.is_empty())
        }
        _ => Ok(false),
    }
}

#[async_trait]
impl Apply for DeleteOrganization {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let sql = "SELECT id FROM namespaces WHERE name = $1 AND kind = 'organization'";
        let rows = on.query_locked(sql, arguments![self.name.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(Change::NotFound) };
        if has_repositories(on, &self.name).await? {
            return Ok(Change::Refused(Refusal::NotEmpty));
        }
        clear(on, row.int(0)?, &self.name, by).await?;
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for UpdateNamespace {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let sql = "SELECT id, version, default_visibility, create_on_push FROM namespaces
                   WHERE name = $1";
        let rows = on.query_locked(sql, arguments![self.name.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(Change::NotFound) };
        if !fresh(row.int(1)?, self.expected) {
            return Ok(Change::Stale);
        }
        let visibility = match self.default_visibility {
            Some(visibility) => visibility.name(),
            None => row.text(2)?,
        };
        let create = self.create_on_push.map_or(row.int(3)?, i64::from);
        let sql = "UPDATE namespaces SET default_visibility = $1, create_on_push = $2,
                       version = version + 1 WHERE id = $3";
        on.execute(sql, arguments![visibility, create, row.int(0)?]).await?;
        Ok(Change::Done)
    }
}

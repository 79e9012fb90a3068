//! Signing up, and the invitations that let somebody.

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::metadata::{Change, Invite, NewUser, Refusal, SignUp};

use super::{Apply, names_repositories};
use crate::engine::{Result, Statements, arguments};

#[async_trait]
impl Apply for Invite {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let now = on.now().await?;
        on.execute(
            "INSERT INTO invitations (secret_hash, site_admin, expires_at, created_by, created_at)
             VALUES ($1, $2, $3, $4, $5)",
            arguments![
                self.secret_hash.as_slice(),
                i64::from(self.site_admin),
                self.expires_at,
                by.by.as_str(),
                now,
            ],
        )
        .await?;
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for SignUp {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        if names_repositories(on, &self.name).await? {
            return Ok(Change::Taken);
        }
        let mut site_admin = false;
        if let Some(hash) = &self.invitation {
            match invited(on, hash).await? {
                Some(administrator) => site_admin = administrator,
                None => return Ok(Change::Refused(Refusal::NoInvitation)),
            }
        }
        let user = NewUser {
            name: self.name.clone(),
            email: self.email.clone(),
            password_hash: Some(self.password_hash.clone()),
            site_admin,
        };
        let made = user.apply(on, by).await?;
        if let (Change::Done, Some(hash)) = (made, &self.invitation) {
            let sql = "DELETE FROM invitations WHERE secret_hash = $1";
            on.execute(sql, arguments![hash.as_slice()]).await?;
        }
        Ok(made)
    }
}

/// Whether an invitation is one, and whether it makes an administrator: that only while there is no user.
async fn invited(on: &mut dyn Statements, hash: &[u8; 32]) -> Result<Option<bool>> {
    let now = on.now().await?;
    // Locked, so that of two who use it at once one comes too late.
    let sql = "SELECT site_admin, expires_at FROM invitations WHERE secret_hash = $1";
    let rows = on.query_locked(sql, arguments![hash.as_slice()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    if row.int(1)? <= now.0 {
        return Ok(None);
    }
    let site_admin = row.int(0)? != 0;
    let is_late = site_admin && !on.query("SELECT 1 FROM users LIMIT 1", &[]).await?.is_empty();
    Ok((!is_late).then_some(site_admin))
}

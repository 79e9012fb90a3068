//! Signing up, and the invitations that let somebody.

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    Change, InvitationRecord, Invite, NewUser, Refusal, RevokeInvitation, SignUp, TokenId,
};

use super::directory::secrets::token_id;
use super::{Apply, changed, names_repositories};
use crate::engine::{Result, Row, Statements, Transaction, arguments};

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
impl Apply for RevokeInvitation {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let sql = "DELETE FROM invitations WHERE site_admin = 0 AND substr(secret_hash, 1, 8) = $1";
        Ok(changed(on.execute(sql, arguments![self.id.as_slice()]).await?))
    }
}

#[async_trait]
impl Apply for SignUp {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        // Before anything of the name is told: a stranger without an invitation learns nothing.
        let mut invitation = None;
        if let Some(hash) = &self.invitation {
            invitation = invited(on, hash).await?;
            if invitation.is_none() {
                return Ok(Change::Refused(Refusal::NoInvitation));
            }
        }
        if names_repositories(on, &self.name).await? {
            return Ok(Change::Taken);
        }
        let site_admin = invitation.is_some_and(|invitation| invitation.site_admin);
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
        if made == Change::Done && site_admin {
            // Each node prints a code of its own: the first that is used ends them all.
            on.execute("DELETE FROM invitations WHERE site_admin = 1", &[]).await?;
        }
        Ok(made)
    }
}

/// An invitation that works.
struct Invitation {
    site_admin: bool,
}

/// Finds an invitation that works and keeps others from using it, or, where it makes an administrator, any that does: of
/// two who come at once one comes too late.
async fn invited(on: &mut dyn Statements, hash: &[u8; 32]) -> Result<Option<Invitation>> {
    let sql = "SELECT secret_hash FROM invitations WHERE secret_hash = $1";
    on.query_locked(sql, arguments![hash.as_slice()]).await?;
    let invitation = invitation(on, hash).await?;
    if invitation.as_ref().is_some_and(|invitation| invitation.site_admin) {
        let sql = "SELECT secret_hash FROM invitations WHERE site_admin = 1 ORDER BY secret_hash";
        on.query_locked(sql, &[]).await?;
    }
    Ok(invitation)
}

/// Finds an invitation that works: one that makes an administrator, only while there is no user.
async fn invitation(on: &mut dyn Statements, hash: &[u8; 32]) -> Result<Option<Invitation>> {
    let now = on.now().await?;
    let sql = "SELECT site_admin FROM invitations WHERE secret_hash = $1 AND expires_at > $2";
    let rows = on.query(sql, arguments![hash.as_slice(), now]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let site_admin = row.int(0)? != 0;
    let is_late = site_admin && !on.query("SELECT 1 FROM users LIMIT 1", &[]).await?.is_empty();
    Ok((!is_late).then_some(Invitation { site_admin }))
}

/// `Accounts::find_invitation`
pub(crate) struct Find(pub(crate) [u8; 32]);

#[async_trait]
impl Transaction for Find {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        Ok(invitation(on, &self.0).await?.is_some())
    }
}

/// `Directory::list_invitations`
pub(crate) struct List {
    pub(crate) after: Option<TokenId>,
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for List {
    type Output = Vec<InvitationRecord>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        // Behind all that are called so.
        let after = self.after.map_or_else(Vec::new, |id| [&id[..], &[0xff; 24]].concat());
        let now = on.now().await?;
        let sql = "SELECT substr(secret_hash, 1, 8), created_by, created_at, expires_at
                   FROM invitations WHERE site_admin = 0 AND secret_hash > $1 AND expires_at > $2
                   ORDER BY secret_hash LIMIT $3";
        let rows = on.query(sql, arguments![after.as_slice(), now, self.limit]).await?;
        rows.iter().map(record).collect()
    }
}

fn record(row: &Row) -> Result<InvitationRecord> {
    Ok(InvitationRecord {
        id: token_id(row, 0)?,
        created_by: row.text(1)?.to_owned(),
        created_at: Timestamp(row.int(2)?),
        expires_at: Timestamp(row.int(3)?),
    })
}

//! Signing in by an identity provider: whose identity it is, a user for who is new, and the groups of now.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    AuditEntry, AuditOutcome, ExternalIdentity, ExternalName, ProviderGroup, SignInOutcome,
    in_words,
};
use wharf_core::permissions::{AccountName, Principal};

use super::names_repositories;
use super::users::new_namespace;
use crate::engine::{Result, Statements, Transaction, Value, arguments};
use crate::transactions::audit;

/// How old the time of a last sign-in must be to be written again.
const SIGN_IN_STEP: Duration = Duration::from_secs(3600);

/// How many groups of one person an entry of the audit log names.
const MOST_IN_LOG: usize = 50;

/// `Identities::sign_in` where nothing is new: what came of it. `None` where something is to be written.
pub(crate) struct Recognise(pub(crate) ExternalIdentity);

#[async_trait]
impl Transaction for Recognise {
    type Output = Option<SignInOutcome>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(holder) = holder(on, &self.0).await? else { return Ok(None) };
        if holder.disabled {
            return Ok(Some(SignInOutcome::Disabled));
        }
        let due = on.now().await?.before(SIGN_IN_STEP);
        let is_noted = holder.signed_in_at.is_some_and(|at| at > due);
        let same = is_noted && groups(on, &self.0, holder.id).await? == self.0.groups;
        Ok(same.then_some(SignInOutcome::Known(holder.name)))
    }
}

/// `Identities::sign_in`
pub(crate) struct SignIn {
    pub(crate) identity: ExternalIdentity,
    pub(crate) may_create: bool,
    /// Where they are.
    pub(crate) address: Option<IpAddr>,
}

#[async_trait]
impl Transaction for SignIn {
    type Output = SignInOutcome;

    async fn run(&self, on: &mut dyn Statements) -> Result<SignInOutcome> {
        let now = on.now().await?;
        match holder(on, &self.identity).await? {
            Some(holder) if holder.disabled => Ok(SignInOutcome::Disabled),
            Some(holder) => {
                // Two sign-ins at once both change this row, so that one of them begins again with the other's groups.
                let sql =
                    "UPDATE identities SET signed_in_at = $1 WHERE provider = $2 AND subject = $3";
                let ExternalIdentity { provider, subject, .. } = &self.identity;
                on.execute(sql, arguments![now, provider.as_str(), subject.as_str()]).await?;
                if replace_groups(on, &self.identity, holder.id).await? {
                    self.write_down(on, "identity.groups", &holder.name).await?;
                }
                Ok(SignInOutcome::Known(holder.name))
            }
            None if !self.may_create => Ok(SignInOutcome::Unknown),
            None => self.create(on, now).await,
        }
    }
}

impl SignIn {
    async fn create(&self, on: &mut dyn Statements, now: Timestamp) -> Result<SignInOutcome> {
        for name in self.identity.names() {
            // Whoever is called like repositories that nobody owns would own them.
            if names_repositories(on, &name).await? {
                continue;
            }
            let Some(namespace) = new_namespace(on, &name, "user", now).await? else { continue };
            let sql = "INSERT INTO users (name, namespace_id, email, site_admin, created_at)
                       VALUES ($1, $2, $3, 0, $4) RETURNING id";
            let email = self.identity.email.clone();
            let made = on.query(sql, arguments![name.as_str(), namespace, email, now]).await?;
            let Some(user) = made.first() else { continue };
            let user = user.int(0)?;
            let sql =
                "INSERT INTO identities (provider, subject, user_id, created_at, signed_in_at)
                       VALUES ($1, $2, $3, $4, $4)";
            let ExternalIdentity { provider, subject, .. } = &self.identity;
            let arguments = arguments![provider.as_str(), subject.as_str(), user, now];
            on.execute(sql, arguments).await?;
            replace_groups(on, &self.identity, user).await?;
            self.write_down(on, "user.create", &name).await?;
            return Ok(SignInOutcome::Created(name));
        }
        Ok(SignInOutcome::NamesTaken)
    }

    /// What the audit log says: which groups of now, where there are any, as one would say it of a team.
    async fn write_down(
        &self,
        on: &mut dyn Statements,
        action: &str,
        user: &AccountName,
    ) -> Result<()> {
        let provider = &self.identity.provider;
        let groups = self.identity.groups.iter().take(MOST_IN_LOG).cloned();
        let groups = groups.map(|group| ProviderGroup { provider: provider.clone(), group });
        let more = if self.identity.groups.len() > MOST_IN_LOG { ",…" } else { "" };
        let by = Actor { address: self.address, ..Actor::from(&Principal::User(user.clone())) };
        let entry = AuditEntry {
            by,
            action: action.to_owned(),
            target: format!("user:{user}"),
            namespace: Some(user.to_string()),
            outcome: AuditOutcome::Done,
            detail: format!("provider={provider} groups={}{more}", in_words(groups)),
        };
        audit::write(on, &entry).await
    }
}

/// Whose an identity is.
struct Holder {
    id: i64,
    name: AccountName,
    disabled: bool,
    signed_in_at: Option<Timestamp>,
}

async fn holder(on: &mut dyn Statements, identity: &ExternalIdentity) -> Result<Option<Holder>> {
    let sql =
        "SELECT u.id, u.name, CASE WHEN u.disabled_at IS NULL THEN 0 ELSE 1 END, i.signed_in_at
               FROM identities i JOIN users u ON u.id = i.user_id
               WHERE i.provider = $1 AND i.subject = $2";
    let arguments = arguments![identity.provider.as_str(), identity.subject.as_str()];
    let rows = on.query(sql, arguments).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Holder {
        id: row.int(0)?,
        name: row.parsed(1)?,
        disabled: row.int(2)? != 0,
        signed_in_at: row.optional_int(3)?.map(Timestamp),
    }))
}

/// The groups that the identity's provider gave to its user.
async fn groups(
    on: &mut dyn Statements,
    identity: &ExternalIdentity,
    user: i64,
) -> Result<BTreeSet<ExternalName>> {
    let sql = "SELECT group_name FROM user_groups WHERE user_id = $1 AND provider = $2";
    let rows = on.query(sql, arguments![user, identity.provider.as_str()]).await?;
    rows.iter().map(|row| row.parsed(0)).collect()
}

/// Makes them those of now; what stays the same is not written. Whether they were others.
async fn replace_groups(
    on: &mut dyn Statements,
    identity: &ExternalIdentity,
    user: i64,
) -> Result<bool> {
    let before = groups(on, identity, user).await?;
    let rows = |names: &mut dyn Iterator<Item = &ExternalName>| -> Vec<Vec<Value>> {
        names
            .map(|name| arguments![user, identity.provider.as_str(), name.as_str()].to_vec())
            .collect()
    };
    let gone = rows(&mut before.difference(&identity.groups));
    let sql = "DELETE FROM user_groups WHERE user_id = $1 AND provider = $2 AND group_name = $3";
    on.execute_each(sql, &gone).await?;
    let new = rows(&mut identity.groups.difference(&before));
    let sql = "INSERT INTO user_groups (user_id, provider, group_name) VALUES ($1, $2, $3)
               ON CONFLICT (user_id, provider, group_name) DO NOTHING";
    on.execute_each(sql, &new).await?;
    Ok(!gone.is_empty() || !new.is_empty())
}

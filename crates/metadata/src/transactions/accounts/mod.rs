//! Accounts: users and namespaces, teams and grants, secrets, and the facts of a decision. A change and what the
//! audit log says of it are one transaction.

pub(crate) mod device_logins;
pub(crate) mod directory;
pub(crate) mod facts;
mod grants;
mod holding;
pub(crate) mod identities;
mod immutability;
mod limits;
mod organizations;
mod repositories;
mod retention;
pub(crate) mod secrets;
pub(crate) mod sessions;
pub(crate) mod sign_in;
pub(crate) mod sign_up;
mod teams;
pub(crate) mod trust;
pub(crate) mod upkeep;
pub(crate) mod users;

pub(crate) use holding::takes_repositories;

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::metadata::{
    AccountChange, AuditEntry, AuditOutcome, Change, ChangeRequest, Once, Refusal,
};
use wharf_core::permissions::{AccountName, RobotName};

use crate::engine::{Result, Statements, Transaction, arguments};
use crate::transactions::repositories::below;
use crate::transactions::{audit, writes};

/// A change, made in a transaction. Whatever it returns but [`Change::Done`], it has changed nothing.
#[async_trait]
pub(crate) trait Apply {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change>;
}

#[async_trait]
impl Apply for AccountChange {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        match self {
            Self::NewUser(change) => change.apply(on, by).await,
            Self::UpdateUser(change) => change.apply(on, by).await,
            Self::SetPassword(change) => change.apply(on, by).await,
            Self::DeleteUser(change) => change.apply(on, by).await,
            Self::CreateOrganization(change) => change.apply(on, by).await,
            Self::DeleteOrganization(change) => change.apply(on, by).await,
            Self::UpdateNamespace(change) => change.apply(on, by).await,
            Self::CreateTeam(change) => change.apply(on, by).await,
            Self::DeleteTeam(change) => change.apply(on, by).await,
            Self::AddMember(change) => change.apply(on, by).await,
            Self::RemoveMember(change) => change.apply(on, by).await,
            Self::SetTeamGroups(change) => change.apply(on, by).await,
            Self::LinkIdentity(change) => change.apply(on, by).await,
            Self::UnlinkIdentity(change) => change.apply(on, by).await,
            Self::NewGrant(change) => change.apply(on, by).await,
            Self::RemoveGrant(change) => change.apply(on, by).await,
            Self::NewRobot(change) => change.apply(on, by).await,
            Self::RotateRobot(change) => change.apply(on, by).await,
            Self::UpdateRobot(change) => change.apply(on, by).await,
            Self::RemoveRobot(change) => change.apply(on, by).await,
            Self::NewTrustRule(change) => change.apply(on, by).await,
            Self::RemoveTrustRule(change) => change.apply(on, by).await,
            Self::NewToken(change) => change.apply(on, by).await,
            Self::RemoveToken(change) => change.apply(on, by).await,
            Self::SetVisibility(change) => change.apply(on, by).await,
            Self::RenameRepository(change) => change.apply(on, by).await,
            Self::NewImmutabilityPolicy(change) => change.apply(on, by).await,
            Self::ChangeImmutabilityPolicy(change) => change.apply(on, by).await,
            Self::RemoveImmutabilityPolicy(change) => change.apply(on, by).await,
            Self::SetRetention(change) => change.apply(on, by).await,
            Self::PreviewRetention(change) => change.apply(on, by).await,
            Self::EnableRetention(change) => change.apply(on, by).await,
            Self::RemoveRetention(change) => change.apply(on, by).await,
            Self::ReportRunning(change) => change.apply(on, by).await,
            Self::SetWrites(change) => writes::setting::set(on, change, by).await,
            Self::SetNamespaceQuota(change) => change.apply(on, by).await,
            Self::SetRepositoryQuota(change) => change.apply(on, by).await,
            Self::Invite(change) => change.apply(on, by).await,
            Self::RevokeInvitation(change) => change.apply(on, by).await,
            Self::SignUp(change) => change.apply(on, by).await,
        }
    }
}

#[async_trait]
impl Transaction for ChangeRequest {
    type Output = Change;

    async fn run(&self, on: &mut dyn Statements) -> Result<Change> {
        if let Some(once) = &self.once
            && let Some(known) = mark(on, &self.by, once).await?
        {
            return Ok(known);
        }
        let change = make(on, &self.change, &self.by).await?;
        if let (Some(once), true) = (&self.once, change != Change::Done) {
            forget_mark(on, &self.by, once).await?;
        }
        Ok(change)
    }
}

/// Makes a change and writes the audit log.
async fn make(on: &mut dyn Statements, change: &AccountChange, by: &Actor) -> Result<Change> {
    let before = immutability::before(on, change).await?;
    let made = change.apply(on, by).await?;
    let outcome = if made == Change::Done { AuditOutcome::Done } else { AuditOutcome::Refused };
    let entry = AuditEntry {
        by: by.clone(),
        action: change.action().to_owned(),
        target: change.target(),
        namespace: change.namespace(),
        outcome,
        detail: before.map_or_else(|| change.detail(), |before| change.detail_after(&before)),
    };
    audit::write(on, &entry).await?;
    Ok(made)
}

/// Marks a change as asked for under its key. Where it was before: what is said of it.
pub(crate) async fn mark(
    on: &mut dyn Statements,
    by: &Actor,
    once: &Once,
) -> Result<Option<Change>> {
    let now = on.now().await?;
    let marked = on
        .execute(
            "INSERT INTO once_keys (principal, key, fingerprint, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (principal, key) DO NOTHING",
            arguments![by.by.as_str(), once.key.as_str(), once.fingerprint.as_slice(), now],
        )
        .await?;
    if marked > 0 {
        return Ok(None);
    }
    let sql = "SELECT fingerprint FROM once_keys WHERE principal = $1 AND key = $2";
    let rows = on.query(sql, arguments![by.by.as_str(), once.key.as_str()]).await?;
    let same = match rows.first() {
        Some(row) => row.bytes(0)? == once.fingerprint,
        None => false,
    };
    Ok(Some(if same { Change::Again } else { Change::Refused(Refusal::KeyReused) }))
}

/// What was not done may be asked for again under the same key.
pub(crate) async fn forget_mark(on: &mut dyn Statements, by: &Actor, once: &Once) -> Result<()> {
    let sql = "DELETE FROM once_keys WHERE principal = $1 AND key = $2";
    on.execute(sql, arguments![by.by.as_str(), once.key.as_str()]).await.map(drop)
}

/// Whether a statement that must change a row did.
const fn changed(rows: u64) -> Change {
    if rows > 0 { Change::Done } else { Change::NotFound }
}

/// Whether a row of some version may be changed by who expects another one.
pub(crate) fn fresh(version: i64, expected: Option<i64>) -> bool {
    expected.is_none_or(|expected| expected == version)
}

/// A namespace's row.
pub(crate) async fn namespace(on: &mut dyn Statements, name: &AccountName) -> Result<Option<i64>> {
    one(on, "SELECT id FROM namespaces WHERE name = $1", name).await
}

/// A user's row.
async fn user(on: &mut dyn Statements, name: &AccountName) -> Result<Option<i64>> {
    one(on, "SELECT id FROM users WHERE name = $1", name).await
}

/// A team's row.
async fn team(on: &mut dyn Statements, namespace: i64, name: &AccountName) -> Result<Option<i64>> {
    let sql = "SELECT id FROM teams WHERE namespace_id = $1 AND name = $2";
    let rows = on.query(sql, arguments![namespace, name.as_str()]).await?;
    rows.first().map(|row| row.int(0)).transpose()
}

/// A team's row, by the names of both.
async fn team_of(
    on: &mut dyn Statements,
    of: &AccountName,
    name: &AccountName,
) -> Result<Option<i64>> {
    match namespace(on, of).await? {
        Some(namespace) => team(on, namespace, name).await,
        None => Ok(None),
    }
}

/// A robot's row, by its full name.
async fn robot_named(on: &mut dyn Statements, name: &RobotName) -> Result<Option<i64>> {
    match namespace(on, &name.namespace).await? {
        Some(namespace) => robot(on, namespace, &name.name).await,
        None => Ok(None),
    }
}

/// A robot's row.
async fn robot(on: &mut dyn Statements, namespace: i64, name: &AccountName) -> Result<Option<i64>> {
    let sql = "SELECT id FROM robots WHERE namespace_id = $1 AND name = $2";
    let rows = on.query(sql, arguments![namespace, name.as_str()]).await?;
    rows.first().map(|row| row.int(0)).transpose()
}

async fn one(
    on: &mut dyn Statements,
    sql: &'static str,
    name: &AccountName,
) -> Result<Option<i64>> {
    let rows = on.query(sql, arguments![name.as_str()]).await?;
    rows.first().map(|row| row.int(0)).transpose()
}

/// Whether there are repositories of a name's namespace, empty and deleted ones too, as there are from before access control was
/// turned on. Whoever gets the name owns them.
async fn names_repositories(on: &mut dyn Statements, name: &AccountName) -> Result<bool> {
    let sql = "SELECT 1 FROM repositories WHERE name = $1 OR (name > $2 AND name < $3)
               UNION ALL SELECT 1 FROM deleted_repositories WHERE namespace = $1 AND state = 'whole' LIMIT 1";
    let (from, to) = below(name);
    let rows = on.query(sql, arguments![name.as_str(), from, to]).await?;
    Ok(!rows.is_empty())
}

/// Whether a namespace has a repository that holds anything.
async fn has_repositories(on: &mut dyn Statements, name: &AccountName) -> Result<bool> {
    let sql = "SELECT 1 FROM repositories r WHERE (r.name = $1 OR (r.name >= $2 AND r.name < $3))
                   AND EXISTS (SELECT 1 FROM repository_manifests WHERE repository_id = r.id) LIMIT 1";
    let (from, to) = below(name);
    Ok(!on.query(sql, arguments![name.as_str(), from, to]).await?.is_empty())
}

//! `wharf admin`: accounts and grants, made in the database itself. For the first start and for operators; it asks
//! nobody who is asking.

mod audit;
mod backup;
mod identities;
mod ldap;
mod read_only;
mod trust;

use std::io::{Read, Write, stdin, stdout};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use wharf_auth::decision;
use wharf_auth::password::{Password, Passwords};
use wharf_auth::secret::{MachineSecret, SecretKind};
use wharf_core::access::{Narrowing, Role, Visibility};
use wharf_core::actor::Actor;
use wharf_core::clock::{Clock, SystemClock, SystemRandom};
use wharf_core::metadata::{
    AccountChange, Accounts, AddMember, Change, ChangeRequest, CreateOrganization, CreateTeam,
    NewGrant, NewRobot, NewToken, NewUser, RemoveGrant, RemoveMember, RotateRobot, SetPassword,
    SetVisibility, Subject, TokenKind, UpdateUser,
};
use wharf_core::operation::Action;
use wharf_core::permissions::{AccountName, Principal, RobotName};
use wharf_oci::{NamePattern, RepositoryName};

use super::settings::{SettingFlags, warn};
use super::wiring;

/// The longest password that is read.
const LONGEST_INPUT: u64 = 1 << 10;

/// The flags of `wharf admin`.
#[derive(Debug, Args)]
pub struct Admin {
    #[command(flatten)]
    settings: SettingFlags,
    #[command(subcommand)]
    command: AdminCommand,
}

/// Make accounts and grants. Works beside nodes that run.
#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Make an administrator of the whole registry
    Create(NewAccount),
    /// Make a user
    User(NewAccount),
    /// Give a user another password
    Password(NewAccount),
    /// Take all rights from a user, until they are enabled again
    Disable { name: AccountName },
    /// Give a disabled user their rights back
    Enable { name: AccountName },
    /// Make an organization
    Org {
        name: AccountName,
        /// A user, who becomes its administrator
        #[arg(long)]
        owner: AccountName,
    },
    /// Make a team, or put a user into it
    Team {
        /// The organization
        namespace: AccountName,
        team: AccountName,
        /// A user to put into it
        #[arg(long)]
        add: Option<AccountName>,
        /// A user to take out of it
        #[arg(long, conflicts_with = "add")]
        remove: Option<AccountName>,
    },
    /// Show how somebody stands in the directory: what a login would know of them, their groups above all
    Ldap(ldap::Ldap),
    /// Grant a role
    Grant(Granting),
    /// Take a grant away
    Revoke(Revoking),
    /// Make a robot, or give it a new secret
    Robot {
        /// NAMESPACE+NAME
        name: RobotName,
        /// After how many days it stops working
        #[arg(long)]
        days: Option<u16>,
        /// Give it no secret that anybody knows: trust rules stand for it
        #[arg(long)]
        no_secret: bool,
    },
    /// Have tokens of a CI system or cluster stand for a robot; without --issuer or --remove, list what does
    Trust(trust::Trust),
    /// Say which groups of identity providers fill a team; without --add or --remove, list those that do
    Groups(identities::Groups),
    /// Say who a user is at an identity provider; without --link or --unlink, list who they are
    Identity(identities::Identity),
    /// Show who did what
    Audit(audit::Audit),
    /// Make everything read-only, or one repository, or have pushes under way finish first
    ReadOnly(read_only::ReadOnly),
    /// Write a snapshot of the metadata into a folder, with the list of the blobs that it needs
    Backup(backup::Backup),
    /// Look whether a backup is whole, and every blob on its list is there
    VerifyBackup(backup::VerifyBackup),
    /// Restore a backup into an empty system
    Restore(backup::Restore),
    /// Set a database right that was recovered by other means, before nodes start on it
    Recovered(backup::Recovered),
    /// Make a personal token of a user
    Token {
        user: AccountName,
        /// The most that it gives
        #[arg(long, value_parser = roles(), default_value = "write")]
        role: Role,
        /// On which repositories, such as team/*
        #[arg(long)]
        on: Option<NamePattern>,
        /// After how many days it stops working
        #[arg(long, default_value_t = 90)]
        days: u16,
    },
    /// Say who may read a repository without a grant
    Visibility {
        repository: RepositoryName,
        #[arg(value_parser = visibilities())]
        visibility: Visibility,
    },
    /// Tell what somebody may do with a repository, and why
    Explain {
        /// anonymous, user:NAME or robot:NAMESPACE+NAME
        principal: Principal,
        repository: RepositoryName,
    },
}

/// A name, and where the password comes from.
#[derive(Debug, Args)]
struct NewAccount {
    name: AccountName,
    /// Read the password from standard input; else one is made up and printed
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Args)]
struct Granting {
    /// The namespace
    namespace: AccountName,
    #[arg(value_parser = roles())]
    role: Role,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
struct Revoking {
    /// The namespace
    namespace: AccountName,
    #[command(flatten)]
    reach: Reach,
}

/// To whom, and on what.
#[derive(Debug, Args)]
struct Reach {
    /// user:NAME, team:NAME or robot:NAME
    #[arg(long)]
    to: Subject,
    /// On which repositories, such as team/app-*; else on the whole namespace
    #[arg(long)]
    on: Option<NamePattern>,
}

pub(super) fn roles() -> impl TypedValueParser<Value = Role> {
    let names = PossibleValuesParser::new(Role::ALL.map(Role::name));
    names.try_map(|name| Role::named(&name).ok_or("it is no role"))
}

pub(super) fn visibilities() -> impl TypedValueParser<Value = Visibility> {
    let names = PossibleValuesParser::new(Visibility::ALL.map(Visibility::name));
    names.try_map(|name| Visibility::named(&name).ok_or("it is no visibility"))
}

/// Does it.
pub fn execute(admin: &Admin) -> anyhow::Result<()> {
    let loaded = admin.settings.load()?;
    warn(&loaded);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // What works without the database, or before there is one.
        match &admin.command {
            AdminCommand::Ldap(ldap) => return ldap.run(&loaded.config).await,
            AdminCommand::Backup(backup) => return backup.run(&loaded.config).await,
            AdminCommand::VerifyBackup(verify) => return verify.run(&loaded.config).await,
            AdminCommand::Restore(restore) => return restore.run(&loaded.config).await,
            AdminCommand::Recovered(recovered) => return recovered.run(&loaded.config).await,
            _ => {}
        }
        let stores = wiring::metadata::for_accounts(&loaded.config).await?;
        match &admin.command {
            AdminCommand::Trust(trust) => trust.run(&stores, &loaded.config).await,
            AdminCommand::Groups(groups) => groups.run(&stores).await,
            AdminCommand::Identity(identity) => identity.run(&stores).await,
            AdminCommand::Audit(audit) => audit.run(&stores).await,
            AdminCommand::ReadOnly(read_only) => read_only.run(&stores).await,
            command => run(&stores.accounts, command).await,
        }
    })
}

async fn run(accounts: &Arc<dyn Accounts>, command: &AdminCommand) -> anyhow::Result<()> {
    match command {
        AdminCommand::Create(account) => create(accounts, account, true).await,
        AdminCommand::User(account) => create(accounts, account, false).await,
        AdminCommand::Password(account) => {
            let (password, made_up) = password(account)?;
            let hash = Passwords::new(1)?.hash(&password).await?;
            let name = account.name.clone();
            let what = format!("user {name}");
            change(accounts, SetPassword { name, hash }, &what).await?;
            print_password(made_up.as_deref())
        }
        AdminCommand::Disable { name } | AdminCommand::Enable { name } => {
            let disabled = matches!(command, AdminCommand::Disable { .. });
            let (what, disabled) = (format!("user {name}"), Some(disabled));
            let name = name.clone();
            let update =
                UpdateUser { name, email: None, disabled, site_admin: None, expected: None };
            change(accounts, update, &what).await
        }
        AdminCommand::Org { name, owner } => {
            let what = format!("organization {name} of user {owner}");
            let (name, owner) = (name.clone(), owner.clone());
            change(accounts, CreateOrganization { name, owner }, &what).await
        }
        AdminCommand::Team { namespace, team, add, remove } => {
            let what = format!("team {team} of {namespace}");
            let (namespace, team) = (namespace.clone(), team.clone());
            let made: AccountChange = match (add.clone(), remove.clone()) {
                (Some(user), _) => AddMember { namespace, team, user }.into(),
                (None, Some(user)) => RemoveMember { namespace, team, user }.into(),
                (None, None) => CreateTeam { namespace, team }.into(),
            };
            change(accounts, made, &what).await
        }
        AdminCommand::Grant(Granting { namespace, role, reach }) => {
            let (subject, pattern) = (reach.to.clone(), reach.on.clone());
            let (namespace, role) = (namespace.clone(), *role);
            change(accounts, NewGrant { namespace, subject, role, pattern }, "grant").await
        }
        AdminCommand::Revoke(Revoking { namespace, reach }) => {
            let (subject, pattern) = (reach.to.clone(), reach.on.clone());
            let namespace = namespace.clone();
            change(accounts, RemoveGrant { namespace, subject, pattern }, "grant").await
        }
        AdminCommand::Robot { name, days, no_secret } => {
            let secret = MachineSecret::new(SecretKind::RobotSecret, &SystemRandom);
            let (secret_hash, expires_at) = (secret.hash(), days.map(expiry));
            let (what, name) = (format!("robot {name}"), name.clone());
            let robot = NewRobot { name: name.clone(), secret_hash, expires_at };
            if request(accounts, robot).await? == Change::Taken {
                change(accounts, RotateRobot { name, secret_hash, expires_at }, &what).await?;
            }
            print_password((!no_secret).then_some(secret.expose()))
        }
        AdminCommand::Trust(_)
        | AdminCommand::Groups(_)
        | AdminCommand::Identity(_)
        | AdminCommand::Ldap(_)
        | AdminCommand::ReadOnly(_)
        | AdminCommand::Backup(_)
        | AdminCommand::VerifyBackup(_)
        | AdminCommand::Restore(_)
        | AdminCommand::Recovered(_)
        | AdminCommand::Audit(_) => Ok(()),
        AdminCommand::Token { user, role, on, days } => {
            let secret = MachineSecret::new(SecretKind::PersonalToken, &SystemRandom);
            let token = NewToken {
                user: user.clone(),
                kind: TokenKind::Personal,
                name: "wharf admin token".into(),
                secret_hash: secret.hash(),
                most: Narrowing { role: *role, pattern: on.clone() },
                expires_at: Some(expiry(*days)),
                provider: None,
            };
            change(accounts, token, &format!("token of user {user}")).await?;
            Ok(writeln!(stdout(), "{}", secret.expose())?)
        }
        AdminCommand::Visibility { repository, visibility } => {
            let what = format!("repository {repository}");
            let (repository, visibility) = (repository.clone(), *visibility);
            change(accounts, SetVisibility { repository, visibility, expected: None }, &what).await
        }
        AdminCommand::Explain { principal, repository } => {
            let facts = accounts.access_facts(principal.clone(), repository.clone()).await?;
            for action in Action::ALL {
                let reason = decision::decide(principal, repository, action, &facts);
                writeln!(stdout(), "{}: {reason}", action.name())?;
            }
            Ok(())
        }
    }
}

async fn create(
    accounts: &Arc<dyn Accounts>,
    account: &NewAccount,
    site_admin: bool,
) -> anyhow::Result<()> {
    let (password, made_up) = password(account)?;
    let user = NewUser {
        name: account.name.clone(),
        email: None,
        password_hash: Some(Passwords::new(1)?.hash(&password).await?),
        site_admin,
    };
    change(accounts, user, &format!("user {}", account.name)).await?;
    print_password(made_up.as_deref())
}

/// The password, and its text where it was made up.
fn password(account: &NewAccount) -> anyhow::Result<(Password, Option<String>)> {
    if !account.password_stdin {
        let text = made_up_password();
        return Ok((Password::new(&text), Some(text)));
    }
    let mut text = String::new();
    stdin().take(LONGEST_INPUT).read_to_string(&mut text).context("reading the password")?;
    let password = Password::new(text.trim_end_matches(['\r', '\n']));
    password.check(account.name.as_str())?;
    Ok((password, None))
}

/// A password that nobody can guess, of 24 letters and digits.
pub(super) fn made_up_password() -> String {
    let secret = MachineSecret::new(SecretKind::PersonalToken, &SystemRandom);
    let prefix = SecretKind::PersonalToken.prefix().len();
    secret.expose()[prefix..prefix + 24].to_owned()
}

fn print_password(made_up: Option<&str>) -> anyhow::Result<()> {
    if let Some(text) = made_up {
        writeln!(stdout(), "{text}")?;
    }
    Ok(())
}

fn expiry(days: impl Into<u64>) -> wharf_core::clock::Timestamp {
    SystemClock.now().after(Duration::from_secs(days.into() * 24 * 3600))
}

/// Asks for a change in the name of the registry itself.
async fn request(
    accounts: &Arc<dyn Accounts>,
    change: impl Into<AccountChange>,
) -> anyhow::Result<Change> {
    let request = ChangeRequest { change: change.into(), by: Actor::system(), once: None };
    Ok(accounts.change(request).await?)
}

/// Makes a change that is to be done.
async fn change(
    accounts: &Arc<dyn Accounts>,
    change: impl Into<AccountChange>,
    what: &str,
) -> anyhow::Result<()> {
    match request(accounts, change).await? {
        Change::Done | Change::Again => Ok(()),
        Change::Taken => bail!("{what}: the name is taken"),
        Change::NotFound => bail!("{what}: something that it names is not there"),
        Change::Stale => bail!("{what}: it was changed meanwhile"),
        Change::Refused(refusal) => bail!("{what}: {refusal}"),
    }
}

//! `wharf user`: the users of a registry.

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use wharf_client::management::{NewUser, User as Record, UserChange, UserFilter};
use wharf_client::{Credentials, Secret};
use wharf_core::permissions::AccountName;

use super::at::{At, Session, logins};
use super::output::{cell, moment, tell, yes};
use super::secrets::{Chosen, PasswordSource};
use super::terminal;
use crate::command::client::password;

/// The arguments of `wharf user`.
#[derive(Debug, Args)]
pub struct User {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// List the users
    #[command(visible_alias = "ls")]
    List {
        /// Only those who are disabled
        #[arg(long)]
        disabled: bool,
        /// Only administrators of the whole registry
        #[arg(long)]
        admins: bool,
    },
    /// Show a user; without a name, who is logged in
    Show { name: Option<AccountName> },
    /// Make a user
    Create(Create),
    /// Change what is known of a user
    Update(Update),
    /// Take all rights from a user, until they are enabled again
    Disable { name: AccountName },
    /// Give a disabled user their rights back
    Enable { name: AccountName },
    /// Give a user another password: oneself, where nobody is named
    Password(Password),
    /// Delete a user, whose namespace must be empty
    #[command(visible_alias = "rm")]
    Delete {
        name: AccountName,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct Create {
    name: AccountName,
    /// Their address of e-mail
    #[arg(long)]
    email: Option<String>,
    /// Let them administer the whole registry
    #[arg(long)]
    admin: bool,
    #[command(flatten)]
    password: PasswordSource,
    /// Give them no password: they log in in another way
    #[arg(long, conflicts_with = "password_stdin")]
    no_password: bool,
}

#[derive(Debug, Args)]
#[group(id = "change", required = true, multiple = true)]
struct Changes {
    /// Their address of e-mail
    #[arg(long)]
    email: Option<String>,
    /// Forget their address of e-mail
    #[arg(long, conflicts_with = "email")]
    no_email: bool,
    /// Whether they administer the whole registry
    #[arg(long, value_name = "true|false")]
    admin: Option<bool>,
}

#[derive(Debug, Args)]
struct Update {
    name: AccountName,
    #[command(flatten)]
    changes: Changes,
}

#[derive(Debug, Args)]
struct Password {
    name: Option<AccountName>,
    /// Read the new password from the standard input; for one's own, the current one stands in a line before it
    #[arg(long)]
    password_stdin: bool,
}

/// Does it.
pub fn execute(command: &User) -> anyhow::Result<()> {
    command.at.run(async |session| match &command.command {
        UserCommand::List { disabled, admins } => list(&session, *disabled, *admins).await,
        UserCommand::Show { name } => show(&session, name.as_ref()).await,
        UserCommand::Create(create) => make(&session, create).await,
        UserCommand::Update(update) => change(&session, update).await,
        UserCommand::Disable { name } => disable(&session, name, true).await,
        UserCommand::Enable { name } => disable(&session, name, false).await,
        UserCommand::Password(password) => set_password(&session, password).await,
        UserCommand::Delete { name, yes } => {
            terminal::confirm(&format!("delete the user {name}"), *yes).await?;
            session.api.delete_user(name.as_str()).await?;
            tell(&format!("user {name} is deleted"));
            Ok(())
        }
    })
}

async fn list(session: &Session, disabled: bool, admins: bool) -> anyhow::Result<()> {
    let filter =
        UserFilter { disabled: disabled.then_some(true), site_admin: admins.then_some(true) };
    let columns = ["name", "e-mail", "admin", "disabled", "since"];
    let row = |Record { name, email, site_admin, disabled, created_at }| {
        [name, cell(email), yes(site_admin), yes(disabled), moment(created_at)]
    };
    session.out.list(session.api.users(filter), columns, row).await
}

async fn show(session: &Session, name: Option<&AccountName>) -> anyhow::Result<()> {
    let name = match name {
        Some(name) => name.to_string(),
        None => session.user().await?,
    };
    let answer = session.api.user(&name).await?;
    let Record { name, email, site_admin, disabled, created_at } = answer.value.clone();
    session.out.one(
        &answer,
        &[
            ("name", name),
            ("e-mail", cell(email)),
            ("site admin", yes(site_admin)),
            ("disabled", yes(disabled)),
            ("since", moment(created_at)),
        ],
    )
}

async fn make(session: &Session, create: &Create) -> anyhow::Result<()> {
    let Create { name, email, admin, password, no_password } = create;
    if session.out.is_json() && !no_password && !password.password_stdin {
        bail!(
            "with --json give --password-stdin or --no-password: a made-up password would be in no reply"
        );
    }
    let chosen = if *no_password { None } else { Some(password.choose()?) };
    let new = NewUser {
        name: name.as_str(),
        email: email.as_deref(),
        password: chosen.as_ref().map(|chosen| chosen.password.clone()),
        site_admin: *admin,
    };
    let answer = session.api.create_user(&new).await?;
    let made_up = matches!(chosen, Some(Chosen { made_up: true, .. }));
    let password = if made_up { "; the password is made up, and shown this once" } else { "" };
    tell(&format!("user {name} is made{password}"));
    match chosen {
        Some(Chosen { password, made_up: true }) => session.out.alone(&password),
        _ => session.out.now(&answer),
    }
}

async fn change(session: &Session, update: &Update) -> anyhow::Result<()> {
    let Update { name, changes } = update;
    let email = match &changes.email {
        Some(email) => Some(Some(email.as_str())),
        None => changes.no_email.then_some(None),
    };
    let change = UserChange { email, disabled: None, site_admin: changes.admin };
    let answer = session.api.change_user(name.as_str(), &change).await?;
    session.out.done(&answer, &format!("user {name} is changed"))
}

async fn disable(session: &Session, name: &AccountName, disabled: bool) -> anyhow::Result<()> {
    let change = UserChange { disabled: Some(disabled), ..UserChange::default() };
    let answer = session.api.change_user(name.as_str(), &change).await?;
    let what = if disabled { "disabled" } else { "enabled" };
    session.out.done(&answer, &format!("user {name} is {what}"))
}

async fn set_password(session: &Session, command: &Password) -> anyhow::Result<()> {
    let who = session.api.whoami().await?.value;
    let name = match (&command.name, who.user()) {
        (Some(name), _) => name.to_string(),
        (None, Some(user)) => user.to_owned(),
        (None, None) => bail!("{} is no user: name the user who is meant", who.principal),
    };
    if who.user() == Some(name.as_str()) {
        return own_password(session, &name, command.password_stdin).await;
    }
    let source = PasswordSource { password_stdin: command.password_stdin };
    let Chosen { password, made_up } = source.choose()?;
    session.api.set_password(&name, password.clone(), None).await?;
    let made_up_too = if made_up { ", made up and shown this once" } else { "" };
    tell(&format!("user {name} has another password{made_up_too}"));
    if made_up {
        session.out.alone(&password)?;
    }
    Ok(())
}

async fn own_password(session: &Session, name: &str, from_stdin: bool) -> anyhow::Result<()> {
    let (current, new) = if from_stdin {
        let lines = password().context("the passwords cannot be read")?;
        let lines = lines
            .expose()
            .split_once('\n')
            .map(|(current, new)| (Secret::new(current.trim_end_matches('\r')), Secret::new(new)));
        lines.context(
            "the standard input must have two lines: the current password, and the new one",
        )?
    } else {
        let current = terminal::ask_secret("Current password").await?;
        (current, terminal::ask_new_secret("New password").await?)
    };
    let changed = session.api.set_password(name, new.clone(), Some(current.clone())).await;
    changed.map_err(|error| match error.is_transient() {
        true => anyhow::anyhow!("{error}; log in to find out which password is the right one now"),
        false => error.into(),
    })?;
    tell(&format!("user {name} has another password"));
    // Who is logged in by the password stays so.
    let login = session.api.login().await?;
    if login.is_some_and(|login| login.password == current) {
        let credentials = Credentials { username: name.to_owned(), password: new };
        logins()?.store(session.api.host(), &credentials).await?;
    }
    Ok(())
}

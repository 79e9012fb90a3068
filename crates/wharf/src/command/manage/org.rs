//! `wharf org`: organizations, and what holds in a namespace.

use clap::{Args, Subcommand};
use wharf_client::management::{Holder, NamespaceChange, NewOrganization, Organization};
use wharf_core::access::Visibility;
use wharf_core::permissions::AccountName;

use super::at::At;
use super::output::{moment, tell, yes};
use super::policy::OrgPolicy;
use super::quota::QuotaChange;
use super::terminal;
use crate::command::admin::visibilities;

/// The arguments of `wharf org`.
#[derive(Debug, Args)]
pub struct Org {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: OrgCommand,
}

#[derive(Debug, Subcommand)]
enum OrgCommand {
    /// List one's organizations; all of them, for an administrator of the whole registry
    #[command(visible_alias = "ls")]
    List,
    /// Show an organization
    Show { name: AccountName },
    /// Make an organization
    Create {
        name: AccountName,
        /// A user, who becomes its administrator; else oneself
        #[arg(long, value_name = "USER")]
        owner: Option<AccountName>,
    },
    /// Change what holds for the repositories of an organization, or of a user
    Update {
        name: AccountName,
        #[command(flatten)]
        changes: Changes,
    },
    /// Say which tags freeze in all repositories
    #[command(subcommand)]
    Policy(OrgPolicy),
    /// Show or set how much all repositories of an organization, or of a user, may hold together
    Quota {
        name: AccountName,
        #[command(flatten)]
        change: QuotaChange,
    },
    /// Delete an organization, which must be empty
    #[command(visible_alias = "rm")]
    Delete {
        name: AccountName,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
#[group(id = "change", required = true, multiple = true)]
struct Changes {
    /// Who may pull from its new repositories without a grant
    #[arg(long, value_parser = visibilities())]
    visibility: Option<Visibility>,
    /// Whether a push makes a repository
    #[arg(long, value_name = "true|false")]
    create_on_push: Option<bool>,
}

/// Does it.
pub fn execute(command: &Org) -> anyhow::Result<()> {
    command.at.run(async |session| match &command.command {
        OrgCommand::List => {
            let columns = ["name", "new repositories", "created on push", "since"];
            let row = |Organization { name, default_visibility, create_on_push, created_at }| {
                [name, default_visibility, yes(create_on_push), moment(created_at)]
            };
            session.out.list(session.api.organizations(), columns, row).await
        }
        OrgCommand::Show { name } => {
            let answer = session.api.organization(name.as_str()).await?;
            let Organization { name, default_visibility, create_on_push, created_at } =
                answer.value.clone();
            session.out.one(
                &answer,
                &[
                    ("name", name),
                    ("new repositories", default_visibility),
                    ("created on push", yes(create_on_push)),
                    ("since", moment(created_at)),
                ],
            )
        }
        OrgCommand::Create { name, owner } => {
            let owner = owner.as_ref().map(AccountName::as_str);
            let new = NewOrganization { name: name.as_str(), owner };
            let answer = session.api.create_organization(&new).await?;
            session.out.done(&answer, &format!("organization {name} is made"))
        }
        OrgCommand::Update { name, changes } => {
            let change = NamespaceChange {
                default_visibility: changes.visibility.map(Visibility::name),
                create_on_push: changes.create_on_push,
            };
            let answer = session.api.change_namespace(name.as_str(), change).await?;
            session.out.done(&answer, &format!("{name} is changed"))
        }
        OrgCommand::Policy(policy) => policy.run(&session).await,
        OrgCommand::Quota { name, change } => {
            change.run(&session, Holder::Namespace(name.as_str()), name.as_str()).await
        }
        OrgCommand::Delete { name, yes } => {
            terminal::confirm(&format!("delete the organization {name}"), *yes).await?;
            session.api.delete_organization(name.as_str()).await?;
            tell(&format!("organization {name} is deleted"));
            Ok(())
        }
    })
}

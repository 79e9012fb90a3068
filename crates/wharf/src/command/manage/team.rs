//! `wharf team`: teams, and who is in them.

use clap::{Args, Subcommand};
use wharf_client::management::{Member, Named};
use wharf_core::permissions::AccountName;

use super::at::At;
use super::output::tell;

/// The arguments of `wharf team`.
#[derive(Debug, Args)]
pub struct Team {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: TeamCommand,
}

#[derive(Debug, Subcommand)]
enum TeamCommand {
    /// List the teams of an organization
    #[command(visible_alias = "ls")]
    List {
        /// The organization
        namespace: AccountName,
    },
    /// Make a team
    Create {
        /// The organization
        namespace: AccountName,
        team: AccountName,
    },
    /// Delete a team, with its grants
    #[command(visible_alias = "rm")]
    Delete {
        /// The organization
        namespace: AccountName,
        team: AccountName,
    },
    /// List who is in a team
    Members {
        /// The organization
        namespace: AccountName,
        team: AccountName,
    },
    /// Put a user into a team
    Add {
        /// The organization
        namespace: AccountName,
        team: AccountName,
        user: AccountName,
    },
    /// Take a user out of a team
    Remove {
        /// The organization
        namespace: AccountName,
        team: AccountName,
        user: AccountName,
    },
}

/// How somebody came into a team.
fn by(member: &Member) -> String {
    match (member.by_hand, member.by_group.unwrap_or_default()) {
        (true, true) => "hand, group",
        (false, true) => "group",
        _ => "hand",
    }
    .to_owned()
}

/// Does it.
pub fn execute(command: &Team) -> anyhow::Result<()> {
    command.at.run(async |session| {
        let (api, out) = (&session.api, &session.out);
        let row = |Named { name }| [name];
        match &command.command {
            TeamCommand::List { namespace } => {
                out.list(api.teams(namespace.as_str()), ["team"], row).await
            }
            TeamCommand::Members { namespace, team } => {
                let members = api.members(namespace.as_str(), team.as_str());
                out.list(members, ["user", "by"], |member| [member.name.clone(), by(&member)]).await
            }
            TeamCommand::Create { namespace, team } => {
                let answer = api.create_team(namespace.as_str(), team.as_str()).await?;
                out.done(&answer, &format!("team {team} of {namespace} is made"))
            }
            TeamCommand::Delete { namespace, team } => {
                api.delete_team(namespace.as_str(), team.as_str()).await?;
                tell(&format!("team {team} of {namespace} is deleted"));
                Ok(())
            }
            TeamCommand::Add { namespace, team, user } => {
                api.add_member(namespace.as_str(), team.as_str(), user.as_str()).await?;
                tell(&format!("{user} is in the team {team} of {namespace}"));
                Ok(())
            }
            TeamCommand::Remove { namespace, team, user } => {
                api.remove_member(namespace.as_str(), team.as_str(), user.as_str()).await?;
                tell(&format!("{user} is not in the team {team} of {namespace}"));
                Ok(())
            }
        }
    })
}

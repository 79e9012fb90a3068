//! `wharf invite`: lets somebody sign up, and takes that back.

use clap::{Args, Subcommand};
use wharf_client::management::OpenInvitation;

use super::at::{At, Session};
use super::output::{moment, tell};

/// The arguments of `wharf invite`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Invite {
    /// After how many days the invitation stops working
    #[arg(long, default_value_t = 7)]
    days: u16,
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: Option<InviteCommand>,
}

#[derive(Debug, Subcommand)]
enum InviteCommand {
    /// List the invitations that nobody has used
    #[command(visible_alias = "ls")]
    List,
    /// Take an invitation back
    Revoke {
        /// What the list calls it
        id: String,
    },
}

/// Makes an invitation, or looks after those there are.
pub fn execute(command: &Invite) -> anyhow::Result<()> {
    command.at.run(async |session| match &command.command {
        None => invite(&session, command.days).await,
        Some(InviteCommand::List) => {
            let row = |OpenInvitation { id, created_by, expires_at }| {
                [id, created_by, moment(expires_at)]
            };
            session.out.list(session.api.invitations(), ["id", "by", "until"], row).await
        }
        Some(InviteCommand::Revoke { id }) => {
            session.api.revoke_invitation(id).await?;
            tell(&format!("invitation {id} lets nobody sign up any more"));
            Ok(())
        }
    })
}

async fn invite(session: &Session, days: u16) -> anyhow::Result<()> {
    let answer = session.api.invite(days).await?;
    let until = &answer.value.expires_at;
    let name = answer.value.id.as_deref().map(|id| format!(" {id}")).unwrap_or_default();
    let made = format!(
        "invitation{name}, by which one person signs up until {until}, is made; its secret"
    );
    let another = "`wharf invite` makes another one";
    session.out.secret(&answer, answer.value.secret.as_ref(), &made, another)
}

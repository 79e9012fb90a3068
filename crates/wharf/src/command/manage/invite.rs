//! `wharf invite`: lets somebody sign up.

use clap::Args;

use super::at::At;

/// The arguments of `wharf invite`.
#[derive(Debug, Args)]
pub struct Invite {
    /// After how many days the invitation stops working
    #[arg(long, default_value_t = 7)]
    days: u16,
    #[command(flatten)]
    at: At,
}

/// Makes an invitation.
pub fn execute(command: &Invite) -> anyhow::Result<()> {
    command.at.run(async |session| {
        let answer = session.api.invite(command.days).await?;
        let until = &answer.value.expires_at;
        let made =
            format!("an invitation that lets one person sign up until {until} is made; its secret");
        let another = "`wharf invite` makes another one";
        session.out.secret(&answer, answer.value.secret.as_ref(), &made, another)
    })
}

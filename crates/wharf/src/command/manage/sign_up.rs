//! `wharf sign-up`: makes an account for oneself, be it the first one of a registry.

use clap::Args;
use wharf_client::Secret;
use wharf_client::management::NewAccount;
use wharf_core::permissions::AccountName;

use super::at::At;
use super::terminal;
use crate::command::client::password;

/// The arguments of `wharf sign-up`.
#[derive(Debug, Args)]
pub struct SignUp {
    /// The name to go by
    name: AccountName,
    /// The invitation, or the set-up code that `wharf serve` printed when nobody was anybody yet; it works once
    #[arg(long, value_name = "CODE")]
    invitation: Option<String>,
    /// An address of e-mail
    #[arg(long)]
    email: Option<String>,
    /// Read the password from the standard input
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    at: At,
}

/// Signs up.
pub fn execute(command: &SignUp) -> anyhow::Result<()> {
    command.at.run(async |session| {
        let password = match command.password_stdin {
            true => password()?,
            false => terminal::ask_new_secret("New password").await?,
        };
        let account = NewAccount {
            name: command.name.as_str(),
            email: command.email.as_deref(),
            password: Some(password),
            invitation: command.invitation.as_deref().map(Secret::new),
        };
        let answer = session.api.sign_up(&account).await?;
        let (name, host) = (&command.name, session.api.host());
        let made = format!("user {name} is made; log in by `wharf login {host} -u {name}`");
        session.out.done(&answer, &made)
    })
}

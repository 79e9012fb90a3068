//! `wharf token`: personal tokens, which stand in for a password.

use clap::{Args, Subcommand};
use wharf_client::management::{NewToken, Token as Record};
use wharf_core::access::Role;
use wharf_core::permissions::AccountName;
use wharf_oci::NamePattern;

use super::at::{At, Session};
use super::output::{moment, tell};
use crate::command::admin::roles;

/// The arguments of `wharf token`.
#[derive(Debug, Args)]
pub struct Token {
    /// Whose tokens; else one's own
    #[arg(long, global = true, value_name = "NAME")]
    user: Option<AccountName>,
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// List tokens
    #[command(visible_alias = "ls")]
    List,
    /// Make a token, and print it
    Create {
        /// What it is for
        name: String,
        /// The most that it gives
        #[arg(long, value_parser = roles(), default_value = "write")]
        role: Role,
        /// On which repositories, such as team/*; else on all
        #[arg(long, value_name = "PATTERN")]
        on: Option<NamePattern>,
        /// After how many days it stops working
        #[arg(long, default_value_t = 90)]
        days: u16,
    },
    /// End a token
    #[command(visible_alias = "rm")]
    Delete {
        /// What the list calls it
        id: String,
    },
}

/// Does it.
pub fn execute(command: &Token) -> anyhow::Result<()> {
    command.at.run(async |session| {
        let user = match &command.user {
            Some(user) => user.to_string(),
            None => session.user().await?,
        };
        run(&session, &user, &command.command).await
    })
}

async fn run(session: &Session, user: &str, command: &TokenCommand) -> anyhow::Result<()> {
    let Session { api, out } = session;
    match command {
        TokenCommand::List => {
            let columns = ["id", "name", "role", "on", "until", "last used"];
            let row = |token: Record| {
                let Record { id, name, role, pattern, expires_at, last_used_at, .. } = token;
                let on = pattern.unwrap_or_else(|| "everything".to_owned());
                let until = expires_at.map_or_else(|| "for ever".to_owned(), moment);
                let used = last_used_at.map_or_else(|| "never".to_owned(), moment);
                [id, name, role, on, until, used]
            };
            out.list(api.tokens(user), columns, row).await
        }
        TokenCommand::Create { name, role, on, days } => {
            let pattern = on.as_ref().map(ToString::to_string);
            let (role, pattern, days) = (role.name(), pattern.as_deref(), Some(*days));
            let answer = api.create_token(user, &NewToken { name, role, pattern, days }).await?;
            let id = &answer.value.id;
            let made = format!("token {id} of user {user} is made; its secret");
            let another = format!("`wharf token delete {id}` ends it, and then make another one");
            out.secret(&answer, answer.value.secret.as_ref(), &made, &another)
        }
        TokenCommand::Delete { id } => {
            api.delete_token(user, id).await?;
            tell(&format!("token {id} of user {user} is ended"));
            Ok(())
        }
    }
}

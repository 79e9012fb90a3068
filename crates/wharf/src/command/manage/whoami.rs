//! `wharf whoami`: who the registry takes us for.

use clap::Args;

use super::at::At;
use super::output::yes;

/// The arguments of `wharf whoami`.
#[derive(Debug, Args)]
pub struct WhoAmI {
    #[command(flatten)]
    at: At,
}

/// Tells it.
pub fn execute(command: &WhoAmI) -> anyhow::Result<()> {
    command.at.run(async |session| {
        let answer = session.api.whoami().await?;
        let who = &answer.value;
        let everything = || "everything".to_owned();
        session.out.one(
            &answer,
            &[
                ("registry", session.api.host().to_string()),
                ("principal", who.principal.clone()),
                ("site admin", yes(who.site_admin)),
                ("at most", who.role.clone().unwrap_or_default()),
                ("on", who.pattern.clone().unwrap_or_else(everything)),
            ],
        )
    })
}

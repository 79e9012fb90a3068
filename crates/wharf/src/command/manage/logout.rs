//! `wharf logout`: forgets a login.

use clap::Args;
use wharf_client::HostName;

use super::at;
use super::output::tell;

/// The arguments of `wharf logout`.
#[derive(Debug, Args)]
pub struct Logout {
    /// The registry; else the one in WHARF_REGISTRY, else the only one that is logged in to
    #[arg(value_name = "HOST")]
    registry: Option<HostName>,
}

/// Logs out.
pub fn execute(command: &Logout) -> anyhow::Result<()> {
    let host = at::meant(command.registry.as_ref())?;
    at::run(&host, async {
        let was_there = at::logins()?.erase(&host).await?;
        tell(&match was_there {
            true => format!("logged out of {host}"),
            false => format!("you were not logged in to {host}"),
        });
        Ok(())
    })
}

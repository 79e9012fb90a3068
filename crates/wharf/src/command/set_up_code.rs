//! The code that makes the first administrator, offered by a registry in which nobody is anybody yet.

use std::io::{Write, stdout};
use std::time::Duration;

use wharf_auth::secret::{MachineSecret, SecretKind};
use wharf_core::actor::Actor;
use wharf_core::clock::{Clock, SystemClock, SystemRandom};
use wharf_core::metadata::{ChangeRequest, Invite};

use super::wiring::Node;
use crate::config::{Config, Role};

/// How long the code works.
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// Makes a code and tells it, where access control is on and there is no user. It works once, and only as long as there is
/// none; each node that starts has its own.
pub async fn offer(config: &Config, node: &Node) -> anyhow::Result<()> {
    let issues = config.access.control && config.node.roles.contains(&Role::Token);
    if !issues || node.directory.has_users().await? {
        return Ok(());
    }
    let code = MachineSecret::new(SecretKind::Invitation, &SystemRandom);
    let expires_at = SystemClock.now().after(LIFE);
    let invite = Invite { secret_hash: code.hash(), expires_at, site_admin: true };
    let request = ChangeRequest { change: invite.into(), by: Actor::system(), once: None };
    node.accounts.change(request).await?;
    let mut out = stdout().lock();
    writeln!(out, "set-up code: {} (for the first administrator, for a day)", code.expose())?;
    Ok(out.flush()?)
}

//! `wharf admin groups`: which groups of identity providers fill a team.

use std::io::{Write as _, stdout};

use anyhow::Context;
use clap::Args;
use wharf_core::metadata::{ProviderGroup, SetTeamGroups};
use wharf_core::permissions::AccountName;

use super::change;
use crate::command::wiring::metadata::Stores;

/// The team, and what is to change. Without a change, its groups are listed.
#[derive(Debug, Args)]
pub struct Groups {
    /// The organization
    namespace: AccountName,
    team: AccountName,
    /// PROVIDER:GROUP, such as ldap:cn=devs,ou=groups,dc=example,dc=com; whoever is in it is in the team
    #[arg(long, value_parser = group)]
    add: Vec<ProviderGroup>,
    /// A group that is to fill the team no more
    #[arg(long, value_parser = group)]
    remove: Vec<ProviderGroup>,
}

fn group(text: &str) -> Result<ProviderGroup, String> {
    let (provider, group) = text.split_once(':').ok_or("it has no ':' after the provider")?;
    let provider = provider.parse().map_err(|error| format!("{error}"))?;
    Ok(ProviderGroup { provider, group: group.parse().map_err(|error| format!("{error}"))? })
}

impl Groups {
    /// Changes them, or writes them out.
    pub async fn run(&self, stores: &Stores) -> anyhow::Result<()> {
        let what = format!("team {} of {}", self.team, self.namespace);
        let (namespace, team) = (self.namespace.clone(), self.team.clone());
        let groups = stores.identities.team_groups(namespace.clone(), team.clone()).await?;
        let mut groups = groups.with_context(|| format!("{what}: it is not there"))?;
        if self.add.is_empty() && self.remove.is_empty() {
            for ProviderGroup { provider, group } in groups {
                writeln!(stdout(), "{provider}:{group}")?;
            }
            return Ok(());
        }
        groups.extend(self.add.iter().cloned());
        groups.retain(|group| !self.remove.contains(group));
        change(&stores.accounts, SetTeamGroups { namespace, team, groups }, &what).await
    }
}

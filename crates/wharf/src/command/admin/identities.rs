//! `wharf admin groups` and `wharf admin identity`: which groups of identity providers fill a team, and who users are there.

use std::collections::BTreeSet;
use std::io::{Write, stdout};
use std::str::FromStr;

use anyhow::bail;
use clap::Args;
use wharf_core::metadata::{
    ExternalName, LinkIdentity, ProviderGroup, ProviderName, SetTeamGroups, UnlinkIdentity,
};
use wharf_core::permissions::AccountName;

use crate::command::wiring::metadata::Stores;

/// `PROVIDER=NAME`: what a provider calls somebody, or a group.
#[derive(Debug, Clone)]
pub struct There {
    provider: ProviderName,
    name: ExternalName,
}

impl FromStr for There {
    type Err = String;

    fn from_str(text: &str) -> Result<There, String> {
        let (provider, name) = text.split_once('=').ok_or("it must be PROVIDER=NAME")?;
        let provider = provider.parse().map_err(|error| format!("{error}"))?;
        let name = name.parse().map_err(|error| format!("{error}"))?;
        Ok(There { provider, name })
    }
}

/// The flags of `wharf admin groups`.
#[derive(Debug, Args)]
pub struct Groups {
    /// The organization
    namespace: AccountName,
    team: AccountName,
    /// A group whose people are in the team, such as keycloak=/devs
    #[arg(long, value_name = "PROVIDER=GROUP")]
    add: Vec<There>,
    /// A group whose people are not, any more
    #[arg(long, value_name = "PROVIDER=GROUP")]
    remove: Vec<There>,
}

impl Groups {
    /// Does it.
    pub async fn run(&self, stores: &Stores) -> anyhow::Result<()> {
        let (namespace, team) = (self.namespace.clone(), self.team.clone());
        let what = format!("team {team} of {namespace}");
        let identities = &stores.people.identities;
        let groups = identities.team_groups(namespace.clone(), team.clone()).await?;
        let Some(mut groups) = groups else { bail!("there is no {what}") };
        if self.add.is_empty() && self.remove.is_empty() {
            for ProviderGroup { provider, group } in groups {
                writeln!(stdout(), "{provider}={group}")?;
            }
            return Ok(());
        }
        let group =
            |it: &There| ProviderGroup { provider: it.provider.clone(), group: it.name.clone() };
        groups.extend(self.add.iter().map(group));
        let gone: BTreeSet<_> = self.remove.iter().map(group).collect();
        groups.retain(|group| !gone.contains(group));
        super::change(&stores.accounts, SetTeamGroups { namespace, team, groups }, &what).await
    }
}

/// The flags of `wharf admin identity`.
#[derive(Debug, Args)]
pub struct Identity {
    user: AccountName,
    /// Who the user is at a provider: whoever is called so there logs in as them from now on
    #[arg(long, value_name = "PROVIDER=SUBJECT")]
    link: Option<There>,
    /// A provider at which the user is nobody, any more
    #[arg(long, value_name = "PROVIDER", conflicts_with = "link")]
    unlink: Option<ProviderName>,
}

impl Identity {
    /// Does it.
    pub async fn run(&self, stores: &Stores) -> anyhow::Result<()> {
        let (user, what) = (self.user.clone(), format!("identity of user {}", self.user));
        if let Some(There { provider, name: subject }) = self.link.clone() {
            let link = LinkIdentity { user, provider, subject };
            return super::change(&stores.accounts, link, &what).await;
        }
        if let Some(provider) = self.unlink.clone() {
            let unlink = UnlinkIdentity { user, provider };
            return super::change(&stores.accounts, unlink, &what).await;
        }
        let listed = stores.people.identities.list_identities(user).await?;
        let Some(listed) = listed else { bail!("there is no user {}", self.user) };
        for identity in listed {
            let groups: Vec<_> = identity.groups.iter().map(ToString::to_string).collect();
            let (provider, subject) = (identity.provider, identity.subject);
            writeln!(stdout(), "{provider}={subject}\t{}", groups.join(" "))?;
        }
        Ok(())
    }
}

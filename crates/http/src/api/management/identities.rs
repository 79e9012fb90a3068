//! Who users are at identity providers, and which of the providers' groups fill which teams.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::access::Role;
use wharf_core::metadata::{
    LinkIdentity, LinkedIdentity, ProviderGroup, ProviderName, SetTeamGroups, UnlinkIdentity,
};
use wharf_core::operation::{Operation as _, Requirement};
use wharf_core::permissions::{AccountName, Principal};

use super::answer::{Done, Plain};
use super::ask::{Ask, Json, Nothing};
use super::pages::{Items, PageOf, PageQuery, limit, shown};
use super::problem::Problem;
use super::teams::Named;
use super::values::{Text, There, Words};

/// A group of a provider.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    provider: Text<ProviderName>,
    /// What it is called there.
    group: Text<There>,
}

impl From<ProviderGroup> for Group {
    fn from(group: ProviderGroup) -> Self {
        Self { provider: Text(group.provider), group: Text(There(group.group)) }
    }
}

/// All the groups that fill a team.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Groups {
    groups: Vec<Group>,
}

/// Who a user is at a provider.
#[derive(Serialize, JsonSchema)]
pub(super) struct Identity {
    provider: Text<ProviderName>,
    /// What they are called by there, for ever.
    subject: Text<There>,
    /// In which groups they were there at their last login.
    groups: Vec<Text<There>>,
}

impl From<LinkedIdentity> for Identity {
    fn from(identity: LinkedIdentity) -> Self {
        Self {
            provider: Text(identity.provider),
            subject: Text(There(identity.subject)),
            groups: identity.groups.into_iter().map(|group| Text(There(group))).collect(),
        }
    }
}

/// Who a user is at the provider that the path names.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewIdentity {
    subject: Text<There>,
}

pub(super) async fn groups(ask: Ask) -> Result<Plain<Groups>, Problem> {
    let (namespace, team): (AccountName, AccountName) =
        (ask.named("namespace")?, ask.named("team")?);
    let stores = ask.may(Requirement::Teams(&namespace)).await?;
    let groups = stores.identities.team_groups(namespace.clone(), team.clone()).await?;
    let groups = groups.ok_or_else(|| Problem::not_found(format!("team {namespace}/{team}")))?;
    Ok(Plain(Groups { groups: groups.into_iter().map(Group::from).collect() }))
}

pub(super) async fn set_groups(ask: Ask<Nothing, Json<Groups>>) -> Result<Plain<Groups>, Problem> {
    let Json(Groups { groups }) = &ask.body;
    let group = |Group { provider: Text(provider), group: Text(There(group)) }: &Group| {
        ProviderGroup { provider: provider.clone(), group: group.clone() }
    };
    let groups: BTreeSet<_> = groups.iter().map(group).collect();
    let (namespace, team) = (ask.named("namespace")?, ask.named("team")?);
    let change = SetTeamGroups { namespace, team, groups: groups.clone() };
    ask.may_change(&change, change.requirement()).await?;
    if let Some(group) = strange(&ask, &change).await? {
        ask.write_down_change(&change).await;
        return Err(Problem::forbidden(format!(
            "you are not in the group {} of {}: who is in it may have it fill a team, and an administrator of the \
             whole registry",
            group.group, group.provider
        )));
    }
    ask.change(change).await?;
    Ok(Plain(Groups { groups: groups.into_iter().map(Group::from).collect() }))
}

/// A group that a change adds and that is not for the caller to name: whoever fills a team by it learns by and by who is
/// in it.
async fn strange<Q, B>(
    ask: &Ask<Q, B>,
    change: &SetTeamGroups,
) -> Result<Option<ProviderGroup>, Problem> {
    if ask.has(Requirement::Site).await? {
        return Ok(None);
    }
    let SetTeamGroups { namespace, team, groups } = change;
    let stores = ask.may(Requirement::Namespace(namespace, Role::Admin)).await?;
    let identities = &stores.identities;
    let mut known = identities.team_groups(namespace.clone(), team.clone()).await?;
    if let Principal::User(user) = &ask.caller().principal {
        let own = identities.list_identities(user.clone()).await?.unwrap_or_default();
        let own = own.into_iter().flat_map(|LinkedIdentity { provider, groups, .. }| {
            groups.into_iter().map(move |group| ProviderGroup { provider: provider.clone(), group })
        });
        known.get_or_insert_default().extend(own);
    }
    let known = known.unwrap_or_default();
    Ok(groups.iter().find(|group| !known.contains(group)).cloned())
}

pub(super) async fn group_members(ask: Ask<PageQuery>) -> Result<PageOf<Named>, Problem> {
    let (namespace, team): (AccountName, AccountName) =
        (ask.named("namespace")?, ask.named("team")?);
    // Who is in which group of a provider concerns those alone who answer for what it gives.
    let stores = ask.may(Requirement::Namespace(&namespace, Role::Admin)).await?;
    let identities = &stores.identities;
    let known = identities.team_groups(namespace.clone(), team.clone()).await?;
    known.ok_or_else(|| Problem::not_found(format!("team {namespace}/{team}")))?;
    let limit = limit(ask.query.limit.as_ref());
    let after = ask.query.after.as_ref().map(|Text(Words(text))| text.clone());
    let members = identities.list_group_members(namespace, team, after, limit + 1).await?;
    Ok(shown(members, limit, ToString::to_string, Named::from))
}

pub(super) async fn list(ask: Ask) -> Result<PageOf<Identity>, Problem> {
    let user: AccountName = ask.named("user")?;
    let stores = ask.may(Requirement::Own(&user, Role::Read)).await?;
    let listed = stores.identities.list_identities(user.clone()).await?;
    let listed = listed.ok_or_else(|| Problem::not_found(format!("user {user}")))?;
    Ok(Plain(Items { items: listed.into_iter().map(Identity::from).collect(), next: None }))
}

pub(super) async fn link(ask: Ask<Nothing, Json<NewIdentity>>) -> Result<Done, Problem> {
    let Json(NewIdentity { subject: Text(There(subject)) }) = &ask.body;
    let (user, provider) = (ask.named("user")?, ask.named("provider")?);
    ask.change(LinkIdentity { user, provider, subject: subject.clone() }).await?;
    Ok(Done)
}

pub(super) async fn unlink(ask: Ask) -> Result<Done, Problem> {
    ask.change(UnlinkIdentity { user: ask.named("user")?, provider: ask.named("provider")? })
        .await?;
    Ok(Done)
}

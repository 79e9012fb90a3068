//! Teams of namespaces, and who is in them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::access::Role;
use wharf_core::metadata::{AddMember, CreateTeam, DeleteTeam, RemoveMember};
use wharf_core::operation::Requirement;
use wharf_core::permissions::AccountName;

use super::answer::{Created, Done};
use super::ask::{Ask, Json, Nothing};
use super::pages::{PageOf, PageQuery, limit, page, shown};
use super::problem::Problem;
use super::values::Text;

/// A team, or somebody who is in one by a group.
#[derive(Serialize, JsonSchema)]
pub(super) struct Named {
    name: Text<AccountName>,
}

/// A member of a team.
#[derive(Serialize, JsonSchema)]
pub(super) struct Member {
    name: Text<AccountName>,
    /// Whether somebody put them there.
    by_hand: bool,
    /// Whether they are in a group of an identity provider that fills the team. Told to who administers the namespace,
    /// who alone see those that are there by a group only.
    #[serde(skip_serializing_if = "Option::is_none")]
    by_group: Option<bool>,
}

impl From<AccountName> for Named {
    fn from(name: AccountName) -> Self {
        Self { name: Text(name) }
    }
}

/// A team to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTeam {
    name: Text<AccountName>,
}

pub(super) async fn list(ask: Ask<PageQuery>) -> Result<PageOf<Named>, Problem> {
    let namespace: AccountName = ask.named("namespace")?;
    let stores = ask.may(Requirement::Teams(&namespace)).await?;
    let limit = limit(ask.query.limit.as_ref());
    let page = page(limit, ask.query.after.as_ref());
    let teams = stores.directory.list_teams(namespace.clone(), page).await?;
    let teams = teams.ok_or_else(|| Problem::not_found(format!("namespace {namespace}")))?;
    Ok(shown(teams, limit, ToString::to_string, |name| Named { name: Text(name) }))
}

pub(super) async fn create(ask: Ask<Nothing, Json<NewTeam>>) -> Result<Created<Named>, Problem> {
    let namespace: AccountName = ask.named("namespace")?;
    let Json(NewTeam { name: Text(team) }) = &ask.body;
    let change = CreateTeam { namespace: namespace.clone(), team: team.clone() };
    let again = ask.change(change).await?.again;
    let location = ask.location(&format!("/namespaces/{namespace}/teams/{team}"));
    Ok(Created { value: Named { name: Text(team.clone()) }, location, again })
}

pub(super) async fn delete(ask: Ask) -> Result<Done, Problem> {
    ask.change(DeleteTeam { namespace: ask.named("namespace")?, team: ask.named("team")? }).await?;
    Ok(Done)
}

pub(super) async fn members(ask: Ask<PageQuery>) -> Result<PageOf<Member>, Problem> {
    let namespace: AccountName = ask.named("namespace")?;
    let team: AccountName = ask.named("team")?;
    let stores = ask.may(Requirement::Teams(&namespace)).await?;
    // Who is in which group of a provider concerns those alone who answer for what it gives.
    let groups = ask.has(Requirement::Namespace(&namespace, Role::Admin)).await?;
    let limit = limit(ask.query.limit.as_ref());
    let page = page(limit, ask.query.after.as_ref());
    let directory = &stores.directory;
    let members = directory.list_members(namespace.clone(), team.clone(), groups, page).await?;
    let members = members.ok_or_else(|| Problem::not_found(format!("team {namespace}/{team}")))?;
    Ok(shown(
        members,
        limit,
        |member| member.name.to_string(),
        |member| Member {
            name: Text(member.name),
            by_hand: member.by_hand,
            by_group: groups.then_some(member.by_group),
        },
    ))
}

pub(super) async fn add_member(ask: Ask) -> Result<Done, Problem> {
    let namespace = ask.named("namespace")?;
    ask.change(AddMember { namespace, team: ask.named("team")?, user: ask.named("user")? }).await?;
    Ok(Done)
}

pub(super) async fn remove_member(ask: Ask) -> Result<Done, Problem> {
    let (namespace, team) = (ask.named("namespace")?, ask.named("team")?);
    ask.change(RemoveMember { namespace, team, user: ask.named("user")? }).await?;
    Ok(Done)
}

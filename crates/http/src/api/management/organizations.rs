//! Organizations: namespaces that are no user's.

use schemars::JsonSchema;
use serde::Deserialize;
use wharf_core::access::Role;
use wharf_core::metadata::{CreateOrganization, DeleteOrganization, NamespaceKind};
use wharf_core::operation::Requirement;
use wharf_core::permissions::{AccountName, Principal};

use super::answer::{Created, Done, Versioned};
use super::ask::{Ask, Json, Nothing, Version};
use super::namespaces::Namespace;
use super::pages::{PageOf, PageQuery, limit, page, shown};
use super::problem::Problem;
use super::values::Text;

/// An organization to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrganization {
    name: Text<AccountName>,
    /// A user, who becomes its administrator; who makes it, where nobody is named.
    owner: Option<Text<AccountName>>,
}

pub(super) async fn list(ask: Ask<PageQuery>) -> Result<PageOf<Namespace>, Problem> {
    let of = match &ask.somebody()?.principal {
        _ if ask.has(Requirement::Site).await? => None,
        Principal::User(name) => Some(name.clone()),
        _ => return Err(Problem::forbidden("only users are in organizations")),
    };
    let requirement = of.as_ref().map_or(Requirement::Site, |of| Requirement::Own(of, Role::Read));
    let stores = ask.may(requirement).await?;
    let limit = limit(ask.query.limit.as_ref());
    let page = page(limit, ask.query.after.as_ref());
    let found = stores.directory.list_organizations(of.clone(), page).await?;
    Ok(shown(found, limit, |found| found.name.to_string(), Namespace::from))
}

pub(super) async fn get(ask: Ask) -> Result<Versioned<Namespace>, Problem> {
    let name: AccountName = ask.named("organization")?;
    let stores = ask.may(Requirement::Namespace(&name, Role::Read)).await?;
    let found = stores.directory.find_namespace(name.clone()).await?;
    let found = found.filter(|found| found.kind == NamespaceKind::Organization);
    let found = found.ok_or_else(|| Problem::not_found(format!("organization {name}")))?;
    let version = Version { number: found.version, created_at: found.created_at };
    Ok(Versioned { value: found.into(), version, known: ask.has_version(version) })
}

pub(super) async fn create(
    ask: Ask<Nothing, Json<NewOrganization>>,
) -> Result<Created<Namespace>, Problem> {
    let Json(new) = &ask.body;
    let owner = match (&new.owner, &ask.somebody()?.principal) {
        (Some(Text(owner)), _) => owner.clone(),
        (None, Principal::User(name)) => name.clone(),
        _ => return Err(Problem::forbidden("only users make organizations")),
    };
    let name = new.name.0.clone();
    let changed = ask.change(CreateOrganization { name: name.clone(), owner }).await?;
    let found = changed.stores.directory.find_namespace(name.clone()).await?;
    let value = found.ok_or_else(|| Problem::not_found(format!("organization {name}")))?.into();
    let location = ask.location(&format!("/organizations/{name}"));
    Ok(Created { value, location, again: changed.again })
}

pub(super) async fn delete(ask: Ask) -> Result<Done, Problem> {
    ask.change(DeleteOrganization { name: ask.named("organization")? }).await?;
    Ok(Done)
}

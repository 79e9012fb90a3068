//! Repositories, as those see them who manage them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::access::{Role, Visibility};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    RenameRepository, RepositoryFilter, RepositoryRecord, SetVisibility, Viewer,
};
use wharf_core::operation::{Action, Requirement};
use wharf_core::permissions::{AccountName, Principal};
use wharf_oci::RepositoryName;

use super::answer::{Created, Versioned};
use super::ask::{Ask, Json, Nothing, Version};
use super::pages::{PageOf, limit, page, shown};
use super::problem::Problem;
use super::values::{Text, Words};

/// A repository.
#[derive(Serialize, JsonSchema)]
pub(super) struct Repository {
    name: Text<RepositoryName>,
    /// Who may pull from it without a grant.
    visibility: Text<Visibility>,
    created_at: Text<Timestamp>,
}

impl From<RepositoryRecord> for Repository {
    fn from(repository: RepositoryRecord) -> Self {
        Self {
            name: Text(repository.name),
            visibility: Text(repository.visibility),
            created_at: Text(repository.created_at),
        }
    }
}

/// Which repositories.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RepositoryQuery {
    /// Those of this namespace.
    namespace: Option<Text<AccountName>>,
    /// Those of this visibility.
    visibility: Option<Text<Visibility>>,
    /// How many at most: 100 where nothing is said, and never more than 1000.
    limit: Option<Text<u32>>,
    /// Goes on behind this: the `next` of the page before.
    after: Option<Text<Words>>,
}

/// What changes of a repository; what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RepositoryChange {
    /// Who may pull from it without a grant.
    visibility: Option<Text<Visibility>>,
}

/// Another name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewName {
    /// In the same namespace, or in another one that who asks administers.
    to: Text<RepositoryName>,
}

pub(super) async fn list(ask: Ask<RepositoryQuery>) -> Result<PageOf<Repository>, Problem> {
    let viewer = match &ask.caller().principal {
        _ if ask.has(Requirement::Site).await? => Viewer::All,
        Principal::User(name) => Viewer::User(name.clone()),
        Principal::Robot(name) => Viewer::Robot(name.clone()),
        Principal::Anonymous | Principal::System => Viewer::Anyone,
    };
    let stores = ask.may(Requirement::Access).await?;
    let query = &ask.query;
    let filter = RepositoryFilter {
        namespace: query.namespace.clone().map(|Text(it)| it),
        visibility: query.visibility.as_ref().map(|Text(it)| *it),
        // A secret that is good for some repositories shows no others.
        pattern: ask.caller().most.pattern.clone(),
    };
    let limit = limit(query.limit.as_ref());
    let page = page(limit, query.after.as_ref());
    let found = stores.directory.list_visible(viewer, filter, page).await?;
    Ok(shown(found, limit, |found| found.name.to_string(), Repository::from))
}

pub(super) async fn get(ask: Ask) -> Result<Versioned<Repository>, Problem> {
    current(&ask, ask.named("repository")?).await
}

/// A repository as it is now, for who may see it.
pub(super) async fn current<Q, B>(
    ask: &Ask<Q, B>,
    name: RepositoryName,
) -> Result<Versioned<Repository>, Problem> {
    let stores = ask.may(Requirement::Repository(&name, Action::Pull)).await?;
    let found = stores.directory.find_repository(name.clone()).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("repository {name}")))?;
    let version = Version { number: found.version, created_at: found.created_at };
    Ok(Versioned { value: found.into(), version, known: ask.has_version(version) })
}

pub(super) async fn update(
    ask: Ask<Nothing, Json<RepositoryChange>>,
) -> Result<Versioned<Repository>, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    let stores = ask.may(Requirement::Repository(&repository, Action::Pull)).await?;
    let found = stores.directory.find_repository(repository.clone()).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("repository {repository}")))?;
    let expected = ask.expected_of(async { Ok(found.created_at) }).await?;
    if let Some(Text(visibility)) = ask.body.0.visibility {
        ask.change(SetVisibility { repository: repository.clone(), visibility, expected }).await?;
    } else {
        ask.may(Requirement::Role(&repository, Role::Admin)).await?;
    }
    Ok(Versioned { known: false, ..current(&ask, repository).await? })
}

/// The namespace of a repository, where somebody may have it. `field` is the part of the request that names the repository.
pub(super) fn namespace_of(name: &RepositoryName, field: &str) -> Result<AccountName, Problem> {
    name.namespace().parse().map_err(|error| {
        Problem::unfit(field, format!("the namespace of {name} is nobody's: {error}"))
    })
}

pub(super) async fn rename(
    ask: Ask<Nothing, Json<NewName>>,
) -> Result<Created<Repository>, Problem> {
    let from: RepositoryName = ask.named("repository")?;
    let Json(NewName { to: Text(to) }) = &ask.body;
    let change = RenameRepository { from: from.clone(), to: to.clone() };
    // First what is asked of where it comes from, so that the other questions tell nothing to strangers.
    ask.may_change(&change, Requirement::Role(&from, Role::Admin)).await?;
    ask.may_change(&change, Requirement::Role(to, Role::Admin)).await?;
    // Who administers a part of a namespace takes nothing out of it, nor puts anything into another.
    if from.namespace() != to.namespace() {
        for namespace in [namespace_of(&from, "to")?, namespace_of(to, "to")?] {
            ask.may_change(&change, Requirement::Namespace(&namespace, Role::Admin)).await?;
        }
    }
    let changed = ask.change(change).await;
    // Also where it is not certain that it was done.
    for name in [&from, to] {
        ask.registry().renamed(name).await?;
    }
    let again = changed?.again;
    let value = current(&ask, to.clone()).await?.value;
    let location = ask.location(&format!("/repositories/{}", to.as_str().replace('/', "%2F")));
    Ok(Created { value, location, again })
}

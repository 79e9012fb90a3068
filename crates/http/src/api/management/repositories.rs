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

use super::answer::{Created, Plain, Versioned};
use super::ask::{Ask, Json, Nothing};
use super::pages::{Items, PageOf, limit, page};
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
    /// How many at most: 100 where nothing is said, and never more than 1000. A page may have fewer.
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
    };
    let limit = limit(query.limit.as_ref());
    let page = page(limit, query.after.as_ref());
    let mut found = stores.directory.list_visible(viewer, filter, page).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|found| found.name.to_string());
    // A secret that is good for some repositories shows no others.
    let most = &ask.caller().most;
    let shown = found.into_iter().filter(|found| most.covers(&found.name, Role::Read));
    Ok(Plain(Items { items: shown.map(Repository::from).collect(), next }))
}

pub(super) async fn get(ask: Ask) -> Result<Versioned<Repository>, Problem> {
    current(&ask, ask.named("repository")?).await
}

async fn current<Q, B>(
    ask: &Ask<Q, B>,
    name: RepositoryName,
) -> Result<Versioned<Repository>, Problem> {
    let stores = ask.may(Requirement::Repository(&name, Action::Pull)).await?;
    let found = stores.directory.find_repository(name.clone()).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("repository {name}")))?;
    let version = found.version;
    Ok(Versioned { value: found.into(), version, known: ask.has_version(version) })
}

pub(super) async fn update(
    ask: Ask<Nothing, Json<RepositoryChange>>,
) -> Result<Versioned<Repository>, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    let expected = ask.expected()?;
    if let Some(Text(visibility)) = ask.body.0.visibility {
        ask.change(SetVisibility { repository: repository.clone(), visibility, expected }).await?;
    } else {
        ask.may(Requirement::Role(&repository, Role::Admin)).await?;
    }
    Ok(Versioned { known: false, ..current(&ask, repository).await? })
}

pub(super) async fn rename(
    ask: Ask<Nothing, Json<NewName>>,
) -> Result<Created<Repository>, Problem> {
    let from: RepositoryName = ask.named("repository")?;
    let Json(NewName { to: Text(to) }) = &ask.body;
    // First where it comes from, so that the other question tells nothing to strangers.
    ask.may(Requirement::Role(&from, Role::Admin)).await?;
    let namespace = to
        .namespace()
        .parse::<AccountName>()
        .map_err(|error| Problem::unfit("to", format!("its namespace is nobody's: {error}")))?;
    if from.namespace() != to.namespace() {
        ask.may(Requirement::Namespace(&namespace, Role::Admin)).await?;
    }
    let again = ask.change(RenameRepository { from, to: to.clone() }).await?.again;
    let value = current(&ask, to.clone()).await?.value;
    let location = ask.location(&format!("/repositories/{}", to.as_str().replace('/', "%2F")));
    Ok(Created { value, location, again })
}

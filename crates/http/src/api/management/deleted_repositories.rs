//! Whole repositories: deleted, and back while their grace lasts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::access::Role;
use wharf_core::clock::Timestamp;
use wharf_core::operation::{
    DeleteRepository, ListDeletedRepositories, Requirement, RestoreRepository,
};
use wharf_core::permissions::AccountName;
use wharf_oci::RepositoryName;

use super::answer::{Done, Plain};
use super::ask::{Ask, Json, Nothing};
use super::pages::{Items, PageOf, PageQuery, limit};
use super::problem::Problem;
use super::repositories::{Repository, current, namespace_of};
use super::values::{Text, Words};

/// A repository that was deleted and can be brought back.
#[derive(Serialize, JsonSchema)]
pub(super) struct DeletedRepository {
    /// Tells it from others that had the same name.
    number: i64,
    name: Text<RepositoryName>,
    deleted_by: String,
    deleted_at: Text<Timestamp>,
    /// Until when it can be brought back.
    restorable_until: Text<Timestamp>,
}

/// Which repository comes back, and as what.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Restoration {
    /// Another name, here or in another namespace that who asks administers; the one that it had where nothing is said.
    to: Option<Text<RepositoryName>>,
    /// Which of several that had the name: the one that was deleted last where nothing is said.
    number: Option<i64>,
}

pub(super) async fn delete(ask: Ask) -> Result<Done, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    let operation = ask.permitted(DeleteRepository { repository }).await?;
    ask.registry().delete_repository(&operation).await?;
    Ok(Done)
}

pub(super) async fn list(ask: Ask<PageQuery>) -> Result<PageOf<DeletedRepository>, Problem> {
    let namespace: AccountName = ask.named("namespace")?;
    let operation = ask.permitted(ListDeletedRepositories { namespace }).await?;
    let after = ask.query.after.as_ref().map(|Text(Words(after))| after.parse());
    let after = after.transpose().map_err(|_| {
        Problem::invalid("after", "it must be the `next` of the page before: a number")
    })?;
    let limit = limit(ask.query.limit.as_ref());
    let found = ask.registry().list_deleted_repositories(&operation, after, limit).await?;
    let next = found.items.last().filter(|_| found.more).map(|found| found.number.to_string());
    let grace = ask.registry().rules().grace;
    let shown = found.items.into_iter().map(|found| DeletedRepository {
        number: found.number,
        name: Text(found.name),
        deleted_by: found.deleted_by,
        deleted_at: Text(found.deleted_at),
        restorable_until: Text(found.deleted_at.after(grace)),
    });
    Ok(Plain(Items { items: shown.collect(), next }))
}

pub(super) async fn restore(
    ask: Ask<Nothing, Json<Restoration>>,
) -> Result<Plain<Repository>, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    let Json(Restoration { to, number }) = &ask.body;
    let to = to.as_ref().map(|Text(to)| to.clone());
    let name = to.clone().unwrap_or_else(|| repository.clone());
    let restored = RestoreRepository { repository: repository.clone(), number: *number, to };
    let operation = ask.permitted(restored).await?;
    // As whoever gives a repository another name.
    ask.may(Requirement::Role(&name, Role::Admin)).await?;
    if name.namespace() != repository.namespace() {
        for name in [&repository, &name] {
            let namespace = namespace_of(name, "to")?;
            ask.may(Requirement::Namespace(&namespace, Role::Admin)).await?;
        }
    }
    ask.registry().restore_repository(&operation).await?;
    Ok(Plain(current(&ask, name).await?.value))
}

//! Whole repositories: deleted, and back while their grace lasts.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
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
use super::pages::{Items, PageOf, limit};
use super::problem::Problem;
use super::repositories::{Repository, current, namespace_of};
use super::values::{Text, Textual};

/// A repository that was deleted and can be brought back.
#[derive(Serialize, JsonSchema)]
pub(super) struct DeletedRepository {
    /// Tells it from others that had the same name.
    number: RepositoryNumber,
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
    number: Option<RepositoryNumber>,
}

/// Which page of the deleted repositories.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeletedQuery {
    /// How many at most: 100 where nothing is said, and never more than 1000.
    limit: Option<Text<u32>>,
    /// Goes on behind this: the `next` of the page before.
    after: Option<Text<RepositoryNumber>>,
}

/// The number of a deleted repository: a number in JSON, which knows no whole ones (3.0 is 3), and digits elsewhere.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Number")]
pub(super) struct RepositoryNumber(i64);

/// The largest whole number that every reader of JSON reads as it is.
const MOST_REPOSITORIES: i64 = (1 << 53) - 1;

impl RepositoryNumber {
    fn new(number: Option<i64>, said: &str) -> Result<Self, String> {
        let number = number.filter(|number| (1..=MOST_REPOSITORIES).contains(number));
        number.map(Self).ok_or_else(|| {
            let shown: String = said.chars().take(100).collect();
            format!("{shown:?} must be a whole number from 1 to {MOST_REPOSITORIES}")
        })
    }
}

impl TryFrom<serde_json::Number> for RepositoryNumber {
    type Error = String;

    fn try_from(number: serde_json::Number) -> Result<Self, String> {
        #[allow(clippy::cast_possible_truncation, reason = "it is whole and in range")]
        let whole = || {
            let float = number.as_f64().filter(|it| it.fract() == 0.0 && it.abs() < 9e15)?;
            Some(float as i64)
        };
        Self::new(number.as_i64().or_else(whole), &number.to_string())
    }
}

impl JsonSchema for RepositoryNumber {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RepositoryNumber".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer", "minimum": 1, "maximum": MOST_REPOSITORIES,
            "description": "The number of a deleted repository."
        })
    }
}

impl Textual for RepositoryNumber {
    const NAME: &'static str = "RepositoryPlace";

    fn read(text: &str) -> Result<Self, String> {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        Self::new(is_number.then(|| text.parse().ok()).flatten(), text)
    }

    fn write(&self) -> String {
        self.0.to_string()
    }

    fn form() -> Schema {
        json_schema!({
            "type": "string", "pattern": "^[1-9][0-9]{0,14}$",
            "description": "The number of a deleted repository."
        })
    }
}

pub(super) async fn delete(ask: Ask) -> Result<Done, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    let operation = ask.permitted(DeleteRepository { repository }).await?;
    ask.registry().delete_repository(&operation).await?;
    Ok(Done)
}

pub(super) async fn list(ask: Ask<DeletedQuery>) -> Result<PageOf<DeletedRepository>, Problem> {
    let namespace: AccountName = ask.named("namespace")?;
    let operation = ask.permitted(ListDeletedRepositories { namespace }).await?;
    let after = ask.query.after.as_ref().map(|Text(after)| after.0);
    let limit = limit(ask.query.limit.as_ref());
    let found = ask.registry().list_deleted_repositories(&operation, after, limit).await?;
    let next = found.items.last().filter(|_| found.more).map(|found| found.number.to_string());
    let grace = ask.registry().rules().grace;
    let shown = found.items.into_iter().map(|found| DeletedRepository {
        number: RepositoryNumber(found.number),
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
    let restored = RestoreRepository {
        repository: repository.clone(),
        number: number.map(|number| number.0),
        to,
    };
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

//! Namespaces: what holds for all repositories of a user or an organization.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::access::{Role, Visibility};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{self, NamespaceKind, UpdateNamespace};
use wharf_core::operation::Requirement;
use wharf_core::permissions::AccountName;

use super::answer::Versioned;
use super::ask::{Ask, Json, Nothing, Version};
use super::problem::Problem;
use super::values::Text;

/// A namespace: a user's or an organization's.
#[derive(Serialize, JsonSchema)]
pub(super) struct Namespace {
    name: Text<AccountName>,
    kind: Kind,
    /// Who may pull from its new repositories without a grant.
    default_visibility: Text<Visibility>,
    /// Whether a push makes a repository.
    create_on_push: bool,
    created_at: Text<Timestamp>,
}

/// Whose a namespace is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "NamespaceKind")]
enum Kind {
    User,
    Organization,
}

impl From<metadata::Namespace> for Namespace {
    fn from(namespace: metadata::Namespace) -> Self {
        Self {
            name: Text(namespace.name),
            kind: match namespace.kind {
                NamespaceKind::User => Kind::User,
                NamespaceKind::Organization => Kind::Organization,
            },
            default_visibility: Text(namespace.default_visibility),
            create_on_push: namespace.create_on_push,
            created_at: Text(namespace.created_at),
        }
    }
}

/// What changes of a namespace; what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NamespaceChange {
    /// Who may pull from its new repositories without a grant.
    default_visibility: Option<Text<Visibility>>,
    /// Whether a push makes a repository.
    create_on_push: Option<bool>,
}

pub(super) async fn get(ask: Ask) -> Result<Versioned<Namespace>, Problem> {
    current(&ask, ask.named("namespace")?).await
}

async fn current<Q, B>(
    ask: &Ask<Q, B>,
    name: AccountName,
) -> Result<Versioned<Namespace>, Problem> {
    let stores = ask.may(Requirement::Namespace(&name, Role::Read)).await?;
    let found = stores.directory.find_namespace(name.clone()).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("namespace {name}")))?;
    let version = Version { number: found.version, created_at: found.created_at };
    Ok(Versioned { value: found.into(), version, known: ask.has_version(version) })
}

pub(super) async fn update(
    ask: Ask<Nothing, Json<NamespaceChange>>,
) -> Result<Versioned<Namespace>, Problem> {
    let name: AccountName = ask.named("namespace")?;
    let Json(change) = &ask.body;
    let default_visibility = change.default_visibility.as_ref().map(|Text(it)| *it);
    let create_on_push = change.create_on_push;
    let made = async { Ok(current(&ask, name.clone()).await?.version.created_at) };
    let expected = ask.expected_of(made).await?;
    let change =
        UpdateNamespace { name: name.clone(), default_visibility, create_on_push, expected };
    ask.change(change).await?;
    Ok(Versioned { known: false, ..current(&ask, name).await? })
}

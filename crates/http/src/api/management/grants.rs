//! Grants of namespaces.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::access::Role;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{self, GrantRecord, RemoveGrant, Subject};
use wharf_core::operation::Requirement;
use wharf_core::permissions::AccountName;
use wharf_oci::NamePattern;

use super::answer::{Done, Plain};
use super::ask::{Ask, Json, Nothing};
use super::pages::{PageOf, PageQuery, limit, page, shown};
use super::problem::Problem;
use super::values::Text;

/// A grant.
#[derive(Serialize, JsonSchema)]
pub(super) struct Grant {
    /// Its number, by which explanations name it.
    id: i64,
    subject: Text<Subject>,
    role: Text<Role>,
    /// On which repositories; on the whole namespace where there is no pattern.
    pattern: Option<Text<NamePattern>>,
    /// Who gave it.
    created_by: String,
    created_at: Text<Timestamp>,
}

impl From<GrantRecord> for Grant {
    fn from(grant: GrantRecord) -> Self {
        Self {
            id: grant.id,
            subject: Text(grant.subject),
            role: Text(grant.gives.role),
            pattern: grant.gives.pattern.map(Text),
            created_by: grant.created_by,
            created_at: Text(grant.created_at),
        }
    }
}

/// A grant to be given, in place of the subject's with the same pattern.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewGrant {
    subject: Text<Subject>,
    role: Text<Role>,
    /// On which repositories; on the whole namespace where there is no pattern.
    pattern: Option<Text<NamePattern>>,
}

/// Which grant is taken away.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantQuery {
    subject: Text<Subject>,
    /// Its pattern, where it has one.
    pattern: Option<Text<NamePattern>>,
}

pub(super) async fn list(ask: Ask<PageQuery>) -> Result<PageOf<Grant>, Problem> {
    let namespace: AccountName = ask.named("namespace")?;
    let stores = ask.may(Requirement::Namespace(&namespace, Role::Admin)).await?;
    let limit = limit(ask.query.limit.as_ref());
    let page = page(limit, ask.query.after.as_ref());
    let grants = stores.directory.list_grants(namespace.clone(), page).await?;
    let grants = grants.ok_or_else(|| Problem::not_found(format!("namespace {namespace}")))?;
    Ok(shown(grants, limit, |grant| grant.id.to_string(), Grant::from))
}

pub(super) async fn put(ask: Ask<Nothing, Json<NewGrant>>) -> Result<Plain<Grant>, Problem> {
    let namespace: AccountName = ask.named("namespace")?;
    let Json(NewGrant { subject: Text(subject), role: Text(role), pattern }) = &ask.body;
    let pattern = pattern.clone().map(|Text(pattern)| pattern);
    let change = metadata::NewGrant {
        namespace: namespace.clone(),
        subject: subject.clone(),
        role: *role,
        pattern: pattern.clone(),
    };
    let stores = ask.change(change).await?.stores;
    let found = stores.directory.find_grant(namespace, subject.clone(), pattern).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("grant of {subject}")))?;
    Ok(Plain(found.into()))
}

pub(super) async fn remove(ask: Ask<GrantQuery>) -> Result<Done, Problem> {
    let namespace = ask.named("namespace")?;
    let Text(subject) = ask.query.subject.clone();
    let pattern = ask.query.pattern.clone().map(|Text(pattern)| pattern);
    ask.change(RemoveGrant { namespace, subject, pattern }).await?;
    Ok(Done)
}

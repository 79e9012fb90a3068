//! Read-only mode and draining, of a repository and of all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::access::Role;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{SetWrites, WriteState};
use wharf_core::operation::{Action, Requirement};
use wharf_core::writes::{WriteMode, WriteReason, WriteScope};
use wharf_oci::RepositoryName;

use super::answer::Plain;
use super::ask::{Ask, Json, Nothing};
use super::problem::Problem;
use super::values::Text;

/// What may be written.
#[derive(Serialize, JsonSchema)]
pub(super) struct Writes {
    /// What was set here: in a repository, that of all of the registry may be stricter.
    mode: Text<WriteMode>,
    /// Why, as somebody said.
    reason: Option<Text<WriteReason>>,
    /// Since when; absent where it was never set.
    since: Option<Text<Timestamp>>,
    /// How many uploads are open.
    uploads: u64,
    /// How many pushes draining waits for, whose people went on with them within the last minute.
    pushes: u64,
}

impl From<WriteState> for Writes {
    fn from(state: WriteState) -> Self {
        let WriteState { mode, reason, since, uploads, pushes } = state;
        Self {
            mode: Text(mode),
            reason: reason.map(Text),
            since: (since.0 > 0).then_some(Text(since)),
            uploads,
            pushes,
        }
    }
}

/// What shall be written.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWrites {
    /// `draining` becomes `read-only` by itself when no push is left.
    mode: Text<WriteMode>,
    /// Why: everybody who is refused reads it.
    reason: Option<Text<WriteReason>>,
}

pub(super) async fn get(ask: Ask) -> Result<Plain<Writes>, Problem> {
    let name: RepositoryName = ask.named("repository")?;
    let scope = WriteScope::Repository(name.clone());
    current(&ask, Requirement::Repository(&name, Action::Pull), scope).await
}

pub(super) async fn put(ask: Ask<Nothing, Json<NewWrites>>) -> Result<Plain<Writes>, Problem> {
    let name: RepositoryName = ask.named("repository")?;
    let scope = WriteScope::Repository(name.clone());
    set(&ask, Requirement::Role(&name, Role::Admin), scope).await
}

pub(super) async fn get_all(ask: Ask) -> Result<Plain<Writes>, Problem> {
    current(&ask, Requirement::Site, WriteScope::All).await
}

pub(super) async fn put_all(ask: Ask<Nothing, Json<NewWrites>>) -> Result<Plain<Writes>, Problem> {
    set(&ask, Requirement::Site, WriteScope::All).await
}

async fn set(
    ask: &Ask<Nothing, Json<NewWrites>>,
    requirement: Requirement<'_>,
    scope: WriteScope,
) -> Result<Plain<Writes>, Problem> {
    let Json(NewWrites { mode: Text(mode), reason }) = &ask.body;
    let reason = reason.clone().map(|Text(reason)| reason);
    ask.change(SetWrites { scope: scope.clone(), mode: *mode, reason }).await?;
    current(ask, requirement, scope).await
}

async fn current<Q, B>(
    ask: &Ask<Q, B>,
    requirement: Requirement<'_>,
    scope: WriteScope,
) -> Result<Plain<Writes>, Problem> {
    let found = ask.may(requirement).await?.writes.write_state(scope.clone()).await?;
    let found = found.ok_or_else(|| Problem::not_found(scope.to_string()))?;
    Ok(Plain(found.into()))
}

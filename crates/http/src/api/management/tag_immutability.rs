//! What policies say of the tags of a repository: which are frozen, by what, and which will be.

use schemars::JsonSchema;
use serde::Serialize;
use wharf_core::clock::Timestamp;
use wharf_core::immutability::{Frozen, PolicyName, PolicyRecord};
use wharf_core::metadata::TagImmutability;
use wharf_core::operation::{Action, Requirement};
use wharf_oci::{RepositoryName, Tag};

use super::answer::Plain;
use super::ask::Ask;
use super::pages::{PageOf, PageQuery, limit, page, shown};
use super::problem::Problem;
use super::values::Text;

/// A policy that covers a tag.
#[derive(Serialize, JsonSchema)]
pub(super) struct Covering {
    /// Where it holds: namespace:NAME or repository:NAME.
    of: String,
    policy: Text<PolicyName>,
    /// From when on it freezes the tag.
    freezes_at: Text<Timestamp>,
}

/// What freezes a tag.
#[derive(Serialize, JsonSchema)]
pub(super) struct FrozenBy {
    /// Where the policy holds: namespace:NAME or repository:NAME.
    of: String,
    policy: Text<PolicyName>,
    since: Text<Timestamp>,
}

impl From<Frozen> for FrozenBy {
    fn from(frozen: Frozen) -> Self {
        let of = frozen.of.to_string();
        Self { of, policy: Text(frozen.policy.name), since: Text(frozen.since) }
    }
}

/// What the policies of a repository and of its namespace say of a tag.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TagImmutability")]
pub(super) struct OfTag {
    tag: Text<Tag>,
    /// Since when there has been the tag. Moves do not make it younger.
    created_at: Text<Timestamp>,
    /// What freezes it by now, where anything does.
    frozen_by: Option<FrozenBy>,
    /// All policies that cover it.
    covered_by: Vec<Covering>,
}

impl From<TagImmutability> for OfTag {
    fn from(said: TagImmutability) -> Self {
        let covering = |(record, from): (PolicyRecord, Timestamp)| Covering {
            of: record.of.to_string(),
            policy: Text(record.policy.name),
            freezes_at: Text(from),
        };
        Self {
            tag: Text(said.tag),
            created_at: Text(said.created_at),
            frozen_by: said.frozen.map(FrozenBy::from),
            covered_by: said.covered_by.into_iter().map(covering).collect(),
        }
    }
}

pub(super) async fn get(ask: Ask) -> Result<Plain<OfTag>, Problem> {
    let name: RepositoryName = ask.named("repository")?;
    let tag: Tag = ask.named("tag")?;
    let stores = ask.may(Requirement::Repository(&name, Action::Pull)).await?;
    let said = stores.immutability.tag_immutability(name.clone(), tag.clone()).await?;
    said.map(|said| Plain(said.into()))
        .ok_or_else(|| Problem::not_found(format!("tag {name}:{tag}")))
}

pub(super) async fn list(ask: Ask<PageQuery>) -> Result<PageOf<OfTag>, Problem> {
    let name: RepositoryName = ask.named("repository")?;
    let stores = ask.may(Requirement::Repository(&name, Action::Pull)).await?;
    let limit = limit(ask.query.limit.as_ref());
    let page = page(limit, ask.query.after.as_ref());
    let said = stores.immutability.list_tag_immutability(name.clone(), page).await?;
    let said = said.ok_or_else(|| Problem::not_found(format!("repository {name}")))?;
    Ok(shown(said, limit, |said| said.tag.to_string(), OfTag::from))
}

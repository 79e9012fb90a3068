//! What was deleted from a repository, and back with it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::clock::Timestamp;
use wharf_core::operation::{ListDeleted, RestoreDeleted};
use wharf_oci::{Digest, Reference, RepositoryName, Tag};

use super::answer::Plain;
use super::ask::{Ask, Json, Nothing};
use super::pages::{Items, PageOf, limit};
use super::problem::Problem;
use super::values::Text;

/// A manifest that was deleted and can be brought back.
#[derive(Serialize, JsonSchema)]
pub(super) struct DeletedManifest {
    digest: Text<Digest>,
    deleted_by: String,
    deleted_at: Text<Timestamp>,
    /// Until when it can be brought back.
    restorable_until: Text<Timestamp>,
    /// The tags that went with it and stand nowhere now, by name, the first 100: all of them come back with it.
    tags: Vec<Text<Tag>>,
}

/// Which page of what was deleted.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeletedQuery {
    /// How many at most: 100 where nothing is said, and never more than 1000.
    limit: Option<Text<u32>>,
    /// Goes on behind this: the `next` of the page before.
    after: Option<Text<Digest>>,
}

/// What is to come back: a tag, or a manifest.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Deleted {
    /// This tag, to where it stood.
    tag: Option<Text<Tag>>,
    /// This manifest, with what it needs and the tags that went with it.
    digest: Option<Text<Digest>>,
}

impl Deleted {
    fn reference(&self) -> Result<Reference, Problem> {
        match (&self.tag, &self.digest) {
            (Some(Text(tag)), None) => Ok(Reference::Tag(tag.clone())),
            (None, Some(Text(digest))) => Ok(Reference::Digest(*digest)),
            _ => Err(Problem::unfit("digest", "say a tag or a digest, and not both")),
        }
    }
}

/// What came back.
#[derive(Serialize, JsonSchema)]
pub(super) struct Restored {
    /// The manifest.
    digest: Text<Digest>,
    /// The tags that came back on it.
    tags: Vec<Text<Tag>>,
    /// How many manifests came back, with those that it needs; 0 where only a tag was to.
    manifests: usize,
}

pub(super) async fn list(ask: Ask<DeletedQuery>) -> Result<PageOf<DeletedManifest>, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    let operation = ask.permitted(ListDeleted { repository }).await?;
    let after = ask.query.after.as_ref().map(|Text(after)| *after);
    let limit = limit(ask.query.limit.as_ref());
    let found = ask.registry().list_deleted(&operation, after, limit).await?;
    let next = found.items.last().filter(|_| found.more).map(|found| found.digest.to_string());
    let grace = ask.registry().rules().grace;
    let shown = found.items.into_iter().map(|found| DeletedManifest {
        digest: Text(found.digest),
        deleted_by: found.deleted_by,
        deleted_at: Text(found.deleted_at),
        restorable_until: Text(found.deleted_at.after(grace)),
        tags: found.tags.into_iter().map(Text).collect(),
    });
    Ok(Plain(Items { items: shown.collect(), next }))
}

pub(super) async fn restore(ask: Ask<Nothing, Json<Deleted>>) -> Result<Plain<Restored>, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    let Json(what) = &ask.body;
    let what = what.reference()?;
    let operation = ask.permitted(RestoreDeleted { repository, what }).await?;
    let back = ask.registry().restore(&operation).await?;
    Ok(Plain(Restored {
        digest: Text(back.digest),
        tags: back.tags.into_iter().map(Text).collect(),
        manifests: back.manifests,
    }))
}

//! The manifests of a repository.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::ManifestRecord;
use wharf_core::operation::{Action, Requirement};
use wharf_oci::{Digest, Reference, RepositoryName};

use super::answer::{Done, Plain};
use super::ask::Ask;
use super::pages::{Items, PageOf, limit};
use super::problem::Problem;
use super::tags::remove;
use super::values::Text;

/// A manifest.
#[derive(Serialize, JsonSchema)]
pub(super) struct Manifest {
    digest: Text<Digest>,
    media_type: String,
    /// Its type, where it is no image.
    artifact_type: Option<String>,
    /// Its own size in bytes.
    size: u64,
    pushed_by: String,
    pushed_at: Text<Timestamp>,
}

impl From<ManifestRecord> for Manifest {
    fn from(manifest: ManifestRecord) -> Self {
        Self {
            digest: Text(manifest.digest),
            media_type: manifest.media_type.as_str().to_owned(),
            artifact_type: manifest.artifact_type,
            size: manifest.size,
            pushed_by: manifest.pushed_by,
            pushed_at: Text(manifest.pushed_at),
        }
    }
}

/// Which page of the manifests.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ManifestQuery {
    /// How many at most: 100 where nothing is said, and never more than 1000.
    limit: Option<Text<u32>>,
    /// Goes on behind this: the `next` of the page before.
    after: Option<Text<Digest>>,
}

pub(super) async fn list(ask: Ask<ManifestQuery>) -> Result<PageOf<Manifest>, Problem> {
    let name: RepositoryName = ask.named("repository")?;
    let stores = ask.may(Requirement::Repository(&name, Action::Pull)).await?;
    let limit = limit(ask.query.limit.as_ref());
    let after = ask.query.after.as_ref().map(|Text(after)| *after);
    let found = stores.directory.list_manifest_records(name.clone(), after, limit + 1).await?;
    let mut found = found.ok_or_else(|| Problem::not_found(format!("repository {name}")))?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|found| found.digest.to_string());
    Ok(Plain(Items { items: found.into_iter().map(Manifest::from).collect(), next }))
}

pub(super) async fn get(ask: Ask) -> Result<Plain<Manifest>, Problem> {
    let name: RepositoryName = ask.named("repository")?;
    let digest: Digest = ask.named("digest")?;
    let stores = ask.may(Requirement::Repository(&name, Action::Pull)).await?;
    let found = stores.directory.find_manifest_record(name.clone(), digest).await?;
    let missing = || Problem::not_found(format!("manifest {digest} in {name}"));
    found.map(|manifest| Plain(manifest.into())).ok_or_else(missing)
}

pub(super) async fn delete(ask: Ask) -> Result<Done, Problem> {
    let digest: Digest = ask.named("digest")?;
    remove(&ask, Reference::Digest(digest)).await
}

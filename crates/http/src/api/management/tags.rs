//! The tags of a repository: as they are, in any order, or as they were.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    PreReleases, Precondition, SortTags, Stood, TagPlace, TagRecord, TagSort, TagThen, Then,
};
use wharf_core::operation::{Action, DeleteManifest, ListTagHistory, Requirement};
use wharf_oci::{Digest, Reference, RepositoryName};

use super::answer::{Done, Plain, Versioned};
use super::ask::{Ask, Version};
use super::pages::{Items, PageOf, limit, page, shown};
use super::problem::Problem;
use super::values::{SortBy, Text, Words};

/// A tag.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TagRecord")]
pub(super) struct Tag {
    name: Text<wharf_oci::Tag>,
    /// Where it stands, or stood then; null where that is forgotten.
    digest: Option<Text<Digest>>,
    /// The version that its last move gave it.
    version: Option<i64>,
    /// Who moved it there.
    updated_by: Option<String>,
    /// When; where it is forgotten where it stood, from when on that is known.
    updated_at: Text<Timestamp>,
    /// Whether the repository holds the manifest now: held, or gone; or forgotten, where nobody knows which it was.
    state: &'static str,
}

impl From<TagRecord> for Tag {
    fn from(tag: TagRecord) -> Self {
        Self {
            name: Text(tag.name),
            digest: Some(Text(tag.digest)),
            version: Some(tag.version),
            updated_by: Some(tag.updated_by),
            updated_at: Text(tag.updated_at),
            state: "held",
        }
    }
}

impl Tag {
    fn then(name: wharf_oci::Tag, then: Then) -> Self {
        Self {
            name: Text(name),
            digest: Some(Text(then.digest)),
            version: Some(then.version),
            updated_by: Some(then.by),
            updated_at: Text(then.since),
            state: if then.is_held { "held" } else { "gone" },
        }
    }

    /// `None` where it was nowhere.
    fn of(TagThen { name, stood }: TagThen) -> Option<Self> {
        match stood {
            Stood::At(then) => Some(Self::then(name, then)),
            Stood::Nowhere => None,
            Stood::Forgotten(since) => Some(Self {
                name: Text(name),
                digest: None,
                version: None,
                updated_by: None,
                updated_at: Text(since),
                state: "forgotten",
            }),
        }
    }
}

/// Which tags.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TagsQuery {
    /// In this order; by name where nothing is said.
    sort: Option<Text<SortBy>>,
    /// By version: whether those before a release are listed; all where nothing is said.
    pre_releases: Option<Text<PreReleases>>,
    /// By name: the tags that there were at this time.
    as_of: Option<Text<Timestamp>>,
    /// How many at most: 100 where nothing is said, and never more than 1000.
    limit: Option<Text<u32>>,
    /// Goes on behind this: the `next` of the page before.
    after: Option<Text<Words>>,
}

/// When.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TagQuery {
    /// Where it stood at this time; where it stands now without it.
    as_of: Option<Text<Timestamp>>,
}

pub(super) async fn list(ask: Ask<TagsQuery>) -> Result<PageOf<Tag>, Problem> {
    let name: RepositoryName = ask.named("repository")?;
    let stores = ask.may(Requirement::Repository(&name, Action::Pull)).await?;
    let TagsQuery { sort, pre_releases, as_of, .. } = &ask.query;
    let limit = limit(ask.query.limit.as_ref());
    let sort = sort.as_ref().map_or(SortBy::Name, |Text(sort)| *sort);
    if pre_releases.is_some() && sort != SortBy::Version {
        return Err(Problem::unfit("pre_releases", "it goes with sort=version"));
    }
    let missing = || Problem::not_found(format!("repository {name}"));
    let sort = match (sort, as_of) {
        (SortBy::Name, Some(Text(at))) => return list_as_of(&ask, name.clone(), *at, limit).await,
        (SortBy::Name, None) => {
            let page = page(limit, ask.query.after.as_ref());
            let tags = stores.directory.list_tag_records(name.clone(), page).await?;
            let tags = tags.ok_or_else(missing)?;
            return Ok(shown(tags, limit, |tag| tag.name.to_string(), Tag::from));
        }
        (_, Some(_)) => return Err(Problem::unfit("as_of", "it goes with sort=name")),
        (SortBy::Version, None) => {
            TagSort::Version(pre_releases.as_ref().map(|Text(which)| *which).unwrap_or_default())
        }
        (SortBy::Updated, None) => TagSort::Updated,
    };
    let after = ask.query.after.as_ref().map(|Text(Words(text))| text.parse::<TagPlace>());
    let after = after.transpose().map_err(|error| Problem::unfit("after", error.to_string()))?;
    let query = SortTags { repository: name.clone(), sort, after, limit: limit + 1 };
    let tags = stores.directory.sort_tag_records(query).await?.ok_or_else(missing)?;
    Ok(shown(tags, limit, |tag| tag.place().to_string(), Tag::from))
}

async fn list_as_of(
    ask: &Ask<TagsQuery>,
    repository: RepositoryName,
    at: Timestamp,
    limit: usize,
) -> Result<PageOf<Tag>, Problem> {
    let operation = ask.permitted(ListTagHistory { repository, tag: None }).await?;
    let after = ask.query.after.as_ref().map(|Text(Words(after))| after.clone());
    let found = ask.registry().tags_as_of(&operation, at, after, limit).await?;
    let next = found.items.last().filter(|_| found.more).map(|tag| tag.name.to_string());
    Ok(Plain(Items { items: found.items.into_iter().filter_map(Tag::of).collect(), next }))
}

pub(super) async fn get(ask: Ask<TagQuery>) -> Result<Versioned<Tag>, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    let tag: wharf_oci::Tag = ask.named("tag")?;
    let Some(Text(at)) = ask.query.as_of else { return current(&ask, &repository, &tag).await };
    let asked = ListTagHistory { repository, tag: Some(tag.clone()) };
    let operation = ask.permitted(asked).await?;
    let then = ask.registry().tag_as_of(&operation, &tag, at).await?;
    let version = Version { number: then.version, created_at: then.since };
    Ok(Versioned { value: Tag::then(tag, then), version, known: ask.has_version(version) })
}

/// A tag as it is now.
pub(super) async fn current<Q, B>(
    ask: &Ask<Q, B>,
    repository: &RepositoryName,
    tag: &wharf_oci::Tag,
) -> Result<Versioned<Tag>, Problem> {
    let stores = ask.may(Requirement::Repository(repository, Action::Pull)).await?;
    let found = stores.directory.find_tag_record(repository.clone(), tag.clone()).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("tag {repository}:{tag}")))?;
    let version = Version { number: found.version, created_at: found.updated_at };
    Ok(Versioned { value: found.into(), version, known: ask.has_version(version) })
}

pub(super) async fn delete(ask: Ask) -> Result<Done, Problem> {
    let tag: wharf_oci::Tag = ask.named("tag")?;
    remove(&ask, Reference::Tag(tag)).await
}

/// Removes a tag, or a manifest with all tags on it.
pub(super) async fn remove<Q, B>(ask: &Ask<Q, B>, reference: Reference) -> Result<Done, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    let operation = ask.permitted(DeleteManifest { repository, reference }).await?;
    ask.registry().delete_manifest(&operation, Precondition::None).await?;
    Ok(Done)
}

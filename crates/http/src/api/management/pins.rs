//! Pins of a repository: what keeps a manifest whatever tags do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{Pin as Record, PinName, PinTarget};
use wharf_core::operation::{ListPins, PutPin, RemovePin};
use wharf_oci::{Digest, RepositoryName};

use super::answer::{Done, Plain};
use super::ask::{Ask, Json, Nothing};
use super::pages::{Items, PageOf, PageQuery, limit};
use super::problem::Problem;
use super::values::{Text, Words};

/// A pin.
#[derive(Serialize, JsonSchema)]
pub(super) struct Pin {
    name: Text<PinName>,
    /// The manifest that it keeps, with all that it needs.
    digest: Text<Digest>,
    created_by: String,
    created_at: Text<Timestamp>,
    /// Until when; for ever where it is null.
    expires_at: Option<Text<Timestamp>>,
}

impl From<Record> for Pin {
    fn from(pin: Record) -> Self {
        Self {
            name: Text(pin.name),
            digest: Text(pin.digest),
            created_by: pin.created_by,
            created_at: Text(pin.created_at),
            expires_at: pin.expires_at.map(Text),
        }
    }
}

/// What is pinned: a manifest, or what a tag stands at.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPin {
    /// This manifest.
    digest: Option<Text<Digest>>,
    /// Where this tag stands.
    tag: Option<Text<wharf_oci::Tag>>,
    /// Where the tag stood at this time.
    as_of: Option<Text<Timestamp>>,
    /// Until when; for ever where nothing is said.
    expires_at: Option<Text<Timestamp>>,
}

pub(super) async fn list(ask: Ask<PageQuery>) -> Result<PageOf<Pin>, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    let operation = ask.permitted(ListPins { repository }).await?;
    let after = ask.query.after.as_ref().map(|Text(Words(after))| after.clone());
    let limit = limit(ask.query.limit.as_ref());
    let found = ask.registry().list_pins(&operation, after, limit).await?;
    let next = found.items.last().filter(|_| found.more).map(|pin| pin.name.to_string());
    Ok(Plain(Items { items: found.items.into_iter().map(Pin::from).collect(), next }))
}

pub(super) async fn put(ask: Ask<Nothing, Json<NewPin>>) -> Result<Plain<Pin>, Problem> {
    let (repository, name) = (ask.named("repository")?, ask.named("pin")?);
    let operation = ask.permitted(PutPin { repository, name }).await?;
    let Json(NewPin { digest, tag, as_of, expires_at }) = &ask.body;
    let target = match (digest, tag, as_of) {
        (Some(Text(digest)), None, None) => PinTarget::Digest(*digest),
        (None, Some(Text(tag)), as_of) => {
            PinTarget::Tag(tag.clone(), as_of.as_ref().map(|Text(at)| *at))
        }
        _ => {
            let detail = "say a digest, or a tag, which may have an as_of";
            return Err(Problem::unfit("digest", detail));
        }
    };
    let until = expires_at.as_ref().map(|Text(until)| *until);
    let (pin, _) = ask.registry().pin_manifest(&operation, target, until).await?;
    Ok(Plain(pin.into()))
}

pub(super) async fn delete(ask: Ask) -> Result<Done, Problem> {
    let (repository, name) = (ask.named("repository")?, ask.named("pin")?);
    let operation = ask.permitted(RemovePin { repository, name }).await?;
    ask.registry().unpin_manifest(&operation).await?;
    Ok(Done)
}

//! The history of tags, and tags that go back in it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{ChangePlace, KnownTag, RollBackTo, TagChange};
use wharf_core::operation::{ListTagHistory, RollBackTag};
use wharf_core::{BackTo, Changes};
use wharf_oci::{Digest, RepositoryName};

use super::answer::{Plain, Versioned};
use super::ask::{Ask, Json, Nothing};
use super::pages::{Items, PageOf, limit};
use super::problem::Problem;
use super::tags::{self, Tag};
use super::values::Text;

/// A change of a tag.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TagChange")]
pub(super) struct Change {
    tag: Text<wharf_oci::Tag>,
    /// The version that this gave it: one more than the one before, over deletions too.
    version: i64,
    /// What was done with it: create, move or delete.
    action: &'static str,
    /// Where it stood.
    from: Option<Text<Digest>>,
    /// Where it stands since.
    to: Option<Text<Digest>>,
    by: String,
    at: Text<Timestamp>,
    /// Why: pushed, deleted, manifest-deleted, rolled-back, retention, restored or replicated. Null where a release changed
    /// it that did not record that.
    reason: Option<&'static str>,
    /// What else there is to say of the reason: the version that it was rolled back to, the rule, the registry.
    detail: Option<String>,
}

impl From<TagChange> for Change {
    fn from(change: TagChange) -> Self {
        let action = match (&change.from, &change.to) {
            (None, _) => "create",
            (Some(_), Some(_)) => "move",
            (Some(_), None) => "delete",
        };
        Self {
            tag: Text(change.tag),
            version: change.version,
            action,
            from: change.from.map(Text),
            to: change.to.map(Text),
            by: change.by,
            at: Text(change.at),
            reason: change.reason.as_ref().map(|reason| reason.kind()),
            detail: change.reason.and_then(|reason| reason.detail()),
        }
    }
}

/// Which changes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    /// From this moment on.
    from: Option<Text<Timestamp>>,
    /// Before this moment.
    to: Option<Text<Timestamp>>,
    /// How many at most: 100 where nothing is said, and never more than 1000.
    limit: Option<Text<u32>>,
    /// Goes on behind this: the `next` of the page before.
    after: Option<Text<ChangePlace>>,
}

/// Where a tag goes back to.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Back {
    /// Where it is to stand; where it stood before, if nothing is said.
    to: Option<To>,
    /// What its last change must have given it as its version; any without it.
    expected: Option<TagVersionNumber>,
}

/// Where a tag stood: at a version, at a time, or at a manifest.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum To {
    /// At this version of it.
    Version(TagVersionNumber),
    /// At this time.
    Time(Text<Timestamp>),
    /// At this manifest.
    Digest(Text<Digest>),
}

/// A version of a tag, which counts its changes. JSON knows no whole numbers: 3.0 is 3.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "serde_json::Number")]
pub(super) struct TagVersionNumber(i64);

/// The largest whole number that every reader of JSON reads as it is.
const MOST_VERSIONS: i64 = (1 << 53) - 1;

impl TryFrom<serde_json::Number> for TagVersionNumber {
    type Error = String;

    fn try_from(number: serde_json::Number) -> Result<Self, String> {
        #[allow(clippy::cast_possible_truncation, reason = "it is whole and in range")]
        let whole = number.as_i64().or_else(|| {
            let float = number.as_f64().filter(|it| it.fract() == 0.0 && it.abs() < 9e15)?;
            Some(float as i64)
        });
        whole
            .filter(|version| (1..=MOST_VERSIONS).contains(version))
            .map(Self)
            .ok_or_else(|| format!("{number} must be a whole number from 1 to {MOST_VERSIONS}"))
    }
}

impl JsonSchema for TagVersionNumber {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TagVersion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer", "minimum": 1, "maximum": MOST_VERSIONS,
            "description": "A version of a tag: it counts its changes."
        })
    }
}

pub(super) async fn of_repository(ask: Ask<HistoryQuery>) -> Result<PageOf<Change>, Problem> {
    changes(&ask, None).await
}

pub(super) async fn of_tag(ask: Ask<HistoryQuery>) -> Result<PageOf<Change>, Problem> {
    let tag = ask.named("tag")?;
    changes(&ask, Some(tag)).await
}

async fn changes(
    ask: &Ask<HistoryQuery>,
    tag: Option<wharf_oci::Tag>,
) -> Result<PageOf<Change>, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    let operation = ask.permitted(ListTagHistory { repository, tag }).await?;
    let query = &ask.query;
    let asked = Changes {
        from: query.from.as_ref().map(|Text(from)| *from),
        before: query.to.as_ref().map(|Text(to)| *to),
        after: query.after.clone().map(|Text(after)| after),
        limit: limit(query.limit.as_ref()),
    };
    let found = ask.registry().list_changes(&operation, asked).await?;
    let next = found.items.last().filter(|_| found.more).map(|change| change.place().to_string());
    Ok(Plain(Items { items: found.items.into_iter().map(Change::from).collect(), next }))
}

pub(super) async fn roll_back(ask: Ask<Nothing, Json<Back>>) -> Result<Versioned<Tag>, Problem> {
    let repository: RepositoryName = ask.named("repository")?;
    let tag: wharf_oci::Tag = ask.named("tag")?;
    let asked = RollBackTag { repository, tag };
    let operation = ask.permitted(asked).await?;
    let Json(Back { to, expected }) = &ask.body;
    let known =
        ask.expected()?.map(|known| KnownTag { version: known.number, at: Some(known.created_at) });
    let expected = match (known, expected) {
        (Some(known), Some(TagVersionNumber(version))) if known.version != *version => {
            let detail = format!("it is version {version}, and If-Match names another one");
            return Err(Problem::unfit("expected", detail));
        }
        (Some(known), _) => Some(known),
        (None, expected) => {
            expected.map(|TagVersionNumber(version)| KnownTag { version, at: None })
        }
    };
    let back = BackTo {
        to: match to {
            None => RollBackTo::Previous,
            Some(To::Version(TagVersionNumber(version))) => RollBackTo::Version(*version),
            Some(To::Time(Text(time))) => RollBackTo::Time(*time),
            Some(To::Digest(Text(digest))) => RollBackTo::Digest(*digest),
        },
        expected,
        once: ask.once()?,
    };
    ask.registry().roll_back_tag(&operation, back).await?;
    let now = tags::current(&ask, &operation.repository, &operation.tag).await?;
    Ok(Versioned { known: false, ..now })
}

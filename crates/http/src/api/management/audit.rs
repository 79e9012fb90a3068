//! The audit log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::access::Role;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{AuditFilter, AuditOrder, AuditRecord};
use wharf_core::operation::Requirement;
use wharf_core::permissions::AccountName;

use super::ask::Ask;
use super::pages::{PageOf, limit, shown};
use super::problem::Problem;
use super::values::{Text, Textual, Words};

/// What somebody did.
#[derive(Serialize, JsonSchema)]
pub(super) struct Entry {
    id: i64,
    at: Text<Timestamp>,
    /// Who.
    by: String,
    /// What: grant.put.
    action: String,
    /// With what: robot:team+ci.
    target: String,
    namespace: Option<String>,
    /// What came of it: done, denied or refused.
    outcome: String,
    /// What else matters, as words name=value.
    detail: String,
    /// Where they were.
    address: Option<String>,
    request_id: Option<String>,
}

impl From<AuditRecord> for Entry {
    fn from(record: AuditRecord) -> Self {
        let AuditRecord { id, at, entry } = record;
        Self {
            id,
            at: Text(at),
            by: entry.by.by,
            action: entry.action,
            target: entry.target,
            namespace: entry.namespace,
            outcome: entry.outcome.name().to_owned(),
            detail: entry.detail,
            address: entry.by.address.map(|address| address.to_string()),
            request_id: entry.by.request_id,
        }
    }
}

impl Textual for AuditOrder {
    const NAME: &'static str = "Order";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "newest" => Ok(Self::NewestFirst),
            "oldest" => Ok(Self::OldestFirst),
            _ => Err(format!(
                "{:?} is none of newest, oldest",
                text.chars().take(100).collect::<String>()
            )),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::NewestFirst => "newest",
            Self::OldestFirst => "oldest",
        }
        .to_owned()
    }

    fn form() -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "enum": ["newest", "oldest"], "description": "An order." })
    }
}

/// Which entries.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    /// Those of a namespace, for who administers it. All others are for administrators of the whole registry, but what was
    /// done with a user's account (target=user:ada), which is for that user too.
    namespace: Option<Text<AccountName>>,
    /// What somebody did: user:ada.
    by: Option<Text<Words>>,
    /// What was done: grant.put.
    action: Option<Text<Words>>,
    /// With what: robot:team+ci.
    target: Option<Text<Words>>,
    /// From this moment on.
    from: Option<Text<Timestamp>>,
    /// Before this moment.
    before: Option<Text<Timestamp>>,
    /// What comes first: the newest, to look at; or the oldest, to export.
    order: Option<Text<AuditOrder>>,
    /// How many at most: 100 where nothing is said, and never more than 1000.
    limit: Option<Text<u32>>,
    /// Goes on behind this: the `next` of the page before.
    after: Option<Text<Number>>,
}

/// The number of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number(pub(super) i64);

impl Textual for Number {
    const NAME: &'static str = "EntryNumber";

    fn read(text: &str) -> Result<Self, String> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_number.then(|| text.parse().ok()).flatten();
        number.map(Self).ok_or_else(|| {
            let shown: String = text.chars().take(100).collect();
            format!("{shown:?} is no number of an entry")
        })
    }

    fn write(&self) -> String {
        self.0.to_string()
    }

    fn form() -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^[0-9]{1,18}$", "description": "The number of an entry."
        })
    }
}

pub(super) async fn list(ask: Ask<AuditQuery>) -> Result<PageOf<Entry>, Problem> {
    let query = &ask.query;
    let namespace = query.namespace.clone().map(|Text(namespace)| namespace);
    // What was done with an account is for who has it.
    let account = query.target.as_ref().and_then(|Text(Words(target))| {
        target.strip_prefix("user:").and_then(|name| name.parse::<AccountName>().ok())
    });
    let requirement = match (&namespace, &account) {
        (Some(namespace), _) => Requirement::Namespace(namespace, Role::Admin),
        (None, Some(account)) => Requirement::Own(account, Role::Read),
        (None, None) => Requirement::Site,
    };
    let stores = ask.may(requirement).await?;
    let words = |words: &Option<Text<Words>>| words.clone().map(|Text(Words(text))| text);
    let filter = AuditFilter {
        namespace: namespace.as_ref().map(ToString::to_string),
        by: words(&query.by),
        action: words(&query.action),
        target: words(&query.target),
        from: query.from.as_ref().map(|Text(at)| *at),
        before: query.before.as_ref().map(|Text(at)| *at),
    };
    let order = query.order.as_ref().map_or(AuditOrder::NewestFirst, |Text(order)| *order);
    let after = query.after.as_ref().map(|Text(Number(after))| *after);
    let limit = limit(query.limit.as_ref());
    let found = stores.audit.list_audit(filter, order, after, limit + 1).await?;
    Ok(shown(found, limit, |record| record.id.to_string(), Entry::from))
}

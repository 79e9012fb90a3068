//! The policies by which tags freeze, of namespaces and of repositories.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use wharf_core::access::Role;
use wharf_core::clock::Timestamp;
use wharf_core::immutability::{MutableFor, Policy, PolicyName, PolicyRecord, PolicyScope};
use wharf_core::metadata::{
    ChangeImmutabilityPolicy, NewImmutabilityPolicy, RemoveImmutabilityPolicy,
};
use wharf_core::operation::{Action, Requirement};
use wharf_oci::{TagPattern, TagSelection};

use super::answer::{Created, Done, Plain, Versioned};
use super::ask::{Ask, Json, Nothing, Version};
use super::pages::{Items, PageOf};
use super::problem::Problem;
use super::values::Text;

/// A policy by which tags freeze.
#[derive(Serialize, JsonSchema)]
pub(super) struct ImmutabilityPolicy {
    name: Text<PolicyName>,
    /// Which tags: those that one of these covers …
    patterns: Vec<Text<TagPattern>>,
    /// … and none of these does.
    exceptions: Vec<Text<TagPattern>>,
    mutable_seconds: Seconds,
    created_by: String,
    created_at: Text<Timestamp>,
    /// Since when it says what it says.
    changed_at: Text<Timestamp>,
}

impl From<PolicyRecord> for ImmutabilityPolicy {
    fn from(record: PolicyRecord) -> Self {
        let texts = |patterns: &[TagPattern]| patterns.iter().cloned().map(Text).collect();
        let Policy { name, tags, mutable_for } = record.policy;
        Self {
            name: Text(name),
            patterns: texts(tags.patterns()),
            exceptions: texts(tags.exceptions()),
            mutable_seconds: Seconds(mutable_for),
            created_by: record.created_by,
            created_at: Text(record.created_at),
            changed_at: Text(record.changed_at),
        }
    }
}

/// How many seconds after it was made a tag may still change: 0 freezes it at once.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(try_from = "serde_json::Number")]
struct Seconds(MutableFor);

/// JSON knows no whole numbers: 60.0 is 60.
impl TryFrom<serde_json::Number> for Seconds {
    type Error = String;

    fn try_from(number: serde_json::Number) -> Result<Self, String> {
        let most = MutableFor::MOST;
        let wrong = || format!("{number} must be a whole number of seconds from 0 to {most}");
        let asked = number.as_f64().filter(|asked| asked.fract() == 0.0).ok_or_else(wrong)?;
        if !(0.0..=f64::from(most)).contains(&asked) {
            return Err(wrong());
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is whole, and in the range"
        )]
        let seconds = asked as u64;
        MutableFor::from_seconds(seconds).map(Self).map_err(|error| error.to_string())
    }
}

impl Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u32(self.0.seconds())
    }
}

impl JsonSchema for Seconds {
    fn schema_name() -> Cow<'static, str> {
        "MutableSeconds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer", "minimum": 0, "maximum": MutableFor::MOST,
            "description": "How many seconds after it was made a tag may still change: 0 freezes it at once."
        })
    }
}

/// What a policy says.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Says {
    /// Which tags: those that one of these covers …
    #[schemars(length(min = 1, max = 32))]
    patterns: Vec<Text<TagPattern>>,
    /// … and none of these does.
    #[serde(default)]
    #[schemars(length(max = 32))]
    exceptions: Vec<Text<TagPattern>>,
    #[serde(default)]
    mutable_seconds: Seconds,
}

/// A policy to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPolicy {
    name: Text<PolicyName>,
    /// Which tags: those that one of these covers …
    #[schemars(length(min = 1, max = 32))]
    patterns: Vec<Text<TagPattern>>,
    /// … and none of these does.
    #[serde(default)]
    #[schemars(length(max = 32))]
    exceptions: Vec<Text<TagPattern>>,
    #[serde(default)]
    mutable_seconds: Seconds,
}

impl Says {
    fn policy(&self, name: PolicyName) -> Result<Policy, Problem> {
        let texts = |patterns: &[Text<TagPattern>]| -> Vec<String> {
            patterns.iter().map(|Text(pattern)| pattern.to_string()).collect()
        };
        let most = TagSelection::MOST;
        for (field, patterns) in [("patterns", &self.patterns), ("exceptions", &self.exceptions)] {
            if patterns.len() > most {
                let detail = format!("there are {}, and {most} at most", patterns.len());
                return Err(Problem::invalid(field, detail));
            }
        }
        let tags = TagSelection::new(&texts(&self.patterns), &texts(&self.exceptions))
            .map_err(|error| Problem::invalid("patterns", error.to_string()))?;
        Ok(Policy { name, tags, mutable_for: self.mutable_seconds.0 })
    }
}

/// Of what the policies of a path are.
trait Scoped {
    fn scope(&self) -> Result<PolicyScope, Problem>;
}

impl<Q, B> Scoped for Ask<Q, B> {
    fn scope(&self) -> Result<PolicyScope, Problem> {
        if self.names("repository") {
            self.named("repository").map(PolicyScope::Repository)
        } else {
            self.named("namespace").map(PolicyScope::Namespace)
        }
    }
}

/// What it takes to see policies: who may pull may know which tags stay.
fn sight(of: &PolicyScope) -> Requirement<'_> {
    match of {
        PolicyScope::Namespace(name) => Requirement::Namespace(name, Role::Read),
        PolicyScope::Repository(name) => Requirement::Repository(name, Action::Pull),
    }
}

fn missing(of: &PolicyScope) -> Problem {
    Problem::not_found(of.to_string().replacen(':', " ", 1))
}

pub(super) async fn list(ask: Ask) -> Result<PageOf<ImmutabilityPolicy>, Problem> {
    let of = ask.scope()?;
    let stores = ask.may(sight(&of)).await?;
    let found = stores.immutability.list_policies(of.clone()).await?;
    let found = found.ok_or_else(|| missing(&of))?;
    Ok(Plain(Items { items: found.into_iter().map(From::from).collect(), next: None }))
}

pub(super) async fn get(ask: Ask) -> Result<Versioned<ImmutabilityPolicy>, Problem> {
    let of = ask.scope()?;
    current(&ask, of, ask.named("policy")?).await
}

async fn current<Q, B>(
    ask: &Ask<Q, B>,
    of: PolicyScope,
    name: PolicyName,
) -> Result<Versioned<ImmutabilityPolicy>, Problem> {
    let stores = ask.may(sight(&of)).await?;
    let found = stores.immutability.find_policy(of.clone(), name.clone()).await?;
    let what = || Problem::not_found(format!("immutability policy {name} of {of}"));
    let found = found.ok_or_else(what)?;
    let version = Version { number: found.version, created_at: found.created_at };
    Ok(Versioned { value: found.into(), version, known: ask.has_version(version) })
}

/// The version that a change expects. Where it expects none, what is there is not read: it may be what cannot be read that is
/// to be put right.
async fn expected<Q, B>(
    ask: &Ask<Q, B>,
    of: &PolicyScope,
    name: &PolicyName,
) -> Result<Option<i64>, Problem> {
    let found = current(ask, of.clone(), name.clone());
    ask.expected_of(async { found.await.map(|found| found.version.created_at) }).await
}

pub(super) async fn create(
    ask: Ask<Nothing, Json<NewPolicy>>,
) -> Result<Created<ImmutabilityPolicy>, Problem> {
    let of = ask.scope()?;
    let Json(NewPolicy { name: Text(name), patterns, exceptions, mutable_seconds }) = &ask.body;
    let (patterns, exceptions) = (patterns.clone(), exceptions.clone());
    let says = Says { patterns, exceptions, mutable_seconds: *mutable_seconds };
    let change = NewImmutabilityPolicy { of: of.clone(), policy: says.policy(name.clone())? };
    let again = ask.change(change).await?.again;
    let path = match &of {
        PolicyScope::Namespace(of) => format!("/namespaces/{of}"),
        PolicyScope::Repository(of) => format!("/repositories/{}", of.as_str().replace('/', "%2F")),
    };
    let location = ask.location(&format!("{path}/immutability/{name}"));
    Ok(Created { value: current(&ask, of, name.clone()).await?.value, location, again })
}

pub(super) async fn update(
    ask: Ask<Nothing, Json<Says>>,
) -> Result<Versioned<ImmutabilityPolicy>, Problem> {
    let of = ask.scope()?;
    let name: PolicyName = ask.named("policy")?;
    let policy = ask.body.0.policy(name.clone())?;
    let expected = expected(&ask, &of, &name).await?;
    ask.change(ChangeImmutabilityPolicy { of: of.clone(), policy, expected }).await?;
    Ok(Versioned { known: false, ..current(&ask, of, name).await? })
}

pub(super) async fn delete(ask: Ask) -> Result<Done, Problem> {
    let of = ask.scope()?;
    let name: PolicyName = ask.named("policy")?;
    let expected = expected(&ask, &of, &name).await?;
    ask.change(RemoveImmutabilityPolicy { of, name, expected }).await?;
    Ok(Done)
}

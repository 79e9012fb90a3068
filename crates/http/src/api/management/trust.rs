//! The trust rules of robots: whose workloads stand for them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::access::Role;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{self, Conditions, RemoveTrustRule, TrustRule};
use wharf_core::operation::Requirement;
use wharf_core::permissions::RobotName;

use super::answer::{Created, Done, Plain};
use super::ask::{Ask, Json, Nothing};
use super::pages::{Items, PageOf};
use super::problem::Problem;
use super::values::{Text, Words};

/// A rule: whoever shows such a token of such an issuer is the robot.
#[derive(Serialize, JsonSchema)]
pub(super) struct Rule {
    id: i64,
    /// Who signs the tokens: `iss`. The settings say whether they are trusted at all.
    issuer: String,
    /// For whom they are: one of `aud`.
    audience: String,
    /// Each claim, with the pattern that its value must match.
    conditions: BTreeMap<String, String>,
    created_by: String,
    created_at: Text<Timestamp>,
}

impl From<TrustRule> for Rule {
    fn from(rule: TrustRule) -> Self {
        let owned = |(claim, pattern): (&str, &str)| (claim.to_owned(), pattern.to_owned());
        Self {
            id: rule.id,
            issuer: rule.issuer,
            audience: rule.audience,
            conditions: rule.conditions.iter().map(owned).collect(),
            created_by: rule.created_by,
            created_at: Text(rule.created_at),
        }
    }
}

/// A rule to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRule {
    issuer: Text<Words>,
    audience: Text<Words>,
    /// Each claim, with the pattern that its value must match; one of them says whose the workload is.
    conditions: BTreeMap<String, String>,
}

fn robot<Q, B>(ask: &Ask<Q, B>) -> Result<RobotName, Problem> {
    Ok(RobotName { namespace: ask.named("namespace")?, name: ask.named("robot")? })
}

pub(super) async fn list(ask: Ask) -> Result<PageOf<Rule>, Problem> {
    let name = robot(&ask)?;
    let stores = ask.may(Requirement::Namespace(&name.namespace, Role::Admin)).await?;
    let rules = stores.trust.list_rules(name.clone()).await?;
    let rules = rules.ok_or_else(|| Problem::not_found(format!("robot {name}")))?;
    Ok(Plain(Items { items: rules.into_iter().map(Rule::from).collect(), next: None }))
}

pub(super) async fn create(ask: Ask<Nothing, Json<NewRule>>) -> Result<Created<Rule>, Problem> {
    let name = robot(&ask)?;
    let Json(new) = &ask.body;
    let texts: Vec<String> =
        new.conditions.iter().map(|(claim, pattern)| format!("{claim}={pattern}")).collect();
    let conditions = Conditions::parse(texts.iter().map(String::as_str))
        .map_err(|error| Problem::unfit("conditions", error.to_string()))?;
    let change = metadata::NewTrustRule {
        robot: name.clone(),
        issuer: new.issuer.0.0.clone(),
        audience: new.audience.0.0.clone(),
        conditions: conditions.clone(),
    };
    let changed = ask.change(change).await?;
    let rules = changed.stores.trust.list_rules(name.clone()).await?.unwrap_or_default();
    let made = rules.into_iter().rev().find(|rule| {
        rule.issuer == new.issuer.0.0
            && rule.audience == new.audience.0.0
            && rule.conditions == conditions
    });
    let rule = made.ok_or_else(|| Problem::not_found(format!("such rule of robot {name}")))?;
    let RobotName { namespace, name } = name;
    let path = format!("/namespaces/{namespace}/robots/{name}/trust/{}", rule.id);
    Ok(Created { value: rule.into(), location: ask.location(&path), again: changed.again })
}

pub(super) async fn delete(ask: Ask) -> Result<Done, Problem> {
    let id = i64::from(ask.named::<u32>("rule")?);
    ask.change(RemoveTrustRule { robot: robot(&ask)?, id }).await?;
    Ok(Done)
}

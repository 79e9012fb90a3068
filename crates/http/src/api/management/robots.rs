//! Robots of namespaces.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::access::Role;
use wharf_core::authority::{NewSecret, SecretUse};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{self, RemoveRobot, RobotRecord, RotateRobot, UpdateRobot};
use wharf_core::operation::Requirement;
use wharf_core::permissions::{AccountName, RobotName};

use super::Stores;
use super::answer::{Created, Done, Versioned};
use super::ask::{Ask, Changed, Json, Nothing, Version};
use super::pages::{PageOf, PageQuery, limit, page, shown};
use super::problem::Problem;
use super::values::{Days, Text, present};

/// A robot.
#[derive(Serialize, JsonSchema)]
pub(super) struct Robot {
    /// NAMESPACE+NAME, by which it logs in.
    name: String,
    /// Until when it works; for ever where there is no such moment.
    expires_at: Option<Text<Timestamp>>,
    /// Whether all rights are taken from it, for now.
    disabled: bool,
    /// Who gave it its secret.
    created_by: String,
    created_at: Text<Timestamp>,
    /// The secret, in the reply that makes it and in no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl From<RobotRecord> for Robot {
    fn from(robot: RobotRecord) -> Self {
        Self {
            name: robot.name.to_string(),
            expires_at: robot.expires_at.map(Text),
            disabled: robot.disabled,
            created_by: robot.created_by,
            created_at: Text(robot.created_at),
            secret: None,
        }
    }
}

/// A robot to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRobot {
    /// Its name in the namespace.
    name: Text<AccountName>,
    /// After how many days it stops working; never, where nothing is said.
    days: Option<Days>,
}

/// A new secret of a robot.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRobotSecret {
    /// After how many days it stops working; never, where nothing is said.
    days: Option<Days>,
}

/// What changes of a robot; what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RobotChange {
    disabled: Option<bool>,
    /// After how many days from now it stops working; null for never.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Days>")]
    days: Option<Option<Days>>,
}

fn robot<Q, B>(ask: &Ask<Q, B>) -> Result<RobotName, Problem> {
    Ok(RobotName { namespace: ask.named("namespace")?, name: ask.named("robot")? })
}

async fn find(stores: &Stores, name: &RobotName) -> Result<RobotRecord, Problem> {
    let found = stores.directory.find_robot(name.clone()).await?;
    found.ok_or_else(|| Problem::not_found(format!("robot {name}")))
}

pub(super) async fn list(ask: Ask<PageQuery>) -> Result<PageOf<Robot>, Problem> {
    let namespace: AccountName = ask.named("namespace")?;
    let stores = ask.may(Requirement::Namespace(&namespace, Role::Admin)).await?;
    let limit = limit(ask.query.limit.as_ref());
    let page = page(limit, ask.query.after.as_ref());
    let robots = stores.directory.list_robots(namespace.clone(), page).await?;
    let robots = robots.ok_or_else(|| Problem::not_found(format!("namespace {namespace}")))?;
    Ok(shown(robots, limit, |robot| robot.name.name.to_string(), Robot::from))
}

pub(super) async fn get(ask: Ask) -> Result<Versioned<Robot>, Problem> {
    let name = robot(&ask)?;
    let stores = ask.may(Requirement::Namespace(&name.namespace, Role::Admin)).await?;
    let found = find(stores, &name).await?;
    let version = Version { number: found.version, created_at: found.created_at };
    Ok(Versioned { value: found.into(), version, known: ask.has_version(version) })
}

pub(super) async fn create(ask: Ask<Nothing, Json<NewRobot>>) -> Result<Created<Robot>, Problem> {
    let Json(new) = &ask.body;
    let name = RobotName { namespace: ask.named("namespace")?, name: new.name.0.clone() };
    let made = ask.management().parts().secrets.new_secret(SecretUse::Robot);
    let expires_at = new.days.map(Days::ahead);
    let change = metadata::NewRobot { name: name.clone(), secret_hash: made.hash, expires_at };
    let changed = ask.change(change).await?;
    with_secret(&ask, changed, &name, &made).await
}

/// A robot with its new secret, unless that was shown before.
async fn with_secret<Q, B>(
    ask: &Ask<Q, B>,
    changed: Changed<'_>,
    name: &RobotName,
    made: &NewSecret,
) -> Result<Created<Robot>, Problem> {
    let secret = (!changed.again).then(|| made.secret.expose().to_owned());
    let value = Robot { secret, ..find(changed.stores, name).await?.into() };
    let RobotName { namespace, name } = name;
    let location = ask.location(&format!("/namespaces/{namespace}/robots/{name}"));
    Ok(Created { value, location, again: changed.again })
}

pub(super) async fn rotate(
    ask: Ask<Nothing, Json<NewRobotSecret>>,
) -> Result<Created<Robot>, Problem> {
    let name = robot(&ask)?;
    let made = ask.management().parts().secrets.new_secret(SecretUse::Robot);
    let expires_at = ask.body.0.days.map(Days::ahead);
    let change = RotateRobot { name: name.clone(), secret_hash: made.hash, expires_at };
    let changed = ask.change(change).await?;
    with_secret(&ask, changed, &name, &made).await
}

pub(super) async fn update(
    ask: Ask<Nothing, Json<RobotChange>>,
) -> Result<Versioned<Robot>, Problem> {
    let name = robot(&ask)?;
    let made = async {
        let stores = ask.may(Requirement::Namespace(&name.namespace, Role::Admin)).await?;
        Ok(find(stores, &name).await?.created_at)
    };
    let expected = ask.expected_of(made).await?;
    let Json(RobotChange { disabled, days }) = ask.body;
    let expires_at = days.map(|days| days.map(Days::ahead));
    let change = UpdateRobot { name: name.clone(), disabled, expires_at, expected };
    let found = find(ask.change(change).await?.stores, &name).await?;
    let version = Version { number: found.version, created_at: found.created_at };
    Ok(Versioned { value: found.into(), version, known: false })
}

pub(super) async fn delete(ask: Ask) -> Result<Done, Problem> {
    ask.change(RemoveRobot { name: robot(&ask)? }).await?;
    Ok(Done)
}

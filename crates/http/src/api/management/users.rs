//! Users.

use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_core::access::Role;
use wharf_core::authority::{Login, Secret, TokenRefusal};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{self, DeleteUser, SetPassword, UpdateUser, UserFilter};
use wharf_core::operation::Requirement;
use wharf_core::permissions::{AccountName, Principal};

use super::answer::{Created, Done, Versioned};
use super::ask::{Ask, Json, Nothing, Version};
use super::pages::{PageOf, limit, page, shown};
use super::problem::Problem;
use super::values::{Email, SecretText, Text, Words, present};

/// A user.
#[derive(Serialize, JsonSchema)]
pub(super) struct User {
    name: Text<AccountName>,
    /// Where they are written to.
    email: Option<String>,
    /// Whether they administer the whole registry.
    site_admin: bool,
    /// Whether all rights are taken from them, for now.
    disabled: bool,
    created_at: Text<Timestamp>,
}

impl From<metadata::User> for User {
    fn from(user: metadata::User) -> Self {
        Self {
            name: Text(user.name),
            email: user.email,
            site_admin: user.site_admin,
            disabled: user.disabled,
            created_at: Text(user.created_at),
        }
    }
}

/// Which users.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserQuery {
    /// Those who are disabled, or those who are not.
    disabled: Option<Text<bool>>,
    /// Those who administer the whole registry, or those who do not.
    site_admin: Option<Text<bool>>,
    /// How many at most: 100 where nothing is said, and never more than 1000.
    limit: Option<Text<u32>>,
    /// Goes on behind this: the `next` of the page before.
    after: Option<Text<Words>>,
}

/// A user to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    name: Text<AccountName>,
    email: Option<Text<Email>>,
    /// Without one they log in in another way.
    password: Option<SecretText>,
    /// Whether they administer the whole registry.
    #[serde(default)]
    site_admin: bool,
}

/// What changes of a user; what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserChange {
    /// Null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Text<Email>>")]
    email: Option<Option<Text<Email>>>,
    disabled: Option<bool>,
    site_admin: Option<bool>,
}

/// A password to be set.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    password: SecretText,
    /// The password until now, which who changes their own proves themselves by.
    current: Option<SecretText>,
}

pub(super) async fn list(ask: Ask<UserQuery>) -> Result<PageOf<User>, Problem> {
    let stores = ask.may(Requirement::Site).await?;
    let query = &ask.query;
    let filter = UserFilter {
        disabled: query.disabled.as_ref().map(|Text(is)| *is),
        site_admin: query.site_admin.as_ref().map(|Text(is)| *is),
    };
    let limit = limit(query.limit.as_ref());
    let users = stores.directory.list_users(filter, page(limit, query.after.as_ref())).await?;
    Ok(shown(users, limit, |user| user.name.to_string(), User::from))
}

pub(super) async fn get(ask: Ask) -> Result<Versioned<User>, Problem> {
    current(&ask, ask.named("user")?).await
}

async fn current<Q, B>(ask: &Ask<Q, B>, name: AccountName) -> Result<Versioned<User>, Problem> {
    let stores = ask.may(Requirement::Own(&name, Role::Read)).await?;
    let user = stores.accounts.find_user(name.clone()).await?;
    let user = user.ok_or_else(|| Problem::not_found(format!("user {name}")))?;
    let version = Version { number: user.version, created_at: user.created_at };
    Ok(Versioned { value: user.into(), version, known: ask.has_version(version) })
}

pub(super) async fn create(ask: Ask<Nothing, Json<NewUser>>) -> Result<Created<User>, Problem> {
    // Hashing takes long: not for whom it leads nowhere.
    let allowed = ask.has(Requirement::Site).await?;
    let Json(new) = &ask.body;
    let name = new.name.0.clone();
    let password_hash = match &new.password {
        Some(SecretText(password)) if allowed => {
            Some(ask.management().parts().secrets.hash_password(&name, password).await?)
        }
        _ => None,
    };
    let email = new.email.clone().map(|Text(Email(text))| text);
    let change =
        metadata::NewUser { name: name.clone(), email, password_hash, site_admin: new.site_admin };
    let changed = ask.change(change).await?;
    let user = changed.stores.accounts.find_user(name.clone()).await?;
    let value = user.ok_or_else(|| Problem::not_found(format!("user {name}")))?.into();
    Ok(Created { value, location: ask.location(&format!("/users/{name}")), again: changed.again })
}

pub(super) async fn update(
    ask: Ask<Nothing, Json<UserChange>>,
) -> Result<Versioned<User>, Problem> {
    let name: AccountName = ask.named("user")?;
    let Json(change) = &ask.body;
    let email = change.email.clone().map(|email| email.map(|Text(Email(text))| text));
    let UserChange { disabled, site_admin, .. } = *change;
    let made = async { Ok(current(&ask, name.clone()).await?.version.created_at) };
    let expected = ask.expected_of(made).await?;
    ask.change(UpdateUser { name: name.clone(), email, disabled, site_admin, expected }).await?;
    let known = current(&ask, name).await?;
    Ok(Versioned { known: false, ..known })
}

pub(super) async fn delete(ask: Ask) -> Result<Done, Problem> {
    ask.change(DeleteUser { name: ask.named("user")? }).await?;
    Ok(Done)
}

pub(super) async fn set_password(ask: Ask<Nothing, Json<NewPassword>>) -> Result<Done, Problem> {
    let name: AccountName = ask.named("user")?;
    let asked = SetPassword { name: name.clone(), hash: String::new() };
    ask.may_change(&asked, Requirement::Own(&name, Role::Admin)).await?;
    let Json(NewPassword { password: SecretText(password), current }) = &ask.body;
    if ask.caller().principal == Principal::User(name.clone()) {
        prove(&ask, &name, current.as_ref().map(|SecretText(current)| current)).await?;
    }
    let hash = ask.management().parts().secrets.hash_password(&name, password).await?;
    ask.change(SetPassword { name, hash }).await?;
    Ok(Done)
}

/// Whoever found somebody's token must not get their account by it.
async fn prove<Q, B>(
    ask: &Ask<Q, B>,
    name: &AccountName,
    current: Option<&Secret>,
) -> Result<(), Problem> {
    let parts = ask.management().parts();
    let user = ask.may(Requirement::Own(name, Role::Admin)).await?.accounts.find_user(name.clone());
    if user.await?.is_some_and(|user| user.password_hash.is_none()) {
        let detail = "you have no password yet: an administrator can give you one";
        return Err(Problem::forbidden(detail));
    }
    let wrong = || Problem::new(StatusCode::FORBIDDEN, "current", "the current password is wrong");
    let secret = current.cloned().ok_or_else(wrong)?;
    // A token would do where a password is asked for: but this proves that they know the password.
    if parts.secrets.is_made(&secret) {
        return Err(wrong());
    }
    let login = Login::Name { name: name.to_string(), secret };
    match parts.authenticator.authenticate(login, ask.caller().address).await {
        Ok(_) => Ok(()),
        Err(TokenRefusal::Login) => Err(wrong()),
        Err(refusal) => Err(Problem::of_login(refusal, &parts.service)),
    }
}

//! Users.

use http::Method;
use serde::{Deserialize, Serialize};

use super::query::{path, with_parameters};
use super::request::with_json;
use super::{Answer, Management, Pages};
use crate::{Error, Secret};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct User {
    /// The name.
    pub name: String,
    /// The address of e-mail.
    pub email: Option<String>,
    /// Whether they administer the whole registry.
    #[serde(default)]
    pub site_admin: bool,
    /// Whether all rights are taken from them.
    #[serde(default)]
    pub disabled: bool,
    /// Since when there is such a user (RFC 3339).
    pub created_at: String,
}

/// Which users are listed; all where nothing is said.
#[derive(Clone, Copy, Debug, Default)]
pub struct UserFilter {
    /// Those who are disabled, or not.
    pub disabled: Option<bool>,
    /// Those who administer the whole registry, or not.
    pub site_admin: Option<bool>,
}

/// A user to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewUser<'a> {
    /// The name.
    pub name: &'a str,
    /// The address of e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    /// The password; without one, they log in by another way.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    pub password: Option<Secret>,
    /// Whether they administer the whole registry.
    pub site_admin: bool,
}

/// What becomes different of a user.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UserChange<'a> {
    /// The address of e-mail; `Some(None)` takes it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Option<&'a str>>,
    /// Whether all rights are taken from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Whether they administer the whole registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site_admin: Option<bool>,
}

#[derive(Serialize)]
struct NewPassword {
    #[serde(serialize_with = "exposed")]
    password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    current: Option<Secret>,
}

/// A secret in the one request that sends it.
pub(super) fn exposed<S: serde::Serializer>(
    secret: &Option<Secret>,
    to: S,
) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(to)
}

impl Management {
    /// The users.
    pub fn users(&self, filter: UserFilter) -> Pages<User> {
        let parameters = [
            ("disabled", filter.disabled.map(|is| is.to_string())),
            ("site_admin", filter.site_admin.map(|is| is.to_string())),
        ];
        Pages::new(self, with_parameters(path(&["users"]), &parameters))
    }

    /// A user.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn user(&self, name: &str) -> Result<Answer<User>, Error> {
        self.get(&path(&["users", name])).await
    }

    /// Makes a user.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn create_user(&self, user: &NewUser<'_>) -> Result<Answer<User>, Error> {
        self.post(&path(&["users"]), user).await
    }

    /// Changes a user.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn change_user(
        &self,
        name: &str,
        change: &UserChange<'_>,
    ) -> Result<Answer<User>, Error> {
        self.patch(&path(&["users", name]), change).await
    }

    /// Deletes a user.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn delete_user(&self, name: &str) -> Result<(), Error> {
        self.delete(&path(&["users", name])).await
    }

    /// Gives a user another password. Who does it for themselves proves it by the current one.
    ///
    /// # Errors
    /// When the registry refuses. It is asked once: a second request could not prove who one is by what is changed.
    pub async fn set_password(
        &self,
        name: &str,
        password: Secret,
        current: Option<Secret>,
    ) -> Result<(), Error> {
        let password = NewPassword { password: Some(password), current };
        let mut call = self.request(Method::PUT, &path(&["users", name, "password"]))?;
        call.is_worth_retrying = false;
        self.send(with_json(call, &password)?).await.map(drop)
    }
}

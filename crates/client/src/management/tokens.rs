//! Personal tokens of users.

use serde::{Deserialize, Serialize};

use super::answer::{id, secret};
use super::query::path;
use super::{Answer, Management, Pages};
use crate::{Error, Secret};

/// A personal token.
#[derive(Clone, Debug, Deserialize)]
pub struct Token {
    /// What it is called by.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// What its user calls it.
    #[serde(default)]
    pub name: String,
    /// The most that it gives.
    #[serde(default)]
    pub role: String,
    /// On which repositories; on all where there is no pattern.
    pub pattern: Option<String>,
    /// Until when it works.
    pub expires_at: Option<String>,
    /// When it was last used.
    pub last_used_at: Option<String>,
    /// Since when there is such a token (RFC 3339).
    #[serde(default)]
    pub created_at: String,
    /// The secret, in the reply to who made it, once.
    #[serde(default, deserialize_with = "secret")]
    pub secret: Option<Secret>,
}

/// A token to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewToken<'a> {
    /// What its user calls it.
    pub name: &'a str,
    /// The most that it gives.
    pub role: &'a str,
    /// On which repositories; on all where there is no pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<&'a str>,
    /// After how many days it stops working.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u16>,
}

impl Management {
    /// The tokens of a user.
    pub fn tokens(&self, user: &str) -> Pages<Token> {
        Pages::whole(self, path(&["users", user, "tokens"]))
    }

    /// Makes a token of a user.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn create_token(
        &self,
        user: &str,
        token: &NewToken<'_>,
    ) -> Result<Answer<Token>, Error> {
        self.post(&path(&["users", user, "tokens"]), token).await
    }

    /// Ends a token of a user.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn delete_token(&self, user: &str, id: &str) -> Result<(), Error> {
        self.delete(&path(&["users", user, "tokens", id])).await
    }
}

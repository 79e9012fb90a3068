//! Who the user is to the registry.

use serde::Deserialize;

use super::query::path;
use super::{Answer, Management};
use crate::Error;

/// Somebody, and the most that the secret is good for with which they came.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WhoAmI {
    /// `user:NAME` or `robot:NAMESPACE+NAME`.
    pub principal: String,
    /// Whether they administer the whole registry.
    #[serde(default)]
    pub site_admin: bool,
    /// The most that the secret gives.
    pub role: Option<String>,
    /// On which repositories; on all where there is no pattern.
    pub pattern: Option<String>,
}

impl WhoAmI {
    /// The user's name, where it is a user.
    pub fn user(&self) -> Option<&str> {
        self.principal.strip_prefix("user:")
    }
}

impl Management {
    /// Who the user is.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] where nobody is logged in, or the password is wrong.
    pub async fn whoami(&self) -> Result<Answer<WhoAmI>, Error> {
        self.get(&path(&["whoami"])).await
    }
}

//! Who the user is to the registry.

use http::{HeaderValue, Method};
use serde::Deserialize;

use super::query::path;
use super::{Answer, Management};
use crate::{Credentials, Error, Secret};

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

    /// The name by which they log in.
    pub fn login_name(&self) -> &str {
        self.principal.split_once(':').map_or(&self.principal, |(_, name)| name)
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

    /// Whose a personal token or a robot's secret is.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] where it is nobody's.
    pub async fn whose(&self, token: &Secret) -> Result<Answer<WhoAmI>, Error> {
        let header = HeaderValue::try_from(format!("Bearer {}", token.expose()));
        let mut header = header.map_err(|_| {
            Error::Setup("the token has characters that no token has, such as a space".into())
        })?;
        header.set_sensitive(true);
        let call = self.request(Method::GET, &path(&["whoami"]))?;
        let reply = self.send_as(Some(header), call).await?;
        self.read(reply).await
    }

    /// The login that requests go out with.
    ///
    /// # Errors
    /// When a credential helper fails.
    pub async fn login(&self) -> Result<Option<Credentials>, Error> {
        self.client.authenticator().known(&self.origin).await
    }
}

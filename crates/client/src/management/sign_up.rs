//! Signing up, and the invitations that let somebody.

use serde::{Deserialize, Serialize};

use super::answer::secret;
use super::query::path;
use super::users::exposed;
use super::{Answer, Management, User};
use crate::{Error, Secret};

/// An invitation: it lets one person sign up, once.
#[derive(Clone, Debug, Deserialize)]
pub struct Invitation {
    /// What the person shows, in the reply to who made it, once.
    #[serde(default, deserialize_with = "secret")]
    pub secret: Option<Secret>,
    /// Until when it works.
    pub expires_at: String,
}

#[derive(Serialize)]
struct NewInvitation {
    days: u16,
}

/// Somebody who signs up.
#[derive(Clone, Debug, Serialize)]
pub struct NewAccount<'a> {
    /// The name.
    pub name: &'a str,
    /// The address of e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    /// The password.
    #[serde(serialize_with = "exposed")]
    pub password: Option<Secret>,
    /// The invitation, or the code that was printed when the registry was first started.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    pub invitation: Option<Secret>,
}

impl Management {
    /// Invites somebody to sign up within so many days.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn invite(&self, days: u16) -> Result<Answer<Invitation>, Error> {
        self.post(&path(&["invitations"]), &NewInvitation { days }).await
    }

    /// Makes an account, in nobody's name.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn sign_up(&self, account: &NewAccount<'_>) -> Result<Answer<User>, Error> {
        self.post_as_nobody(&path(&["sign-up"]), account).await
    }
}

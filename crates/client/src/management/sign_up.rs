//! Signing up, and the invitations that let somebody.

use serde::{Deserialize, Serialize};

use super::answer::{id, secret};
use super::query::path;
use super::users::exposed;
use super::{Answer, Management, Pages, User};
use crate::{Error, Secret};

/// An invitation: it lets one person sign up, once.
#[derive(Clone, Debug, Deserialize)]
pub struct Invitation {
    /// What it is called by; not where it was made before under the same key.
    pub id: Option<String>,
    /// What the person shows, in the reply to who made it, once.
    #[serde(default, deserialize_with = "secret")]
    pub secret: Option<Secret>,
    /// Until when it works.
    pub expires_at: String,
}

/// An invitation that somebody may use still.
#[derive(Clone, Debug, Deserialize)]
pub struct OpenInvitation {
    /// What it is called by.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Who invited.
    #[serde(default)]
    pub created_by: String,
    /// Until when it works (RFC 3339).
    #[serde(default)]
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

    /// The invitations that nobody has used.
    pub fn invitations(&self) -> Pages<OpenInvitation> {
        Pages::new(self, path(&["invitations"]))
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn revoke_invitation(&self, id: &str) -> Result<(), Error> {
        self.delete(&path(&["invitations", id])).await
    }

    /// Makes an account, in nobody's name.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn sign_up(&self, account: &NewAccount<'_>) -> Result<Answer<User>, Error> {
        self.post_as_nobody(&path(&["sign-up"]), account).await
    }
}

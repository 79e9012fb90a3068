//! Robots of namespaces.

use serde::{Deserialize, Serialize};

use super::answer::secret;
use super::query::path;
use super::{Answer, Management, Pages};
use crate::{Error, Secret};

/// A robot.
#[derive(Clone, Debug, Deserialize)]
pub struct Robot {
    /// `NAMESPACE+NAME`, by which it logs in.
    pub name: String,
    /// Until when it works; for ever where there is no such time.
    pub expires_at: Option<String>,
    /// Whether all rights are taken from it.
    #[serde(default)]
    pub disabled: bool,
    /// Who made it.
    pub created_by: Option<String>,
    /// Since when there is such a robot (RFC 3339).
    #[serde(default)]
    pub created_at: String,
    /// The secret, in the reply to who made it or changed it, once.
    #[serde(default, deserialize_with = "secret")]
    pub secret: Option<Secret>,
}

/// A robot to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewRobot<'a> {
    /// The name within its namespace.
    pub name: &'a str,
    /// After how many days it stops working.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u16>,
}

#[derive(Serialize)]
struct NewSecret {
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<u16>,
}

/// What becomes different of a robot.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct RobotChange {
    /// Whether all rights are taken from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// After how many days from now it stops working; `Some(None)` for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<Option<u16>>,
}

impl Management {
    /// The robots of a namespace.
    pub fn robots(&self, namespace: &str) -> Pages<Robot> {
        Pages::new(self, path(&["namespaces", namespace, "robots"]))
    }

    /// Makes a robot.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn create_robot(
        &self,
        namespace: &str,
        robot: &NewRobot<'_>,
    ) -> Result<Answer<Robot>, Error> {
        self.post(&path(&["namespaces", namespace, "robots"]), robot).await
    }

    /// Gives a robot a new secret, and ends the old one.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn rotate_robot(
        &self,
        namespace: &str,
        name: &str,
        days: Option<u16>,
    ) -> Result<Answer<Robot>, Error> {
        let path = path(&["namespaces", namespace, "robots", name, "secret"]);
        self.post(&path, &NewSecret { days }).await
    }

    /// A robot.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn robot(&self, namespace: &str, name: &str) -> Result<Answer<Robot>, Error> {
        self.get(&path(&["namespaces", namespace, "robots", name])).await
    }

    /// Changes a robot.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn change_robot(
        &self,
        namespace: &str,
        name: &str,
        change: RobotChange,
    ) -> Result<Answer<Robot>, Error> {
        self.patch(&path(&["namespaces", namespace, "robots", name]), &change).await
    }

    /// Deletes a robot.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn delete_robot(&self, namespace: &str, name: &str) -> Result<(), Error> {
        self.delete(&path(&["namespaces", namespace, "robots", name])).await
    }
}

//! Teams of organizations, and who is in them.

use serde::{Deserialize, Serialize};

use super::query::path;
use super::{Answer, Management, Pages};
use crate::Error;

/// A team: a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Named {
    /// The name.
    pub name: String,
}

/// Somebody in a team.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Member {
    /// Who.
    pub name: String,
    /// Whether somebody put them there.
    pub by_hand: bool,
    /// Whether they are there by a group of an identity provider; said to who administers the organization.
    #[serde(default)]
    pub by_group: Option<bool>,
}

#[derive(Serialize)]
struct NewTeam<'a> {
    name: &'a str,
}

fn team<'a>(namespace: &'a str, team: &'a str) -> [&'a str; 4] {
    ["namespaces", namespace, "teams", team]
}

fn member(namespace: &str, name: &str, user: &str) -> String {
    let [root, namespace, teams, name] = team(namespace, name);
    path(&[root, namespace, teams, name, "members", user])
}

impl Management {
    /// The teams of an organization.
    pub fn teams(&self, namespace: &str) -> Pages<Named> {
        Pages::new(self, path(&["namespaces", namespace, "teams"]))
    }

    /// Makes a team.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn create_team(&self, namespace: &str, name: &str) -> Result<Answer<Named>, Error> {
        self.post(&path(&["namespaces", namespace, "teams"]), &NewTeam { name }).await
    }

    /// Deletes a team, and what was granted to it.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn delete_team(&self, namespace: &str, name: &str) -> Result<(), Error> {
        self.delete(&path(&team(namespace, name))).await
    }

    /// Who is in a team.
    pub fn members(&self, namespace: &str, name: &str) -> Pages<Member> {
        let [root, namespace, teams, name] = team(namespace, name);
        Pages::new(self, path(&[root, namespace, teams, name, "members"]))
    }

    /// Puts a user into a team.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn add_member(&self, namespace: &str, name: &str, user: &str) -> Result<(), Error> {
        self.put_empty(&member(namespace, name, user)).await
    }

    /// Takes a user out of a team.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn remove_member(
        &self,
        namespace: &str,
        name: &str,
        user: &str,
    ) -> Result<(), Error> {
        self.delete(&member(namespace, name, user)).await
    }
}

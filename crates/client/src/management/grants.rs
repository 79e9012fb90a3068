//! Grants of namespaces.

use serde::{Deserialize, Serialize};

use super::answer::id;
use super::query::{path, with_parameters};
use super::{Answer, Management, Pages};
use crate::Error;

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Grant {
    /// Its number, by which explanations name it.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Whose: `user:NAME`, `team:NAME` or `robot:NAME`.
    pub subject: String,
    /// The role that it gives.
    pub role: String,
    /// On which repositories; on the whole namespace where there is no pattern.
    pub pattern: Option<String>,
    /// Who gave it.
    pub created_by: Option<String>,
    /// Since when (RFC 3339).
    #[serde(default)]
    pub created_at: String,
}

/// A grant to be given, in place of the subject's with the same pattern.
#[derive(Clone, Debug, Serialize)]
pub struct NewGrant<'a> {
    /// Whose: `user:NAME`, `team:NAME` or `robot:NAME`.
    pub subject: &'a str,
    /// The role that it gives.
    pub role: &'a str,
    /// On which repositories; on the whole namespace where there is no pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<&'a str>,
}

impl Management {
    /// The grants of a namespace.
    pub fn grants(&self, namespace: &str) -> Pages<Grant> {
        Pages::new(self, path(&["namespaces", namespace, "grants"]))
    }

    /// Gives a grant.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn grant(
        &self,
        namespace: &str,
        grant: &NewGrant<'_>,
    ) -> Result<Answer<Grant>, Error> {
        self.put(&path(&["namespaces", namespace, "grants"]), grant).await
    }

    /// Takes a grant away.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn revoke(
        &self,
        namespace: &str,
        subject: &str,
        pattern: Option<&str>,
    ) -> Result<(), Error> {
        let parameters =
            [("subject", Some(subject.to_owned())), ("pattern", pattern.map(str::to_owned))];
        let path = path(&["namespaces", namespace, "grants"]);
        self.delete(&with_parameters(path, &parameters)).await
    }
}

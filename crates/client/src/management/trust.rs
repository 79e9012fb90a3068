//! The trust rules of robots: whose workloads stand for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answer::id;
use super::query::path;
use super::{Answer, Management, Pages};
use crate::Error;

/// A rule: whoever shows such a token of such an issuer is the robot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TrustRule {
    /// Its number.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Who signs the tokens.
    pub issuer: String,
    /// For whom they are.
    pub audience: String,
    /// Each claim, with the pattern that its value must match.
    pub conditions: BTreeMap<String, String>,
    /// Who made it.
    pub created_by: Option<String>,
    /// Since when there is such a rule (RFC 3339).
    #[serde(default)]
    pub created_at: String,
}

/// A rule to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewTrustRule<'a> {
    /// Who signs the tokens.
    pub issuer: &'a str,
    /// For whom they are.
    pub audience: &'a str,
    /// Each claim, with the pattern that its value must match.
    pub conditions: BTreeMap<String, String>,
}

fn rules<'a>(namespace: &'a str, robot: &'a str) -> [&'a str; 5] {
    ["namespaces", namespace, "robots", robot, "trust"]
}

impl Management {
    /// The trust rules of a robot.
    pub fn trust_rules(&self, namespace: &str, robot: &str) -> Pages<TrustRule> {
        Pages::whole(self, path(&rules(namespace, robot)))
    }

    /// Has workloads of an issuer stand for a robot.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn create_trust_rule(
        &self,
        namespace: &str,
        robot: &str,
        rule: &NewTrustRule<'_>,
    ) -> Result<Answer<TrustRule>, Error> {
        self.post(&path(&rules(namespace, robot)), rule).await
    }

    /// Ends a trust rule, and what workloads got by it.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn delete_trust_rule(
        &self,
        namespace: &str,
        robot: &str,
        id: &str,
    ) -> Result<(), Error> {
        let [root, namespace, robots, robot, trust] = rules(namespace, robot);
        self.delete(&path(&[root, namespace, robots, robot, trust, id])).await
    }
}

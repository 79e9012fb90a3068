//! Trust in workloads: which tokens of which issuers stand for a robot, so that it needs no secret that is stored.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;

use crate::StoreError;
use crate::clock::Timestamp;
use crate::permissions::RobotName;

/// The most conditions of a rule.
const MOST_CONDITIONS: usize = 16;

/// The longest path of a claim and the longest pattern, in bytes.
const LONGEST: usize = 512;

/// The most rules of a robot.
pub const MOST_RULES: usize = 50;

/// Claims that say whose a workload is. Others, such as a branch, are the same at strangers of a shared issuer.
const IDENTIFYING: [&str; 14] = [
    "sub",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "job_workflow_ref",
    "project_path",
    "project_id",
    "namespace_path",
    "namespace_id",
    "ci_config_ref_uri",
    "/kubernetes.io/namespace",
    "/kubernetes.io/serviceaccount/uid",
    "/kubernetes.io/pod/uid",
];

/// Why texts are no conditions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoConditions {
    /// A condition has not the form of one.
    #[error(
        "{0:?} must be CLAIM=PATTERN: a claim's name, or a path such as /kubernetes.io/namespace, and a \
         pattern in which * stands for any text"
    )]
    Form(String),
    /// Two are about the same claim.
    #[error("{0:?} is named twice")]
    Twice(String),
    /// Too many.
    #[error("a rule has 16 conditions at most")]
    Many,
    /// None says whose the workload is.
    #[error(
        "no condition says whose the workload is, and issuers are shared by strangers: name sub, repository, \
         repository_owner, project_path, namespace_path or /kubernetes.io/namespace, with a pattern that does not \
         begin with *"
    )]
    Anyone,
}

/// What the claims of a token must say, all of it.
///
/// A claim is named by its name (`repository`), or by a JSON pointer (RFC 6901) where it is inside of another:
/// `/kubernetes.io/namespace`. So a dot in a name is never taken for a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditions(BTreeMap<String, String>);

impl Conditions {
    /// Those of these texts, each `CLAIM=PATTERN`.
    ///
    /// # Errors
    /// [`NoConditions`].
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, NoConditions> {
        let mut conditions = BTreeMap::new();
        for text in texts {
            let wrong = || NoConditions::Form(text.chars().take(100).collect());
            let (claim, pattern) = text.split_once('=').ok_or_else(wrong)?;
            let sound = |part: &str| {
                (1..=LONGEST).contains(&part.len()) && !part.chars().any(char::is_control)
            };
            if !sound(claim) || !sound(pattern) {
                return Err(wrong());
            }
            if conditions.insert(claim.to_owned(), pattern.to_owned()).is_some() {
                return Err(NoConditions::Twice(claim.to_owned()));
            }
        }
        if conditions.len() > MOST_CONDITIONS {
            return Err(NoConditions::Many);
        }
        let says_whose = |(claim, pattern): (&String, &String)| {
            IDENTIFYING.contains(&claim.as_str()) && !pattern.starts_with('*')
        };
        if !conditions.iter().any(says_whose) {
            return Err(NoConditions::Anyone);
        }
        Ok(Self(conditions))
    }

    /// Each claim, with the pattern that its value must match.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(claim, pattern)| (claim.as_str(), pattern.as_str()))
    }
}

/// A line each: the form in which they are stored, which holds no control characters.
impl fmt::Display for Conditions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (claim, pattern)) in self.0.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(formatter, "{line}{claim}={pattern}")?;
        }
        Ok(())
    }
}

impl FromStr for Conditions {
    type Err = NoConditions;

    fn from_str(text: &str) -> Result<Self, NoConditions> {
        Self::parse(text.lines())
    }
}

/// A rule: whoever shows such a token is the robot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustRule {
    /// Its number.
    pub id: i64,
    /// Who signs the tokens: `iss`, byte by byte.
    pub issuer: String,
    /// For whom they are: one of `aud`.
    pub audience: String,
    /// What else they say.
    pub conditions: Conditions,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// What gets a workload new access tokens, to be made.
#[derive(Clone, Debug)]
pub struct NewWorkloadToken {
    /// The rule by which the workload was known.
    pub rule: i64,
    /// Who it is at its issuer.
    pub subject: String,
    /// The hash of the secret.
    pub secret_hash: [u8; 32],
    /// How long it works, by the database's clock.
    pub life: std::time::Duration,
}

/// The rules of robots, and what workloads got by them. Rules are made and removed by `Accounts::change`.
#[async_trait]
pub trait TrustRules: Send + Sync + 'static {
    /// The rules of a robot, the oldest first; `None` where there is no such robot.
    async fn list_rules(&self, robot: RobotName) -> Result<Option<Vec<TrustRule>>, StoreError>;

    /// The rules of a robot for an issuer: none where the robot may do nothing.
    async fn rules_in_force(
        &self,
        robot: RobotName,
        issuer: String,
    ) -> Result<Vec<TrustRule>, StoreError>;

    /// Makes a token. `false` where the rule is gone.
    async fn create_workload_token(&self, token: NewWorkloadToken) -> Result<bool, StoreError>;

    /// The robot of a token, by its hash: if it has not expired, its rule is there, and the robot may do anything.
    async fn find_workload_token(&self, hash: [u8; 32]) -> Result<Option<RobotName>, StoreError>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_as_they_are_written() {
        let texts = ["repository=team/app", "ref=refs/heads/*", "/kubernetes.io/namespace=ci"];
        let conditions = Conditions::parse(texts).unwrap();
        assert_eq!(conditions.to_string().parse(), Ok(conditions));
    }

    #[test]
    fn a_rule_that_strangers_could_meet_is_refused() {
        for texts in [
            &[][..],
            &["ref=refs/heads/main"],
            &["repository=*"],
            &["sub=*:main"],
            &["environment=production", "repository_owner=**"],
        ] {
            let refused = Conditions::parse(texts.iter().copied());
            assert_eq!(refused, Err(NoConditions::Anyone), "{texts:?}");
        }
        for text in ["sub=spiffe://example.org/ci", "repository=team/*", "project_path=team/app"] {
            assert!(Conditions::parse([text]).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for text in
            ["", "repository", "=x", "repository=", "sub=a\nb", &format!("sub={}", "a".repeat(513))]
        {
            let refused = Conditions::parse([text]);
            assert!(matches!(refused, Err(NoConditions::Form(_))), "{text:?}");
        }
        let twice = Conditions::parse(["sub=a", "sub=b"]);
        assert_eq!(twice, Err(NoConditions::Twice("sub".into())));
    }
}

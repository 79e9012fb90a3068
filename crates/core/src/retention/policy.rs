//! What a policy says: rules, each with the tags that it is about and what it keeps of these.

use std::fmt;

use serde::{Deserialize, Serialize};
use wharf_oci::TagSelection;

use super::Age;

/// A policy: what its rules keep, and what becomes of manifests without a tag.
///
/// A tag is kept if a rule that selects it keeps it, or if no rule selects it. What is selected and not kept is dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    rules: Vec<Rule>,
    untagged: Untagged,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it is called, in a plan and in the audit log.
    pub name: RuleName,
    /// The tags that it is about.
    pub tags: TagSelection,
    /// What it keeps of them.
    pub keep: Keep,
}

/// What a rule keeps of the tags that it selects: those for which one of these holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// Those that were moved last: so many of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Count>,
    /// The highest versions that are releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_releases: Option<Newest>,
    /// The highest versions that are pre-releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_pre_releases: Option<Newest>,
    /// Those that were moved to their manifest so lately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed_within: Option<Age>,
    /// Those whose manifest was pulled so lately, or that were moved to it so lately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulled_within: Option<Age>,
    /// Those whose manifest has a signature.
    #[serde(skip_serializing_if = "is_false")]
    pub signed: bool,
    /// Those whose manifest an index of the repository names.
    #[serde(skip_serializing_if = "is_false")]
    pub referenced: bool,
    /// Those whose manifest, or a child of it, somebody reports to run.
    #[serde(skip_serializing_if = "is_false")]
    pub running: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The highest versions, of all or of each group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Newest {
    /// How many tags.
    pub count: Count,
    /// Of which groups.
    #[serde(default)]
    pub of_each: OfEach,
}

/// Which versions are counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OfEach {
    /// All that the rule selects.
    #[default]
    Rule,
    /// Those of one major version: `2.*`.
    Major,
    /// Those of one minor version: `2.1.*`.
    Minor,
}

/// What becomes of manifests that no tag, index, subject or pin needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Untagged {
    /// They stay.
    #[default]
    Keep,
    /// They may be collected once they have been so for so long.
    After(Age),
}

/// How many tags are kept: 1 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Number", into = "u16")]
pub struct Count(u16);

/// A number that counts no tags to keep.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} must be a whole number from 1 to {most}", most = Count::MOST)]
pub struct CountError(String);

impl Count {
    /// The most.
    pub const MOST: u16 = 10_000;

    /// So many.
    ///
    /// # Errors
    /// When there are none, or more than [`Count::MOST`].
    pub fn new(count: u16) -> Result<Self, CountError> {
        let fits = (1..=Self::MOST).contains(&count);
        fits.then_some(Self(count)).ok_or_else(|| CountError(count.to_string()))
    }

    /// How many.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

/// JSON knows no whole numbers: 30.0 is 30.
impl TryFrom<serde_json::Number> for Count {
    type Error = CountError;

    fn try_from(number: serde_json::Number) -> Result<Self, CountError> {
        let whole = (1..=Self::MOST).find(|count| number.as_f64() == Some(f64::from(*count)));
        whole.map(Self).ok_or_else(|| CountError(number.to_string()))
    }
}

impl From<Count> for u16 {
    fn from(count: Count) -> Self {
        count.0
    }
}

/// What a rule is called: 1 to 64 small letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleName(Box<str>);

/// A text that names no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} must be 1 to 64 of a-z, 0-9, - and _")]
pub struct RuleNameError(String);

impl RuleName {
    const LONGEST: usize = 64;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RuleName {
    type Error = RuleNameError;

    fn try_from(text: String) -> Result<Self, RuleNameError> {
        let known =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if (1..=Self::LONGEST).contains(&text.len()) && text.bytes().all(known) {
            return Ok(Self(text.into()));
        }
        Err(RuleNameError(text.chars().take(Self::LONGEST).collect()))
    }
}

impl From<RuleName> for String {
    fn from(name: RuleName) -> Self {
        name.0.into()
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why rules are none, or make no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// More than [`Policy::MOST_RULES`].
    #[error("a policy has at most {most} rules, and this one has {0}", most = Policy::MOST_RULES)]
    TooMany(usize),
    /// Two rules are told apart by nobody.
    #[error("two rules are called {0}")]
    Twice(RuleName),
    /// It would drop all that it selects, which is more often left out than meant.
    #[error(
        "the rule {0} keeps nothing: say what it keeps, such as \"keep\": {{\"pushed_within\": \"1h\"}}"
    )]
    KeepsNothing(RuleName),
}

impl Policy {
    /// The most rules of a policy.
    pub const MOST_RULES: usize = 32;

    /// A policy of these rules.
    ///
    /// # Errors
    /// When there are too many, two of one name, or one that keeps nothing.
    pub fn new(rules: Vec<Rule>, untagged: Untagged) -> Result<Self, RuleError> {
        if rules.len() > Self::MOST_RULES {
            return Err(RuleError::TooMany(rules.len()));
        }
        for (index, rule) in rules.iter().enumerate() {
            if rules.iter().take(index).any(|before| before.name == rule.name) {
                return Err(RuleError::Twice(rule.name.clone()));
            }
            if rule.keep == Keep::default() {
                return Err(RuleError::KeepsNothing(rule.name.clone()));
            }
        }
        Ok(Self { rules, untagged })
    }

    /// The rules, in the order in which they were written. It decides nothing.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What becomes of manifests without a tag.
    pub const fn untagged(&self) -> Untagged {
        self.untagged
    }

    /// The longest time for which it asks whether something was pulled.
    pub fn longest_pulled_within(&self) -> Option<Age> {
        self.rules.iter().filter_map(|rule| rule.keep.pulled_within).max()
    }
}

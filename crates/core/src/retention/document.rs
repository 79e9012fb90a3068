//! Policies as JSON: read with errors that name the part that is wrong, and written in one form.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wharf_oci::{TagSelection, TagSelectionError};

use super::{Keep, Policy, Rule, RuleError, RuleName, Untagged};

/// The longest policy that is read, in bytes.
pub const LONGEST_DOCUMENT: usize = 64 << 10;

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part}: {reason}")]
pub struct PolicyError {
    /// The part that is wrong, such as `rules[1].keep.newest`; `policy` for all of it.
    pub part: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A policy as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a policy: an object with rules")]
struct PolicyDocument {
    rules: Vec<Rule>,
    #[serde(default)]
    untagged: Untagged,
}

/// A rule as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a rule: an object with name, tags and keep")]
struct RuleDocument {
    name: RuleName,
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    except: Vec<String>,
    keep: Keep,
}

impl TryFrom<RuleDocument> for Rule {
    type Error = TagSelectionError;

    fn try_from(document: RuleDocument) -> Result<Self, TagSelectionError> {
        let RuleDocument { name, tags, except, keep } = document;
        Ok(Self { name, tags: TagSelection::new(&tags, &except)?, keep })
    }
}

impl TryFrom<PolicyDocument> for Policy {
    type Error = RuleError;

    fn try_from(document: PolicyDocument) -> Result<Self, RuleError> {
        Self::new(document.rules, document.untagged)
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        RuleDocument::deserialize(from)?.try_into().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let texts =
            |patterns: &[wharf_oci::TagPattern]| patterns.iter().map(ToString::to_string).collect();
        let document = RuleDocument {
            name: self.name.clone(),
            tags: texts(self.tags.patterns()),
            except: texts(self.tags.exceptions()),
            keep: self.keep.clone(),
        };
        document.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        PolicyDocument::deserialize(from)?.try_into().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        PolicyDocument { rules: self.rules().to_vec(), untagged: self.untagged() }.serialize(to)
    }
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// With the part that is wrong, its value and what to do.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let wrong = |part: &str, reason: String| PolicyError { part: part.to_owned(), reason };
        if text.len() > LONGEST_DOCUMENT {
            let reason =
                format!("it has {} bytes, and at most {LONGEST_DOCUMENT} are read", text.len());
            return Err(wrong("policy", reason));
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let policy = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let part = match error.path().to_string() {
                path if ["", ".", "?"].contains(&path.as_str()) => "policy".to_owned(),
                path => path,
            };
            wrong(&part, error.inner().to_string())
        })?;
        json.end().map_err(|error| wrong("policy", error.to_string()))?;
        Ok(policy)
    }

    /// The policy as JSON, which [`Policy::parse`] reads again.
    pub fn to_json(&self) -> String {
        // Nothing in it is refused by the writer: its keys are texts, its numbers whole.
        serde_json::to_string(self).unwrap_or_default()
    }
}

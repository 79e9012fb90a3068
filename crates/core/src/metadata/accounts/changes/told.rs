//! What the audit log is told of a change.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::AccountChange;
use crate::access::Narrowing;
use crate::immutability::Policy;
use crate::metadata::{Quota, TokenId};

/// What the audit log and the authorization point are told of a change.
pub(super) struct About {
    /// What is done: `grant.put`.
    pub(super) action: &'static str,
    /// With what: `robot:team+ci`.
    pub(super) target: String,
    /// In which namespace: in none what is about an account itself, as others may administer a user's namespace, too.
    pub(super) namespace: Option<String>,
    /// What else matters, as words `name=value`; no secret. A value of other characters than most is in quotes, as in JSON.
    pub(super) detail: String,
}

/// A value as a word: in quotes, as in JSON, where it has characters by which it could be taken for several, or for none.
pub(super) fn word(value: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/@,*+=%-".contains(&byte);
    if !value.is_empty() && value.bytes().all(is_plain) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(serde_json::Value::from(value).to_string())
}

/// Words for the audit log. Who uses it has `word` and `std::fmt::Write` in scope.
macro_rules! words {
    ($($name:literal = $value:expr),* $(,)?) => {{
        let mut text = String::new();
        $(if let Some(value) = $value {
            let space = if text.is_empty() { "" } else { " " };
            let _ = write!(text, "{space}{}={}", $name, word(&value.to_string()));
        })*
        text
    }};
}
pub(super) use words;

/// What an invitation is called by, as people read it.
pub(super) fn hexadecimal(id: &TokenId) -> String {
    format!("{:016x}", u64::from_be_bytes(*id))
}

pub(super) fn role_and_pattern(most: &Narrowing) -> String {
    words!("role" = Some(most.role.name()), "on" = most.pattern.as_ref())
}

pub(super) fn policy_words(policy: &Policy) -> String {
    let Policy { name, tags, mutable_for } = policy;
    let seconds = Some(mutable_for.seconds());
    words!("policy" = Some(name), "tags" = Some(tags), "mutable_seconds" = seconds)
}

pub(super) fn quota_words(quota: &Quota) -> String {
    let or_none =
        |limit: Option<u64>| limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
    words!(
        "bytes" = Some(or_none(quota.bytes)),
        "manifests" = Some(or_none(quota.manifests)),
        "tags" = Some(or_none(quota.tags)),
    )
}

impl AccountChange {
    /// What is done: `grant.put`.
    #[must_use]
    pub fn action(&self) -> &'static str {
        self.about().action
    }

    /// With what: `robot:team+ci`.
    #[must_use]
    pub fn target(&self) -> String {
        self.about().target
    }

    /// In which namespace, if it is not about an account itself.
    #[must_use]
    pub fn namespace(&self) -> Option<String> {
        self.about().namespace
    }

    /// What else matters, as words `name=value`; no secret is among them.
    #[must_use]
    pub fn detail(&self) -> String {
        self.about().detail
    }

    /// The same, with what was there before.
    #[must_use]
    pub fn detail_after(&self, before: &str) -> String {
        format!("{} {}", self.detail(), words!("was" = Some(before)))
    }
}

//! What the claims of a provider say of somebody: a pure function of the claims and of what an operator said of them.

use std::collections::BTreeSet;

use serde_json::Value;
use wharf_core::metadata::{ExternalIdentity, ExternalName, MOST_GROUPS, ProviderName};

use super::provider::OidcError;

/// The longest address that mail is sent to (RFC 5321, section 4.5.3.1).
const LONGEST_EMAIL: usize = 254;

const EMAIL: &str = "email";

/// Whether the provider knows that the address is theirs; some write it as a text.
const VERIFIED: &str = "email_verified";

/// Which claims say what, and what they must say. A claim inside of another is named `outer.inner`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRules {
    /// Who it is, for ever: `sub`.
    pub subject: String,
    /// What they would like to be called: `preferred_username`.
    pub name: String,
    /// Their groups: `groups`.
    pub groups: String,
    /// Groups of which they must be in one, where there are any.
    pub required_groups: BTreeSet<ExternalName>,
    /// Claims that must have one of the values that are given for them.
    pub required: Vec<(String, String)>,
}

impl Default for ClaimRules {
    fn default() -> Self {
        Self {
            subject: "sub".into(),
            name: "preferred_username".into(),
            groups: "groups".into(),
            required_groups: BTreeSet::new(),
            required: Vec::new(),
        }
    }
}

/// A claim: one of exactly that name, or else one inside of others.
#[must_use]
pub fn claim<'a>(claims: &'a Value, name: &str) -> Option<&'a Value> {
    let inside = || name.split('.').try_fold(claims, |outer, name| outer.get(name));
    claims.get(name).or_else(inside)
}

impl ClaimRules {
    /// Whether the claims leave something open that is asked for: the provider may say it elsewhere.
    #[must_use]
    pub fn lack(&self, claims: &Value) -> bool {
        let wanted = [self.name.as_str(), self.groups.as_str(), EMAIL];
        let mut wanted = wanted.into_iter().chain(self.required.iter().map(|(name, _)| &**name));
        wanted.any(|name| claim(claims, name).is_none())
            || (self.requires_email() && claims.get(VERIFIED).is_none())
    }

    /// Who somebody is, by claims that were verified.
    ///
    /// # Errors
    /// [`OidcError::NotAllowed`] where they have not what is required, [`OidcError::Provider`] where the claims make no
    /// identity.
    pub fn identity(
        &self,
        provider: &ProviderName,
        claims: &Value,
    ) -> Result<ExternalIdentity, OidcError> {
        let subject = claim(claims, &self.subject).and_then(Value::as_str);
        let subject = subject.and_then(|subject| subject.parse::<ExternalName>().ok());
        let subject = subject.ok_or_else(|| {
            let name = &self.subject;
            OidcError::Provider(format!("the claim {name} is no text of 1 to 255 bytes"))
        })?;
        let groups = self.groups(claims)?;
        self.check_required(&subject, &groups, claims)?;
        let text = |name: &str| claim(claims, name).and_then(Value::as_str);
        let email = text(EMAIL).filter(|it| is_address(it));
        let email = email.filter(|_| !says(claims, VERIFIED, "false"));
        let preferred = text(&self.name).or(email).or_else(|| text("name"));
        Ok(ExternalIdentity {
            provider: provider.clone(),
            subject,
            preferred_name: preferred.unwrap_or_default().to_owned(),
            email: email.map(str::to_owned),
            groups,
        })
    }

    fn groups(&self, claims: &Value) -> Result<BTreeSet<ExternalName>, OidcError> {
        // Entra ID names no groups where they are more than 200, and says where to ask for them (OpenID Connect Core,
        // section 5.6.2); what is said there nobody has signed for us.
        let elsewhere = claims.get("_claim_names").and_then(|names| names.get(&self.groups));
        if elsewhere.is_some() || claims.get("hasgroups").is_some() {
            tracing::warn!("a provider names no groups of somebody, who is in too many");
        }
        let listed = match claim(claims, &self.groups) {
            Some(Value::Array(many)) => many.as_slice(),
            Some(one @ Value::String(_)) => std::slice::from_ref(one),
            _ => &[],
        };
        let names = listed.iter().filter_map(Value::as_str);
        let mut groups = BTreeSet::new();
        for name in names {
            match name.parse() {
                Ok(group) => drop(groups.insert(group)),
                Err(error) => tracing::warn!(%error, "a group that a provider names is left out"),
            }
        }
        if groups.len() > MOST_GROUPS {
            let found = groups.len();
            return Err(OidcError::Provider(format!(
                "it names {found} groups of one person, and {MOST_GROUPS} are taken: have it name fewer"
            )));
        }
        Ok(groups)
    }

    fn requires_email(&self) -> bool {
        self.required.iter().any(|(name, _)| name == EMAIL)
    }

    fn check_required(
        &self,
        subject: &ExternalName,
        groups: &BTreeSet<ExternalName>,
        claims: &Value,
    ) -> Result<(), OidcError> {
        let refused = |why| Err(OidcError::NotAllowed { subject: subject.clone(), why });
        if !self.required_groups.is_empty() && self.required_groups.is_disjoint(groups) {
            return refused("they are in none of the groups that are required".to_owned());
        }
        for (name, _) in &self.required {
            let mut values = self.required.iter().filter(|(of, _)| of == name);
            if !values.any(|(_, value)| says(claims, name, value)) {
                return refused(format!("the claim {name} has not the value that is required"));
            }
        }
        // Whoever could write an address that is not theirs would have the one that is required.
        if self.requires_email() && !says(claims, VERIFIED, "true") {
            return refused(format!("an {EMAIL} is required, and {VERIFIED} is not true"));
        }
        Ok(())
    }
}

/// Whether a claim is that value, or a list with it.
fn says(claims: &Value, name: &str, value: &str) -> bool {
    let is_value = |found: &Value| match found {
        Value::String(text) => text == value,
        Value::Bool(truth) => value == if *truth { "true" } else { "false" },
        Value::Number(number) => number.to_string() == value,
        _ => false,
    };
    match claim(claims, name) {
        Some(Value::Array(many)) => many.iter().any(is_value),
        Some(one) => is_value(one),
        None => false,
    }
}

fn is_address(text: &str) -> bool {
    let plain = |letter: char| !letter.is_control() && !letter.is_whitespace();
    text.len() <= LONGEST_EMAIL && text.contains('@') && text.chars().all(plain)
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;

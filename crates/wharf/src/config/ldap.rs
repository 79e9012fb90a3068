//! What a directory is asked by, and how its settings go together.

use std::fmt;
use std::str::FromStr;

use wharf_auth::ldap::{BadFilter, BadServerUrl};

use super::problem::{Problem, Refusal};
use super::table::{Config, Ldap};

/// The name of an attribute (RFC 4512, section 2.5), without options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeName(String);

impl AttributeName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AttributeName {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<AttributeName, Refusal> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        if !(1..=100).contains(&text.len()) || !text.bytes().all(known) {
            return Err(Refusal::Malformed);
        }
        Ok(AttributeName(text.to_owned()))
    }
}

impl fmt::Display for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<BadServerUrl> for Refusal {
    fn from(error: BadServerUrl) -> Refusal {
        Refusal::Because(error.to_string())
    }
}

impl From<BadFilter> for Refusal {
    fn from(error: BadFilter) -> Refusal {
        Refusal::Because(error.to_string())
    }
}

/// What is wrong between settings of a directory that are each sound.
pub fn broken(config: &Config) -> Option<Problem> {
    let ldap = &config.ldap;
    if ldap.urls.is_empty() {
        return None;
    }
    let wrong = if ldap.base.is_none() {
        "ldap.urls is set and ldap.base is not: people are searched below an entry, such as dc=example,dc=com"
    } else if !ldap.plaintext && clear(ldap) {
        "a server of ldap.urls is ldap:// and would be sent passwords that everyone on the way can read: use ldaps://, set \
         ldap.start_tls, or say ldap.plaintext if that is what you want"
    } else if ldap.bind_password.is_some() && ldap.bind_password_file.is_some() {
        "ldap.bind_password and ldap.bind_password_file are both set: one of them is the password"
    } else if ldap.bind_dn.is_some() != has_password(ldap) {
        "ldap.bind_dn goes with ldap.bind_password_file or ldap.bind_password: an account that searches has a name and a \
         password, and without both the search is anonymous"
    } else if ldap.filter.wants_dn() {
        "ldap.filter has a place {dn}: who logs in has none before the search; use {name}"
    } else {
        return None;
    };
    Some(Problem::new(wrong))
}

/// Whether passwords are sent in the clear.
pub fn clear(ldap: &Ldap) -> bool {
    !ldap.start_tls && ldap.urls.iter().any(|url| !url.is_tls())
}

fn has_password(ldap: &Ldap) -> bool {
    ldap.bind_password.is_some() || ldap.bind_password_file.is_some()
}

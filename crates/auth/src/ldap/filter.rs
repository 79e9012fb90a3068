//! Search filters with places for what somebody typed (RFC 4515).

use std::fmt;
use std::str::FromStr;

use ldap3::{ldap_escape, parse_filter};

/// The longest filter, in bytes.
const LONGEST: usize = 2048;

/// What stands where a login's name goes.
const NAME: &str = "{name}";

/// What stands where the distinguished name of an entry goes.
const DN: &str = "{dn}";

/// Why a text is no filter that a login can be searched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFilter {
    /// It finds the same whoever logs in.
    #[error("it has no place for who logs in: {NAME}, or {DN} in a filter of groups")]
    NoPlace,
    /// It is none.
    #[error("it is no filter (RFC 4515), such as (uid={NAME})")]
    Malformed,
}

/// A filter with at least one place to fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(String);

impl Filter {
    /// The filter with its places filled. Nothing that is put there can end its value or match more than itself.
    #[must_use]
    pub fn fill(&self, name: &str, dn: &str) -> String {
        let mut rest = self.0.as_str();
        let mut filled = String::with_capacity(rest.len() + name.len());
        while let Some(at) = rest.find('{') {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            // What was put in is never looked at again.
            if let Some(after) = rest.strip_prefix(NAME) {
                filled.push_str(&ldap_escape(name));
                rest = after;
            } else if let Some(after) = rest.strip_prefix(DN) {
                filled.push_str(&ldap_escape(dn));
                rest = after;
            } else {
                filled.push('{');
                rest = &rest[1..];
            }
        }
        filled.push_str(rest);
        filled
    }

    /// Whether it has a place for a distinguished name.
    #[must_use]
    pub fn wants_dn(&self) -> bool {
        self.0.contains(DN)
    }
}

impl FromStr for Filter {
    type Err = BadFilter;

    fn from_str(text: &str) -> Result<Self, BadFilter> {
        let filter = Self(text.to_owned());
        if !text.contains(NAME) && !text.contains(DN) {
            return Err(BadFilter::NoPlace);
        }
        // An escaped star is good in a value alone: a place elsewhere would let who logs in choose what is asked.
        let is_sound = |name: &str| parse_filter(filter.fill(name, name)).is_ok();
        if text.len() > LONGEST || !is_sound("x") || !is_sound("*") {
            return Err(BadFilter::Malformed);
        }
        Ok(filter)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_typed_stays_a_value() {
        let filter: Filter = "(&(objectClass=person)(uid={name}))".parse().unwrap();
        for (name, filled) in [
            ("ada", "(&(objectClass=person)(uid=ada))"),
            ("*", r"(&(objectClass=person)(uid=\2a))"),
            (")(uid=*", r"(&(objectClass=person)(uid=\29\28uid=\2a))"),
            ("a\0b", r"(&(objectClass=person)(uid=a\00b))"),
            (r"\2a", r"(&(objectClass=person)(uid=\5c2a))"),
            ("{dn}", "(&(objectClass=person)(uid={dn}))"),
            ("zoë", "(&(objectClass=person)(uid=zoë))"),
        ] {
            assert_eq!(filter.fill(name, "cn=x"), filled, "{name:?}");
            assert!(parse_filter(filter.fill(name, "")).is_ok(), "{name:?}");
        }
        let groups: Filter = "(|(member={dn})(memberUid={name}))".parse().unwrap();
        assert!(groups.wants_dn());
        assert_eq!(
            groups.fill("ada", "cn=Ada (Countess),dc=x"),
            r"(|(member=cn=Ada \28Countess\29,dc=x)(memberUid=ada))"
        );
    }

    #[test]
    fn a_filter_has_a_place_for_who_logs_in_and_it_is_a_value() {
        for text in [
            "(uid={name})",
            "(|(sAMAccountName={name})(userPrincipalName={name}))",
            "(&(uid={name})(!(nsAccountLock=TRUE)))",
            "(member:1.2.840.113556.1.4.1941:={dn})",
            "(cn={name}{x})",
        ] {
            assert_eq!(text.parse::<Filter>().unwrap().to_string(), text);
        }
        for text in ["", "(uid=ada)", "(uid=*)"] {
            assert_eq!(text.parse::<Filter>(), Err(BadFilter::NoPlace), "{text}");
        }
        for text in ["uid={name})", "(uid={name}", "({name}=x)", "{name}", "(uid:{name}:=x)"] {
            assert_eq!(text.parse::<Filter>(), Err(BadFilter::Malformed), "{text}");
        }
    }
}

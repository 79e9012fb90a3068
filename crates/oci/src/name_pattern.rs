//! Patterns of repository names, as rules name them.

use std::fmt;
use std::str::FromStr;

use crate::{RepositoryName, wildcard_covers};

/// The longest pattern, in bytes.
const LONGEST: usize = 256;

/// A repository name in which `*` stands for any text, `/` and nothing included: `team/*`, `*/cache`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamePattern(String);

/// A text that no repository name could match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no pattern of repository names: lower-case letters, digits, . _ - / and *, 256 at most"
)]
pub struct NamePatternError(String);

impl NamePattern {
    /// Whether the pattern covers the name. Takes time in proportion to both lengths, whatever the pattern.
    pub fn matches(&self, name: &RepositoryName) -> bool {
        wildcard_covers(&self.0, name.as_str())
    }
}

impl FromStr for NamePattern {
    type Err = NamePatternError;

    fn from_str(text: &str) -> Result<Self, NamePatternError> {
        let known = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/*".contains(&byte)
        };
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(known) {
            let shown: String = text.chars().take(LONGEST).collect();
            return Err(NamePatternError(shown));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        pattern.parse::<NamePattern>().unwrap().matches(&name.parse().unwrap())
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name) in [
            ("*", "a/b"),
            ("a", "a"),
            ("team/*", "team/app/web"),
            ("*/cache", "team/app/cache"),
            ("a*b*c", "axxbyybzzc"),
            ("*a*", "a"),
            ("a**", "a"),
        ] {
            assert!(matches(pattern, name), "{pattern} and {name}");
        }
        for (pattern, name) in
            [("a", "aa"), ("team/*", "team"), ("*/cache", "cache"), ("a*b", "abc"), ("ab", "a")]
        {
            assert!(!matches(pattern, name), "{pattern} and {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_longer_than_their_product() {
        let name = "a".repeat(200);
        assert!(!matches(&format!("{}b", "*a".repeat(100)), &name));
    }

    #[test]
    fn what_no_name_could_match_is_refused() {
        for text in ["", "A", "a b", "a\0", "ü", &"a".repeat(257)] {
            assert!(text.parse::<NamePattern>().is_err(), "{text:?}");
        }
    }
}

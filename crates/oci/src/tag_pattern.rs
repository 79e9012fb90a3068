//! Which tags a rule is about: patterns, with exceptions.

use std::fmt;
use std::str::FromStr;

use crate::{Tag, wildcard_covers};

/// A tag in which `*` stands for any text, nothing included: `v*`, `*-rc*`, `latest`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TagPattern(Box<str>);

/// A text that no tag could match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no pattern of tags: letters, digits, . _ - and *, 1 to 128 of them")]
pub struct TagPatternError(String);

impl TagPattern {
    /// Whether the pattern covers the tag. Takes time in proportion to both lengths, whatever the pattern.
    pub fn covers(&self, tag: &Tag) -> bool {
        wildcard_covers(&self.0, tag.as_str())
    }
}

impl FromStr for TagPattern {
    type Err = TagPatternError;

    fn from_str(text: &str) -> Result<Self, TagPatternError> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-*".contains(&byte);
        if text.is_empty() || text.len() > Tag::MAX_LENGTH || !text.bytes().all(known) {
            return Err(TagPatternError(text.chars().take(Tag::MAX_LENGTH).collect()));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for TagPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The tags that one of the patterns covers and no exception does: `v*` except `v*-rc*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TagSelection {
    patterns: Vec<TagPattern>,
    exceptions: Vec<TagPattern>,
}

/// Why patterns select no tags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagSelectionError {
    /// There is no pattern, so that it would select nothing.
    #[error("a selection of tags needs a pattern; '*' covers all tags")]
    Empty,
    /// More patterns or exceptions than [`TagSelection::MOST`].
    #[error(
        "a selection of tags has at most {} patterns and as many exceptions",
        TagSelection::MOST
    )]
    TooMany,
    /// One of them is no pattern.
    #[error(transparent)]
    Pattern(#[from] TagPatternError),
}

impl TagSelection {
    /// How many patterns, and how many exceptions, there are at most.
    pub const MOST: usize = 32;

    /// Of these patterns and exceptions.
    pub fn new<Text: AsRef<str>>(
        patterns: &[Text],
        exceptions: &[Text],
    ) -> Result<Self, TagSelectionError> {
        if patterns.is_empty() {
            return Err(TagSelectionError::Empty);
        }
        if patterns.len() > Self::MOST || exceptions.len() > Self::MOST {
            return Err(TagSelectionError::TooMany);
        }
        let parsed = |texts: &[Text]| texts.iter().map(|text| text.as_ref().parse()).collect();
        let (patterns, exceptions): (Result<_, _>, Result<_, _>) =
            (parsed(patterns), parsed(exceptions));
        Ok(Self { patterns: patterns?, exceptions: exceptions? })
    }

    /// Whether the tag is one of them.
    pub fn covers(&self, tag: &Tag) -> bool {
        let any = |patterns: &[TagPattern]| patterns.iter().any(|pattern| pattern.covers(tag));
        any(&self.patterns) && !any(&self.exceptions)
    }

    /// The patterns; at least one.
    pub fn patterns(&self) -> &[TagPattern] {
        &self.patterns
    }

    /// The exceptions.
    pub fn exceptions(&self) -> &[TagPattern] {
        &self.exceptions
    }
}

/// `v*, release-* except v*-rc*`
impl fmt::Display for TagSelection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |patterns: &[TagPattern]| {
            patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        formatter.write_str(&list(&self.patterns))?;
        if !self.exceptions.is_empty() {
            write!(formatter, " except {}", list(&self.exceptions))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    #[test]
    fn exceptions_take_out_what_patterns_cover() {
        let releases = TagSelection::new(&["v*", "stable"], &["v*-rc*"]).unwrap();
        for name in ["v1", "v1.2.3", "v", "stable"] {
            assert!(releases.covers(&tag(name)), "{name}");
        }
        for name in ["v1-rc1", "v2-rc", "latest", "unstable", "V1"] {
            assert!(!releases.covers(&tag(name)), "{name}");
        }
        assert_eq!(releases.to_string(), "v*, stable except v*-rc*");
        let all_but = TagSelection::new(&["*"], &["latest"]).unwrap();
        assert!(all_but.covers(&tag("v1")) && !all_but.covers(&tag("latest")));
    }

    #[test]
    fn what_selects_no_tag_or_too_much_is_refused_by_its_part() {
        assert_eq!(TagSelection::new::<&str>(&[], &["a"]), Err(TagSelectionError::Empty));
        let many = vec!["a"; TagSelection::MOST + 1];
        assert_eq!(TagSelection::new(&many, &[]), Err(TagSelectionError::TooMany));
        assert_eq!(TagSelection::new(&["a"], &many), Err(TagSelectionError::TooMany));
        for text in ["", "a/b", "a b", "ü", "[ab]", &"a".repeat(129)] {
            let error = TagSelection::new(&["v*", text], &[]).unwrap_err();
            let shown: String = text.chars().take(Tag::MAX_LENGTH).collect();
            assert_eq!(error, TagSelectionError::Pattern(TagPatternError(shown)));
            assert!(TagSelection::new(&["v*"], &[text]).is_err(), "{text:?}");
        }
    }
}

//! Tags that are versions: read as semantic versions (semver.org, 2.0.0), and ordered as such.

use std::cmp::Ordering;

use semver::Prerelease;

use crate::Tag;

/// The version that a tag states: `1.2.3`, `v1.2.3-rc.1`, and with fewer numbers `v1.2` or `1`.
///
/// In order: by the numbers, a missing one before 0 (`1.2` comes before `1.2.0`), and a pre-release before the release that it
/// leads to. Tags cannot hold `+`, so that there is no build metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagVersion {
    pub(crate) major: u64,
    pub(crate) minor: Option<u64>,
    pub(crate) patch: Option<u64>,
    pub(crate) pre: Prerelease,
}

impl TagVersion {
    /// Reads a tag; `None` where it is no version.
    pub fn parse(tag: &Tag) -> Option<Self> {
        let text = tag.as_str();
        let text = text.strip_prefix('v').unwrap_or(text);
        let (numbers, pre) =
            text.split_once('-').map_or((text, None), |(left, right)| (left, Some(right)));
        let pre = match pre {
            // `v1-` would be an empty one, which is none.
            Some("") => return None,
            Some(pre) => Prerelease::new(pre).ok()?,
            None => Prerelease::EMPTY,
        };
        let mut numbers = numbers.split('.').map(number);
        let major = numbers.next()??;
        let mut following = || numbers.next().map_or(Some(None), |number| number.map(Some));
        let (minor, patch) = (following()?, following()?);
        numbers.next().is_none().then_some(Self { major, minor, patch, pre })
    }

    /// The first number.
    pub const fn major(&self) -> u64 {
        self.major
    }

    /// The first two numbers, where there are two.
    pub fn minor(&self) -> Option<(u64, u64)> {
        self.minor.map(|minor| (self.major, minor))
    }

    /// Whether it comes before a release: `1.2.3-rc.1`. A variant, as in `1.2.3-alpine`, is spelt the same way.
    pub fn is_pre_release(&self) -> bool {
        !self.pre.is_empty()
    }
}

/// Digits without a leading zero.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    (digits && canonical).then(|| text.parse().ok()).flatten()
}

impl Ord for TagVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| self.pre.cmp(&other.pre))
    }
}

impl PartialOrd for TagVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn version(text: &str) -> Option<TagVersion> {
        TagVersion::parse(&text.parse().unwrap())
    }

    #[test]
    fn versions_are_in_the_order_of_the_specification() {
        let in_order = [
            "0.0.0",
            "0.1.0",
            "1-rc1",
            "1",
            "1.0",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "v1.0.0",
            "1.2",
            "1.2.0",
            "v1.2.10",
            "v1.10.0",
            "2",
            "10.0.0",
            "18446744073709551615.0.0",
        ];
        for pair in in_order.windows(2) {
            assert!(version(pair[0]).unwrap() < version(pair[1]).unwrap(), "{pair:?}");
        }
        assert_eq!(version("v1.2.3"), version("1.2.3"));
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in [
            "latest",
            "v",
            "1.2.3.4",
            "01.2.3",
            "1..2",
            "1.",
            ".1",
            "1.2.3-",
            "1.2.3-01",
            "1.2.3_4",
            "v1.2.3-a..b",
            "18446744073709551616",
            "vv1",
            "2024.01.02",
            "a1.2.3",
        ] {
            let tag = text.parse::<Tag>();
            assert!(tag.is_err() || version(text).is_none(), "{text}");
        }
    }

    #[test]
    fn pre_releases_are_told_apart() {
        assert!(version("1.2.3-rc.1").unwrap().is_pre_release());
        assert!(!version("v1.2.3").unwrap().is_pre_release());
        assert_eq!(version("v1.2").unwrap().minor(), Some((1, 2)));
        assert_eq!(version("v1").unwrap().minor(), None);
    }
}

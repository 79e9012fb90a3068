//! The place of a tag among the versions of a repository, as bytes that a database can order by.

use crate::{Tag, TagVersion};

/// Where a tag stands in a list of versions. Ascending, [`key`](Self::key) is the order of [`TagVersion`] from the newest to
/// the oldest, and behind all versions what is none. Tags of one version, such as `v1.2` and `1.2`, have one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagOrder {
    /// Whether it is a version before a release.
    pub is_pre_release: bool,
    /// Its place: at most 300 bytes, and none is the beginning of another one.
    pub key: Vec<u8>,
}

/// Behind every version: what a version begins with is no more than 9, and turned round.
const NO_VERSION: u8 = 0xff;

/// What ends a release; whatever a pre-release begins with is less.
const RELEASE: u8 = 0xff;
const NUMBER: u8 = 1;
const WORD: u8 = 2;
/// What ends a word and a list of them: less than any of their letters, and than the next of them.
const END: u8 = 0;

impl TagOrder {
    /// The place of a tag.
    #[must_use]
    pub fn of(tag: &Tag) -> Self {
        match TagVersion::parse(tag) {
            Some(version) => Self {
                is_pre_release: version.is_pre_release(),
                // The newest first: the complement of bytes of which none begin others turns their order round.
                key: ascending(&version).into_iter().map(|byte| !byte).collect(),
            },
            None => Self { is_pre_release: false, key: vec![NO_VERSION] },
        }
    }
}

/// Bytes in the order of versions. None are the beginning of others.
fn ascending(version: &TagVersion) -> Vec<u8> {
    let mut key = Vec::new();
    for number in [Some(version.major), version.minor, version.patch] {
        // A longer number is a greater one; one that is missing comes before 0.
        let bytes = number.map(u64::to_be_bytes).unwrap_or_default();
        let leading = bytes.iter().take_while(|byte| **byte == 0).count();
        let digits = &bytes[leading..];
        key.push(number.map_or(0, |_| 1 + digits.len() as u8));
        key.extend_from_slice(digits);
    }
    if version.pre.is_empty() {
        key.push(RELEASE);
        return key;
    }
    for part in version.pre.split('.') {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            // Tags are short: a length is one byte.
            key.extend([NUMBER, part.len() as u8]);
            key.extend(part.bytes());
        } else {
            key.push(WORD);
            key.extend(part.bytes());
            key.push(END);
        }
    }
    key.push(END);
    key
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::cmp::Reverse;

    use super::*;

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    /// Of all tags made of these parts, each against each: what the keys say is what the versions say.
    #[test]
    fn the_order_of_keys_is_that_of_versions_turned_round() {
        let numbers = ["0", "1", "9", "10", "255", "256", "18446744073709551615"];
        let pres = [
            "",
            "-0",
            "-1",
            "-2",
            "-10",
            "-a",
            "-a-",
            "-a.0",
            "-a.b",
            "-aa",
            "-A",
            "-1.a",
            "-1.1",
            "-1a",
            "-99999999999999999999999",
            "-100000000000000000000000",
            "-rc.1",
            "-rc.1.x",
            "-rc1",
        ];
        let mut tags: Vec<Tag> = Vec::new();
        for first in numbers {
            tags.push(tag(first));
            tags.push(tag(&format!("v{first}.1-a")));
            for second in numbers {
                tags.push(tag(&format!("{first}.{second}")));
                tags.extend(pres.map(|pre| tag(&format!("1.{first}.{second}{pre}"))));
            }
        }
        let known: Vec<_> = tags
            .iter()
            .map(|tag| (tag, Reverse(TagVersion::parse(tag).unwrap()), TagOrder::of(tag).key))
            .collect();
        for (one, version, key) in &known {
            for (other, its_version, its_key) in &known {
                assert_eq!(key.cmp(its_key), version.cmp(its_version), "{one} {other}");
                assert!(key == its_key || !key.starts_with(its_key), "{one} {other}");
            }
        }
    }

    #[test]
    fn what_is_no_version_stands_behind_the_oldest() {
        for text in ["latest", "1.2.3.4", "01"] {
            let order = TagOrder::of(&tag(text));
            assert!(!order.is_pre_release && order.key > TagOrder::of(&tag("0-0")).key);
            assert!(order.key > TagOrder::of(&tag("0")).key, "{text}");
        }
        assert!(TagOrder::of(&tag("1.2.3-rc.1")).is_pre_release);
    }

    #[test]
    fn the_longest_key_is_bounded() {
        let many = format!(
            "18446744073709551615.18446744073709551615.18446744073709551615-{}a",
            "a.".repeat(32)
        );
        assert!(TagOrder::of(&tag(&many)).key.len() <= 300);
        let one = format!("1-{}", "9".repeat(126));
        assert!(TagOrder::of(&tag(&one)).is_pre_release);
    }
}

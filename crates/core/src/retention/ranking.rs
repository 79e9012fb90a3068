//! Which tags are the newest: all tags pass by once, and only those that may be among the newest are remembered.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use wharf_oci::{Tag, TagVersion};

use super::{Count, Newest, OfEach, Policy};
use crate::clock::Timestamp;

/// The rules would have to remember more tags than there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the rules that keep the newest would remember more than {} tags at once: keep fewer of each, or of fewer groups",
    Ranking::MOST
)]
pub struct TooMany;

/// The newest tags of each rule.
///
/// It is the same whatever the order in which tags pass by. A tag that is moved afterwards only gets newer.
#[derive(Debug)]
pub struct Ranking<'a> {
    policy: &'a Policy,
    rules: Vec<OfRule>,
    held: usize,
}

#[derive(Debug, Default)]
struct OfRule {
    newest: Best<(Timestamp, Tag)>,
    releases: Groups,
    pre_releases: Groups,
}

type Groups = BTreeMap<Group, Best<(TagVersion, Tag)>>;

/// Versions that are counted together: of one major and minor version, as far as these tell them apart.
type Group = (Option<u64>, Option<u64>);

/// The greatest of what was added.
#[derive(Debug)]
struct Best<K> {
    kept: BinaryHeap<Reverse<K>>,
}

impl<K: Ord> Default for Best<K> {
    fn default() -> Self {
        Self { kept: BinaryHeap::new() }
    }
}

impl<K: Ord> Best<K> {
    /// Adds one, and returns by how many more are held.
    fn add(&mut self, key: K, most: Count) -> usize {
        if self.kept.len() < most.get() {
            self.kept.push(Reverse(key));
            return 1;
        }
        if let Some(mut least) = self.kept.peek_mut()
            && key > least.0
        {
            *least = Reverse(key);
        }
        0
    }

    /// Whether it is one of the greatest, also where it was never added.
    fn has(&self, key: &K, most: Count) -> bool {
        self.kept.len() < most.get() || self.kept.peek().is_some_and(|least| *key >= least.0)
    }
}

fn group(version: &TagVersion, of_each: OfEach) -> Group {
    match of_each {
        OfEach::Rule => (None, None),
        OfEach::Major => (Some(version.major()), None),
        OfEach::Minor => (Some(version.major()), version.minor().map(|(_, minor)| minor)),
    }
}

impl<'a> Ranking<'a> {
    /// How many tags are remembered at most, over all rules: about 40 MB of them.
    pub const MOST: usize = 200_000;

    /// No tag has passed by yet.
    pub fn new(policy: &'a Policy) -> Self {
        let rules = policy.rules().iter().map(|_| OfRule::default()).collect();
        Self { policy, rules, held: 0 }
    }

    /// Whether a rule asks for the newest at all: else no tag needs to pass by.
    pub fn is_needed(policy: &Policy) -> bool {
        let asks = |keep: &super::Keep| {
            keep.newest.is_some()
                || keep.newest_releases.is_some()
                || keep.newest_pre_releases.is_some()
        };
        policy.rules().iter().any(|rule| asks(&rule.keep))
    }

    /// A tag passes by.
    ///
    /// # Errors
    /// When more would have to be remembered than [`Ranking::MOST`].
    pub fn add(&mut self, tag: &Tag, pushed_at: Timestamp) -> Result<(), TooMany> {
        let version = TagVersion::parse(tag);
        for (rule, ranked) in self.policy.rules().iter().zip(&mut self.rules) {
            if !rule.tags.covers(tag) {
                continue;
            }
            if let Some(count) = rule.keep.newest {
                self.held += ranked.newest.add((pushed_at, tag.clone()), count);
            }
            let Some(version) = &version else { continue };
            let (asked, groups) = if version.is_pre_release() {
                (rule.keep.newest_pre_releases, &mut ranked.pre_releases)
            } else {
                (rule.keep.newest_releases, &mut ranked.releases)
            };
            if let Some(Newest { count, of_each }) = asked {
                let group = groups.entry(group(version, of_each)).or_default();
                self.held += group.add((version.clone(), tag.clone()), count);
            }
        }
        if self.held > Self::MOST { Err(TooMany) } else { Ok(()) }
    }

    /// Whether a tag is among those that the rule of this number keeps as moved last.
    pub(super) fn is_newest(
        &self,
        rule: usize,
        tag: &Tag,
        pushed_at: Timestamp,
        count: Count,
    ) -> bool {
        self.rules
            .get(rule)
            .is_some_and(|ranked| ranked.newest.has(&(pushed_at, tag.clone()), count))
    }

    /// Whether a version is among the highest of its group that the rule of this number keeps.
    pub(super) fn is_newest_version(
        &self,
        rule: usize,
        tag: &Tag,
        version: &TagVersion,
        asked: Newest,
    ) -> bool {
        let Some(ranked) = self.rules.get(rule) else { return false };
        let groups = if version.is_pre_release() { &ranked.pre_releases } else { &ranked.releases };
        let group = groups.get(&group(version, asked.of_each));
        // A group that nobody passed by of is newer than the ranking.
        group.is_none_or(|best| best.has(&(version.clone(), tag.clone()), asked.count))
    }
}

//! The judgement over a tag: kept or dropped, and which rule says so.

use std::fmt;
use std::time::Duration;

use wharf_oci::{Digest, TagVersion};

use super::{Age, Policy, PullsKnown, Ranking, Rule, RuleName, TagFacts};
use crate::clock::Timestamp;
use crate::immutability::{PolicyName, PolicyScope};
use crate::metadata::PinName;

/// What keeps a tag whatever the rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Immutability forbids to delete it.
    Frozen {
        /// Where the policy holds that freezes it.
        of: PolicyScope,
        /// That policy.
        policy: PolicyName,
    },
    /// This pin is on its manifest.
    Pinned(PinName),
    /// It is about this manifest, which the repository holds, by its name: the signature of an image goes with the image.
    Companion(Digest),
}

/// `policy releases of namespace:team`, `pin shipped`, `sha256:…`
impl fmt::Display for Protection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frozen { of, policy } => write!(formatter, "policy {policy} of {of}"),
            Self::Pinned(pin) => write!(formatter, "pin {pin}"),
            Self::Companion(manifest) => write!(formatter, "{manifest}"),
        }
    }
}

/// Why a rule keeps a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// It is among those that were moved last.
    Newest,
    /// It is among the highest releases.
    NewestRelease,
    /// It is among the highest pre-releases.
    NewestPreRelease,
    /// It was moved lately.
    PushedWithin,
    /// Its manifest was pulled lately, or it was moved there lately.
    PulledWithin,
    /// Whether its manifest was pulled lately is not known.
    PullsUnknown,
    /// It is signed.
    Signed,
    /// An index names it.
    Referenced,
    /// It is reported to run.
    Running,
}

/// What a tag's judgement is, and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No rule is about it.
    Unselected,
    /// A rule keeps it.
    Kept(RuleName, Kept),
    /// This rule would drop it, and may not.
    Protected(RuleName, Protection),
    /// This rule, the first that selects it, drops it.
    Dropped(RuleName),
}

impl Verdict {
    /// Whether the tag goes.
    pub const fn is_dropped(&self) -> bool {
        matches!(self, Self::Dropped(_))
    }

    /// The rule that decides, where one does.
    pub const fn rule(&self) -> Option<&RuleName> {
        match self {
            Self::Unselected => None,
            Self::Kept(rule, _) | Self::Protected(rule, _) | Self::Dropped(rule) => Some(rule),
        }
    }

    /// What keeps the tag though its rule does not.
    pub const fn protection(&self) -> Option<&Protection> {
        match self {
            Self::Protected(_, protection) => Some(protection),
            Self::Unselected | Self::Kept(..) | Self::Dropped(_) => None,
        }
    }

    /// Why, in a word of the field that the policy writes it by.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unselected => "no_rule",
            Self::Dropped(_) => "not_kept",
            Self::Protected(_, Protection::Frozen { .. }) => "frozen",
            Self::Protected(_, Protection::Pinned(_)) => "pinned",
            Self::Protected(_, Protection::Companion(_)) => "companion",
            Self::Kept(_, Kept::Newest) => "newest",
            Self::Kept(_, Kept::NewestRelease) => "newest_releases",
            Self::Kept(_, Kept::NewestPreRelease) => "newest_pre_releases",
            Self::Kept(_, Kept::PushedWithin) => "pushed_within",
            Self::Kept(_, Kept::PulledWithin) => "pulled_within",
            Self::Kept(_, Kept::PullsUnknown) => "pulls_unknown",
            Self::Kept(_, Kept::Signed) => "signed",
            Self::Kept(_, Kept::Referenced) => "referenced",
            Self::Kept(_, Kept::Running) => "running",
        }
    }
}

/// `kept by releases: newest`
impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unselected => write!(formatter, "kept: no rule selects it"),
            Self::Kept(rule, _) | Self::Protected(rule, _) => {
                write!(formatter, "kept by {rule}: {}", self.reason())
            }
            Self::Dropped(rule) => write!(formatter, "dropped by {rule}"),
        }
    }
}

/// Judges tags by a policy, as of one moment.
#[derive(Debug)]
pub struct Judgement<'a> {
    policy: &'a Policy,
    ranking: Ranking<'a>,
    now: Timestamp,
    pulls_since: Option<Timestamp>,
}

impl<'a> Judgement<'a> {
    /// By a policy and its ranking, at `now`, where all pulls since `pulls_since` are known.
    pub const fn new(
        policy: &'a Policy,
        ranking: Ranking<'a>,
        now: Timestamp,
        pulls_since: Option<Timestamp>,
    ) -> Self {
        Self { policy, ranking, now, pulls_since }
    }

    /// The judgement over a tag. Depends on the tag's facts and on the ranking alone, and so not on the order in which tags
    /// are judged.
    pub fn of(&self, facts: &TagFacts) -> Verdict {
        let version = TagVersion::parse(&facts.tag);
        let rules = self.policy.rules().iter().enumerate();
        let mut selecting = rules.filter(|(_, rule)| rule.tags.covers(&facts.tag)).peekable();
        let Some(first) = selecting.peek().map(|(_, rule)| rule.name.clone()) else {
            return Verdict::Unselected;
        };
        for (index, rule) in selecting {
            if let Some(kept) = self.kept(index, rule, facts, version.as_ref()) {
                return Verdict::Kept(rule.name.clone(), kept);
            }
        }
        match &facts.protection {
            Some(protection) => Verdict::Protected(first, protection.clone()),
            None => Verdict::Dropped(first),
        }
    }

    fn kept(
        &self,
        index: usize,
        rule: &Rule,
        facts: &TagFacts,
        version: Option<&TagVersion>,
    ) -> Option<Kept> {
        let keep = &rule.keep;
        let within = |moment: Timestamp, time: Duration| moment > self.now.before(time);
        if keep
            .newest
            .is_some_and(|count| self.ranking.is_newest(index, &facts.tag, facts.pushed_at, count))
        {
            return Some(Kept::Newest);
        }
        if let Some(version) = version {
            let (asked, kept) = if version.is_pre_release() {
                (keep.newest_pre_releases, Kept::NewestPreRelease)
            } else {
                (keep.newest_releases, Kept::NewestRelease)
            };
            if asked.is_some_and(|asked| {
                self.ranking.is_newest_version(index, &facts.tag, version, asked)
            }) {
                return Some(kept);
            }
        }
        if keep.pushed_within.is_some_and(|age| within(facts.pushed_at, age.get())) {
            return Some(Kept::PushedWithin);
        }
        if let Some(kept) = keep.pulled_within.and_then(|age| self.pulled(age, facts)) {
            return Some(kept);
        }
        [
            (keep.signed && facts.signed, Kept::Signed),
            (keep.referenced && facts.referenced, Kept::Referenced),
            (keep.running && facts.running, Kept::Running),
        ]
        .into_iter()
        .find_map(|(holds, kept)| holds.then_some(kept))
    }

    /// Whether a pull within `age` keeps a tag. What is pushed lately had no time to be pulled; and where counts do not reach
    /// back as far, a pull may have been that nobody knows of.
    fn pulled(&self, age: Age, facts: &TagFacts) -> Option<Kept> {
        let from = self.now.before(age.get().saturating_add(PullsKnown::LATENESS));
        if facts.pulled_at.is_some_and(|pulled| pulled > from)
            || facts.pushed_at > self.now.before(age.get())
        {
            return Some(Kept::PulledWithin);
        }
        let known = self.pulls_since.is_some_and(|since| since <= from);
        (!known).then_some(Kept::PullsUnknown)
    }
}

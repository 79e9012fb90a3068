//! What is known of a tag when it is judged.

use std::time::Duration;

use wharf_oci::{Digest, Tag};

use super::{Age, Policy};
use crate::clock::Timestamp;

/// The types of referrers that sign what they are about: of cosign, of its bundles, and of Notary.
pub const SIGNATURE_TYPES: [&str; 3] = [
    "application/vnd.dev.cosign.artifact.sig.v1+json",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.cncf.notary.signature",
];

/// What is known of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagFacts {
    /// Its name.
    pub tag: Tag,
    /// Where it stands.
    pub digest: Digest,
    /// The number of its last change. It is judged as of that one.
    pub version: i64,
    /// When it was moved there. Pushing the same manifest again is no move.
    pub pushed_at: Timestamp,
    /// The beginning of the hour in which its manifest was pulled last, as far as counts tell.
    pub pulled_at: Option<Timestamp>,
    /// Whether a signature in the repository is about its manifest.
    pub signed: bool,
    /// Whether an index in the repository names its manifest.
    pub referenced: bool,
    /// Whether its manifest, or a child of it, is reported to run.
    pub running: bool,
    /// What keeps it whatever the rules say.
    pub protection: Option<super::Protection>,
}

/// For how long pulls are counted, as this process was set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PullsKnown {
    /// How long counts are kept; `None` where this process counts none, and so knows of none.
    pub keep: Option<Duration>,
}

impl PullsKnown {
    /// How late a pull may be known: a node adds what it has counted for a day at most before it gives up, and counts are sums
    /// of an hour.
    pub const LATENESS: Duration = Duration::from_secs(25 * 3600);

    /// The longest time for which a rule asks about pulls that can never be answered; `None` where all can.
    pub fn unanswerable(self, policy: &Policy) -> Option<Age> {
        policy.longest_pulled_within().filter(|age| !self.reach(age.get()))
    }

    fn reach(self, within: Duration) -> bool {
        self.keep.is_some_and(|keep| within.saturating_add(Self::LATENESS) <= keep)
    }

    /// The moment from which on all pulls are known, where the oldest count of the database is of `oldest`.
    pub fn since(self, now: Timestamp, oldest: Option<Timestamp>) -> Option<Timestamp> {
        Some(now.before(self.keep?).max(oldest?))
    }
}

/// The manifest that a tag is about by its name, as clients name signatures and referrers that a registry does not list:
/// `sha256-<64 hex digits>`, with or without a `.sig`, `.att` or another end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Companion(pub Digest);

impl Companion {
    /// How the tags end by which cosign names signatures, attestations and SBOMs.
    const ENDS: [&str; 3] = ["sig", "att", "sbom"];

    /// The tags of a manifest's signature, attestations and SBOM; none for a digest that is too long for a tag.
    pub fn tags_of(digest: &Digest) -> Vec<Tag> {
        let name = digest.to_string().replace(':', "-");
        Self::ENDS.iter().filter_map(|end| format!("{name}.{end}").parse().ok()).collect()
    }

    /// Reads a tag; `None` where it is about nothing.
    pub fn parse(tag: &Tag) -> Option<Self> {
        let (algorithm, rest) = tag.as_str().split_once('-')?;
        let hash = rest.split_once('.').map_or(rest, |(hash, _)| hash);
        format!("{algorithm}:{hash}").parse().ok().map(Self)
    }
}

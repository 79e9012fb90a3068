//! What holds for every policy and every set of tags, and what each rule means, in examples.

mod documents;
mod examples;
mod properties;

use std::time::Duration;

use wharf_oci::{Algorithm, Hasher};

use super::*;
use crate::clock::Timestamp;
use crate::immutability::PolicyScope;

/// The moment of all judgements.
const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A tag that was pushed so many days ago, of which nothing else is known.
fn facts(tag: &str, days: u32) -> TagFacts {
    TagFacts {
        tag: tag.parse().unwrap(),
        digest: Hasher::digest(Algorithm::Sha256, tag.as_bytes()),
        version: 1,
        pushed_at: NOW.before(DAY * days),
        pulled_at: None,
        signed: false,
        referenced: false,
        running: false,
        protection: None,
    }
}

/// What keeps a tag whatever the rules say, one of each kind, with its reason.
fn protections() -> [(Protection, &'static str); 3] {
    let of = PolicyScope::Namespace("team".parse().unwrap());
    [
        (Protection::Frozen { of, policy: "releases".parse().unwrap() }, "frozen"),
        (Protection::Pinned("shipped".parse().unwrap()), "pinned"),
        (Protection::Companion(Hasher::digest(Algorithm::Sha256, b"an image")), "companion"),
    ]
}

/// The judgements over tags, where all pulls are known.
fn judge(policy: &Policy, tags: &[TagFacts]) -> Vec<Verdict> {
    judge_knowing(policy, tags, Some(NOW.before(DAY * 1000)))
}

/// The judgements over tags, where pulls are known from a moment on.
fn judge_knowing(
    policy: &Policy,
    tags: &[TagFacts],
    pulls_since: Option<Timestamp>,
) -> Vec<Verdict> {
    let mut ranking = Ranking::new(policy);
    for facts in tags {
        ranking.add(&facts.tag, facts.pushed_at).unwrap();
    }
    let judgement = Judgement::new(policy, ranking, NOW, pulls_since);
    tags.iter().map(|facts| judgement.of(facts)).collect()
}

/// A policy of one rule called `r`.
fn rule(tags: &str, keep: &str) -> Policy {
    Policy::parse(&format!(r#"{{"rules":[{{"name":"r","tags":[{tags}],"keep":{keep}}}]}}"#))
        .unwrap()
}

/// The names of those that are not dropped.
fn kept(policy: &Policy, tags: &[TagFacts]) -> Vec<String> {
    let judged = tags.iter().zip(judge(policy, tags));
    judged
        .filter(|(_, verdict)| !verdict.is_dropped())
        .map(|(facts, _)| facts.tag.to_string())
        .collect()
}

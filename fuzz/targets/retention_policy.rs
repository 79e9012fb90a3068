//! Any text as a policy of retention: what is taken is written and read again as the same, and judges tags without failing; what is
//! not is refused by its part.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_core::clock::Timestamp;
use wharf_core::retention::{Judgement, LONGEST_DOCUMENT, Policy, Ranking, TagFacts, Verdict};
use wharf_oci::{Algorithm, Hasher};

const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

fuzz_target!(|text: &str| {
    let policy = match Policy::parse(text) {
        Ok(policy) => policy,
        Err(error) => {
            assert!(!error.part.is_empty() && !error.reason.is_empty());
            return;
        }
    };
    assert!(text.len() <= LONGEST_DOCUMENT && policy.rules().len() <= Policy::MOST_RULES);
    assert_eq!(Policy::parse(&policy.to_json()), Ok(policy.clone()));

    let tags = ["latest", "v1.2.3", "v1.2.4-rc.1", "build-1"].map(|name| TagFacts {
        tag: name.parse().unwrap(),
        digest: Hasher::digest(Algorithm::Sha256, name.as_bytes()),
        version: 1,
        pushed_at: Timestamp(1_600_000_000_000_000),
        pulled_at: None,
        signed: false,
        referenced: false,
        running: false,
        protection: None,
    });
    let mut ranking = Ranking::new(&policy);
    for facts in &tags {
        ranking.add(&facts.tag, facts.pushed_at).unwrap();
    }
    let judgement = Judgement::new(&policy, ranking, NOW, None);
    for facts in &tags {
        let selected = policy.rules().iter().any(|rule| rule.tags.covers(&facts.tag));
        assert_eq!(selected, judgement.of(facts) != Verdict::Unselected);
    }
});

//! What holds for every policy and every set of tags.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wharf_oci::TagSelection;

use super::*;

fn a_name() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..4u32, 0..4u32, 0..4u32).prop_map(|(a, b, c)| format!("v{a}.{b}.{c}")),
        (0..3u32, 0..3u32, 0..3u32).prop_map(|(a, b, c)| format!("v{a}.{b}.0-rc.{c}")),
        "build-[0-9]{1,2}",
        "[a-z]{1,3}",
    ]
}

fn some_facts() -> impl Strategy<Value = TagFacts> {
    let of_each_kind = protections().map(|(protection, _)| Some(protection));
    let protection =
        prop_oneof![9 => Just(None), 1 => proptest::sample::select(of_each_kind.to_vec())];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (a_name(), 0..60u32, proptest::option::of(0..60u32), flags, protection).prop_map(
        |(name, days, pulled, (signed, referenced, running), protection)| TagFacts {
            pulled_at: pulled.map(|days| NOW.before(DAY * days)),
            signed,
            referenced,
            running,
            protection,
            ..facts(&name, days)
        },
    )
}

/// Up to forty tags, each name once.
fn tags() -> impl Strategy<Value = Vec<TagFacts>> {
    proptest::collection::vec(some_facts(), 0..40).prop_map(|all| {
        let by_name: BTreeMap<_, _> =
            all.into_iter().map(|facts| (facts.tag.clone(), facts)).collect();
        by_name.into_values().collect()
    })
}

fn a_count() -> impl Strategy<Value = Count> {
    (1..8u16).prop_map(|count| Count::new(count).unwrap())
}

fn versions() -> impl Strategy<Value = Option<Newest>> {
    let of_each = prop_oneof![Just(OfEach::Rule), Just(OfEach::Major), Just(OfEach::Minor)];
    proptest::option::of(
        (a_count(), of_each).prop_map(|(count, of_each)| Newest { count, of_each }),
    )
}

fn an_age() -> impl Strategy<Value = Option<Age>> {
    proptest::option::of((1..50u32).prop_map(|days| format!("{days}d").parse().unwrap()))
}

fn a_keep() -> impl Strategy<Value = Keep> {
    let newest = proptest::option::of(a_count());
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (newest, versions(), versions(), an_age(), an_age(), flags).prop_map(
        |(newest, newest_releases, newest_pre_releases, pushed_within, pulled_within, flags)| {
            Keep {
                newest,
                newest_releases,
                newest_pre_releases,
                pushed_within,
                pulled_within,
                signed: flags.0,
                referenced: flags.1,
                running: flags.2,
            }
        },
    )
}

fn a_policy() -> impl Strategy<Value = Policy> {
    let pattern = prop_oneof![
        Just("*"),
        Just("v*"),
        Just("v1.*"),
        Just("build-*"),
        Just("*-rc*"),
        Just("a*")
    ];
    let selection = (
        proptest::collection::vec(pattern.clone(), 1..3),
        proptest::collection::vec(pattern, 0..2),
    );
    let rule = (selection, a_keep())
        .prop_filter("a rule keeps something", |(_, keep)| *keep != Keep::default());
    proptest::collection::vec(rule, 0..4).prop_map(|rules| {
        let rules =
            rules.into_iter().enumerate().map(|(number, ((patterns, exceptions), keep))| Rule {
                name: format!("r{number}").try_into().unwrap(),
                tags: TagSelection::new(&patterns, &exceptions).unwrap(),
                keep,
            });
        Policy::new(rules.collect(), Untagged::Keep).unwrap()
    })
}

/// The same policy, in which each rule keeps at least as much, and one something more.
fn with_more(policy: &Policy, index: usize, more: Keep) -> Policy {
    let mut rules = policy.rules().to_vec();
    if let Some(rule) = rules.get_mut(index) {
        let keep = &mut rule.keep;
        keep.newest = keep.newest.max(more.newest);
        keep.pushed_within = keep.pushed_within.max(more.pushed_within);
        keep.pulled_within = keep.pulled_within.max(more.pulled_within);
        keep.newest_releases = keep.newest_releases.or(more.newest_releases);
        keep.newest_pre_releases = keep.newest_pre_releases.or(more.newest_pre_releases);
        keep.signed |= more.signed;
        keep.referenced |= more.referenced;
        keep.running |= more.running;
    }
    Policy::new(rules, Untagged::Keep).unwrap()
}

fn dropped(policy: &Policy, tags: &[TagFacts]) -> Vec<String> {
    let judged = tags.iter().zip(judge(policy, tags));
    judged
        .filter(|(_, verdict)| verdict.is_dropped())
        .map(|(facts, _)| facts.tag.to_string())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn keeping_more_never_drops_more(policy in a_policy(), tags in tags(), index in 0..4usize, more in a_keep()) {
        let before = dropped(&policy, &tags);
        for name in dropped(&with_more(&policy, index, more), &tags) {
            prop_assert!(before.contains(&name), "{name} goes only since more is kept");
        }
    }

    /// Also where several were pushed at one moment.
    #[test]
    fn so_many_are_kept_as_the_rule_says(tags in tags(), count in a_count()) {
        let keep = Keep { newest: Some(count), ..Keep::default() };
        let all = TagSelection::new(&["*"], &[]).unwrap();
        let rule = Rule { name: "r".to_owned().try_into().unwrap(), tags: all, keep };
        let policy = Policy::new(vec![rule], Untagged::Keep).unwrap();
        let tags: Vec<_> = tags.into_iter().map(|facts| TagFacts { protection: None, ..facts }).collect();
        let kept = tags.len() - dropped(&policy, &tags).len();
        prop_assert_eq!(kept, count.get().min(tags.len()));
        let oldest_kept = tags.iter().zip(judge(&policy, &tags)).filter(|(_, it)| !it.is_dropped()).map(|(it, _)| it.pushed_at).min();
        let newest_dropped = tags.iter().zip(judge(&policy, &tags)).filter(|(_, it)| it.is_dropped()).map(|(it, _)| it.pushed_at).max();
        prop_assert!(newest_dropped.is_none() || newest_dropped <= oldest_kept);
    }

    #[test]
    fn the_order_of_tags_and_of_rules_decides_nothing(policy in a_policy(), tags in tags()) {
        let expected = dropped(&policy, &tags);
        let mut backwards: Vec<_> = tags.clone();
        backwards.reverse();
        let mut found = dropped(&policy, &backwards);
        found.reverse();
        prop_assert_eq!(&found, &expected);
        let rules = policy.rules().iter().rev().cloned().collect();
        prop_assert_eq!(dropped(&Policy::new(rules, Untagged::Keep).unwrap(), &tags), expected);
    }

    #[test]
    fn what_is_protected_or_unselected_is_never_dropped(policy in a_policy(), tags in tags()) {
        for (facts, verdict) in tags.iter().zip(judge(&policy, &tags)) {
            let selected = policy.rules().iter().any(|rule| rule.tags.covers(&facts.tag));
            prop_assert!(!verdict.is_dropped() || (facts.protection.is_none() && selected));
        }
    }

    /// So a run that is ended anywhere and begun again drops what the first would have.
    #[test]
    fn dropping_a_part_changes_no_judgement_over_the_rest(
        policy in a_policy(), tags in tags(), part in proptest::collection::vec(any::<bool>(), 40),
    ) {
        let all = dropped(&policy, &tags);
        let is_left = |facts: &TagFacts, gone: bool| !(gone && all.contains(&facts.tag.to_string()));
        let left: Vec<_> =
            tags.iter().zip(&part).filter(|(facts, gone)| is_left(facts, **gone)).map(|(facts, _)| facts.clone()).collect();
        let expected: Vec<_> =
            all.iter().filter(|name| left.iter().any(|facts| facts.tag.as_str() == *name)).cloned().collect();
        prop_assert_eq!(dropped(&policy, &left), expected);
    }

    #[test]
    fn a_policy_that_is_written_is_read_again(policy in a_policy()) {
        prop_assert_eq!(Policy::parse(&policy.to_json()).unwrap(), policy);
    }
}

//! What each rule means.

use super::*;

#[test]
fn what_no_rule_selects_is_kept() {
    let policy = rule(r#""build-*""#, r#"{"pushed_within":"1d"}"#);
    let tags = [facts("latest", 900), facts("build-1", 900)];
    assert_eq!(judge(&policy, &tags)[0], Verdict::Unselected);
    assert_eq!(judge(&policy, &tags)[1].to_string(), "dropped by r");
}

#[test]
fn one_rule_that_keeps_is_enough() {
    let text = r#"{"rules":[
        {"name":"short","tags":["*"],"keep":{"pushed_within":"7d"}},
        {"name":"releases","tags":["v*"],"keep":{"newest":1}}]}"#;
    let policy = Policy::parse(text).unwrap();
    let tags = [facts("v1", 30), facts("v2", 20), facts("nightly", 20), facts("new", 1)];
    let said: Vec<_> = judge(&policy, &tags).iter().map(ToString::to_string).collect();
    let expected = [
        "dropped by short",
        "kept by releases: newest",
        "dropped by short",
        "kept by short: pushed_within",
    ];
    assert_eq!(said, expected);
}

#[test]
fn versions_are_ranked_as_versions_and_pre_releases_apart() {
    let names = [
        "v1.9.0",
        "v1.10.0",
        "v1.10.1",
        "v2.0.0",
        "v2.0.1-rc.1",
        "v2.0.1-rc.2",
        "v2.1.0",
        "latest",
    ];
    let tags: Vec<_> = names.iter().map(|name| facts(name, 100)).collect();
    let of = |keep: &str| kept(&rule(r#""*""#, keep), &tags);
    assert_eq!(of(r#"{"newest_releases":{"count":2}}"#), ["v2.0.0", "v2.1.0"]);
    let by_major = r#"{"newest_releases":{"count":1,"of_each":"major"}}"#;
    assert_eq!(of(by_major), ["v1.10.1", "v2.1.0"]);
    let by_minor = r#"{"newest_releases":{"count":1,"of_each":"minor"}}"#;
    assert_eq!(of(by_minor), ["v1.9.0", "v1.10.1", "v2.0.0", "v2.1.0"]);
    assert_eq!(of(r#"{"newest_pre_releases":{"count":1}}"#), ["v2.0.1-rc.2"]);
}

#[test]
fn the_newest_are_counted_among_what_the_rule_selects() {
    let tags = [facts("a1", 1), facts("b1", 2), facts("a2", 3), facts("a3", 4)];
    assert_eq!(kept(&rule(r#""a*""#, r#"{"newest":2}"#), &tags), ["a1", "b1", "a2"]);
}

#[test]
fn a_pull_keeps_and_so_does_a_pull_that_may_have_been() {
    let policy = rule(r#""*""#, r#"{"pulled_within":"30d"}"#);
    let pulled =
        |days: u32| TagFacts { pulled_at: Some(NOW.before(DAY * days)), ..facts("t", 900) };
    let late = |hours: u32| {
        let pulled_at = Some(NOW.before(DAY * 30 + Duration::from_secs(3600) * hours));
        TagFacts { pulled_at, ..facts("t", 900) }
    };
    for (tag, expected) in [
        (pulled(29), "kept by r: pulled_within"),
        // What was counted in that hour, or came a day late, may have been within.
        (late(24), "kept by r: pulled_within"),
        (late(25), "dropped by r"),
        (facts("t", 900), "dropped by r"),
        // It had no time to be pulled.
        (facts("t", 29), "kept by r: pulled_within"),
        (facts("t", 30), "dropped by r"),
    ] {
        assert_eq!(judge(&policy, std::slice::from_ref(&tag))[0].to_string(), expected, "{tag:?}");
    }
    let old = [facts("t", 900)];
    let from = |since| judge_knowing(&policy, &old, since)[0].to_string();
    assert_eq!(from(None), "kept by r: pulls_unknown");
    assert_eq!(from(Some(NOW.before(DAY * 31))), "kept by r: pulls_unknown");
    assert_eq!(from(Some(NOW.before(DAY * 30 + PullsKnown::LATENESS))), "dropped by r");
}

#[test]
fn pulls_are_known_as_far_back_as_they_are_counted_and_kept() {
    let [known, short, none] =
        [Some(DAY * 400), Some(DAY * 31), None].map(|keep| PullsKnown { keep });
    let policy = rule(r#""*""#, r#"{"pulled_within":"30d"}"#);
    assert_eq!(known.unanswerable(&policy), None);
    assert_eq!(short.unanswerable(&policy), Some("30d".parse().unwrap()));
    assert_eq!(none.unanswerable(&policy), Some("30d".parse().unwrap()));
    assert_eq!(none.unanswerable(&rule(r#""*""#, r#"{"newest":1}"#)), None);
    let oldest = NOW.before(DAY * 10);
    assert_eq!(known.since(NOW, Some(oldest)), Some(oldest));
    assert_eq!(known.since(NOW, Some(NOW.before(DAY * 900))), Some(NOW.before(DAY * 400)));
    assert_eq!(known.since(NOW, None), None);
    assert_eq!(none.since(NOW, Some(oldest)), None);
}

#[test]
fn what_is_signed_referenced_or_runs_is_kept_where_the_rule_says_so() {
    let of = |keep: &str| rule(r#""*""#, &format!(r#"{{"pushed_within":"1d"{keep}}}"#));
    let plain = facts("t", 9);
    for (keep, tag, expected) in [
        (r#","signed":true"#, TagFacts { signed: true, ..plain.clone() }, "kept by r: signed"),
        (
            r#","referenced":true"#,
            TagFacts { referenced: true, ..plain.clone() },
            "kept by r: referenced",
        ),
        (r#","running":true"#, TagFacts { running: true, ..plain.clone() }, "kept by r: running"),
    ] {
        let tag = std::slice::from_ref(&tag);
        assert_eq!(judge(&of(keep), tag)[0].to_string(), expected);
        assert_eq!(judge(&of(""), tag)[0].to_string(), "dropped by r");
        assert_eq!(judge(&of(keep), std::slice::from_ref(&plain))[0].to_string(), "dropped by r");
    }
}

#[test]
fn what_is_protected_is_kept_whatever_rules_say() {
    let policy = rule(r#""*""#, r#"{"pushed_within":"1d"}"#);
    let mut shown = Vec::new();
    for (protection, said) in protections() {
        let tag = TagFacts { protection: Some(protection), ..facts("t", 9) };
        let verdict = judge(&policy, &[tag])[0].clone();
        assert_eq!(verdict.to_string(), format!("kept by r: {said}"));
        shown.extend(verdict.protection().map(ToString::to_string));
    }
    let digest = Hasher::digest(Algorithm::Sha256, b"an image").to_string();
    assert_eq!(shown, ["policy releases of namespace:team", "pin shipped", &digest]);
    // Where a rule keeps it, that is what is told.
    let [(protection, _), ..] = protections();
    let kept = TagFacts { protection: Some(protection), ..facts("t", 0) };
    assert_eq!(judge(&policy, &[kept])[0].to_string(), "kept by r: pushed_within");
}

#[test]
fn a_tag_that_came_or_moved_after_the_ranking_is_among_the_newest() {
    let policy = rule(r#""*""#, r#"{"newest":1,"newest_releases":{"count":1,"of_each":"major"}}"#);
    let mut ranking = Ranking::new(&policy);
    ranking.add(&"v1.0.0".parse().unwrap(), NOW.before(DAY)).unwrap();
    let judgement = Judgement::new(&policy, ranking, NOW, None);
    assert_eq!(judgement.of(&facts("other", 0)).reason(), "newest");
    assert_eq!(judgement.of(&facts("v2.0.0", 9)).reason(), "newest_releases");
    assert!(judgement.of(&facts("v0.9.0", 9)).reason() == "newest_releases");
    assert!(judgement.of(&facts("old", 9)).is_dropped());
}

#[test]
fn a_ranking_that_needs_too_much_room_is_refused() {
    let policy = rule(r#""*""#, r#"{"newest_releases":{"count":1,"of_each":"minor"}}"#);
    let mut ranking = Ranking::new(&policy);
    let mut add = |number: usize| ranking.add(&format!("v{number}.0.0").parse().unwrap(), NOW);
    assert!((0..Ranking::MOST).all(|number| add(number).is_ok()));
    assert_eq!(add(Ranking::MOST), Err(TooMany));
}

#[test]
fn companions_are_named_after_their_manifest() {
    let digest = Hasher::digest(Algorithm::Sha256, b"an image");
    let named =
        |end: &str| Companion::parse(&format!("sha256-{}{end}", digest.hex()).parse().unwrap());
    let tags = Companion::tags_of(&digest);
    assert_eq!(tags.len(), 3);
    assert!(tags.iter().all(|tag| Companion::parse(tag) == Some(Companion(digest))), "{tags:?}");
    for end in ["", ".sig", ".att", ".sbom"] {
        assert_eq!(named(end), Some(Companion(digest)), "{end}");
    }
    for tag in [
        "latest",
        "sha256-abc",
        "sha256-abc.sig",
        &format!("md5-{}", digest.hex()),
        &format!("sha256-{}0", digest.hex()),
    ] {
        assert_eq!(Companion::parse(&tag.parse().unwrap()), None, "{tag}");
    }
}

#[test]
fn a_summary_counts_manifests_that_lose_their_last_tag() {
    let policy = rule(r#""*""#, r#"{"pushed_within":"1d"}"#);
    let mut tags = [facts("a", 9), facts("b", 9), facts("c", 9), facts("d", 0)];
    // a and b share a manifest, and c shares one with d, which stays.
    tags[1].digest = tags[0].digest;
    tags[2].digest = tags[3].digest;
    let mut summary = Summary::default();
    for (facts, verdict) in tags.iter().zip(judge(&policy, &tags)) {
        summary.add(&Judged { facts: facts.clone(), verdict });
    }
    assert_eq!((summary.tags, summary.dropped, summary.manifests_untagged()), (4, 3, 1));
    let by: Vec<_> = summary.by_rule.iter().map(|((_, why), count)| (*why, *count)).collect();
    assert_eq!(by, [("not_kept", 3), ("pushed_within", 1)]);
}

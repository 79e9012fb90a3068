//! Policies as texts: what is read is written again, and what is wrong is named with its part and its value.

use super::*;

const WHOLE: &str = r#"{
    "rules": [
        {
            "name": "releases", "tags": ["v*", "release-*"], "except": ["v*-rc*"],
            "keep": {
                "newest_releases": { "count": 3, "of_each": "minor" },
                "newest_pre_releases": { "count": 1 },
                "signed": true, "referenced": true, "running": true
            }
        },
        { "name": "builds", "tags": ["build-*"], "keep": { "newest": 10.0, "pushed_within": "2w", "pulled_within": "30d" } }
    ],
    "untagged": { "after": "7d" }
}"#;

#[test]
fn what_is_written_is_read_again() {
    let policy = Policy::parse(WHOLE).unwrap();
    assert_eq!(policy.rules().len(), 2);
    assert_eq!(policy.untagged(), Untagged::After("7d".parse().unwrap()));
    assert_eq!(policy.rules()[0].keep.newest_releases.unwrap().of_each, OfEach::Minor);
    assert_eq!(policy.rules()[1].keep.pushed_within, Some("14d".parse().unwrap()));
    let written = policy.to_json();
    assert_eq!(Policy::parse(&written).unwrap(), policy);
    assert!(
        written.contains(r#""keep":{"newest":10,"pushed_within":"14d","pulled_within":"30d"}"#),
        "{written}"
    );
    assert!(written.ends_with(r#""untagged":{"after":"7d"}}"#), "{written}");
    assert_eq!(Policy::parse(r#"{"rules":[]}"#).unwrap(), Policy::default());
    assert_eq!(Policy::default().to_json(), r#"{"rules":[],"untagged":"keep"}"#);
}

/// Each by its part, and by what it says.
#[test]
fn what_is_wrong_is_named() {
    let of_rule = |rule: &str| {
        format!(r#"{{"rules":[{{"name":"a","tags":["x"],"keep":{{"newest":1}}}},{rule}]}}"#)
    };
    let keep = |keep: &str| of_rule(&format!(r#"{{"name":"b","tags":["v*"],"keep":{keep}}}"#));
    for (text, part, reason) in [
        (String::new(), "policy", "EOF"),
        ("[]".into(), "policy", "rules"),
        ("{}".into(), "policy", "rules"),
        (r#"{"rules":[]} x"#.into(), "policy", "trailing"),
        (r#"{"rules":[],"ruels":[]}"#.into(), "ruels", "unknown field `ruels`"),
        (r#"{"":1,"rules":[]}"#.into(), "policy", "unknown field ``"),
        (r#"{"rules":[],"untagged":"drop"}"#.into(), "untagged", "unknown variant `drop`"),
        (r#"{"rules":[],"untagged":{"after":"7"}}"#.into(), "untagged.after", "\"7\""),
        (
            of_rule(r#"{"name":"B c","tags":["v*"],"keep":{"newest":1}}"#),
            "rules[1].name",
            "\"B c\"",
        ),
        (of_rule(r#"{"name":"b","tags":[],"keep":{"newest":1}}"#), "rules[1]", "needs a pattern"),
        (of_rule(r#"{"name":"b","tags":["v[12]"],"keep":{"newest":1}}"#), "rules[1]", "\"v[12]\""),
        (
            of_rule(r#"{"name":"b","tags":["v*"],"except":["ü"],"keep":{"newest":1}}"#),
            "rules[1]",
            "\"ü\"",
        ),
        (of_rule(r#"{"name":"b","tags":["v*"]}"#), "rules[1]", "missing field `keep`"),
        (
            of_rule(r#"{"name":"a","tags":["v*"],"keep":{"newest":1}}"#),
            "policy",
            "two rules are called a",
        ),
        (keep("{}"), "policy", "the rule b keeps nothing"),
        (keep(r#"{"signed":false}"#), "policy", "the rule b keeps nothing"),
        (keep(r#"{"newest":0}"#), "rules[1].keep.newest", "0 must be a whole number"),
        (keep(r#"{"newest":1.5}"#), "rules[1].keep.newest", "1.5 must be a whole number"),
        (
            keep(r#"{"newest":10001}"#),
            "rules[1].keep.newest",
            "10001 must be a whole number from 1 to 10000",
        ),
        (keep(r#"{"newest":"1"}"#), "rules[1].keep.newest", "invalid type"),
        (keep(r#"{"newest":1,"newest":2}"#), "rules[1].keep", "duplicate field"),
        (keep(r#"{"newset":1}"#), "rules[1].keep.newset", "unknown field `newset`"),
        (
            keep(r#"{"newest_releases":{"count":1,"of_each":"patch"}}"#),
            "rules[1].keep.newest_releases.of_each",
            "`patch`",
        ),
        (keep(r#"{"pushed_within":"90 days"}"#), "rules[1].keep.pushed_within", "\"90 days\""),
        (keep(r#"{"pulled_within":30}"#), "rules[1].keep.pulled_within", "invalid type"),
        (keep(r#"{"signed":"yes"}"#), "rules[1].keep.signed", "invalid type"),
        (" ".repeat(LONGEST_DOCUMENT + 1), "policy", "65537 bytes"),
    ] {
        let error = Policy::parse(&text).unwrap_err();
        assert_eq!(error.part, part, "{text}: {error}");
        assert!(error.reason.contains(reason), "{text}: {error}");
    }
    let many: Vec<_> = (0..=Policy::MOST_RULES)
        .map(|number| format!(r#"{{"name":"r{number}","tags":["x"],"keep":{{"newest":1}}}}"#))
        .collect();
    let error = Policy::parse(&format!(r#"{{"rules":[{}]}}"#, many.join(","))).unwrap_err();
    assert!(error.reason.contains("at most 32 rules"), "{error}");
}

//! `wharf repo retention`.

use serde_json::json;

use crate::desk::{Desk, shows};
use crate::house::{House, bearer, manifest};
use crate::support::registry::digest;

const POLICY: &str = r#"{
    "rules": [{ "name": "builds", "tags": ["b*"], "keep": { "newest": 1 } }],
    "untagged": { "after": "30d" }
}"#;

#[test]
fn a_policy_is_set_looked_at_enabled_and_taken_away() {
    let house = House::start();
    let ada = Desk::of(&house, "ada");
    let token = bearer(&house.token("ada", "repository:team/private:pull,push"));
    for tag in ["b1", "b2"] {
        assert_eq!(house.put_manifest("team/private", tag, &token).status, 201);
    }
    assert!(ada.refused("repo retention show team/private").contains("404"));
    ada.typed("repo retention set team/private -", POLICY);
    let command = ada.command("repo retention enable team/private --version 1");
    let early = ada.run(command, "");
    assert!(early.err.contains("preview it first"), "{}", early.err);
    let image = digest(&manifest("team/private"));
    shows!(ada.done("repo retention plan team/private").replace(&image, "DIGEST"), @r"
        b1 | drop | builds | not_kept | - | 2026-01-01T00:00:00Z | DIGEST
        b2 | keep | builds | newest | - | 2026-01-01T00:00:00Z | DIGEST
        v1 | keep | - | no_rule | - | 2026-01-01T00:00:00Z | DIGEST
        ");
    let plan = ada.run(ada.command("repo retention plan team/private --dropped"), "");
    assert_eq!(plan.out.lines().count(), 1, "{}", plan.out);
    assert!(plan.err.contains("1 of 3 tags would go, and 0 manifests lose their last tag"));
    let untagged = "0 manifests have had no tag for 30d and would go";
    assert!(plan.err.contains(untagged), "{}", plan.err);
    assert!(plan.err.contains("enable team/private --version 1"), "{}", plan.err);
    assert_eq!(ada.json("repo retention plan team/private --dropped")[0]["tag"], "b1");
    ada.done("repo retention enable team/private --version 1");
    let shown = ada.json("repo retention show team/private");
    assert_eq!((&shown["state"], &shown["version"]), (&json!("enabled"), &json!(1)));
    shows!(ada.done("repo retention show team/private"), @r#"
        version | 1
        state | enabled
        policy | {"rules":[{"keep":{"newest":1},"name":"builds","tags":["b*"]}],"untagged":{"after":"30d"}}
        by | user:ada
        at | 2026-01-01T00:00:00Z
        "#);
    ada.done("repo read-only team/private --reason moving");
    let shown = ada.done("repo retention show team/private");
    let skipped = "skipped\tthe repository team/private is read-only for now: moving";
    assert!(shown.lines().any(|line| line == skipped), "{shown}");
    ada.done("repo writable team/private");
    let writer = Desk::of(&house, "writer");
    writer.done(&format!("repo retention running team/private {image} --by eu --for 6h"));
    assert!(writer.refused("repo retention remove team/private --yes").contains("403"));
    ada.done("repo retention remove team/private --yes");
    assert!(ada.refused("repo retention show team/private").contains("404"));
}

/// Before anything is sent.
#[test]
fn a_file_that_is_no_policy_is_named_with_the_part_that_is_wrong() {
    let house = House::start();
    let ada = Desk::of(&house, "ada");
    let wrong = ada.run(
        ada.command("repo retention set team/private -"),
        r#"{ "rules": [{ "name": "r", "tags": ["*"], "keep": { "newest": 0 } }] }"#,
    );
    assert_eq!(wrong.code, 1);
    assert!(
        wrong.err.contains("- is no policy of retention: rules[0].keep.newest: 0 must be"),
        "{}",
        wrong.err
    );
    let missing = ada.refused("repo retention set team/private /nowhere/policy.json");
    assert!(missing.contains("/nowhere/policy.json cannot be opened"), "{missing}");
}

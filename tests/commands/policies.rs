//! `wharf org policy` and `wharf repo policy`.

use serde_json::json;

use crate::desk::{Desk, shows};
use crate::house::House;

#[test]
fn policies_are_made_listed_changed_and_deleted() {
    let house = House::start();
    let (ada, reader) = (Desk::of(&house, "ada"), Desk::of(&house, "reader"));
    ada.done("org policy create team releases --tags v* --except v*-rc* --mutable-for 1h");
    ada.done("repo policy create team/private all --tags * --except latest --except edge");
    shows!(reader.seen("org policy list team"), @r"
        POLICY    TAGS  EXCEPT  MUTABLE FOR  BY        SINCE
        releases  v*    v*-rc*  1h           user:ada  2026-01-01T00:00:00Z
        ");
    shows!(reader.done("repo policy list team/private"), @"all | * | latest, edge | 0s | user:ada | 2026-01-01T00:00:00Z");
    assert!(reader.refused("org policy delete team releases --yes").contains("403"));
    assert!(ada.refused("org policy create team releases --tags v*").contains("409"));
    shows!(reader.seen("repo policy check team/private v1"), @r"
        tag         v1
        since       2026-01-01T00:00:00Z
        frozen by   all of repository:team/private since 2026-01-01T00:00:00Z
        covered by  releases of namespace:team from 2026-01-01T00:00:00Z, all of repository:team/private from 2026-01-01T00:00:00Z
        ");
    let said = reader.json("repo policy check team/private");
    assert_eq!(said[0]["frozen_by"]["policy"], "all");
    let refused = ada.refused("repo delete-tag team/private v1 --yes");
    assert!(
        refused.contains("by policy \"all\" of the repository (* except latest, edge)"),
        "{refused}"
    );
    let changed = ada.json("repo policy change team/private all --tags v2*");
    assert_eq!((&changed["exceptions"], &changed["mutable_seconds"]), (&json!([]), &json!(0)));
    let asked = ada.refused("org policy delete team releases");
    assert!(asked.contains("there is no terminal"), "{asked}");
    ada.done("org policy delete team releases --yes");
    ada.done("repo delete-tag team/private v1 --yes");
    assert_eq!(ada.json("org policy list team"), json!([]));
}

#[test]
fn what_is_no_policy_is_refused_before_anything_is_asked() {
    let house = House::start();
    let ada = Desk::of(&house, "ada");
    for (words, part) in [
        ("org policy create team Releases --tags v*", "\"Releases\""),
        ("org policy create team releases", "--tags"),
        ("org policy create team releases --tags v[1]", "v[1]"),
        ("org policy create team releases --tags v* --except a/b", "a/b"),
        ("org policy create team releases --tags v* --mutable-for 1.5h", "1.5h"),
        ("org policy create team releases --tags v* --mutable-for 500ms", "500ms"),
        ("org policy create team releases --tags v* --mutable-for 3651d", "3651d"),
        ("repo policy create team/ releases --tags v*", "team/"),
    ] {
        let run = ada.run(ada.command(words), "");
        assert_eq!(run.code, 2, "{words}");
        assert!(run.err.contains(part), "{words}: {}", run.err);
    }
}

//! Findings of scrubs, for who may know of all of the registry.

use std::time::Duration;

use serde_json::{Value, json};

use crate::house::content;
use crate::lists::all;
use crate::people::{Api, problem};
use crate::support::program::wait_until;
use crate::support::registry::digest;

/// Scrubs that do not rest for long, and never read contents a second time.
const SCRUBS: [(&str, &str); 1] = [("WHARF_SCRUB_INTERVAL", "100ms")];

/// Many times as long as a scrub takes.
const WITHIN: Duration = Duration::from_secs(60);

#[test]
fn findings_are_listed_with_what_became_of_them() {
    let api = Api::start_with(&SCRUBS);
    let root = api.as_root();
    let list = |query: &str| all(&api, root, &format!("/findings{query}"), 10);
    assert_eq!(list("?state=all"), Vec::<Value>::new());
    for repository in ["team/private", "team/public"] {
        api.house.lose_blob(repository);
    }
    wait_until("both are found", WITHIN, || list("").len() == 2);
    let blob = digest(&content("team/private"));
    let of = |query: &str| list(query).into_iter().find(|found| found["digest"] == blob);
    let mut lost = of("").unwrap();
    for moment in ["found_at", "seen_at"] {
        assert!(lost[moment].take().as_str().unwrap().ends_with('Z'), "{moment}");
    }
    assert!(lost["id"].take().is_i64());
    assert_eq!(
        lost,
        json!({
            "id": null, "kind": "missing", "state": "quarantined", "digest": blob, "incarnation": 0,
            "repository": null, "manifest": null, "detail": "it is not in the store",
            "found_at": null, "seen_at": null, "resolved_at": null, "repaired_from": null,
            "evidence": true,
        })
    );
    for (query, count) in [
        ("?kind=missing", 2),
        ("?kind=wrong_size", 0),
        ("?state=quarantined", 2),
        ("?state=unresolved&kind=missing", 2),
        ("?state=open", 0),
        ("?state=repaired", 0),
    ] {
        assert_eq!(list(query).len(), count, "{query}");
    }
    assert_eq!(all(&api, root, "/findings", 1), all(&api, root, "/findings", 1000));

    api.house.push("ada", "team/private");
    assert_eq!(list("").len(), 1);
    let found = of("?state=repaired").unwrap();
    assert_eq!((&found["repaired_from"], &found["evidence"]), (&json!("a push"), &json!(true)));
    assert!(found["resolved_at"].is_string());
    let told = api.get(root, "/audit?action=blob.repair").json();
    assert_eq!(told["items"][0]["by"], "user:ada");
}

#[test]
fn only_findings_that_there_may_be_are_asked_for() {
    let api = Api::start();
    for (query, field, reason) in [
        ("kind=crooked", "kind", "\"crooked\" is none of unexplained, missing"),
        ("state=lost", "state", "none of unresolved, open, quarantined, repaired, gone, all"),
        ("after=-1", "after", "\"-1\" is no number"),
        ("limit=0", "limit", "from 1"),
        ("digest=sha256:0", "digest", "unknown field"),
    ] {
        let reply = api.get(api.as_root(), &format!("/findings?{query}"));
        let (status, _, detail) = problem(&reply);
        assert_eq!((status, &reply.json()["field"]), (400, &json!(field)), "{query}");
        assert!(detail.contains(reason), "{query}: {detail}");
    }
}

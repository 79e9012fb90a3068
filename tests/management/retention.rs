//! Retention: set, previewed, enabled and run, by the real program; and what is refused on the way.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::Method;

use crate::house::bearer;
use crate::people::{Api, problem};
use crate::support::program::wait_until;
use crate::support::registry::{Reply, digest};

const PATH: &str = "/repositories/team%2Fprivate/retention";

/// Pushes one manifest under tags, one after the other.
fn push(api: &Api, tags: &[&str]) {
    let token = bearer(&api.house.token("ada", "repository:team/private:pull,push"));
    for tag in tags {
        let pushed = api.house.put_manifest("team/private", tag, &token);
        assert_eq!(pushed.status, 201, "{}", pushed.text());
    }
}

fn tags(api: &Api, login: &str) -> Vec<String> {
    let listed = api.get(login, "/repositories/team%2Fprivate/tags").json();
    let names = listed["items"].as_array().unwrap().iter();
    names.map(|tag| tag["name"].as_str().unwrap().to_owned()).collect()
}

fn newest(count: u32) -> Value {
    json!({ "rules": [{ "name": "builds", "tags": ["b*"], "keep": { "newest": count } }] })
}

struct Asking<'a> {
    api: &'a Api,
    ada: String,
}

impl Asking<'_> {
    fn ask(&self, method: Method, tail: &str, body: Option<Value>) -> Reply {
        self.api.ask(&self.ada, method, &format!("{PATH}{tail}"), body.as_ref())
    }

    fn done(&self, method: Method, tail: &str, body: Option<Value>) -> Value {
        let reply = self.ask(method.clone(), tail, body);
        assert!((200..300).contains(&reply.status), "{method} {tail}: {}", reply.text());
        if reply.body.is_empty() { Value::Null } else { reply.json() }
    }
}

/// Before anybody enables it: what has no tag by now, and is old enough by this very draft.
#[test]
fn a_preview_tells_which_untagged_manifests_go() {
    let api = Api::start();
    let on = Asking { api: &api, ada: api.login("ada") };
    let preview = || on.done(Method::POST, "/preview", Some(json!({})))["untagged"].clone();
    on.done(Method::PUT, "", Some(json!({ "rules": [], "untagged": "keep" })));
    assert_eq!(preview(), json!(null));
    on.done(Method::PUT, "", Some(json!({ "rules": [], "untagged": { "after": "30d" } })));
    assert_eq!(preview(), json!({ "after": "30d", "manifests": 0, "first": [] }));
    let tag = "/repositories/team%2Fprivate/tags/v1";
    let image = api.get(&on.ada, tag).json()["digest"].clone();
    assert_eq!(api.ask(&on.ada, Method::DELETE, tag, None).status, 204);
    assert_eq!(preview()["manifests"], 0, "it is not old enough");
    let days = 31_i64 * 24 * 3600 * 1_000_000;
    let file = rusqlite::Connection::open(api.house.data().join("metadata.sqlite")).unwrap();
    let sql = "UPDATE repository_manifests
               SET touched_at = touched_at - ?1, pushed_at = pushed_at - ?1";
    assert!(file.execute(sql, [days]).unwrap() > 0);
    let other = json!({ "policy": { "rules": [], "untagged": { "after": "60d" } } });
    let other = on.done(Method::POST, "/preview", Some(other));
    assert_eq!(other["untagged"]["manifests"], 0, "{other}");
    assert_eq!(preview(), json!({ "after": "30d", "manifests": 1, "first": [image] }));
    let audit = api.get(&on.ada, "/audit?namespace=team&action=retention.preview").json();
    let told = audit["items"][0]["detail"].as_str().unwrap();
    assert_eq!(told, "policy=2 tags=0 dropped=0 untagged=1");
}

#[test]
fn a_policy_is_previewed_enabled_and_run() {
    let api = Api::start_with(&[("WHARF_RETENTION_INTERVAL", "1s")]);
    let on = Asking { api: &api, ada: api.login("ada") };
    push(&api, &["b1", "b2", "b3", "latest"]);
    let set = on.done(Method::PUT, "", Some(newest(1)));
    assert_eq!((&set["version"], &set["state"]), (&json!(1), &json!("draft")));
    let early = on.ask(Method::POST, "/enable", Some(json!({ "version": 1 })));
    assert_eq!(problem(&early).1, "refused", "{}", early.text());
    // Another policy may be looked at, which changes nothing.
    let other = on.done(Method::POST, "/preview", Some(json!({ "policy": newest(2) })));
    assert_eq!((&other["version"], &other["dropped"]), (&json!(null), &json!(1)));
    assert_eq!(on.done(Method::GET, "", None)["state"], "draft");
    let seen = on.done(Method::POST, "/preview", Some(json!({})));
    assert_eq!((&seen["version"], &seen["tags"]), (&json!(1), &json!(5)), "{seen}");
    assert_eq!((&seen["dropped"], &seen["manifests_untagged"]), (&json!(2), &json!(0)), "{seen}");
    let by_rule = json!([
        { "rule": null, "reason": "no_rule", "tags": 2 },
        { "rule": "builds", "reason": "newest", "tags": 1 },
        { "rule": "builds", "reason": "not_kept", "tags": 2 },
    ]);
    assert_eq!(seen["by_rule"], by_rule);
    assert_eq!(seen["first_dropped"][0]["tag"], "b1");
    let plan = on.done(Method::GET, "/plan?limit=2", None);
    assert_eq!(plan["next"], "b2");
    let plan = on.done(Method::GET, "/plan?limit=2&after=b2", None);
    let said = |at: usize| format!("{} {}", plan["items"][at]["tag"], plan["items"][at]["reason"]);
    assert_eq!((said(0), said(1)), (r#""b3" "newest""#.into(), r#""latest" "no_rule""#.into()));
    let going = on.done(Method::GET, "/plan?dropped=true", None);
    assert_eq!(going["items"].as_array().unwrap().len(), 2);
    assert_eq!(going["next"], json!(null));
    assert_eq!(tags(&api, &on.ada).len(), 5, "nothing goes before it is enabled");
    assert_eq!(on.done(Method::GET, "", None)["state"], "previewed");
    let enabled = on.done(Method::POST, "/enable", Some(json!({ "version": 1.0 })));
    assert_eq!(enabled["state"], "enabled");
    wait_until("the policy has run", Duration::from_secs(60), || {
        tags(&api, &on.ada) == ["b3", "latest", "v1"]
    });
    let ran = || on.done(Method::GET, "", None)["last_run"].clone();
    wait_until("the run is recorded", Duration::from_secs(60), || ran()["kept"] == 3);
    let audit = api.get(&on.ada, "/audit?namespace=team&action=tag.delete").json();
    let records = audit["items"].as_array().unwrap();
    assert_eq!(records.len(), 2, "{audit}");
    for record in records {
        assert_eq!(record["by"], "system");
        assert!(record["detail"].as_str().unwrap().ends_with(" policy=1 rule=builds"), "{record}");
    }
    // Another version is a draft again, and drops nothing.
    on.done(
        Method::PUT,
        "",
        Some(json!({ "rules": [
        { "name": "all", "tags": ["*"], "keep": { "running": true } },
    ] })),
    );
    let stale = on.ask(Method::POST, "/enable", Some(json!({ "version": 1 })));
    assert_eq!(problem(&stale).1, "stale");
    for none in [json!(0), json!(1.5), json!("2"), json!(1e300)] {
        let refused = on.ask(Method::POST, "/enable", Some(json!({ "version": none })));
        assert_eq!(problem(&refused).1, "invalid", "{none}");
    }
    push(&api, &["b4"]);
    let image = digest(&crate::house::manifest("team/private"));
    let report = json!({ "digest": image, "by": "eu", "for": "6h" });
    let running = "/repositories/team%2Fprivate/running";
    assert_eq!(api.ask(&on.ada, Method::POST, running, Some(&report)).status, 204);
    let seen = on.done(Method::POST, "/preview", Some(json!({})));
    assert_eq!((&seen["dropped"], &seen["by_rule"][0]["reason"]), (&json!(0), &json!("running")));
    on.done(Method::DELETE, "", None);
    assert_eq!(on.ask(Method::GET, "", None).status, 404);
}

#[test]
fn what_is_no_policy_is_refused_by_its_part() {
    let api = Api::start_with(&[("WHARF_COUNTS_KEEP", "30d")]);
    let on = Asking { api: &api, ada: api.login("ada") };
    let rule = |keep: Value| json!({ "rules": [{ "name": "r", "tags": ["*"], "keep": keep }] });
    for (policy, field, text) in [
        (json!([]), "body", "a policy"),
        (json!({ "rules": [], "rulez": [] }), "rulez", "unknown field"),
        (rule(json!({})), "body", "keeps nothing"),
        (rule(json!({ "newest": 0 })), "rules[0].keep.newest", "0 must be a whole number"),
        (rule(json!({ "pushed_within": "soon" })), "rules[0].keep.pushed_within", "\"soon\""),
        (rule(json!({ "pulled_within": "30d" })), "pulled_within", "counts.keep"),
    ] {
        for (method, tail, body, within) in [
            (Method::PUT, "", policy.clone(), ""),
            (Method::POST, "/preview", json!({ "policy": policy }), "policy"),
        ] {
            let refused = on.ask(method, tail, Some(body));
            let (status, code, detail) = problem(&refused);
            assert_eq!((status, code.as_str()), (422, "unfit"), "{detail}");
            assert!(detail.contains(text), "{detail}");
            let expected = match (field, within) {
                (field, "") | (field @ "pulled_within", _) => field.to_owned(),
                ("body", within) => within.to_owned(),
                (field, within) => format!("{within}.{field}"),
            };
            assert_eq!(refused.json()["field"], expected.as_str(), "{detail}");
        }
    }
    assert_eq!(on.ask(Method::GET, "", None).status, 404, "none of them is recorded");
    on.done(Method::PUT, "", Some(rule(json!({ "pulled_within": "28d" }))));
}

#[test]
fn a_policy_that_somebody_else_changed_is_stale() {
    let api = Api::start();
    let on = Asking { api: &api, ada: api.login("ada") };
    on.done(Method::PUT, "", Some(newest(1)));
    let known = on.ask(Method::GET, "", None).header("ETag").unwrap().to_owned();
    on.done(Method::PUT, "", Some(newest(2)));
    let put = |etag: &str| {
        let headers = [("If-Match", etag)];
        api.ask_with(&on.ada, Method::PUT, PATH, &headers, Some(&newest(3)))
    };
    assert_eq!(problem(&put(&known)).1, "stale");
    let known = on.ask(Method::GET, "", None).header("ETag").unwrap().to_owned();
    assert_eq!(put(&known).json()["version"], 3);
}

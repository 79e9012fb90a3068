//! Tags over time: their history, where they stood, back to there, pins, and their order.

use serde_json::{Value, json};
use ureq::http::Method;

use crate::house::{bearer, content};
use crate::people::{Api, problem};
use crate::support::registry::{digest, image_manifest};

const PRIVATE: &str = "/repositories/team%2Fprivate";

/// Pushes an image with this mark under a tag of `team/private`, and tells its digest.
fn push(api: &Api, tag: &str, mark: &str) -> String {
    let blob = content("team/private");
    let manifest = image_manifest(&[(digest(&blob), blob.len())], mark);
    let token = bearer(&api.house.token("writer", "repository:team/private:pull,push"));
    let headers = [("Authorization", token.as_str())];
    let pushed =
        api.house.registry.push_manifest("team/private", tag, &headers, &manifest).unwrap();
    assert_eq!(pushed.status, 201, "{}", pushed.text());
    digest(&manifest)
}

/// What the reader is answered below the repository.
fn read(api: &Api, login: &str, tail: &str) -> Value {
    let reply = api.get(login, &format!("{PRIVATE}{tail}"));
    assert_eq!(reply.status, 200, "{tail}: {}", reply.text());
    reply.json()
}

fn words<'a>(items: &'a Value, field: &str) -> Vec<&'a str> {
    let items = items["items"].as_array().unwrap();
    items.iter().map(|item| item[field].as_str().unwrap_or("-")).collect()
}

#[test]
fn a_history_tells_who_moved_a_tag_when_and_why() {
    let api = Api::start();
    let (reader, keeper) = (api.login("reader"), api.login("keeper"));
    let one = push(&api, "t", "one");
    let two = push(&api, "t", "two");
    let deleted = api.ask(&keeper, Method::DELETE, &format!("{PRIVATE}/tags/t"), None);
    assert_eq!(deleted.status, 204, "{}", deleted.text());
    let history = read(&api, &reader, "/tags/t/history");
    assert_eq!(words(&history, "action"), ["delete", "move", "create"]);
    assert_eq!(words(&history, "reason"), ["deleted", "pushed", "pushed"]);
    assert_eq!(words(&history, "by"), ["user:keeper", "user:writer", "user:writer"]);
    assert_eq!(words(&history, "from"), [two.as_str(), one.as_str(), "-"]);
    assert_eq!(words(&history, "to"), ["-", two.as_str(), one.as_str()]);
    // A page at a time, and only what was at a time.
    let page = read(&api, &reader, "/tags/t/history?limit=2");
    let next = page["next"].as_str().unwrap().to_owned();
    let last = read(&api, &reader, &format!("/tags/t/history?limit=2&after={next}"));
    assert_eq!((words(&last, "version").len(), &last["next"]), (1, &Value::Null));
    let moved = history["items"][1]["at"].as_str().unwrap();
    let until = read(&api, &reader, &format!("/history?to={moved}"));
    assert_eq!(words(&until, "tag"), ["t", "v1"]);
    let since = read(&api, &reader, &format!("/history?from={moved}&limit=1"));
    assert_eq!(words(&since, "action"), ["delete"]);
    let next = since["next"].as_str().unwrap();
    let rest = read(&api, &reader, &format!("/history?from={moved}&after={next}"));
    assert_eq!(words(&rest, "action"), ["move"]);
    let never = api.get(&reader, &format!("{PRIVATE}/tags/never/history"));
    assert_eq!(problem(&never).0, 404);
    assert_eq!(problem(&api.get(&reader, &format!("{PRIVATE}/history?after=yesterday"))).0, 400);
}

#[test]
fn a_tag_is_pulled_as_of_a_time() {
    let api = Api::start();
    let reader = api.login("reader");
    let one = push(&api, "t", "one");
    let two = push(&api, "t", "two");
    let history = read(&api, &reader, "/tags/t/history");
    let at = |index: usize| history["items"][index]["at"].as_str().unwrap().to_owned();
    let (moved, made) = (at(0), at(1));
    let token = bearer(&api.house.token("reader", "repository:team/private:pull"));
    let pull = |query: &str| {
        let target = format!("/v2/team/private/manifests/t{query}");
        api.house.ask(Method::GET, &target, &token)
    };
    // Whatever is cached of the one is not answered for the other.
    for _ in 0..2 {
        assert_eq!(digest(&pull("").body), two);
        let then = pull(&format!("?as_of={made}"));
        assert_eq!((then.status, digest(&then.body)), (200, one.clone()));
        assert_eq!(then.header("Docker-Content-Digest"), Some(one.as_str()));
        assert_eq!(then.header("Cache-Control"), Some("no-store"));
        assert_eq!(then.header("Wharf-As-Of"), Some(made.as_str()));
        assert_eq!(digest(&pull(&format!("?as_of={moved}")).body), two);
    }
    assert_eq!(pull("").header("Wharf-As-Of"), None);
    assert_eq!(pull("?as_of=2020-01-01T00:00:00Z").status, 404);
    assert_eq!(pull("?as_of=9000-01-01T00:00:00Z").status, 400);
    assert_eq!(pull("?as_of=yesterday").status, 400);
    let by_digest = format!("/v2/team/private/manifests/{one}?as_of={made}");
    assert_eq!(api.house.ask(Method::GET, &by_digest, &token).status, 400);
    // And in the API, with what is not held any more.
    let keeper = api.login("keeper");
    let gone = format!("{PRIVATE}/manifests/{one}");
    assert_eq!(api.ask(&keeper, Method::DELETE, &gone, None).status, 204);
    let then = pull(&format!("?as_of={made}"));
    assert_eq!((then.status, then.header("Cache-Control")), (410, Some("no-store")));
    assert!(
        then.text().contains(&format!("does not hold the manifest {one} any more")),
        "{}",
        then.text()
    );
    let shown = read(&api, &reader, &format!("/tags/t?as_of={made}"));
    assert_eq!((&shown["digest"], &shown["state"]), (&json!(one), &json!("gone")));
    let listed = read(&api, &reader, &format!("/tags?as_of={made}"));
    assert_eq!(words(&listed, "name"), ["t", "v1"]);
    assert_eq!(words(&listed, "state"), ["gone", "held"]);
    assert_eq!(read(&api, &reader, "/tags?as_of=2020-01-01T00:00:00Z")["items"], json!([]));
    for tail in ["/tags?as_of=9000-01-01T00:00:00Z", "/tags/t?as_of=9000-01-01T00:00:00Z"] {
        assert_eq!(problem(&api.get(&reader, &format!("{PRIVATE}{tail}"))).0, 422, "{tail}");
    }
    let never = format!("{PRIVATE}/tags/t?as_of=2020-01-01T00:00:00Z");
    assert_eq!(problem(&api.get(&reader, &never)).0, 404);
}

#[test]
fn a_tag_goes_back_once_and_from_what_was_seen() {
    let api = Api::start();
    let (reader, writer) = (api.login("reader"), api.login("writer"));
    let stood = ["one", "two", "three"].map(|mark| push(&api, "t", mark));
    let token = bearer(&api.house.token("reader", "repository:team/private:pull"));
    let pulled =
        || digest(&api.house.ask(Method::GET, "/v2/team/private/manifests/t", &token).body);
    let back = |headers: &[(&str, &str)], body: Value| {
        let path = format!("{PRIVATE}/tags/t/rollback");
        api.ask_with(&writer, Method::POST, &path, headers, Some(&body))
    };
    assert_eq!(pulled(), stood[2]);
    // Under a key it happens once, however often it is sent: twice it would be forth again.
    for _ in 0..3 {
        let reply = back(&[("Idempotency-Key", "k1")], json!({}));
        assert_eq!(
            (reply.status, &reply.json()["digest"]),
            (200, &json!(stood[1])),
            "{}",
            reply.text()
        );
        assert_eq!(pulled(), stood[1], "the cache answers with where it stands");
    }
    let seen = api.get(&reader, &format!("{PRIVATE}/tags/t"));
    let etag = seen.header("ETag").unwrap().to_owned();
    let to_first = json!({ "to": { "version": 1 } });
    assert_eq!(back(&[("If-Match", &etag)], to_first.clone()).json()["version"], 5);
    let stale = back(&[("If-Match", &etag)], json!({}));
    assert_eq!((stale.status, pulled()), (412, stood[0].clone()));
    assert_eq!(problem(&back(&[], json!({ "expected": 4 }))).1, "stale");
    let history = read(&api, &reader, "/tags/t/history");
    let second = history["items"][3]["at"].as_str().unwrap();
    assert_eq!(back(&[], json!({ "to": { "time": second }, "expected": 5 })).status, 200);
    assert_eq!(pulled(), stood[1]);
    assert_eq!(back(&[], json!({ "to": { "digest": stood[2] } })).status, 200);
    let history = read(&api, &reader, "/tags/t/history?limit=4");
    assert_eq!(words(&history, "reason"), ["rolled-back"; 4]);
    assert_eq!(words(&history, "detail"), ["3", "2", "1", "2"]);
    // What cannot be is said by its part.
    for (body, status) in [
        (json!({ "to": { "version": 99 } }), 422),
        (json!({ "to": { "time": "2020-01-01T00:00:00Z" } }), 422),
        (json!({ "to": { "time": "9000-01-01T00:00:00Z" } }), 422),
        (json!({ "to": { "digest": digest(b"never") } }), 422),
        (json!({ "to": { "version": 0 } }), 400),
        (json!({ "to": {} }), 400),
        (json!({ "to": { "version": 1, "digest": stood[0] } }), 400),
    ] {
        let reply = back(&[], body.clone());
        assert_eq!(reply.status, status, "{body}: {}", reply.text());
    }
    let keeper = api.login("keeper");
    assert_eq!(
        api.ask(&keeper, Method::DELETE, &format!("{PRIVATE}/manifests/{}", stood[0]), None).status,
        204
    );
    assert_eq!(problem(&back(&[], to_first)).1, "gone");
    let log = api.root(Method::GET, "/audit?namespace=team&action=tag.rollback", None);
    assert_eq!(log["items"].as_array().unwrap().len(), 4, "{log}");
    assert_eq!(log["items"][0]["by"], "user:writer");
}

/// And the refusal names the policy. What the policy does not cover goes back.
#[test]
fn a_frozen_tag_goes_back_nowhere() {
    let api = Api::start();
    let (reader, writer) = (api.login("reader"), api.login("writer"));
    for tag in ["v2", "edge"] {
        push(&api, tag, "one");
    }
    let two = ["v2", "edge"].map(|tag| push(&api, tag, "two"));
    let policy = json!({ "name": "releases", "patterns": ["v*"] });
    api.root(Method::POST, "/namespaces/team/immutability", Some(&policy));
    let back = |tag: &str| {
        let path = format!("{PRIVATE}/tags/{tag}/rollback");
        api.ask(&writer, Method::POST, &path, Some(&json!({})))
    };
    let refused = back("v2");
    let (status, code, detail) = problem(&refused);
    assert_eq!((status, code.as_str()), (409, "immutable"), "{detail}");
    assert!(detail.contains("v2") && detail.contains("releases"), "{detail}");
    assert_eq!(read(&api, &reader, "/tags/v2")["digest"], two[0]);
    assert_eq!(words(&read(&api, &reader, "/tags/v2/history"), "action"), ["move", "create"]);
    let moved = back("edge");
    assert_eq!(moved.status, 200, "{}", moved.text());
}

#[test]
fn a_pin_keeps_a_manifest_until_it_is_taken_away() {
    let api = Api::start();
    let (reader, writer, keeper) = (api.login("reader"), api.login("writer"), api.login("keeper"));
    let one = push(&api, "t", "one");
    push(&api, "t", "two");
    let history = read(&api, &reader, "/tags/t/history");
    let made = history["items"][1]["at"].as_str().unwrap();
    let pin = |name: &str, body: Value| {
        api.ask(&writer, Method::PUT, &format!("{PRIVATE}/pins/{name}"), Some(&body))
    };
    let put = pin("release", json!({ "tag": "t", "as_of": made }));
    assert_eq!((put.status, &put.json()["digest"]), (200, &json!(one)), "{}", put.text());
    assert_eq!(put.json()["expires_at"], Value::Null);
    // By the API and by the registry itself.
    let path = format!("{PRIVATE}/manifests/{one}");
    let refused = api.ask(&keeper, Method::DELETE, &path, None);
    assert_eq!(problem(&refused).1, "pinned");
    assert!(refused.json()["detail"].as_str().unwrap().contains("the pin release keeps"));
    let token = bearer(&api.house.token("keeper", "repository:team/private:delete"));
    let by_registry = format!("/v2/team/private/manifests/{one}");
    let refused = api.house.ask(Method::DELETE, &by_registry, &token);
    assert_eq!(
        (refused.status, &refused.json()["errors"][0]["detail"]["pin"]),
        (409, &json!("release"))
    );
    assert_eq!(words(&read(&api, &reader, "/pins"), "name"), ["release"]);
    for (name, body, status) in [
        ("release", json!({ "tag": "t" }), 409),
        ("release", json!({ "digest": one, "expires_at": "9000-01-01T00:00:00Z" }), 409),
        ("other", json!({ "digest": one, "expires_at": "2020-01-01T00:00:00Z" }), 422),
        ("other", json!({ "tag": "t", "as_of": "9000-01-01T00:00:00Z" }), 422),
        ("other", json!({ "tag": "t", "digest": one }), 422),
        ("other", json!({}), 422),
        ("other", json!({ "tag": "nothing" }), 404),
        ("other", json!({ "digest": digest(b"nothing") }), 404),
        ("a%20b", json!({ "tag": "t" }), 404),
    ] {
        let reply = pin(name, body.clone());
        assert_eq!(reply.status, status, "{name} {body}: {}", reply.text());
    }
    let path = format!("{PRIVATE}/pins/release");
    assert_eq!(api.ask(&writer, Method::DELETE, &path, None).status, 403);
    assert_eq!(api.ask(&keeper, Method::DELETE, &path, None).status, 204);
    assert_eq!(api.ask(&keeper, Method::DELETE, &path, None).status, 404);
    assert_eq!(api.house.ask(Method::DELETE, &by_registry, &token).status, 202);
    let log = api.root(Method::GET, "/audit?namespace=team", None);
    let pins: Vec<_> = words(&log, "action").into_iter().filter(|it| it.ends_with("pin")).collect();
    // The log tells of the writer's try too, which the operation's name says.
    assert_eq!(pins, ["manifest.unpin", "delete_pin", "manifest.pin"], "{log}");
}

#[test]
fn tags_are_listed_in_the_order_that_is_asked_for() {
    let api = Api::start();
    let reader = api.login("reader");
    for tag in ["latest", "v1.10.0", "v1.9.0", "v1.10.0-rc.1", "edge"] {
        push(&api, tag, "one");
    }
    let all = ["v1.10.0", "v1.10.0-rc.1", "v1.9.0", "v1", "edge", "latest"];
    for limit in [1, 4, 100] {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let page = read(&api, &reader, &format!("/tags?sort=version&limit={limit}{after}"));
            found.extend(words(&page, "name").into_iter().map(str::to_owned));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(found, all, "{limit}");
    }
    let names = |query: &str| {
        let page = read(&api, &reader, &format!("/tags{query}"));
        words(&page, "name").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names("?sort=version&pre_releases=only"), ["v1.10.0-rc.1"]);
    assert_eq!(names("?sort=version&pre_releases=none").len(), 5);
    assert_eq!(names("?sort=updated")[0], "edge");
    assert_eq!(names("?sort=name"), names(""));
    for query in
        ["?pre_releases=only", "?sort=updated&as_of=2026-01-01T00:00:00Z", "?sort=version&after=v1"]
    {
        assert_eq!(problem(&api.get(&reader, &format!("{PRIVATE}/tags{query}"))).0, 422, "{query}");
    }
}

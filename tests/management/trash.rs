//! What was deleted: listed, and brought back while its grace lasts.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::Method;

use crate::house::{bearer, content, manifest};
use crate::people::Api;
use crate::support::program::wait_until;
use crate::support::registry::{Reply, digest};

/// What anybody asks of a repository of the organization.
fn ask(api: &Api, login: &str, method: Method, tail: &str, body: Option<&Value>) -> Reply {
    api.ask(login, method, &format!("/repositories/team%2F{tail}"), body)
}

fn delete(api: &Api, tail: &str) {
    let deleted = ask(api, &api.login("keeper"), Method::DELETE, tail, None);
    assert_eq!(deleted.status, 204, "{}", deleted.text());
}

fn restore(api: &Api, repository: &str, what: Value) -> Reply {
    let login = api.login("writer");
    ask(api, &login, Method::POST, &format!("{repository}/restore"), Some(&what))
}

/// The status and the code of a refusal.
fn problem(reply: &Reply) -> (u16, String) {
    let (status, code, _) = crate::people::problem(reply);
    (status, code)
}

/// What the writer sees as deleted in `team/private`.
fn deleted(api: &Api, query: &str) -> Value {
    let tail = format!("private/deleted{query}");
    let reply = ask(api, &api.login("writer"), Method::GET, &tail, None);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// Pushes the image of `team/private` under another tag.
fn tag(api: &Api, tag: &str) {
    let token = bearer(&api.house.token("ada", "repository:team/private:pull,push"));
    let pushed = api.house.put_manifest("team/private", tag, &token);
    assert_eq!(pushed.status, 201, "{}", pushed.text());
}

#[test]
fn a_manifest_comes_back_with_its_tags_and_layers() {
    let api = Api::start();
    tag(&api, "v2");
    let image = manifest("team/private");
    let name = digest(&image);
    let token = bearer(&api.house.token("reader", "repository:team/private:pull"));
    let pull = |what: &str| api.house.ask(Method::GET, &format!("/v2/team/private/{what}"), &token);
    delete(&api, &format!("private/manifests/{name}"));
    // Twice, so that a cache has heard of it.
    assert_eq!([pull("manifests/v1").status, pull("manifests/v1").status], [404, 404]);
    let list = deleted(&api, "");
    let found = &list["items"][0];
    assert_eq!((list["items"].as_array().unwrap().len(), &list["next"]), (1, &Value::Null));
    assert_eq!((&found["digest"], &found["deleted_by"]), (&json!(name), &json!("user:keeper")));
    assert_eq!(found["tags"], json!(["v1", "v2"]));
    let moment = |field: &str| found[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let left = moment("restorable_until").duration_since(moment("deleted_at"));
    assert_eq!(left, jiff::SignedDuration::from_hours(24));

    let back = restore(&api, "private", json!({ "digest": name }));
    assert_eq!(back.status, 200, "{}", back.text());
    assert_eq!(back.json(), json!({ "digest": name, "tags": ["v1", "v2"], "manifests": 1 }));
    for what in ["v1", "v2", name.as_str()] {
        assert_eq!(pull(&format!("manifests/{what}")).body, image, "{what}");
    }
    let layer = content("team/private");
    assert_eq!(pull(&format!("blobs/{}", digest(&layer))).body, layer);
    assert_eq!(deleted(&api, "")["items"], json!([]));
    let again = restore(&api, "private", json!({ "digest": name }));
    assert_eq!(problem(&again).0, 404, "{}", again.text());
    let history = ask(&api, &api.login("reader"), Method::GET, "private/tags/v1/history", None);
    let last = &history.json()["items"][0];
    assert_eq!((&last["reason"], &last["by"]), (&json!("restored"), &json!("user:writer")));
    let log = api.root(Method::GET, "/audit?namespace=team&action=manifest.restore", None);
    assert_eq!(log["items"][0]["by"], "user:writer", "{log}");
}

#[test]
fn a_tag_comes_back_where_it_stood_unless_it_stands() {
    let api = Api::start();
    tag(&api, "v2");
    let name = digest(&manifest("team/private"));
    delete(&api, "private/tags/v2");
    let back = restore(&api, "private", json!({ "tag": "v2" }));
    assert_eq!(back.json(), json!({ "digest": name, "tags": ["v2"], "manifests": 0 }));
    let stands = restore(&api, "private", json!({ "tag": "v2" }));
    assert_eq!(problem(&stands), (409, "taken".to_owned()));
    let detail = stands.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(&format!("the tag v2 stands at {name} now")), "{detail}");
    let never = restore(&api, "private", json!({ "tag": "never" }));
    assert_eq!(problem(&never).0, 404);
    // With its manifest, where that was deleted.
    delete(&api, &format!("private/manifests/{name}"));
    let back = restore(&api, "private", json!({ "tag": "v2" }));
    assert_eq!(back.json(), json!({ "digest": name, "tags": ["v2"], "manifests": 1 }));
}

#[test]
fn what_is_deleted_is_listed_a_page_at_a_time() {
    let api = Api::start();
    let token = bearer(&api.house.token("ada", "repository:team/private:pull,push"));
    let headers = [("Authorization", token.as_str())];
    let layer = content("team/private");
    let mut names: Vec<String> = ["one", "two", "three"]
        .map(|mark| {
            let blobs = [(digest(&layer), layer.len())];
            let image = crate::support::registry::image_manifest(&blobs, mark);
            let registry = &api.house.registry;
            let pushed = registry.push_manifest("team/private", mark, &headers, &image).unwrap();
            assert_eq!(pushed.status, 201, "{}", pushed.text());
            delete(&api, &format!("private/manifests/{}", digest(&image)));
            digest(&image)
        })
        .into();
    names.sort();
    let page = deleted(&api, "?limit=2");
    let next = page["next"].as_str().unwrap();
    let rest = deleted(&api, &format!("?limit=2&after={next}"));
    let found: Vec<&str> = [&page, &rest]
        .into_iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|item| item["digest"].as_str().unwrap())
        .collect();
    assert_eq!((found, &rest["next"]), (names.iter().map(String::as_str).collect(), &Value::Null));
}

#[test]
fn a_blob_that_was_deleted_by_hand_comes_back_with_its_manifest() {
    let api = Api::start();
    let name = digest(&manifest("team/internal"));
    let layer = digest(&content("team/internal"));
    delete(&api, &format!("internal/manifests/{name}"));
    let token = bearer(&api.house.token("keeper", "repository:team/internal:delete"));
    let blob = format!("/v2/team/internal/blobs/{layer}");
    assert_eq!(api.house.ask(Method::DELETE, &blob, &token).status, 202);
    assert_eq!(api.house.ask(Method::DELETE, &blob, &token).status, 404);
    let back = restore(&api, "internal", json!({ "digest": name }));
    assert_eq!(back.status, 200, "{}", back.text());
    let token = bearer(&api.house.token("keeper", "repository:team/internal:pull"));
    assert_eq!(api.house.ask(Method::GET, &blob, &token).status, 200);
}

#[test]
fn nothing_comes_back_to_what_is_read_only() {
    let api = Api::start();
    delete(&api, "private/tags/v1");
    let writes = "private/writes";
    let ada = api.login("ada");
    let set = ask(&api, &ada, Method::PUT, writes, Some(&json!({ "mode": "read-only" })));
    assert_eq!(set.status, 200, "{}", set.text());
    let refused = restore(&api, "private", json!({ "tag": "v1" }));
    assert_eq!(problem(&refused), (409, "read-only".to_owned()));
}

/// Though nothing has collected it yet.
#[test]
fn nothing_comes_back_after_the_grace() {
    let api = Api::start_with(&[
        ("WHARF_GARBAGE_GRACE", "3100ms"),
        ("WHARF_GARBAGE_INTERVAL", "1d"),
        ("WHARF_UPLOADS_LIFETIME", "1s"),
        ("WHARF_UPLOADS_MOVE_TIME_LIMIT", "1s"),
        ("WHARF_DATABASE_TIMEOUT", "1s"),
    ]);
    let name = digest(&manifest("team/private"));
    delete(&api, &format!("private/manifests/{name}"));
    wait_until("the grace is over", Duration::from_secs(60), || {
        deleted(&api, "")["items"] == json!([])
    });
    for what in [json!({ "digest": name }), json!({ "tag": "v1" })] {
        let late = restore(&api, "private", what);
        assert_eq!(problem(&late).0, 404);
        assert!(late.text().contains("its grace is over"), "{}", late.text());
    }
}

#[test]
fn one_thing_is_named_and_well() {
    let api = Api::start();
    let name = digest(b"nothing");
    for (body, status) in [
        (json!({}), 422),
        (json!({ "tag": "v1", "digest": name }), 422),
        (json!({ "tag": "a b" }), 400),
        (json!({ "digest": "sha256:short" }), 400),
        (json!({ "manifest": name }), 400),
        (json!("v1"), 400),
    ] {
        let reply = restore(&api, "private", body.clone());
        assert_eq!(problem(&reply).0, status, "{body}: {}", reply.text());
        if status == 422 {
            assert!(reply.text().contains("say a tag or a digest"), "{}", reply.text());
        }
    }
}

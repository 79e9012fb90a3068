//! Tags that stay: refused to every client in every way, by policies that administrators alone change.

use serde_json::{Value, json};
use ureq::http::Method;

use crate::house::{bearer, content, manifest};
use crate::people::{Api, problem};
use crate::support::registry::{OCI_MANIFEST, Reply, digest, image_manifest};

const POLICIES: &str = "/namespaces/team/immutability";

const APP: &str = "team/private";

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn releases() -> Value {
    json!({ "name": "releases", "patterns": ["v*"], "exceptions": ["v*-rc*"] })
}

/// Another image of what the repository holds.
fn other(mark: &str) -> Vec<u8> {
    let blob = content(APP);
    image_manifest(&[(digest(&blob), blob.len())], mark)
}

/// A client of the registry's own protocol.
struct Pusher<'a> {
    api: &'a Api,
    bearer: String,
}

impl<'a> Pusher<'a> {
    fn of(api: &'a Api, user: &str) -> Self {
        let token = api.house.token(user, &format!("repository:{APP}:pull,push,delete"));
        Self { api, bearer: bearer(&token) }
    }

    fn put(&self, reference: &str, manifest: &[u8]) -> Reply {
        self.put_as(OCI_MANIFEST, reference, manifest)
    }

    fn put_as(&self, media_type: &str, reference: &str, manifest: &[u8]) -> Reply {
        let headers = [("Authorization", self.bearer.as_str()), ("Content-Type", media_type)];
        let target = format!("/v2/{APP}/manifests/{reference}");
        self.api.house.registry.send(Method::PUT, &target, &headers, Some(manifest)).unwrap()
    }

    fn ask(&self, method: Method, reference: &str) -> Reply {
        self.api.house.ask(method, &format!("/v2/{APP}/manifests/{reference}"), &self.bearer)
    }
}

/// The reply, with the moment made one that is always the same.
fn timeless(reply: &Reply) -> String {
    let text = reply.text();
    let (before, rest) = text.split_once("since 2").unwrap();
    let moment = format!("2{}", rest.split(' ').next().unwrap());
    assert!(!before.is_empty() && moment.ends_with('Z'), "{text}");
    text.replace(&moment, "2026-01-01T00:00:00Z")
}

#[test]
fn a_frozen_tag_stays_however_it_is_changed() {
    let api = Api::start();
    let keeper = Pusher::of(&api, "keeper");
    let (one, two) = (manifest(APP), other("two"));
    assert_eq!(keeper.put("latest", &one).status, 201);
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX,
        "manifests": [{
            "mediaType": OCI_MANIFEST,
            "digest": digest(&two), "size": two.len(),
        }],
    });
    let index = index.to_string().into_bytes();
    assert_eq!(keeper.put(&digest(&two), &two).status, 201);
    assert_eq!(keeper.put_as(INDEX, "v2", &index).status, 201);
    api.root(Method::POST, POLICIES, Some(&releases()));

    let pushed = keeper.put("v1", &two);
    assert_eq!(pushed.status, 409, "{}", pushed.text());
    insta::assert_snapshot!(timeless(&pushed), @r#"{"errors":[{"code":"DENIED","detail":{"of":"namespace:team","policy":"releases","since":"2026-01-01T00:00:00Z","tag":"v1"},"message":"tag \"v1\" of team/private is immutable since 2026-01-01T00:00:00Z by policy \"releases\" of namespace team (v* except v*-rc*); nothing was changed"}]}"#);
    let several = keeper.put(&format!("{}?tag=latest&tag=v1&tag=new", digest(&two)), &two);
    let changes = [
        several,
        keeper.ask(Method::DELETE, "v1"),
        keeper.ask(Method::DELETE, &digest(&one)),
        keeper.ask(Method::DELETE, &digest(&index)),
        keeper.ask(Method::DELETE, &digest(&two)),
    ];
    for reply in changes {
        assert_eq!((reply.status, timeless(&reply).contains("DENIED")), (409, true));
    }
    let login = api.login("keeper");
    for path in ["tags/v1".to_owned(), format!("manifests/{}", digest(&one))] {
        let path = format!("/repositories/team%2Fprivate/{path}");
        let (status, code, detail) = problem(&api.ask(&login, Method::DELETE, &path, None));
        assert_eq!((status, code.as_str()), (409, "immutable"));
        assert!(detail.contains("by policy \"releases\" of namespace team"), "{detail}");
    }
    for (tag, image) in [("v1", &one), ("latest", &one), ("v2", &index)] {
        assert_eq!(keeper.ask(Method::GET, tag).body, **image, "{tag}");
    }
    assert_eq!(keeper.ask(Method::GET, "new").status, 404);

    // What is no change, is not covered, or is new.
    for (reference, image) in [("v1", &one), ("latest", &two), ("v3-rc1", &one), ("v3-rc1", &two)] {
        assert_eq!(keeper.put(reference, image).status, 201, "{reference}");
    }
    assert_eq!(keeper.put("v3", &one).status, 201);
    assert_eq!(keeper.put("v3", &two).status, 409);
    assert_eq!(keeper.ask(Method::DELETE, "latest").status, 202);

    // A condition that does not hold is told first, as nothing would change anyway.
    let headers = [("Authorization", keeper.bearer.as_str()), ("If-None-Match", "*")];
    let absent = api.house.registry.push_manifest(APP, "v1", &headers, &two).unwrap();
    assert_eq!(absent.status, 412);

    api.root(Method::DELETE, &format!("{POLICIES}/releases"), None);
    assert_eq!(keeper.put("v1", &two).status, 201);
}

#[test]
fn administrators_alone_make_change_and_lift_policies() {
    let api = Api::start();
    api.house.admin(&["grant", "team", "admin", "--to", "user:bob", "--on", APP]);
    let [ada, bob, keeper, reader] = ["ada", "bob", "keeper", "reader"].map(|user| api.login(user));
    let own = "/repositories/team%2Fprivate/immutability";
    for (login, path, expected) in [
        (&keeper, POLICIES, 403),
        (&keeper, own, 403),
        (&bob, POLICIES, 403),
        (&bob, own, 201),
        (&ada, POLICIES, 201),
    ] {
        let made = api.ask(login, Method::POST, path, Some(&releases()));
        assert_eq!(made.status, expected, "{path}: {}", made.text());
        if expected == 201 {
            let place = format!("/api/v1{path}/releases");
            assert_eq!(made.header("Location"), Some(place.as_str()));
            assert_eq!(made.json()["patterns"], json!(["v*"]));
        }
    }
    for (login, path) in [(&keeper, POLICIES), (&keeper, own), (&bob, POLICIES)] {
        let one = format!("{path}/releases");
        let lax = json!({ "patterns": ["v*"], "mutable_seconds": 3600 });
        assert_eq!(api.ask(login, Method::PUT, &one, Some(&lax)).status, 403, "{path}");
        assert_eq!(api.ask(login, Method::DELETE, &one, None).status, 403, "{path}");
    }
    // Who administers the repository lifts its policy, and not that of the organization.
    let one = format!("{own}/releases");
    assert_eq!(api.ask(&bob, Method::DELETE, &one, None).status, 204);
    let pusher = Pusher::of(&api, "ada");
    assert_eq!(pusher.put("v1", &other("two")).status, 409);
    let path = "/repositories/team%2Fprivate/rename";
    let away = api.ask(&ada, Method::POST, path, Some(&json!({ "to": "team/away" })));
    assert_eq!(problem(&away).0, 409);
    assert!(problem(&away).2.contains("immutable tags"));
    let listed = api.get(&reader, POLICIES).json();
    assert_eq!(listed["items"][0]["exceptions"], json!(["v*-rc*"]));
    let log = api.get(&ada, "/audit?namespace=team&action=immutability.delete").json();
    let last = &log["items"][0];
    assert_eq!(
        (&last["by"], &last["target"]),
        (&json!("user:bob"), &json!("repository:team/private"))
    );
    assert_eq!(last["detail"], r#"policy=releases was="v* except v*-rc*, mutable for 0 s""#);
    let denied = "/audit?namespace=team&action=immutability.update";
    assert_eq!(api.get(&ada, denied).json()["items"][0]["outcome"], "denied");
}

#[test]
fn a_policy_is_made_once_and_changed_as_it_was_read() {
    let api = Api::start();
    let root = api.as_root();
    let make = |key: &str| {
        let headers = [("Idempotency-Key", key)];
        api.ask_with(root, Method::POST, POLICIES, &headers, Some(&releases()))
    };
    assert_eq!(make("one").status, 201);
    assert_eq!(make("one").status, 200);
    assert_eq!(problem(&make("two")).1, "taken");
    let one = format!("{POLICIES}/releases");
    let read = api.get(root, &one);
    let tag = read.header("ETag").unwrap().to_owned();
    let known = api.ask_with(root, Method::GET, &one, &[("If-None-Match", &tag)], None);
    assert_eq!(known.status, 304);
    let says = json!({ "patterns": ["*"], "exceptions": ["latest"], "mutable_seconds": 3600 });
    let change =
        |tag: &str| api.ask_with(root, Method::PUT, &one, &[("If-Match", tag)], Some(&says));
    let changed = change(&tag);
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(changed.json()["mutable_seconds"], 3600);
    assert_eq!(problem(&change(&tag)).0, 412);
    let remove = |tag: &str| api.ask_with(root, Method::DELETE, &one, &[("If-Match", tag)], None);
    assert_eq!(problem(&remove(&tag)).0, 412);
    assert_eq!(remove(changed.header("ETag").unwrap()).status, 204);
    assert_eq!(problem(&change("*")).0, 404);
    assert_eq!(problem(&api.get(root, &one)).0, 404);
}

/// An hour is longer than this test: nothing freezes in it but what does at once.
#[test]
fn what_is_frozen_or_will_be_is_told_before_anybody_tries() {
    let api = Api::start();
    let pusher = Pusher::of(&api, "ada");
    assert_eq!(pusher.put("latest", &manifest(APP)).status, 201);
    let hour = json!({ "name": "hour", "patterns": ["*"], "mutable_seconds": 3600 });
    api.root(Method::POST, POLICIES, Some(&hour));
    let own = "/repositories/team%2Fprivate/immutability";
    api.root(Method::POST, own, Some(&releases()));
    let reader = api.login("reader");
    let said = api.get(&reader, "/repositories/team%2Fprivate/tags/v1/immutability").json();
    assert_eq!(said["frozen_by"]["of"], "repository:team/private");
    assert_eq!(said["frozen_by"]["policy"], "releases");
    let covering = said["covered_by"].as_array().unwrap();
    assert_eq!((covering.len(), &covering[0]["of"]), (2, &json!("namespace:team")));
    let all = "/repositories/team%2Fprivate/tag-immutability?limit=1";
    let first = api.get(&reader, all).json();
    assert_eq!(first["items"][0]["tag"], "latest");
    assert_eq!(first["items"][0]["frozen_by"], Value::Null);
    assert_eq!(first["next"], "latest");
    let second = api.get(&reader, &format!("{all}&after=latest")).json();
    assert_eq!(second["items"], json!([said]));
    assert_eq!(second["next"], Value::Null);
    assert_eq!(pusher.put("latest", &other("two")).status, 201);
    assert_eq!(pusher.put("v1", &other("two")).status, 409);
    let none = api.get(&reader, "/repositories/team%2Fprivate/tags/v9/immutability");
    assert_eq!(problem(&none).0, 404);
}

#[test]
fn what_is_no_policy_is_refused_with_its_part() {
    let api = Api::start();
    let root = api.as_root();
    let many: Vec<String> = (0..33).map(|number| format!("v{number}")).collect();
    for (body, field, part) in [
        (json!({ "name": "A", "patterns": ["v*"] }), "name", "\"A\""),
        (json!({ "name": "a", "patterns": [] }), "patterns", "needs a pattern"),
        (json!({ "name": "a", "patterns": ["v*", "v[1]"] }), "patterns[1]", "v[1]"),
        (json!({ "name": "a", "patterns": ["v*"], "exceptions": ["a b"] }), "exceptions[0]", "a b"),
        (json!({ "name": "a", "patterns": many }), "patterns", "33"),
        (json!({ "name": "a", "patterns": ["*"], "exceptions": many }), "exceptions", "33"),
        (json!({ "name": "a", "patterns": ["*"], "mutable_seconds": -1 }), "mutable_seconds", "-1"),
        (
            json!({ "name": "a", "patterns": ["*"], "mutable_seconds": 1.5 }),
            "mutable_seconds",
            "1.5",
        ),
        (
            json!({ "name": "a", "patterns": ["*"], "mutable_seconds": 315_360_001 }),
            "mutable_seconds",
            "315360001",
        ),
        (json!({ "name": "a", "patterns": ["*"], "mutable": 1 }), "mutable", "mutable"),
    ] {
        let reply = api.ask(root, Method::POST, POLICIES, Some(&body));
        let (status, _, detail) = problem(&reply);
        assert_eq!(status, 400, "{body}: {detail}");
        assert_eq!(reply.json()["field"], field, "{body}: {detail}");
        assert!(detail.contains(part), "{body}: {detail}");
    }
    assert_eq!(api.get(root, POLICIES).json()["items"], json!([]));
}

//! Quotas and usage: set by those who may, told, and kept by pushes of every kind.

use serde_json::{Value, json};
use ureq::http::Method;

use crate::house::{bearer, content, manifest};
use crate::people::{Api, problem};
use crate::support::registry::{Reply, digest};

const NAMESPACE: &str = "/namespaces/team/quota";
const REPOSITORY: &str = "/repositories/team%2Fprivate/quota";

fn put(api: &Api, login: &str, path: &str, quota: &Value) -> Reply {
    api.ask(login, Method::PUT, path, Some(quota))
}

/// What the house pushed into a repository: a blob and a manifest.
fn pushed(repository: &str) -> u64 {
    (content(repository).len() + manifest(repository).len()) as u64
}

fn in_team() -> u64 {
    ["team/public", "team/internal", "team/private"].map(pushed).iter().sum()
}

/// The one error of a reply of the registry.
fn error(reply: &Reply) -> Value {
    let said = reply.json();
    assert_eq!(said["errors"].as_array().unwrap().len(), 1, "{said}");
    said["errors"][0].clone()
}

#[test]
fn quotas_are_set_by_those_above_and_each_change_is_written_down() {
    let api = Api::start();
    let (ada, bob) = (api.login("ada"), api.login("bob"));
    let quota = json!({ "bytes": 5_000_000, "tags": 10 });
    assert_eq!(problem(&put(&api, &ada, NAMESPACE, &quota)).0, 403, "of her own namespace");
    let set = put(&api, api.as_root(), NAMESPACE, &quota);
    assert_eq!((set.status, set.json()), (200, quota.clone()), "{}", set.text());
    let read = api.get(&ada, NAMESPACE);
    assert_eq!((read.status, read.json()), (200, quota));
    let tag = read.header("ETag").unwrap().to_owned();
    assert_eq!(Some(tag.as_str()), set.header("ETag"));

    assert_eq!(put(&api, &ada, REPOSITORY, &json!({ "manifests": 5 })).status, 200);
    assert_eq!(problem(&put(&api, &bob, REPOSITORY, &json!({}))).0, 404);
    assert_eq!(api.get(&ada, REPOSITORY).json(), json!({ "manifests": 5 }));

    let changed = json!({ "bytes": 6_000_000 });
    let with = |tag: &str| {
        let headers = [("If-Match", tag)];
        api.ask_with(api.as_root(), Method::PUT, NAMESPACE, &headers, Some(&changed))
    };
    assert_eq!(with(&tag).status, 200);
    assert_eq!(problem(&with(&tag)).1, "stale");
    assert_eq!(api.get(&ada, NAMESPACE).json(), changed, "what is not said is lifted");
    assert_eq!(api.ask(api.as_root(), Method::DELETE, NAMESPACE, None).status, 204);
    assert_eq!(api.get(&ada, NAMESPACE).json(), json!({}));

    for (quota, field) in
        [(json!({ "bytes": 1_u64 << 61 }), "bytes"), (json!({ "tags": -1 }), "tags")]
    {
        let said = put(&api, api.as_root(), NAMESPACE, &quota);
        assert_eq!(said.json()["field"], field, "{}", said.text());
    }
    let records = api.root(Method::GET, "/audit?namespace=team", None);
    let told: Vec<_> = records["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|record| record["action"].as_str().unwrap().ends_with(".quota"))
        .map(|record| {
            format!(
                "{} {}",
                record["outcome"].as_str().unwrap(),
                record["detail"].as_str().unwrap()
            )
        })
        .collect();
    assert!(told.contains(&"done bytes=5000000 manifests=none tags=10".to_owned()), "{told:#?}");
    assert!(told.contains(&"done bytes=none manifests=5 tags=none".to_owned()), "{told:#?}");
    assert!(told.contains(&"denied bytes=5000000 manifests=none tags=10".to_owned()), "{told:#?}");
}

#[test]
fn usage_is_told_of_repositories_namespaces_and_all() {
    let api = Api::start();
    let usage = api.get(&api.login("reader"), "/namespaces/team/usage").json();
    let expected = json!({
        "name": "team", "referenced_bytes": in_team(), "bytes": in_team(), "reserved_bytes": 0,
        "saved_bytes": 0, "manifests": 3, "tags": 3, "quota": {}, "complete": true,
    });
    assert_eq!(usage, expected);
    let private = "/repositories/team%2Fprivate/usage";
    let of_one = api.get(&api.login("writer"), private).json();
    assert_eq!((&of_one["bytes"], &of_one["tags"]), (&json!(pushed("team/private")), &json!(1)));
    assert_eq!(problem(&api.get(&api.login("reader"), private)).0, 403);
    let each = api.get(&api.login("ada"), "/namespaces/team/usage/repositories?limit=2").json();
    assert_eq!(each["items"].as_array().unwrap().len(), 2);
    assert_eq!(each["next"], "team/private");
    let all = api.root(Method::GET, "/usage", None);
    assert_eq!((&all["referenced_bytes"], &all["manifests"]), (&json!(in_team()), &json!(3)));
}

#[test]
fn a_push_that_does_not_fit_is_denied_with_what_is_used_and_needed() {
    let api = Api::start();
    let limit = in_team() + 1000;
    put(&api, api.as_root(), NAMESPACE, &json!({ "bytes": limit }));
    let bearer = bearer(&api.house.token("ada", "repository:team/app:pull,push"));
    let headers = [("Authorization", bearer.as_str())];
    let registry = &api.house.registry;
    let open =
        || registry.send(Method::POST, "/v2/team/app/blobs/uploads/", &headers, Some(b"")).unwrap();
    let place = |opened: &Reply| {
        assert_eq!(opened.status, 202, "{}", opened.text());
        opened.header("Location").unwrap().to_owned()
    };
    let large = vec![b'x'; 1001];

    // In one request, in a chunk, and at the end.
    let whole = format!("/v2/team/app/blobs/uploads/?digest={}", digest(&large));
    let whole = registry.send(Method::POST, &whole, &headers, Some(&large)).unwrap();
    let chunk = registry.send(Method::PATCH, &place(&open()), &headers, Some(&large)).unwrap();
    let end = format!("{}?digest={}", place(&open()), digest(&large));
    let end = registry.send(Method::PUT, &end, &headers, Some(&large)).unwrap();
    for reply in [whole, chunk, end] {
        assert_eq!(reply.status, 403, "{}", reply.text());
        let error = error(&reply);
        assert_eq!(error["code"], "DENIED");
        let detail = json!({
            "quota": { "namespace": "team" }, "of": "bytes", "used": in_team(), "limit": limit, "needed": 1001,
        });
        assert_eq!(error["detail"], detail);
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with("the quota of the namespace team is exceeded: "), "{message}");
        assert!(message.contains("1001 bytes (1.0 kB) more are needed"), "{message}");
    }
    // Nothing of it is left, so that what fits is taken.
    let usage = || api.get(&api.login("ada"), "/namespaces/team/usage").json();
    assert_eq!(usage()["reserved_bytes"], 0);
    let small = content("team/app");
    let begun = place(&open());
    let chunk = registry.send(Method::PATCH, &begun, &headers, Some(&small)).unwrap();
    assert_eq!(usage()["reserved_bytes"], small.len());
    let end = format!("{}?digest={}", place(&chunk), digest(&small));
    assert_eq!(registry.send(Method::PUT, &end, &headers, Some(b"")).unwrap().status, 201);
    assert_eq!(api.house.put_manifest("team/app", "v1", &bearer).status, 201);
    assert_eq!(usage()["bytes"], in_team() + pushed("team/app"));
    assert_eq!(usage()["reserved_bytes"], 0);

    // Below what is held nothing begins; a deletion makes room.
    put(&api, api.as_root(), NAMESPACE, &json!({ "bytes": in_team() }));
    let refused = open();
    assert_eq!((refused.status, &error(&refused)["code"]), (403, &json!("DENIED")));
    let image = digest(&manifest("team/public"));
    let path = format!("/repositories/team%2Fpublic/manifests/{image}");
    assert_eq!(api.ask(&api.login("ada"), Method::DELETE, &path, None).status, 204);
    place(&open());
}

/// As `docker push` sends it: room is held as the bytes come.
#[test]
fn a_body_that_does_not_say_how_long_it_is_is_taken_as_far_as_there_is_room() {
    let api = Api::start();
    let limit = in_team() + 5_000_000;
    put(&api, api.as_root(), NAMESPACE, &json!({ "bytes": limit }));
    let bearer = bearer(&api.house.token("ada", "repository:team/app:pull,push"));
    let headers =
        [("Authorization", bearer.as_str()), ("Content-Type", "application/octet-stream")];
    let registry = &api.house.registry;
    let stream = |method: Method, target: &str, bytes: &[u8]| {
        registry.stream(method, target, &headers, bytes).unwrap()
    };
    let open = || {
        let uploads = "/v2/team/app/blobs/uploads/";
        let opened = registry.send(Method::POST, uploads, &headers, Some(b"")).unwrap();
        assert_eq!(opened.status, 202, "{}", opened.text());
        opened.header("Location").unwrap().to_owned()
    };
    let usage = || api.get(&api.login("ada"), "/namespaces/team/usage").json();
    let staged = || std::fs::read_dir(api.house.data().join("blobs/staging")).unwrap().count();

    // More than the first step of room that is held, which alone would be too much at the end.
    let large = vec![b'x'; 5_000_001];
    let name = digest(&large);
    for method in [Method::PATCH, Method::PUT, Method::POST] {
        let place = match method {
            Method::PATCH => open(),
            Method::PUT => format!("{}?digest={name}", open()),
            _ => format!("/v2/team/app/blobs/uploads/?digest={name}"),
        };
        let refused = stream(method.clone(), &place, &large);
        assert_eq!(refused.status, 403, "{method}: {}", refused.text());
        let error = error(&refused);
        assert_eq!(error["code"], "DENIED");
        let detail = &error["detail"];
        assert_eq!(detail["quota"], json!({ "namespace": "team" }), "{method}");
        assert_eq!((&detail["of"], &detail["limit"]), (&json!("bytes"), &json!(limit)), "{detail}");
        // How much is needed in all nobody knows before it has come.
        let [used, needed] = ["used", "needed"].map(|it| detail[it].as_u64().unwrap());
        assert!(used == in_team() && used + needed > limit, "{method}: {detail}");
        assert_eq!(usage()["reserved_bytes"], 0, "{method}");
        assert_eq!(staged(), 0, "{method}");
        if method == Method::PATCH {
            let gone = registry.send(Method::GET, &place, &headers, None).unwrap();
            assert_eq!(gone.status, 404, "{}", gone.text());
        }
    }

    // The very last byte of room.
    let fits = &large[..5_000_000];
    let chunk = stream(Method::PATCH, &open(), fits);
    assert_eq!(chunk.status, 202, "{}", chunk.text());
    assert_eq!(usage()["reserved_bytes"], fits.len());
    let end = format!("{}?digest={}", chunk.header("Location").unwrap(), digest(fits));
    assert_eq!(registry.send(Method::PUT, &end, &headers, Some(b"")).unwrap().status, 201);
}

#[test]
fn tags_and_manifests_have_limits_of_their_own() {
    let api = Api::start();
    let ada = api.login("ada");
    put(&api, &ada, REPOSITORY, &json!({ "manifests": 1, "tags": 2 }));
    let bearer = bearer(&api.house.token("ada", "repository:team/private:pull,push"));
    let tag = |name: &str| api.house.put_manifest("team/private", name, &bearer);
    assert_eq!(tag("v2").status, 201);
    assert_eq!(tag("v1").status, 201, "that one is there");
    let refused = tag("v3");
    assert_eq!(refused.status, 403);
    let message = error(&refused)["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with(
            "the quota of the repository team/private is exceeded: 2 of 2 tags are used, and 1 more"
        ),
        "{message}"
    );
    put(&api, &ada, REPOSITORY, &json!({ "tags": 3 }));
    assert_eq!(tag("v3").status, 201);
}

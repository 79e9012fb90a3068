//! `wharf repo read-only|drain|writable|writes` and `wharf admin read-only`: what clients are told, and what goes on.

use std::time::Duration;

use serde_json::Value;
use ureq::http::Method;

use crate::desk::{Desk, shows};
use crate::house::{House, bearer, content};
use crate::support::program::wait_until;
use crate::support::registry::{Reply, digest};

/// What somebody was told who was refused.
fn refusal(reply: &Reply) -> (u16, String, String, Value) {
    let said = reply.json()["errors"][0].clone();
    let text = |field: &str| said[field].as_str().unwrap().to_owned();
    (reply.status, text("code"), text("message"), said["detail"].clone())
}

fn writer(house: &House, repository: &str) -> String {
    bearer(&house.token("ada", &format!("repository:{repository}:pull,push,delete")))
}

fn begin(house: &House, repository: &str) -> Reply {
    let target = format!("/v2/{repository}/blobs/uploads/");
    house.ask(Method::POST, &target, &writer(house, repository))
}

fn patch(house: &House, place: &str, bytes: &[u8]) -> Reply {
    let bearer = writer(house, "team/private");
    let headers =
        [("Authorization", bearer.as_str()), ("Content-Type", "application/octet-stream")];
    house.registry.send(Method::PATCH, place, &headers, Some(bytes)).unwrap()
}

/// Ends a push that has begun, with its blob and a manifest. Returns the token by which it did.
fn ends(house: &House, place: &str) -> String {
    let blob = content("team/private");
    let place = patch(house, place, &blob).header("Location").unwrap().to_owned();
    let token = writer(house, "team/private");
    let joint = if place.contains('?') { '&' } else { '?' };
    let end = format!("{place}{joint}digest={}", digest(&blob));
    assert_eq!(house.ask(Method::PUT, &end, &token).status, 201);
    assert_eq!(house.put_manifest("team/private", "v2", &token).status, 201);
    token
}

/// Every request that writes, as the client sees it, and then the upload goes on where it was.
#[test]
fn a_repository_that_is_read_only_says_so_and_why() {
    let house = House::start();
    let (ada, keeper) = (Desk::of(&house, "ada"), Desk::of(&house, "keeper"));
    let begun = begin(&house, "team/private");
    let place = begun.header("Location").unwrap().to_owned();
    let place = patch(&house, &place, b"half").header("Location").unwrap().to_owned();
    assert!(keeper.refused("repo read-only team/private").contains("403"));
    ada.done("repo read-only team/private --reason moving");

    let token = writer(&house, "team/private");
    let digest = digest(&content("team/private"));
    let blob = format!("/v2/team/private/blobs/{digest}");
    let refused = [
        begin(&house, "team/private"),
        patch(&house, &place, b" and half"),
        house.ask(Method::PUT, &format!("{place}?digest={digest}"), &token),
        house.put_manifest("team/private", "v2", &token),
        house.ask(Method::DELETE, "/v2/team/private/manifests/v1", &token),
        house.ask(Method::DELETE, &blob, &token),
    ];
    for reply in &refused {
        let (status, code, message, detail) = refusal(reply);
        assert_eq!((status, code.as_str()), (405, "UNSUPPORTED"));
        assert_eq!(message, "the repository team/private is read-only for now: moving");
        assert_eq!(detail, serde_json::json!({ "mode": "read-only", "reason": "moving" }));
    }
    for target in ["/v2/team/private/manifests/v1", &blob, "/v2/team/private/tags/list"] {
        assert_eq!(house.ask(Method::GET, target, &token).status, 200, "{target}");
    }
    assert_eq!(house.ask(Method::HEAD, &blob, &token).status, 200);
    // Who pushes asks for what another repository holds, and is not told of a failure.
    let other = digest_of("team/public");
    let elsewhere = format!("/v2/team/private/blobs/{other}");
    assert_eq!(house.ask(Method::HEAD, &elsewhere, &token).status, 404);
    assert_eq!(house.ask(Method::GET, &place, &token).status, 204, "how far the upload is");
    assert_eq!(begin(&house, "team/public").status, 202, "others are open");
    assert!(ada.refused("repo delete-tag team/private v1 --yes").contains("read-only for now"));
    assert!(ada.refused("repo rename team/private team/other").contains("read-only"));
    shows!(ada.done("repo writes team/private"), @r"
        mode | read-only
        reason | moving
        since | 2026-01-01T00:00:00Z
        uploads | 1
        pushes | 0
        ");

    ada.done("repo writable team/private");
    assert_eq!(patch(&house, &place, b" and half").status, 202);
    shows!(ada.done("audit --namespace team --action writes.set"), @r"
        2026-01-01T00:00:00Z | user:ada | writes.set | repository:team/private | done | 127.0.0.1 | mode=writable
        2026-01-01T00:00:00Z | user:ada | writes.set | repository:team/private | done | 127.0.0.1 | mode=read-only reason=moving
        2026-01-01T00:00:00Z | user:keeper | writes.set | repository:team/private | denied | 127.0.0.1 | mode=read-only
        ");
}

fn digest_of(repository: &str) -> String {
    digest(&content(repository))
}

/// Logins, tokens and accounts go on; so does what was there to pull.
#[test]
fn all_is_read_only_by_who_has_the_database() {
    let house = House::start();
    let said = house.admin(&["read-only", "on", "--reason", "a new disk"]);
    assert_eq!(
        said,
        "the registry is read-only (a new disk); uploads open: 0, pushes under way: 0"
    );
    let (status, _, message, _) = refusal(&begin(&house, "team/made-now"));
    assert_eq!((status, message.as_str()), (405, "the registry is read-only for now: a new disk"));
    let root = Desk::of(&house, "root");
    let names = root.json("repo list");
    assert!(!names.to_string().contains("made-now"), "{names}");
    root.done("org create another");
    let target = "/v2/team/public/manifests/v1";
    assert_eq!(house.ask(Method::GET, target, &writer(&house, "team/public")).status, 200);
    let state: Value =
        serde_json::from_str(&house.admin(&["read-only", "status", "--json"])).unwrap();
    assert_eq!(state["mode"], "read-only");
    house.admin(&["read-only", "off"]);
    assert_eq!(begin(&house, "team/made-now").status, 202);
}

/// A push that began before finishes, others do not begin, and it becomes read-only by itself.
#[test]
fn a_repository_is_drained() {
    let house = House::start();
    let ada = Desk::of(&house, "ada");
    let begun = begin(&house, "team/private");
    let place = begun.header("Location").unwrap().to_owned();
    let drained = ada.json("repo drain team/private --reason moving");
    assert_eq!((&drained["mode"], &drained["uploads"]), (&"draining".into(), &1.into()));
    let stranger = bearer(&house.token("writer", "repository:team/private:pull,push"));
    let refused = house.ask(Method::POST, "/v2/team/private/blobs/uploads/", &stranger);
    let (status, _, message, _) = refusal(&refused);
    assert_eq!(status, 405);
    assert_eq!(
        message,
        "the repository team/private is about to become read-only, and takes no new pushes: moving"
    );
    let token = ends(&house, &place);
    assert_eq!(ada.json("repo writes team/private")["pushes"], 1);
    wait_until("no push is left", Duration::from_secs(120), || {
        ada.json("repo writes team/private")["mode"] == "read-only"
    });
    assert_eq!(refusal(&house.put_manifest("team/private", "v3", &token)).0, 405);
    assert!(ada.refused("repo drain team/private").contains("nothing is left to drain"));
}

/// The same of all, by who has the database: logins go on, and who has begun nothing is told why not.
#[test]
fn all_is_drained_by_who_has_the_database() {
    let house = House::start();
    let begun = begin(&house, "team/private");
    let place = begun.header("Location").unwrap().to_owned();
    let said = house.admin(&["read-only", "drain", "--reason", "a new disk"]);
    // Those who pushed just now may have more to push.
    let expected = "the registry is draining (a new disk); uploads open: 1, pushes under way: ";
    assert!(said.starts_with(expected), "{said}");
    let state = || -> Value {
        serde_json::from_str(&house.admin(&["read-only", "status", "--json"])).unwrap()
    };
    assert_eq!((&state()["mode"], &state()["reason"]), (&"draining".into(), &"a new disk".into()));
    let (status, code, message, detail) = refusal(&begin(&house, "team/public"));
    assert_eq!((status, code.as_str()), (405, "UNSUPPORTED"));
    assert_eq!(
        message,
        "the registry is about to become read-only, and takes no new pushes: a new disk"
    );
    assert_eq!(detail, serde_json::json!({ "mode": "draining", "reason": "a new disk" }));

    let token = ends(&house, &place);
    wait_until("no push is left", Duration::from_secs(120), || state()["mode"] == "read-only");
    assert_eq!((&state()["uploads"], &state()["pushes"]), (&0.into(), &0.into()));
    assert_eq!(refusal(&house.put_manifest("team/private", "v3", &token)).0, 405);
    let target = "/v2/team/private/manifests/v2";
    assert_eq!(house.ask(Method::GET, target, &token).status, 200);
    house.admin(&["read-only", "off"]);
    assert_eq!(house.put_manifest("team/private", "v3", &token).status, 201);
}

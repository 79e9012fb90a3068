//! Repositories: renamed and given away, told apart from what is not there by nobody, counted, explained.

use std::time::Duration;

use serde_json::json;
use ureq::http::Method;

use crate::house::bearer;
use crate::people::{Api, problem};
use crate::support::program::wait_until;

#[test]
fn a_repository_goes_where_its_administrator_may_put_it() {
    let api = Api::start();
    let ada = api.login("ada");
    let rename = |login: &str, from: &str, to: &str| {
        let path = format!("/repositories/{}/rename", from.replace('/', "%2F"));
        api.ask(login, Method::POST, &path, Some(&json!({ "to": to })))
    };
    assert_eq!(
        problem(&rename(&ada, "team/private", "bob/taken")).0,
        404,
        "bob's is not hers to see"
    );
    assert_eq!(problem(&rename(&ada, "team/private", "team/public")).1, "taken");
    assert_eq!(problem(&rename(&ada, "team/none", "team/other")).0, 404);
    let moved = rename(&ada, "team/private", "ada/own");
    assert_eq!(moved.status, 201, "{}", moved.text());
    assert_eq!(moved.header("Location"), Some("/api/v1/repositories/ada%2Fown"));
    assert_eq!(moved.json()["visibility"], "private");
    let token = bearer(&api.house.token("ada", "repository:ada/own:pull"));
    assert_eq!(api.house.ask(Method::GET, "/v2/ada/own/manifests/v1", &token).status, 200);
    assert_eq!(api.get(&ada, "/repositories/team%2Fprivate").status, 404);
    assert_eq!(api.get(&api.login("reader"), "/repositories/ada%2Fown").status, 404);
}

/// Neither by grant nor by token.
#[test]
fn who_administers_a_part_takes_nothing_out_and_puts_nothing_elsewhere() {
    let api = Api::start();
    api.house.admin(&["grant", "team", "admin", "--to", "user:bob", "--on", "team/sandbox-*"]);
    api.house.push("bob", "team/sandbox-x");
    let bob = api.login("bob");
    let ada = api.login_for("ada", &["--role", "admin", "--on", "team/sandbox-*"]);
    for login in [&bob, &ada] {
        for (to, status) in [("team/prod", 404), ("team/private", 404), ("bob/x", 403)] {
            let path = "/repositories/team%2Fsandbox-x/rename";
            let reply = api.ask(login, Method::POST, path, Some(&json!({ "to": to })));
            let expected = if login == &ada && to == "bob/x" { 404 } else { status };
            assert_eq!(problem(&reply).0, expected, "{to}: {}", reply.text());
        }
    }
    let path = "/repositories/team%2Fsandbox-x/rename";
    let within = api.ask(&bob, Method::POST, path, Some(&json!({ "to": "team/sandbox-y" })));
    assert_eq!(within.status, 201, "{}", within.text());
}

/// Whatever was cached under a name is not what has it now.
#[test]
fn what_was_pulled_by_a_name_is_not_served_by_what_gets_it() {
    let api = Api::start();
    api.house.push("ada", "ada/secret");
    api.house.push("ada", "ada/demo");
    let pull = |repository: &str| {
        let token = bearer(&api.house.token("ada", &format!("repository:{repository}:pull")));
        api.house.ask(Method::GET, &format!("/v2/{repository}/manifests/v1"), &token)
    };
    let (secret, demo) = (pull("ada/secret").body, pull("ada/demo").body);
    assert_ne!(secret, demo);
    assert_eq!(pull("ada/other").status, 404);
    let ada = api.login("ada");
    for (from, to) in [("ada%2Fsecret", "ada/other"), ("ada%2Fdemo", "ada/secret")] {
        let path = format!("/repositories/{from}/rename");
        let moved = api.ask(&ada, Method::POST, &path, Some(&json!({ "to": to })));
        assert_eq!(moved.status, 201, "{}", moved.text());
    }
    assert_eq!(pull("ada/secret").body, demo);
    assert_eq!(pull("ada/other").body, secret);
    assert_eq!(pull("ada/demo").status, 404);
}

/// By every word of the reply but the name that was asked for.
#[test]
fn private_and_absent_look_the_same() {
    let api = Api::start();
    let bob = api.login("bob");
    for tail in [
        "",
        "/tags",
        "/tags/v1",
        "/tags/v1/immutability",
        "/tag-immutability",
        "/immutability",
        "/immutability/releases",
        "/tags?sort=version",
        "/tags?as_of=2026-01-01T00:00:00Z",
        "/tags/v1",
        "/tags/v1?as_of=2026-01-01T00:00:00Z",
        "/tags/v1/history",
        "/history",
        "/deleted",
        "/pins",
        "/manifests",
        "/counts",
        "/counts/trend",
        "/counts/manifests",
        "/retention",
        "/retention/plan",
    ] {
        let ask = |name: &str| {
            let reply = api.get(&bob, &format!("/repositories/team%2F{name}{tail}"));
            let mut said = reply.json();
            said["request_id"] = json!(null);
            (reply.status, said.to_string().replace(name, "NAME"))
        };
        assert_eq!(ask("private"), ask("missing"), "{tail}");
        assert_eq!(ask("private").0, 404, "{tail}");
    }
    for (method, tail, body) in [
        (Method::PATCH, "", Some(json!({ "visibility": "public" }))),
        (Method::DELETE, "", None),
        (Method::POST, "/rename", Some(json!({ "to": "bob/mine" }))),
        (Method::DELETE, "/tags/v1", None),
        (Method::POST, "/immutability", Some(json!({ "name": "all", "patterns": ["*"] }))),
        (Method::PUT, "/immutability/all", Some(json!({ "patterns": ["*"] }))),
        (Method::DELETE, "/immutability/all", None),
        (Method::POST, "/tags/v1/rollback", Some(json!({}))),
        (Method::POST, "/restore", Some(json!({ "tag": "v1" }))),
        (Method::PUT, "/pins/p", Some(json!({ "tag": "v1" }))),
        (Method::DELETE, "/pins/p", None),
        (Method::PUT, "/retention", Some(json!({ "rules": [] }))),
        (Method::POST, "/retention/preview", Some(json!({}))),
        (Method::POST, "/retention/enable", Some(json!({ "version": 1 }))),
        (Method::DELETE, "/retention", None),
    ] {
        let ask = |name: &str| {
            let path = format!("/repositories/team%2F{name}{tail}");
            let reply = api.ask(&bob, method.clone(), &path, body.as_ref());
            let mut said = reply.json();
            said["request_id"] = json!(null);
            (reply.status, said.to_string().replace(name, "NAME"))
        };
        assert_eq!(ask("private"), ask("missing"), "{method} {tail}");
    }
    let users = ["/users/ada", "/users/ghost"].map(|path| api.get(&bob, path).status);
    assert_eq!(users, [404, 404]);
    let explained = |name: &str| {
        let reply = api.get(&bob, &format!("/access/explain?repository=team%2F{name}"));
        reply.text().replace(name, "NAME")
    };
    assert_eq!(explained("private"), explained("missing"));
}

#[test]
fn pulls_are_counted_where_the_repository_may_be_seen() {
    let api = Api::start_with(&[("WHARF_COUNTS_FLUSH", "1s")]);
    let token = bearer(&api.house.token("reader", "repository:team/private:pull"));
    for _ in 0..5 {
        assert_eq!(api.house.ask(Method::GET, "/v2/team/private/manifests/v1", &token).status, 200);
    }
    let reader = api.login("reader");
    let trend = || api.get(&reader, "/repositories/team%2Fprivate/counts/trend").json();
    wait_until("the counts are written", Duration::from_secs(60), || trend()["current"] == 5);
    for step in ["hour", "day"] {
        let counts =
            api.get(&reader, &format!("/repositories/team%2Fprivate/counts?step={step}")).json();
        let sum: u64 = counts["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["count"].as_u64().unwrap())
            .sum();
        assert_eq!(sum, 5, "{counts}");
    }
    let pushes = api.get(&reader, "/repositories/team%2Fprivate/counts/trend?kind=push").json();
    assert_eq!(pushes["current"], 1);
    let top = api.get(&reader, "/repositories/team%2Fprivate/counts/manifests").json();
    assert_eq!(top["items"][0]["count"], 5, "{top}");
    let most = |login: &str, query: &str| {
        api.get(login, &format!("/counts/repositories{query}")).json()["items"].clone()
    };
    assert_eq!(
        most(&api.login("ada"), "?namespace=team"),
        json!([{ "repository": "team/private", "count": 5 }])
    );
    assert_eq!(most(api.as_root(), ""), json!([{ "repository": "team/private", "count": 5 }]));
    assert_eq!(most(&reader, ""), json!([]), "no private one is in the list for all");
}

#[test]
fn a_decision_is_explained_by_the_grant_that_made_it() {
    let api = Api::start();
    let ada = api.login("ada");
    let grant = json!({ "subject": "user:bob", "role": "write", "pattern": "team/app-*" });
    let made = api.ask(&ada, Method::PUT, "/namespaces/team/grants", Some(&grant)).json();
    let explain = |repository: &str| {
        let path = format!(
            "/access/explain?principal=user:bob&repository={}",
            repository.replace('/', "%2F")
        );
        api.get(&ada, &path).json()
    };
    let said = explain("team/app-one");
    assert_eq!(said["push"]["allowed"], true, "{said}");
    let reason = said["push"]["reason"].as_str().unwrap();
    assert!(
        reason.contains(&format!("grant {}", made["id"])) && reason.contains("team/app-*"),
        "{reason}"
    );
    assert_eq!(said["delete"]["allowed"], false);
    assert_eq!(explain("team/other")["pull"]["allowed"], false);
    // Whose account can do everything, or is disabled, or there at all, is not theirs to know.
    api.house.admin(&["disable", "reader"]);
    let of = |login: &str, principal: &str| {
        api.get(login, &format!("/access/explain?principal={principal}&repository=team/other"))
            .json()
    };
    let nothing = of(&ada, "user:unknown");
    assert_eq!(of(&ada, "user:root"), nothing);
    assert_eq!(nothing["pull"]["reason"], "denied: no grant gives it");
    let root = of(api.as_root(), "user:root");
    assert_eq!(root["pull"]["reason"], "allowed: an administrator of the whole registry");
    assert_eq!(explain("team/public")["pull"]["reason"], "allowed: the repository is public");
}

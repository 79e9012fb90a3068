//! Changes: once under a key, of the version that was read, written down.

use serde_json::{Value, json};
use ureq::http::Method;

use crate::house::basic;
use crate::people::{Api, problem};

#[test]
fn a_change_under_a_key_is_made_once_and_shows_its_secret_once() {
    let api = Api::start();
    let ada = api.login("ada");
    let robot = json!({ "name": "ci", "days": 30 });
    let create = |key: &str, body: &Value| {
        let headers = [("Idempotency-Key", key)];
        api.ask_with(&ada, Method::POST, "/namespaces/team/robots", &headers, Some(body))
    };
    let made = create("one", &robot);
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.header("Location"), Some("/api/v1/namespaces/team/robots/ci"));
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    assert_eq!(api.get(&basic("team+ci", &secret), "/whoami").json()["principal"], "robot:team+ci");
    let again = create("one", &robot);
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(again.json()["name"], "team+ci");
    assert!(again.json().get("secret").is_none(), "{}", again.text());
    assert_eq!(api.get(&basic("team+ci", &secret), "/whoami").status, 200, "it is the same secret");
    assert_eq!(problem(&create("one", &json!({ "name": "other" }))).0, 422);
    assert_eq!(problem(&create("two", &robot)).1, "taken");
    assert_eq!(problem(&create("a b", &robot)).0, 400);
    assert_eq!(problem(&create(&"k".repeat(256), &robot)).0, 400);
    // Keys are their principal's.
    let headers = [("Idempotency-Key", "one")];
    let token = json!({ "name": "mine", "role": "read" });
    let reader = api.login("reader");
    let made = api.ask_with(&reader, Method::POST, "/users/reader/tokens", &headers, Some(&token));
    assert_eq!(made.status, 201, "{}", made.text());
    let rotate = |key| {
        let headers = [("Idempotency-Key", key)];
        let path = "/namespaces/team/robots/ci/secret";
        api.ask_with(&ada, Method::POST, path, &headers, Some(&json!({}))).json()
    };
    let rotated = rotate("three")["secret"].as_str().unwrap().to_owned();
    assert!(rotate("three").get("secret").is_none());
    assert_eq!(api.get(&basic("team+ci", &secret), "/whoami").status, 401);
    assert_eq!(api.get(&basic("team+ci", &rotated), "/whoami").status, 200);
}

#[test]
fn a_change_of_another_version_changes_nothing() {
    let api = Api::start();
    api.house.admin(&["robot", "team+ci"]);
    for (path, one, two) in [
        ("/users/bob", json!({ "email": "bob@example.com" }), json!({ "email": null })),
        ("/namespaces/team", json!({ "create_on_push": false }), json!({ "create_on_push": true })),
        (
            "/namespaces/team/robots/ci",
            json!({ "disabled": true }),
            json!({ "days": null, "disabled": false }),
        ),
        (
            "/repositories/team%2Fprivate",
            json!({ "visibility": "internal" }),
            json!({ "visibility": "private" }),
        ),
    ] {
        let root = api.as_root();
        let read = api.get(root, path);
        let tag = read.header("ETag").unwrap().to_owned();
        let known = api.ask_with(root, Method::GET, path, &[("If-None-Match", &tag)], None);
        assert_eq!((known.status, known.body.len()), (304, 0), "{path}");
        let change = |tag: &str, body| {
            api.ask_with(root, Method::PATCH, path, &[("If-Match", tag)], Some(body))
        };
        let changed = change(&tag, &one);
        assert_eq!(changed.status, 200, "{path}: {}", changed.text());
        let newer = changed.header("ETag").unwrap().to_owned();
        assert_ne!(newer, tag);
        for stale in [tag.as_str(), "\"nothing\"", "W/\"1\"", "1", "\"2\"", "\"2.0\""] {
            assert_eq!(problem(&change(stale, &two)).0, 412, "{path} {stale}");
        }
        assert_eq!(api.get(root, path).header("ETag"), Some(newer.as_str()));
        assert_eq!(change(&newer, &two).status, 200, "{path}");
        assert_eq!(change("*", &two).status, 200, "{path}");
        let (before, after) = (read.json(), api.get(root, path).json());
        assert_eq!(before, after, "{path}");
    }
}

/// Who, what, from where, and what came of it; of those who may not too, but only so often.
#[test]
fn what_is_asked_for_is_written_down() {
    let api = Api::start();
    let (ada, reader) = (api.login("ada"), api.login("reader"));
    let team = json!({ "name": "devs" });
    let create = |login: &str| api.ask(login, Method::POST, "/namespaces/team/teams", Some(&team));
    let made = create(&ada);
    assert_eq!(made.status, 201);
    assert_eq!(create(&ada).status, 409);
    for _ in 0..100 {
        assert_eq!(create(&reader).status, 403);
    }
    assert_eq!(create("").status, 401);
    let log =
        api.get(&ada, "/audit?namespace=team&action=team.create&order=oldest&limit=1000").json();
    let items = log["items"].as_array().unwrap();
    let outcomes: Vec<_> = items
        .iter()
        .map(|it| (it["by"].as_str().unwrap(), it["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(outcomes[..2], [("user:ada", "done"), ("user:ada", "refused")]);
    let denied = outcomes.iter().filter(|it| **it == ("user:reader", "denied")).count();
    assert_eq!(denied, 60, "only so many an hour");
    assert_eq!(outcomes.len(), 62, "nothing of who said nothing of themselves");
    assert_eq!(items[0]["target"], "team:team/devs");
    assert_eq!(items[0]["address"], "127.0.0.1");
    assert_eq!(items[0]["request_id"].as_str(), made.header("X-Request-Id"));
    // One's own account, and nobody else's.
    let of = |login: &str, user: &str| api.get(login, &format!("/audit?target=user:{user}"));
    let own = of(&ada, "ada").json();
    let done = own["items"].as_array().unwrap().iter().map(|it| it["action"].as_str().unwrap());
    assert!(done.clone().any(|action| action == "token.create"), "{own}");
    assert!(done.clone().all(|it| it.starts_with("user.") || it.starts_with("token.")), "{own}");
    assert_eq!(problem(&of(&ada, "reader")).0, 404);
    assert_eq!(of(api.as_root(), "reader").status, 200);
    let text = log.to_string();
    assert!(!text.contains("wharf_pat_") && !text.contains("wharf_bot_"), "{text}");
}

#[test]
fn somebody_is_left_who_may_administer() {
    let api = Api::start();
    for (path, body) in [
        ("/users/root", json!({ "disabled": true })),
        ("/users/root", json!({ "site_admin": false })),
    ] {
        let refused = api.ask(api.as_root(), Method::PATCH, path, Some(&body));
        assert_eq!(
            problem(&refused),
            (409, "refused".into(), "it would leave the registry without an administrator".into())
        );
    }
    let last = api.ask(
        &api.login("ada"),
        Method::DELETE,
        "/namespaces/team/grants?subject=user:ada",
        None,
    );
    assert_eq!(problem(&last).0, 409);
    assert_eq!(
        problem(&api.ask(api.as_root(), Method::DELETE, "/organizations/team", None)).0,
        409
    );
}

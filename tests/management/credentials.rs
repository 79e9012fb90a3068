//! Credentials that are no good, at every end-point; and rights that end at once.

use serde_json::json;
use ureq::http::Method;
use wharf_http::api::management::listed;

use crate::house::{PASSWORD, basic, bearer};
use crate::people::{Api, problem};

/// Even where nobody need say who they are: whoever says so wrongly is told.
#[test]
fn bad_credentials_open_no_end_point() {
    // More of both than a minute may have: there are many end-points.
    let limits = [("WHARF_LIMITS_FAILED_LOGINS", ""), ("WHARF_LIMITS_TOKEN_REQUESTS", "")];
    let api = Api::start_with(&limits);
    let admin = |arguments: &[&str]| api.house.admin(arguments);
    let token = admin(&["token", "ada"]);
    let forged =
        format!("{}{}", &token[..token.len() - 1], if token.ends_with('a') { 'b' } else { 'a' });
    admin(&["user", "gone", "--password-stdin"]);
    let disabled = admin(&["token", "gone"]);
    admin(&["disable", "gone"]);
    let refresh = api.house.ask_for_token("ada", PASSWORD, "&offline_token=true");
    let refresh = refresh.json()["refresh_token"].as_str().unwrap().to_owned();
    let access = api.house.token("ada", "repository:team/private:pull");
    let revoked = admin(&["robot", "team+old"]);
    admin(&["robot", "team+old"]);
    let logins = [
        ("a wrong password", basic("ada", "wrong horse battery")),
        ("nobody's name", basic("nobody", PASSWORD)),
        ("an empty password", basic("ada", "")),
        ("a forged token", basic("ada", &forged)),
        ("another's token", basic("bob", &token)),
        ("a token of who is disabled", basic("gone", &disabled)),
        ("a robot's secret before the last", basic("team+old", &revoked)),
        ("what gets access tokens", basic("ada", &refresh)),
        ("the same, as a token", bearer(&refresh)),
        ("an access token", bearer(&access)),
        ("a forged token alone", bearer(&forged)),
        ("another scheme", "Digest username=ada".to_owned()),
        ("no scheme", token.clone()),
    ];
    for endpoint in listed() {
        let path = endpoint.path.strip_prefix("/api/v1").unwrap();
        let path = path
            .replace("{repository}", "team%2Fpublic")
            .replace("{namespace}", "team")
            .replace("{organization}", "team")
            .replace("{user}", "ada")
            .replace(['{', '}'], "");
        for (what, login) in &logins {
            // Passwords take long to compare: a wrong one is tried where most could be had.
            if what.contains("password") && endpoint.operation != "whoami" {
                continue;
            }
            let reply = api.ask(login, endpoint.method.as_str().parse().unwrap(), &path, None);
            let (status, code, _) = problem(&reply);
            assert_eq!((status, code.as_str()), (401, "unauthorized"), "{what}: {endpoint:?}");
            assert!(reply.header("WWW-Authenticate").unwrap().starts_with("Basic "), "{what}");
        }
    }
    // The good ones are let in.
    for login in [basic("ada", &token), bearer(&token), basic("ada", PASSWORD)] {
        assert_eq!(api.get(&login, "/whoami").json()["principal"], "user:ada");
    }
}

/// Not with the next access token, as where only those are looked at.
#[test]
fn what_is_taken_away_is_gone_at_the_next_call() {
    let api = Api::start();
    let (reader, ada) = (api.login("reader"), api.login("ada"));
    assert_eq!(api.get(&reader, "/repositories/team%2Fprivate").status, 200);
    let path = "/namespaces/team/grants?subject=user:reader";
    assert_eq!(api.ask(&ada, Method::DELETE, path, None).status, 204);
    assert_eq!(api.get(&reader, "/repositories/team%2Fprivate").status, 404);
    let disable = json!({ "disabled": true });
    api.root(Method::PATCH, "/users/reader", Some(&disable));
    assert_eq!(api.get(&reader, "/whoami").status, 401);
    let made = api.ask(
        &ada,
        Method::POST,
        "/users/ada/tokens",
        Some(&json!({ "name": "ci", "role": "read" })),
    );
    let made = made.json();
    let login = basic("ada", made["secret"].as_str().unwrap());
    assert_eq!(api.get(&login, "/whoami").json()["role"], "read");
    let path = format!("/users/ada/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(api.ask(&ada, Method::DELETE, &path, None).status, 204);
    assert_eq!(api.get(&login, "/whoami").status, 401);
    assert_eq!(api.ask(&ada, Method::DELETE, &path, None).status, 404);
}

/// A token that leaked must not become more than it is.
#[test]
fn a_token_makes_no_stronger_one_and_no_password() {
    let api = Api::start();
    for narrowed in [&["--role", "write"][..], &["--role", "admin", "--on", "ada/*"]] {
        let login = api.login_for("ada", narrowed);
        let token = json!({ "name": "more", "role": "admin" });
        let made = api.ask(&login, Method::POST, "/users/ada/tokens", Some(&token));
        assert_eq!(problem(&made).0, 403, "{narrowed:?}");
    }
    // And none that outlives it.
    let ends = api.login_for("ada", &["--role", "admin", "--days", "1"]);
    for days in [None, Some(30)] {
        let token = json!({ "name": "longer", "role": "read", "days": days });
        let made = api.ask(&ends, Method::POST, "/users/ada/tokens", Some(&token)).json();
        let until: jiff::Timestamp = made["expires_at"].as_str().unwrap().parse().unwrap();
        let left = until.duration_since(jiff::Timestamp::now()).as_hours();
        assert!((22..=24).contains(&left), "{made}");
    }
    let whole = api.login("ada");
    let another = "another long horse battery";
    let set = |current: Option<&str>| {
        let body = json!({ "password": another, "current": current });
        api.ask(&whole, Method::PUT, "/users/ada/password", Some(&body))
    };
    let secret = api.house.admin(&["token", "ada", "--role", "admin"]);
    for current in [None, Some("wrong horse battery"), Some(secret.as_str())] {
        let (status, code, _) = problem(&set(current));
        assert_eq!((status, code.as_str()), (403, "current"), "{current:?}");
    }
    assert_eq!(set(Some(PASSWORD)).status, 204);
    assert_eq!(api.get(&basic("ada", PASSWORD), "/whoami").status, 401);
    assert_eq!(api.get(&basic("ada", another), "/whoami").status, 200);
    let weak = json!({ "password": "aaaaaaaaaaaa" });
    let refused = api.ask(api.as_root(), Method::PUT, "/users/bob/password", Some(&weak));
    assert_eq!(problem(&refused).0, 422);
    assert_eq!(refused.json()["field"], "password");
}

//! Logins: what the token's end-point answers, and how what was granted ends.

use ureq::http::Method;

use crate::house::{House, PASSWORD, bearer, content, granted};
use crate::support::registry::{Reply, digest};

const SCOPE: &str = "repository:team/private:pull,push";

fn form(house: &House, form: &str) -> Reply {
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    house.registry.send(Method::POST, "/token", &headers, Some(form.as_bytes())).unwrap()
}

#[test]
fn a_challenge_says_where_and_for_what_to_get_a_token() {
    let house = House::start();
    let reply = house.registry.get("/v2/team/private/manifests/v1").unwrap();
    assert_eq!(reply.status, 401);
    let expected = format!(
        "Bearer realm=\"http://{}/token\",service=\"wharf\",scope=\"repository:team/private:pull\"",
        house.server.address()
    );
    assert_eq!(reply.header("WWW-Authenticate"), Some(expected.as_str()));
    assert_eq!(reply.json()["errors"][0]["code"], "UNAUTHORIZED");
    let root = house.registry.get("/v2/").unwrap();
    assert_eq!(root.status, 401);
    let token = house.token("anonymous", "");
    assert_eq!(house.ask(Method::GET, "/v2/", &bearer(&token)).status, 200);
    // What depends on who asks is kept by nobody in between.
    let pull = bearer(&house.token("reader", "repository:team/private:pull"));
    let pulled = house.ask(Method::GET, "/v2/team/private/manifests/v1", &pull);
    let blob = format!("/v2/team/private/blobs/{}", digest(&content("team/private")));
    let blob = house.ask(Method::GET, &blob, &pull);
    assert_eq!(pulled.header("Cache-Control"), Some("no-cache"));
    assert_eq!(blob.header("Cache-Control"), Some("private, max-age=31536000, immutable"));
    // Health needs nobody.
    assert_eq!(house.registry.get("/healthz").unwrap().status, 200);
}

#[test]
fn a_login_is_answered_as_the_specification_says() {
    let house = House::start();
    let reply = house.ask_for_token("writer", PASSWORD, SCOPE);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("Cache-Control"), Some("no-store"));
    let said = reply.json();
    assert_eq!(said["token"], said["access_token"]);
    assert_eq!(said["expires_in"], 300);
    assert_eq!(said["scope"], SCOPE);
    assert!(said["issued_at"].as_str().unwrap().ends_with('Z'), "{said}");
    assert!(said.get("refresh_token").is_none());
    let two = house.token("writer", "repository:team/public:pull&scope=repository:writer/app:push");
    assert_eq!(granted(&two).as_array().unwrap().len(), 2);
    for (user, secret) in [("writer", "wrong"), ("nobody", PASSWORD)] {
        let refused = house.ask_for_token(user, secret, SCOPE);
        assert_eq!(refused.status, 401);
        assert_eq!(refused.header("WWW-Authenticate"), Some("Basic realm=\"wharf\""));
        assert!(!refused.text().contains(user), "{}", refused.text());
    }
    let malformed = house.ask_for_token("writer", PASSWORD, "repository:..:pull");
    assert_eq!(malformed.status, 400, "{}", malformed.text());
}

#[test]
fn the_forms_of_oauth_are_taken_too() {
    let house = House::start();
    let login = format!(
        "grant_type=password&username=writer&password={}&scope={SCOPE}&access_type=offline&client_id=test",
        PASSWORD.replace(' ', "+")
    );
    let said = form(&house, &login);
    assert_eq!(said.status, 200, "{}", said.text());
    assert_eq!(said.json()["token_type"], "Bearer");
    let refresh = said.json()["refresh_token"].as_str().unwrap().to_owned();
    let again = format!("grant_type=refresh_token&refresh_token={refresh}&scope={SCOPE}");
    let said = form(&house, &again);
    assert_eq!(said.status, 200, "{}", said.text());
    let token = said.json()["access_token"].as_str().unwrap().to_owned();
    let target = "/v2/team/private/manifests/v1";
    assert_eq!(house.ask(Method::GET, target, &bearer(&token)).status, 200);
    for (wrong, status) in [
        ("grant_type=password&username=writer&password=wrong", 401),
        ("grant_type=refresh_token&refresh_token=wharf_ref_x", 401),
        ("grant_type=client_credentials", 400),
        ("username=writer", 400),
        ("", 400),
    ] {
        assert_eq!(form(&house, wrong).status, status, "{wrong}");
    }
    let long = format!("grant_type=password&username={}", "a".repeat(20_000));
    assert_eq!(form(&house, &long).status, 400);
    // Gone at once when the user is.
    house.admin(&["disable", "writer"]);
    assert_eq!(form(&house, &again).status, 401);
    assert_eq!(house.ask_for_token("writer", PASSWORD, SCOPE).status, 401);
    house.admin(&["enable", "writer"]);
    assert_eq!(form(&house, &again).status, 401);
    assert_eq!(house.ask_for_token("writer", PASSWORD, SCOPE).status, 200);
}

#[test]
fn machines_log_in_by_secrets_that_are_shown_once() {
    let house = House::start();
    let secret = house.admin(&["robot", "team+ci"]);
    assert!(secret.starts_with("wharf_bot_"), "{secret}");
    house.admin(&["grant", "team", "write", "--to", "robot:ci", "--on", "team/private"]);
    let said = house.ask_for_token("team+ci", &secret, SCOPE);
    assert_eq!(said.json()["scope"], SCOPE, "{}", said.text());
    let elsewhere = house.ask_for_token("team+ci", &secret, "repository:team/internal:pull");
    assert_eq!(elsewhere.json()["scope"], "");
    let rotated = house.admin(&["robot", "team+ci"]);
    assert_eq!(house.ask_for_token("team+ci", &secret, SCOPE).status, 401);
    assert_eq!(house.ask_for_token("team+ci", &rotated, SCOPE).status, 200);

    let personal = house.admin(&["token", "ada", "--role", "read", "--on", "team/*"]);
    assert!(personal.starts_with("wharf_pat_"), "{personal}");
    let said = house.ask_for_token("ada", &personal, SCOPE);
    assert_eq!(said.json()["scope"], "repository:team/private:pull");
    assert!(!house.server.log().contains(&personal) && !house.server.log().contains(PASSWORD));
}

#[test]
fn a_grant_that_was_taken_away_ends_with_the_token() {
    let house = House::start();
    let scope = |who: &str| house.ask_for_token(who, PASSWORD, SCOPE).json()["scope"].clone();
    assert_eq!(scope("reader"), "repository:team/private:pull");
    house.admin(&["revoke", "team", "--to", "user:reader"]);
    assert_eq!(scope("reader"), "");
    house.admin(&["team", "team", "devs"]);
    house.admin(&["grant", "team", "write", "--to", "team:devs", "--on", "team/private"]);
    house.admin(&["team", "team", "devs", "--add", "reader"]);
    assert_eq!(scope("reader"), SCOPE);
    let why = house.admin(&["explain", "user:reader", "team/private"]);
    assert!(why.contains("push: allowed: grant"), "{why}");
    assert!(why.contains("to the team devs"), "{why}");
    assert!(why.contains("delete: denied: no grant gives it"), "{why}");
    house.admin(&["team", "team", "devs", "--remove", "reader"]);
    assert_eq!(scope("reader"), "");
}

#[test]
fn the_public_keys_are_published() {
    let house = House::start();
    let keys = house.registry.get("/.well-known/jwks.json").unwrap();
    assert_eq!(keys.status, 200);
    let key = &keys.json()["keys"][0];
    assert_eq!(
        (&key["kty"], &key["alg"], &key["use"]),
        (&"RSA".into(), &"RS256".into(), &"sig".into())
    );
    assert!(key.get("d").is_none(), "a private key is public");
}

//! Those of zot.

use ureq::http::Method;

use crate::browser::parameter;
use crate::fake::{Fake, Login};
use crate::house::{House, PASSWORD, bearer, content, granted};
use crate::support::program::run;
use crate::support::registry::{digest, image_manifest};
use crate::support::server::program;
use crate::{due, due_with_settings};

/// With deduplication on, the cache knew a digest in whatever repository it was first seen, and a second repository gave
/// what only the first one held. Here the cache is asked by repository and digest, and a membership is what it knows.
#[test]
fn cve_2024_39897_a_digest_that_is_cached_for_others_opens_nothing() {
    let house = House::start();
    let blob = digest(&content("team/private"));
    let reader = bearer(&house.token("reader", "repository:team/private:pull"));
    let bob = bearer(&house.token("bob", "repository:bob/app:pull,push"));
    house.push("bob", "bob/app");
    for _ in 0..3 {
        let known = house.ask(Method::GET, &format!("/v2/team/private/blobs/{blob}"), &reader);
        assert_eq!(known.status, 200);
        for (method, target, status) in [
            (Method::GET, format!("/v2/bob/app/blobs/{blob}"), 404),
            (Method::HEAD, format!("/v2/bob/app/blobs/{blob}"), 404),
            (
                Method::POST,
                format!("/v2/bob/app/blobs/uploads/?mount={blob}&from=team/private"),
                202,
            ),
            (Method::POST, format!("/v2/bob/app/blobs/uploads/?mount={blob}"), 202),
        ] {
            let reply = house.ask(method.clone(), &target, &bob);
            assert_eq!(reply.status, status, "{method} {target}");
        }
    }
    // Naming it in a manifest neither.
    let manifest = image_manifest(&[(blob, content("team/private").len())], "stolen");
    let headers = [("Authorization", bob.as_str())];
    let pushed = house.registry.push_manifest("bob/app", "v2", &headers, &manifest).unwrap();
    assert_eq!(pushed.status, 404, "{}", pushed.text());
    assert_eq!(pushed.json()["errors"][0]["code"], "MANIFEST_BLOB_UNKNOWN");
}

/// A user who was taken out of a group at the identity provider kept the group's rights: groups were added at each login
/// and never removed. Here a team's rights are looked up whenever a token is issued, by a refresh token too.
#[test]
fn cve_2025_23208_who_left_a_team_has_its_rights_no_more() {
    let house = House::start();
    house.admin(&["team", "team", "devs"]);
    house.admin(&["grant", "team", "write", "--to", "team:devs"]);
    house.admin(&["team", "team", "devs", "--add", "bob"]);
    let scope = "repository:team/private:pull,push";
    let login = format!(
        "grant_type=password&username=bob&password={}&access_type=offline&client_id=t&scope={scope}",
        PASSWORD.replace(' ', "+")
    );
    let post = |form: &str| {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        house.registry.send(Method::POST, "/token", &headers, Some(form.as_bytes())).unwrap().json()
    };
    let said = post(&login);
    assert_eq!(said["scope"], scope);
    let refresh = said["refresh_token"].as_str().unwrap();
    let again = format!("grant_type=refresh_token&refresh_token={refresh}&scope={scope}");
    assert_eq!(post(&again)["scope"], scope);

    house.admin(&["team", "team", "devs", "--remove", "bob"]);

    assert_eq!(post(&again)["scope"], "");
    assert_eq!(granted(&house.token("bob", scope)), serde_json::json!([]));

    // And by the groups of an identity provider: who is in none any more has nothing at the next login.
    let fake = Fake::start();
    let issuer = format!("fake={}", fake.url);
    let house = House::start_with(&[
        ("WHARF_ACCESS_CONTROL", "true"),
        ("WHARF_OIDC_ISSUER", issuer.as_str()),
        ("WHARF_OIDC_CLIENT_ID", "fake=wharf"),
        ("WHARF_OIDC_CREATE_USERS", "fake=true"),
    ]);
    house.admin(&["team", "team", "devs"]);
    house.admin(&["grant", "team", "write", "--to", "team:devs"]);
    house.admin(&["groups", "team", "devs", "--add", "fake=/devs"]);
    for (groups, may) in [(vec!["/devs"], true), (vec![], false), (vec!["/devs", "/x"], true)] {
        let mut login = Login::begin(&house.server);
        let mut claims = fake.claims(&login.asked);
        claims["groups"] = serde_json::json!(groups);
        fake.gives(&fake.sign(&claims));
        assert!(login.end("").is_redirect() && login.is_in());
        let said = house.admin(&["explain", "user:eve", "team/private"]);
        assert_eq!(said.contains("push: allowed"), may, "{groups:?}: {said}");
    }
    let then =
        "a login without the group in its claims ends the membership that an earlier login gave";
    // By a directory: `who_is_in_a_group_pulls_what_its_team_may` in tests/ldap/groups.rs.
    due_with_settings(&["identity"], then);
}

/// A client's secret for the identity provider was written to the log with the rest of the settings. Here secrets are
/// types that cannot print.
#[test]
fn cve_2025_48374_no_secret_is_in_the_log() {
    let fake = Fake::start();
    let (issuer, client_secret) = (format!("fake={}", fake.url), "the-clients-secret-there");
    let given = format!("fake={client_secret}");
    let house = House::start_with(&[
        ("WHARF_LOG_LEVEL", "trace"),
        ("WHARF_LOG_ACCESS", "json"),
        ("WHARF_ACCESS_CONTROL", "true"),
        ("WHARF_OIDC_ISSUER", &issuer),
        ("WHARF_OIDC_CLIENT_ID", "fake=wharf"),
        ("WHARF_OIDC_CLIENT_SECRET", &given),
        ("WHARF_OIDC_CREATE_USERS", "fake=true"),
    ]);
    let robot = house.admin(&["robot", "team+ci"]);
    let personal = house.admin(&["token", "ada"]);
    let scope = "repository:team/private:pull";
    let mut secrets =
        vec![PASSWORD.to_owned(), PASSWORD.replace(' ', "%20"), robot.clone(), personal.clone()];
    for (user, secret) in
        [("ada", PASSWORD), ("team+ci", &robot), ("ada", &personal), ("ada", "wrong-secret")]
    {
        let said = house.ask_for_token(user, secret, scope);
        if said.status == 200 {
            secrets.push(said.json()["token"].as_str().unwrap().to_owned());
        }
    }
    secrets.push("wrong-secret".to_owned());
    let form = format!(
        "grant_type=password&username=ada&password={}&access_type=offline",
        PASSWORD.replace(' ', "+")
    );
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let said =
        house.registry.send(Method::POST, "/token", &headers, Some(form.as_bytes())).unwrap();
    assert_eq!(said.status, 200, "{}", said.text());
    secrets.push(said.json()["refresh_token"].as_str().unwrap().to_owned());
    // In the query, where they do not belong, neither.
    let target = format!("/token?service=wharf&password={robot}&refresh_token={personal}");
    house.registry.get(&target).unwrap();
    let token = bearer(secrets.iter().find(|secret| secret.starts_with("ey")).unwrap());
    assert_eq!(house.ask(Method::GET, "/v2/", &token).status, 200);
    // A login at the provider: its secrets, the code, what the browser keeps, and a device's.
    let mut login = Login::begin(&house.server);
    let id_token = fake.sign(&fake.claims(&login.asked));
    fake.gives(&id_token);
    assert!(login.end("").is_redirect() && login.is_in());
    assert!(fake.says.lock().unwrap().asked.contains("code_verifier"));
    let session = login.browser.cookie("wharf-session").unwrap().value.clone();
    let state = parameter(&login.asked, "state").unwrap();
    secrets.extend([client_secret.to_owned(), id_token, session, state, "a%20code".to_owned()]);
    let begun = house.registry.send(Method::POST, "/oauth2/device", &headers, Some(b"client_id=x"));
    secrets.push(begun.unwrap().json()["device_code"].as_str().unwrap().to_owned());
    let shown = run(std::process::Command::new(program())
        .args(["config", "show"])
        .envs([("WHARF_OIDC_CLIENT_SECRET", given.as_str()), ("WHARF_OIDC_ISSUER", &issuer)])
        .envs([("WHARF_OIDC_CLIENT_ID", "fake=wharf"), ("WHARF_ACCESS_CONTROL", "true")]));
    assert!(shown.contains("fake=***") && !shown.contains(client_secret), "{shown}");
    let of_directory = "the-directorys-secret";
    let shown = run(std::process::Command::new(program())
        .args(["config", "show"])
        .envs([("WHARF_LDAP_URLS", "ldaps://ldap.example.com"), ("WHARF_LDAP_BASE", "dc=example")])
        .envs([("WHARF_LDAP_BIND_DN", "cn=wharf"), ("WHARF_LDAP_BIND_PASSWORD", of_directory)])
        .env("WHARF_ACCESS_CONTROL", "true"));
    assert!(shown.contains("cn=wharf") && !shown.contains(of_directory), "{shown}");
    drop(house.registry);
    let mut server = house.server;
    server.begin_stop();
    server.ended();

    let log = server.log();
    assert!(log.contains("/token") && log.contains("user:ada"), "it is written to:\n{log}");
    let key = std::fs::read_to_string(server.data().join("keys/first.pem")).unwrap();
    secrets.push(key.lines().nth(1).unwrap().to_owned());
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log");
    }
    due_with_settings(&["identity"], "its secrets are in no log and in no `config show`");
}

/// Who might create tags and not update them could overwrite `latest`, the one tag for which nothing was compared. Here
/// no tag is special, whether a push is a creation is decided in the transaction that does it, and there is no role that
/// may create and not update.
#[test]
fn cve_2026_31801_latest_is_a_tag_like_any_other() {
    let house = House::start();
    let scope = "repository:team/private:pull,push";
    let writer = bearer(&house.token("writer", scope));
    let create = |tag: &str| {
        let headers = [("Authorization", writer.as_str()), ("If-None-Match", "*")];
        let image = image_manifest(
            &[(digest(&content("team/private")), content("team/private").len())],
            "another",
        );
        house.registry.push_manifest("team/private", tag, &headers, &image).unwrap().status
    };
    for tag in ["latest", "stable"] {
        assert_eq!(house.put_manifest("team/private", tag, &writer).status, 201);
        assert_eq!(create(tag), 412, "{tag} is there");
        let reader = bearer(&house.token("reader", scope));
        assert_eq!(house.put_manifest("team/private", tag, &reader).status, 401);
    }
    assert_eq!(create("fresh"), 201);
    let roles: Vec<&str> = wharf_core::access::Role::ALL.iter().map(|role| role.name()).collect();
    let then = "a role that may create tags and not update them cannot overwrite `latest`";
    assert_eq!(
        roles,
        ["read", "write", "maintain", "admin"],
        "there is a new role: test that {then}"
    );
    due(&["/api/v1/repositories/team/private/immutable"], then);
}

//! Those of Harbor that have an answer in what Wharf is today: what outsiders learn, what text does, default passwords.

use ureq::http::Method;

use crate::forging::part;
use crate::house::{House, PASSWORD, bearer, content, granted};
use crate::support::registry::{Reply, digest, image_manifest};
use crate::{Trap, due};

/// All of a reply but what differs between any two.
fn whole(reply: &Reply, headers: &[&str]) -> String {
    let told: Vec<Option<&str>> = headers.iter().map(|name| reply.header(name)).collect();
    format!("{} {told:?} {}", reply.status, reply.text())
}

/// SQL injection by a project's quota, for administrators (-19026), and by the names of user groups (-19029). Here every text
/// that a client sends is an argument of its statement, and a page is asked for by what was last, never by a column.
#[test]
fn cve_2019_19026_and_cve_2019_19029_text_of_a_client_is_no_sql() {
    let house = House::start();
    let root = bearer(&house.token("root", "registry:catalog:* repository:team/private:pull,push"));
    let everything = house.ask(Method::GET, "/v2/_catalog", &root).text();
    assert!(everything.contains("team/private"), "{everything}");
    for text in [
        "' OR '1'='1",
        "'; DROP TABLE users; --",
        "\" OR 1=1 --",
        "1) OR (1=1",
        "%' --",
        "\\' OR 1=1",
    ] {
        let text: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let zero = digest(b"nobody");
        for (target, statuses) in [
            (format!("/v2/_catalog?n=1&last={text}"), [200, 200]),
            (format!("/v2/_catalog?n={text}"), [400, 400]),
            (format!("/v2/team/private/tags/list?last={text}"), [200, 200]),
            (format!("/v2/team/private/tags/list?sort={text}&q={text}"), [200, 200]),
            (format!("/v2/team/private/manifests/{text}"), [400, 404]),
            (format!("/v2/team/private/referrers/{zero}?artifactType={text}"), [200, 200]),
            (format!("/v2/{text}/tags/list"), [400, 400]),
            (format!("/token?service={text}&scope=repository:{text}:pull"), [400, 400]),
            (format!("/token?account={text}&client_id={text}"), [200, 200]),
        ] {
            let root = if target.starts_with("/token") { "Basic Og==" } else { &root };
            let reply = if target.starts_with("/token") {
                house.registry.get(&target).unwrap()
            } else {
                house.ask(Method::GET, &target, root)
            };
            assert!(
                statuses.contains(&reply.status),
                "{target}: {} {}",
                reply.status,
                reply.text()
            );
            for leaked in ["SELECT", "sqlite", "syntax error", "argon2"] {
                assert!(!reply.text().contains(leaked), "{target}: {}", reply.text());
            }
        }
    }
    for text in ["ada' --", "' OR '1'='1", "ada'/*", "team+ci' OR '1'='1"] {
        assert_eq!(house.ask_for_token(text, "x", "").status, 401, "{text}");
        assert_eq!(house.ask_for_token("ada", text, "").status, 401, "{text}");
    }
    assert_eq!(house.ask(Method::GET, "/v2/_catalog", &root).text(), everything);
    assert_eq!(house.ask_for_token("ada", PASSWORD, "").status, 200);
    due(
        &["/api/v1/quotas", "/api/v1/organizations/team/teams"],
        "sort and filter take columns of a list alone",
    );
}

/// Without a login the status of an answer told whether a project or an image exists. Here nothing is looked up for who
/// has no right.
#[test]
fn cve_2019_19030_an_answer_to_a_stranger_does_not_depend_on_what_there_is() {
    let house = House::start();
    let image = digest(&crate::house::manifest("team/private"));
    let blob = digest(&content("team/private"));
    let headers =
        ["Content-Type", "Content-Length", "Docker-Content-Digest", "ETag", "Link", "Location"];
    let said = |repository: &str, path: &str, method: Method| {
        let reply = house.send(method, &format!("/v2/{repository}/{path}"), &[]);
        let challenge = reply.header("WWW-Authenticate").unwrap().to_owned();
        format!("{} {challenge}", whole(&reply, &headers)).replace(repository, "NAME")
    };
    for path in [
        "manifests/v1".to_owned(),
        format!("manifests/{image}"),
        format!("blobs/{blob}"),
        "tags/list".to_owned(),
        format!("referrers/{image}"),
        "blobs/uploads/".to_owned(),
        "_oci/ext/discover".to_owned(),
    ] {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE] {
            let reply = house.send(method.clone(), &format!("/v2/team/private/{path}"), &[]);
            if reply.status == 405 {
                continue;
            }
            let there = said("team/private", &path, method.clone());
            assert_eq!(there, said("team/nothing", &path, method.clone()), "{method} {path}");
            assert_eq!(there, said("nobody/nothing", &path, method.clone()), "{method} {path}");
        }
    }
    let public = bearer(&house.token("anonymous", "repository:team/public:pull"));
    assert_eq!(house.ask(Method::GET, "/v2/team/public/tags/list", &public).status, 200);
    // What is granted of it neither.
    for repository in ["team/private", "team/internal", "team/nothing", "nobody/nothing"] {
        let scope = format!("repository:{repository}:pull,push,delete");
        assert_eq!(granted(&house.token("anonymous", &scope)), serde_json::json!([]));
    }
}

/// The test of a webhook's address was a request into the inner network, with an answer that told what is there. Here
/// nothing is sent to an address that somebody names: it has no webhooks yet.
#[test]
fn cve_2020_13788_no_address_that_somebody_names_is_asked() {
    let house = House::start();
    let (trap, token) =
        (Trap::new(), bearer(&house.token("writer", "repository:team/private:pull,push")));
    let url = trap.url();
    let blob = content("team/private");
    let mut image: serde_json::Value =
        serde_json::from_slice(&image_manifest(&[(digest(&blob), blob.len())], "foreign")).unwrap();
    image["config"]["urls"] = serde_json::json!([url]);
    let headers = [("Authorization", token.as_str())];
    let pushed = house
        .registry
        .push_manifest("team/private", "foreign", &headers, image.to_string().as_bytes())
        .unwrap();
    assert_eq!(pushed.status, 201, "{}", pushed.text());
    assert_eq!(house.ask(Method::GET, "/v2/team/private/manifests/foreign", &token).status, 200);
    let encoded = url.replace(':', "%3a").replace('/', "%2f");
    for target in [
        format!("/v2/team/private/blobs/uploads/?mount={}&from={encoded}", digest(b"x")),
        format!("/v2/team/private/manifests/v1?ns={encoded}"),
        format!("/token?service=wharf&redirect_uri={encoded}"),
    ] {
        let method = if target.contains("mount") { Method::POST } else { Method::GET };
        house.ask(method, &target, &token);
    }
    assert!(trap.is_untouched(), "somebody came");
    // It would have been noticed.
    std::net::TcpStream::connect(url.strip_prefix("http://").unwrap().split('/').next().unwrap())
        .unwrap();
    assert!(!trap.is_untouched());
    let then =
        "a webhook reaches no loopback, link-local or private address unless the operator named it";
    due(&["/api/v1/webhooks", "/api/v1/organizations/team/webhooks"], then);
}

/// Whoever was logged in found every user by a search for `_`. Here there is no search, the list of users is for
/// administrators of all, and neither a login nor a question for one user tells whether that user exists.
#[test]
fn cve_2020_13794_nobody_learns_who_is_there() {
    let house = House::start();
    house.admin(&["disable", "reader"]);
    let headers = ["Content-Type", "Content-Length", "WWW-Authenticate", "Cache-Control"];
    let said = |user: &str| whole(&house.ask_for_token(user, "wrong", ""), &headers);
    let unknown = said("unknown");
    assert!(unknown.starts_with("401"), "{unknown}");
    for user in ["ada", "root", "reader", "team", "team+ci", "_", "%", "team+unknown"] {
        assert_eq!(said(user), unknown, "{user}");
    }
    assert_eq!(house.ask_for_token("ada", PASSWORD, "").status, 200);
    let then = "a search finds only those whom the asker shares an organization with, and no e-mail address";
    due(&["/api/v1/search", "/api/v1/users-search"], then);
    assert_eq!(house.manage("bob", Method::GET, "/users", None).status, 403);
    let found = |user: &str| {
        let reply = house.manage("bob", Method::GET, &format!("/users/{user}"), None);
        let mut said = reply.json();
        said["request_id"] = serde_json::Value::Null;
        (reply.status, said.to_string().replace(user, "NAME"))
    };
    assert_eq!(found("unknown").0, 404);
    for user in ["ada", "root", "reader"] {
        assert_eq!(found(user), found("unknown"), "{user}");
    }
}

/// The list of all repositories needed an administrator at `/v2/_catalog` and nobody at `/v2/_catalog/`. Here a path is one
/// resource or none, and the operation behind it asks, not the path.
#[test]
fn cve_2020_29662_the_catalog_has_one_door() {
    let house = House::start();
    let root = bearer(&house.token("root", "registry:catalog:*"));
    assert_eq!(house.ask(Method::GET, "/v2/_catalog", &root).status, 200);
    let bob = bearer(&house.token("bob", "registry:catalog:*"));
    let nobody = bearer(&house.token("anonymous", "registry:catalog:*"));
    for path in [
        "/v2/_catalog",
        "/v2/_catalog/",
        "/v2/_catalog//",
        "/v2//_catalog",
        "//v2/_catalog",
        "/v2/./_catalog",
        "/v2/x/../_catalog",
        "/v2/%5fcatalog",
        "/v2/_catalog%2f",
        "/v2/_catalog;x",
        "/V2/_catalog",
        "/v2/_CATALOG",
        "/v2/_catalog?n=5",
        "/v2/_catalog/tags/list",
        "/v1/_catalog",
        "/v1/search",
    ] {
        for token in ["", &nobody, &bob] {
            let headers = [("Authorization", token)];
            let headers = if token.is_empty() { &headers[..0] } else { &headers[..] };
            let reply = house.send(Method::GET, path, headers);
            assert!([400, 401, 404].contains(&reply.status), "{path}: {}", reply.status);
            assert!(!reply.text().contains("team/private"), "{path}: {}", reply.text());
        }
    }
}

/// The secret of the job service was compared byte by byte, and the time told how much of it was right. Here no process
/// asks another by a shared secret, and secrets are looked up by their hash.
#[test]
fn cve_2023_20902_a_secret_that_is_nearly_right_is_as_wrong_as_any() {
    let house = House::start();
    let secret = house.admin(&["robot", "team+ci"]);
    house.admin(&["grant", "team", "read", "--to", "robot:ci"]);
    let headers = ["Content-Type", "Content-Length", "WWW-Authenticate"];
    let said = |secret: &str| whole(&house.ask_for_token("team+ci", secret, ""), &headers);
    let wrong = said("x");
    let changed = |at: usize| {
        let mut bytes = secret.clone().into_bytes();
        bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
        String::from_utf8(bytes).unwrap()
    };
    for near in
        [changed(secret.len() - 1), changed("wharf_bot_".len()), secret[..secret.len() - 1].into()]
    {
        assert_eq!(said(&near), wrong);
    }
    assert_eq!(house.ask_for_token("team+ci", &secret, "").status, 200);
    due(
        &["/api/v1/jobs", "/service/notifications", "/internal"],
        "what nodes ask of each other needs more than a shared secret",
    );
}

/// An administrator `admin` with the password `Harbor12345` was there from the start. Here a first start has no account, and a password that
/// nobody typed is made up and printed once.
#[test]
fn cve_2026_4404_there_is_no_default_password() {
    // Who tries so many has to wait otherwise.
    let house = House::start_with(&[("WHARF_LIMITS_EXEMPT_NETWORKS", "127.0.0.0/8")]);
    for user in ["admin", "root", "administrator", "wharf", "system", "harbor", "anonymous", "user"]
    {
        for password in ["Harbor12345", "admin", "password", "wharf", "root", "changeme", ""] {
            let reply = house.ask_for_token(user, password, "registry:catalog:*");
            assert_eq!(reply.status, 401, "{user}:{password}");
        }
    }
    // Who has no name is nobody.
    let nobody = house.token("anonymous", "registry:catalog:*");
    assert_eq!(granted(&nobody), serde_json::json!([]));
    assert_eq!(part(&nobody, 1)["sub"], "anonymous");
    let [first, second] = ["first", "second"].map(|name| {
        let said = house.admin(&["create", name]);
        said.split_whitespace().next_back().unwrap().to_owned()
    });
    assert_ne!(first, second);
    assert!(first.len() >= 16, "{first}");
    assert_eq!(house.ask_for_token("first", &first, "").status, 200);
    assert_eq!(house.ask_for_token("first", &second, "").status, 401);
}

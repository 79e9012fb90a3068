//! Those of Harbor that were about its management API and its pages, which Wharf does not have yet: what holds without
//! them, and when the rest is due.

use ureq::http::Method;

use crate::browser::{Browser, encoded, parameter};
use crate::due;
use crate::fake::{Fake, Login};
use crate::house::{House, bearer, content, granted};
use crate::support::registry::digest;

/// Whoever signed up could say `has_admin_role` in the request that made their account. Here accounts are made by `wharf
/// admin` alone, beside the database, and who administers is what `wharf admin create` made.
#[test]
fn cve_2019_16097_nobody_makes_themselves_an_administrator() {
    let house = House::start();
    let wanted = r#"{"name":"mallory","password":"correct horse battery","has_admin_role":true,"administrator":true}"#;
    for path in ["/api/users", "/api/v1/users", "/token"] {
        let headers = [("Content-Type", "application/json")];
        let reply =
            house.registry.send(Method::POST, path, &headers, Some(wanted.as_bytes())).unwrap();
        assert!([400, 404].contains(&reply.status), "{path}: {}", reply.text());
    }
    assert_eq!(house.ask_for_token("mallory", crate::house::PASSWORD, "").status, 401);
    assert_eq!(granted(&house.token("bob", "registry:catalog:*")), serde_json::json!([]));
    assert_ne!(granted(&house.token("root", "registry:catalog:*")), serde_json::json!([]));
    let then = "a user who signs up or is changed with a field that makes administrators gets 400 or is none";
    due(&["/api/v1/users", "/api/v1/users/bob", "/api/v1/sign-up"], then);
}

/// A user could change the e-mail address of another one, and then reset their password by it. Here no address is kept,
/// and a password is reset by `wharf admin` alone.
#[test]
fn cve_2019_19023_nobody_changes_the_account_of_another() {
    let then = "a user changes nothing of another, and no password is reset by an address that is not confirmed";
    due(&["/api/v1/users/ada", "/api/v1/users/ada/email", "/api/v1/users/ada/password"], then);
}

/// A page of another site could send requests with the cookie of who was logged in. Here a cookie allows nothing of a
/// registry: a browser sends no `Authorization` by itself. What changes something by a session needs its token beside the
/// cookie, which no other site knows.
#[test]
fn cve_2019_19025_a_cookie_opens_nothing() {
    let house = House::start();
    let token = house.token("ada", "repository:team/private:pull,push,delete");
    let target = "/v2/team/private/manifests/v1";
    let cookies =
        format!("session={token}; sid={token}; token={token}; Authorization=Bearer {token}");
    for method in [Method::GET, Method::HEAD, Method::DELETE] {
        let headers = [("Cookie", cookies.as_str()), ("Origin", "https://evil.example")];
        let reply = house.send(method.clone(), target, &headers);
        assert_eq!(reply.status, 401, "{method}");
    }
    let given = house.ask(Method::GET, target, &bearer(&token));
    let login = house.ask_for_token("ada", crate::house::PASSWORD, "");
    for reply in [given, login] {
        assert_eq!(reply.status, 200);
        assert!(reply.header("Set-Cookie").is_none());
        assert!(reply.header("Access-Control-Allow-Origin").is_none());
    }
    let url = |path: &str| format!("http://{}{path}", house.server.address());
    let mut browser = Browser::new();
    let form = browser.open(&url("/login"));
    let fields = [("name", "ada"), ("password", crate::house::PASSWORD)];
    assert!(browser.submit(&form, &fields).is_redirect());
    let csrf = browser.open(&url("/login")).field("token");
    let session = browser.cookie("wharf-session").unwrap();
    let cookie = format!("wharf-session={}", session.value);
    let (session, token) = (("Cookie", cookie.as_str()), ("X-CSRF-Token", csrf.as_str()));
    assert_eq!(house.send(Method::GET, target, &[session, token]).status, 401);
    assert_eq!(house.send(Method::GET, "/api/v1/users/ada", &[session]).status, 200);
    let make = |headers: &[(&str, &str)]| {
        let headers = [&[("Content-Type", "application/json")], headers].concat();
        let body = Some(&b"{\"name\":\"evil\"}"[..]);
        let target = "/api/v1/namespaces/team/teams";
        house.registry.send(Method::POST, target, &headers, body).unwrap().status
    };
    let evil = ("Origin", "https://evil.example");
    assert_eq!(make(&[session]), 403);
    assert_eq!(make(&[session, ("X-CSRF-Token", "0")]), 403);
    assert_eq!(make(&[session, token, evil]), 403);
    assert_eq!(make(&[session, token, ("Sec-Fetch-Site", "cross-site")]), 403);
    assert_eq!(make(&[token]), 401);
    assert_eq!(make(&[session, token]), 201);
    due(&["/session", "/sso"], "what else a session's cookie opens needs its token too");
}

/// The policy of another project was changed by its number, as only the project in the path was checked. Here what stands in
/// a path below a repository is looked up within that repository.
#[test]
fn cve_2022_31668_what_is_another_repositorys_is_not_reached_through_ones_own() {
    let house = House::start();
    let writer = bearer(&house.token("writer", "repository:team/private:pull,push"));
    let opened = house.ask(Method::POST, "/v2/team/private/blobs/uploads/", &writer);
    let place = opened.header("Location").unwrap();
    let own = place.replace("team/private", "bob/app");
    let bob = bearer(&house.token("bob", "repository:bob/app:pull,push"));
    assert_eq!(house.ask(Method::GET, &own, &bob).status, 404);
    assert_eq!(house.ask(Method::DELETE, &own, &bob).status, 404);
    assert_eq!(house.ask(Method::GET, place, &writer).status, 204);
    let then = "robots, grants, teams, webhooks and policies are found by their organization and their id together";
    due(
        &[
            "/api/v1/organizations/team/policies/1",
            "/api/v1/organizations/team/robots/1",
            "/api/v1/organizations/team/grants/1",
        ],
        then,
    );
}

/// SQL injection by the identifier of a scan's report in the address of its log. Here there are no scans yet.
#[test]
fn cve_2024_22261_there_is_no_scan_log_yet() {
    let then = "the report in a scan's address is a digest or an id by its type, and 400 otherwise";
    let blob = digest(&content("team/private"));
    let of_image = format!("/v2/team/private/_wharf/scans/{blob}");
    due(&[&of_image, "/api/v1/scans", "/api/v1/repositories/team/private/scans/1/log"], then);
}

/// A maintainer could change the settings of a project, such as who may see it. Here `maintain` pulls, pushes and
/// deletes, and visibility is changed by `wharf admin` alone.
#[test]
fn cve_2024_22278_a_maintainer_changes_no_visibility() {
    let house = House::start();
    let scope = "repository:team/private:pull,push,delete,admin,grant,*";
    let token = house.token("keeper", scope);
    let access = &granted(&token)[0];
    assert_eq!(access["actions"], serde_json::json!(["pull", "push", "delete"]));
    for method in [Method::PUT, Method::PATCH, Method::POST] {
        for path in ["/v2/team/private", "/v2/team/private/", "/v2/team/private/metadatas/public"] {
            let headers = [("Authorization", format!("Bearer {token}"))];
            let headers = [("Authorization", headers[0].1.as_str())];
            let reply = house
                .registry
                .send(method.clone(), path, &headers, Some(br#"{"visibility":"public"}"#))
                .unwrap();
            assert_eq!(reply.status, 404, "{method} {path}");
        }
    }
    let stranger = bearer(&house.token("anonymous", "repository:team/private:pull"));
    assert_eq!(house.ask(Method::GET, "/v2/team/private/tags/list", &stranger).status, 401);
    let then = "visibility and settings need `admin` on the repository or its organization, not `maintain`";
    due(&["/api/v1/repositories/team/private", "/api/v1/organizations/team"], then);
}

/// An administrator could filter users by any column (`q=password=~…`) and so read the hashes and salts of passwords
/// letter by letter. Here a list takes `n` and `last` and no filter.
#[test]
fn cve_2025_30086_no_list_filters_by_a_column_that_is_secret() {
    let house = House::start();
    let root = bearer(&house.token("root", "registry:catalog:* repository:team/private:pull"));
    for list in ["/v2/_catalog", "/v2/team/private/tags/list"] {
        let all = house.ask(Method::GET, list, &root);
        assert_eq!(all.status, 200);
        for filter in
            ["q=password%3D~%24argon2", "filter=password", "sort=password", "order_by=salt"]
        {
            let filtered = house.ask(Method::GET, &format!("{list}?{filter}"), &root);
            assert_eq!((filtered.status, filtered.text()), (200, all.text()), "{list}?{filter}");
        }
        let page = house.ask(Method::GET, &format!("{list}?n=0"), &root);
        assert_ne!(page.text(), all.text(), "what is a parameter has its effect");
    }
    let then = "filter and sort take columns of an allow-list, and 400 for any other, `password` among them";
    due(&["/api/v1/users", "/api/v1/robots", "/api/v1/audit"], then);
}

/// A script in a repository's description ran in the browser of who looked at it. Here there are no descriptions and no
/// pages yet, and no reply makes a browser run what somebody pushed.
#[test]
fn cve_2025_32019_no_reply_runs_in_a_browser() {
    let house = House::start();
    let token = bearer(&house.token("writer", "repository:team/private:pull,push"));
    let page = b"<html><script>alert(1)</script></html>";
    let target = format!("/v2/team/private/blobs/uploads/?digest={}", digest(page));
    let headers = [("Authorization", token.as_str()), ("Content-Type", "text/html")];
    let pushed = house.registry.send(Method::POST, &target, &headers, Some(page)).unwrap();
    assert_eq!(pushed.status, 201, "{}", pushed.text());
    let blob = format!("/v2/team/private/blobs/{}", digest(page));
    let script = "/v2/team/private/manifests/%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let unknown = "/%3Cscript%3Ealert(1)%3C/script%3E";
    for (target, status, kind) in [
        (blob.as_str(), 200, "application/octet-stream"),
        (script, 400, "application/json"),
        (unknown, 404, "application/json"),
        ("/token?service=%3Cscript%3E", 200, "application/json"),
    ] {
        let headers = [("Authorization", token.as_str()), ("Accept", "text/html,*/*")];
        let headers = if target.starts_with("/token") { &headers[1..] } else { &headers[..] };
        let reply = house.registry.send(Method::GET, target, headers, None).unwrap();
        assert_eq!(reply.status, status, "{target}: {}", reply.text());
        let told = reply.header("Content-Type").unwrap();
        assert!(told.starts_with(kind), "{target}: {told}");
        assert_eq!(reply.header("X-Content-Type-Options"), Some("nosniff"), "{target}");
    }
    let then =
        "a description with a script, an event handler or a javascript: link is shown as text";
    due(&["/ui", "/", "/repositories/team/private", "/api/v1/repositories/team/private"], then);
}

/// The page after a login by OpenID Connect was whatever `redirect_url` said, so a link to the registry led elsewhere. Here no reply leads
/// where a client said, but for the `Host` that it asked itself.
#[test]
fn cve_2024_22244_no_reply_leads_elsewhere() {
    let house = House::start();
    let token = bearer(&house.token("writer", "repository:team/private:pull,push"));
    let elsewhere = "https://evil.example/";
    for target in [
        "/token?service=wharf&redirect_url=https://evil.example/",
        "/v2/?redirect_url=https://evil.example/&next=https://evil.example/",
        "//evil.example/v2/",
        "/v2/team/private/manifests/v1?redirect_uri=https://evil.example/",
        "/v2/team/private/blobs/uploads/?redirect=https://evil.example/",
    ] {
        for method in [Method::GET, Method::POST] {
            let headers = [
                ("Authorization", token.as_str()),
                ("X-Forwarded-Host", "evil.example"),
                ("Forwarded", "host=evil.example"),
                ("Referer", elsewhere),
                ("Origin", "https://evil.example"),
            ];
            let reply = house.send(method.clone(), target, &headers);
            for header in
                ["Location", "WWW-Authenticate", "Link", "Refresh", "Access-Control-Allow-Origin"]
            {
                let value = reply.header(header).unwrap_or_default();
                assert!(!value.contains("evil.example"), "{method} {target}: {header}: {value}");
            }
        }
    }
    let opened = house.ask(Method::POST, "/v2/team/private/blobs/uploads/", &token);
    let place = opened.header("Location").unwrap();
    assert!(place.starts_with("/v2/team/private/blobs/uploads/"), "{place}");
    // The way back from a login is a path of this registry.
    let fake = Fake::start();
    let server = fake.registry();
    for elsewhere in
        ["https://evil.example/", "//evil.example/", "/%5Cevil.example/", "/%0a/evil.example/"]
    {
        let mut login = Login::begin_with(&server, &format!("?return_to={elsewhere}"));
        let own = encoded(&format!("http://{}/login/fake/callback", server.address()));
        assert_eq!(parameter(&login.asked, "redirect_uri").unwrap(), own);
        fake.gives(&fake.sign(&fake.claims(&login.asked)));
        let on = login.end(&format!("&return_to={elsewhere}&redirect_url={elsewhere}"));
        assert_eq!(on.header("Location"), "/login", "{elsewhere}");
    }
}

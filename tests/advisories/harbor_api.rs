//! Those of Harbor that were about its management API and its pages.

use ureq::http::Method;

use crate::browser::{Browser, encoded, parameter};
use crate::due;
use crate::fake::{Fake, Login};
use crate::house::{House, bearer, content, granted};
use crate::support::registry::digest;

/// Whoever signed up could say `has_admin_role` in the request that made their account. Here a request with a field that its
/// end-point does not know is refused, and who makes administrators is one.
#[test]
fn cve_2019_16097_nobody_makes_themselves_an_administrator() {
    let house = House::start_with(&[("WHARF_ACCESS_SIGN_UP", "open")]);
    let wanted = r#"{"name":"mallory","password":"correct horse battery","has_admin_role":true,"administrator":true}"#;
    for path in ["/api/users", "/api/v1/users", "/api/v1/sign-up", "/token"] {
        let headers = [("Content-Type", "application/json")];
        let reply =
            house.registry.send(Method::POST, path, &headers, Some(wanted.as_bytes())).unwrap();
        assert!([400, 404].contains(&reply.status), "{path}: {}", reply.text());
    }
    assert_eq!(house.ask_for_token("mallory", crate::house::PASSWORD, "").status, 401);
    assert_eq!(granted(&house.token("bob", "registry:catalog:*")), serde_json::json!([]));
    assert_ne!(granted(&house.token("root", "registry:catalog:*")), serde_json::json!([]));
    let sign_up = |more: &str| {
        let body = format!(r#"{{"name":"mallory","password":"{}"{more}}}"#, crate::house::PASSWORD);
        house.manage("", Method::POST, "/sign-up", Some(&body))
    };
    for more in [r#","site_admin":true"#, r#","has_admin_role":true"#, r#","sysadmin_flag":1"#] {
        assert_eq!(sign_up(more).status, 400, "{more}");
    }
    assert_eq!(sign_up("").json()["site_admin"], false);
    let me = "/users/mallory";
    let raised = house.manage("mallory", Method::PATCH, me, Some(r#"{"site_admin":true}"#));
    assert_eq!(raised.status, 403, "{}", raised.text());
    let unknown = house.manage("mallory", Method::PATCH, me, Some(r#"{"has_admin_role":true}"#));
    assert_eq!(unknown.status, 400, "{}", unknown.text());
    assert_eq!(house.manage("mallory", Method::GET, "/whoami", None).json()["site_admin"], false);
}

/// A user could change the e-mail address of another one, and then reset their password by it. Here who is not that user
/// finds nobody of the name, and no password is reset by an address.
#[test]
fn cve_2019_19023_nobody_changes_the_account_of_another() {
    let house = House::start();
    let email = Some(r#"{"email":"mallory@example.com"}"#);
    let password = Some(r#"{"password":"another long horse battery"}"#);
    for user in ["bob", "keeper", ""] {
        let status = if user.is_empty() { 401 } else { 404 };
        for (method, path, body) in [
            (Method::PATCH, "/users/ada", email),
            (Method::PUT, "/users/ada/password", password),
            (Method::GET, "/users/ada", None),
            (Method::POST, "/users/ada/tokens", Some(r#"{"name":"x","role":"admin"}"#)),
        ] {
            let reply = house.manage(user, method.clone(), path, body);
            assert_eq!(reply.status, status, "{user} {method} {path}: {}", reply.text());
        }
    }
    let ada = house.manage("ada", Method::GET, "/users/ada", None).json();
    assert_eq!(ada["email"], serde_json::Value::Null);
    let then = "no password is reset by an address that is not confirmed";
    due(&["/api/v1/users/ada/email", "/api/v1/password-reset", "/reset"], then);
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
    // A rule of a robot, a token of a user: by their numbers, below what is one's own.
    house.admin(&["robot", "team+ci"]);
    house.admin(&["robot", "bob+ci"]);
    let rule =
        r#"{"issuer":"https://ci.example.com","audience":"wharf","conditions":{"sub":"team/app"}}"#;
    let rules = "/namespaces/team/robots/ci/trust";
    let made = house.manage("ada", Method::POST, rules, Some(rule)).json();
    let token = r#"{"name":"ci","role":"read"}"#;
    let token = house.manage("ada", Method::POST, "/users/ada/tokens", Some(token)).json();
    let (rule, token) = (&made["id"], token["id"].as_str().unwrap());
    for path in [
        format!("/namespaces/bob/robots/ci/trust/{rule}"),
        format!("/namespaces/team/robots/ci/trust/{rule}"),
        format!("/users/bob/tokens/{token}"),
        format!("/users/ada/tokens/{token}"),
    ] {
        assert_eq!(house.manage("bob", Method::DELETE, &path, None).status, 404, "{path}");
    }
    let left = house.manage("ada", Method::GET, rules, None).json();
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
    let left = house.manage("ada", Method::GET, "/users/ada/tokens", None).json();
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
    let then = "webhooks and policies are found by their organization and their id together";
    let due_then = ["/api/v1/namespaces/team/policies/1", "/api/v1/namespaces/team/webhooks/1"];
    due(&due_then, then);
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
/// deletes, and visibility is changed by who administers.
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
    for (path, change) in [
        ("/repositories/team%2Fprivate", r#"{"visibility":"public"}"#),
        ("/namespaces/team", r#"{"default_visibility":"public"}"#),
    ] {
        for (user, status) in [("keeper", 403), ("writer", 403), ("bob", 404), ("ada", 200)] {
            let reply = house.manage(user, Method::PATCH, path, Some(change));
            assert_eq!(reply.status, status, "{user} {path}: {}", reply.text());
        }
    }
}

/// An administrator could filter users by any column (`q=password=~…`) and so read the hashes and salts of passwords
/// letter by letter. Here a list of the registry takes `n` and `last` and no filter, and one of the management API those
/// that it names, each of a type of its own.
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
    for list in ["/users", "/audit", "/organizations", "/repositories", "/namespaces/team/robots"] {
        let all = house.manage("root", Method::GET, list, None);
        assert_eq!(all.status, 200, "{list}: {}", all.text());
        assert!(!all.text().contains("argon2") && !all.text().contains("hash"), "{}", all.text());
        for filter in ["q=password%3D~%24argon2", "password_hash=x", "sort=password", "order_by=x"]
        {
            let reply = house.manage("root", Method::GET, &format!("{list}?{filter}"), None);
            assert_eq!(reply.status, 400, "{list}?{filter}: {}", reply.text());
        }
    }
}

/// A script in a repository's description ran in the browser of who looked at it. Here there are no descriptions yet,
/// pages run no scripts at all, and no reply makes a browser run what somebody pushed or asked for.
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
    let page = house.manage("", Method::GET, "/", None);
    let policy = page.header("Content-Security-Policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"), "{policy}");
    for target in ["/users/%3Cscript%3E", "/%3Cscript%3E", "/users?%3Cscript%3E=1"] {
        let reply = house.manage("root", Method::GET, target, None);
        assert_eq!(reply.header("Content-Type"), Some("application/problem+json"), "{target}");
        assert_eq!(reply.header("X-Content-Type-Options"), Some("nosniff"), "{target}");
    }
    let then =
        "a description with a script, an event handler or a javascript: link is shown as text";
    due(&["/ui", "/", "/repositories/team/private"], then);
    let record = house.manage("ada", Method::GET, "/repositories/team%2Fprivate", None).json();
    assert!(record.get("description").is_none(), "now test that {then}");
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

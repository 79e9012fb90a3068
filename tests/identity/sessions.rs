//! Sessions: what their cookies are like, when they end, and that no other site's page acts by them.

use crate::browser::{Browser, Page, encoded, parameter};
use crate::house::PASSWORD;
use crate::provider::providers;
use crate::stand::Stand;
use crate::support::server::Server;

fn ada(stand: &Stand) -> Browser {
    let mut browser = Browser::new();
    assert!(stand.by_password(&mut browser, "ada", PASSWORD).is_redirect());
    browser
}

/// The headers that every page has.
fn check_headers(page: &Page) {
    let policy = page.header("Content-Security-Policy");
    for part in
        ["default-src 'none'", "style-src 'sha256-", "form-action 'self'", "frame-ancestors 'none'"]
    {
        assert!(policy.contains(part), "{}: {policy}", page.url);
    }
    for (name, value) in [
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("X-Frame-Options", "DENY"),
    ] {
        assert_eq!(page.header(name), value, "{}", page.url);
    }
    assert!(!page.text.contains("<script"));
}

#[test]
fn a_password_begins_a_session_that_a_logout_ends() {
    let stand = Stand::start();
    let mut browser = Browser::new();
    let form = browser.open(&stand.url("/login"));
    check_headers(&form);
    let sent = stand.by_password(&mut browser, "ada", PASSWORD);
    assert_eq!((sent.status, sent.location()), (303, stand.url("/login")));
    let session = browser.cookie("wharf-session").unwrap().clone();
    for flag in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(session.line.contains(flag), "{}", session.line);
    }
    assert!(!session.line.contains("Secure"), "{}", session.line);
    let page = browser.open(&stand.url("/login"));
    check_headers(&page);
    assert_eq!(stand.who(&mut browser).as_deref(), Some("ada"));
    let out = browser.submit(&page, &[]);
    check_headers(&out);
    assert!(browser.cookie("wharf-session").is_none());
    // Whoever kept the cookie has nothing.
    let mut thief = Browser::new();
    thief.cookies.push(session);
    assert_eq!(stand.who(&mut thief), None);
    assert!(!stand.server.log().contains(PASSWORD));
}

/// A registry that is reached from outside by this URL, which nothing here can resolve.
fn seen_as(url: &str) -> Server {
    let providers = providers();
    let settings = providers.iter().map(|(name, value)| (*name, value.as_str()));
    let settings: Vec<_> = settings.chain([("WHARF_HTTP_EXTERNAL_URL", url)]).collect();
    Server::start_with(&settings)
}

#[test]
fn over_tls_cookies_belong_to_this_host_and_to_tls_alone() {
    let server = seen_as("https://registry.example");
    let url = |path: &str| format!("http://{}{path}", server.address());
    let mut browser = Browser::new();
    browser.open(&url("/login"));
    let visitor = browser.cookie("__Host-wharf-visitor").unwrap();
    assert!(visitor.line.contains("; Secure"), "{}", visitor.line);
    let begun = browser.get(&url("/login/basic"));
    let attempt = browser.cookie("__Host-wharf-attempt").unwrap();
    for flag in ["; Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(attempt.line.contains(flag), "{}", attempt.line);
    }
    let back = parameter(&begun.location(), "redirect_uri").unwrap();
    assert_eq!(back, encoded("https://registry.example/login/basic/callback"));
}

/// In the clear, and not on one machine.
#[test]
fn nobody_logs_in_where_everyone_can_listen() {
    let server = seen_as("http://registry.example");
    let mut browser = Browser::new();
    for path in ["/login", "/login/basic"] {
        let page = browser.open(&format!("http://{}{path}", server.address()));
        assert_eq!(page.status, 403, "{}", page.text);
        assert!(page.text.contains("Open this page over https"), "{}", page.text);
        assert!(browser.cookies.is_empty());
    }
}

#[test]
fn a_login_is_a_new_session_whatever_the_browser_had() {
    let stand = Stand::start();
    let mut browser = Browser::new();
    stand.by_password(&mut browser, "ada", PASSWORD);
    let first = browser.cookie("wharf-session").unwrap().clone();
    // Somebody logs in again in the same browser, by a page that was open before.
    let page = stand.log_in(&mut browser, "basic", "eve");
    assert_eq!(page.status, 200, "{}", page.text);
    let second = browser.cookie("wharf-session").unwrap().clone();
    assert_ne!(first.value, second.value);
    assert_eq!(stand.who(&mut browser).as_deref(), Some("eve"));
    let mut before = Browser::new();
    before.cookies.push(first);
    assert_eq!(stand.who(&mut before), None);
    // A secret that an attacker chose is none, and does not become one.
    let mut victim = Browser::new();
    let mut fixed = second.clone();
    fixed.value = "0".repeat(64);
    victim.cookies.push(fixed.clone());
    stand.by_password(&mut victim, "ada", PASSWORD);
    assert_ne!(victim.cookie("wharf-session").unwrap().value, fixed.value);
    let mut attacker = Browser::new();
    attacker.cookies.push(fixed);
    assert_eq!(stand.who(&mut attacker), None);
}

/// Nor sends a form without its token, or with that of another browser.
#[test]
fn no_other_sites_page_acts_by_a_session() {
    let stand = Stand::start();
    let mut browser = Browser::new();
    let form = browser.open(&stand.url("/login"));
    let token = form.field("token");
    let own = stand.url("");
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let login = |token: &str| {
        vec![field("name", "ada"), field("password", PASSWORD), field("token", token)]
    };
    let other_token = Browser::new().open(&stand.url("/login")).field("token");
    let session_of_evil = ("Origin", "https://evil.example");
    for (headers, fields) in [
        (vec![], login("")),
        (vec![], login(&other_token)),
        (vec![session_of_evil], login(&token)),
        (vec![("Origin", "null")], login(&token)),
        (vec![("Sec-Fetch-Site", "cross-site")], login(&token)),
        (vec![("Origin", own.as_str()), ("Sec-Fetch-Site", "same-site")], login(&token)),
    ] {
        let refused = browser.post(&stand.url("/login"), &headers, &fields);
        assert_eq!(refused.status, 403, "{headers:?}");
        check_headers(&refused);
        assert!(browser.cookie("wharf-session").is_none());
    }
    let sent = browser.post(&stand.url("/login"), &[("Origin", own.as_str())], &login(&token));
    assert!(sent.is_redirect(), "{}", sent.text);
    for path in ["/logout", "/device"] {
        let no_token = [field("user_code", "BCDF-GHJK"), field("answer", "allow")];
        let refused = browser.post(&stand.url(path), &[], &no_token);
        assert_eq!(refused.status, 403, "{path}");
        let page = browser.open(&stand.url("/login"));
        let token = [no_token.as_slice(), &[field("token", &page.field("token"))]].concat();
        let refused = browser.post(&stand.url(path), &[session_of_evil], &token);
        assert_eq!(refused.status, 403, "{path}");
    }
    assert_eq!(stand.who(&mut browser).as_deref(), Some("ada"));
}

/// A form of another site brings no cookie of this one, and so must not take one away either.
#[test]
fn no_other_site_logs_people_out() {
    let stand = Stand::start();
    let mut browser = ada(&stand);
    let kept = browser.cookies.clone();
    browser.cookies.clear();
    let evil = [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")];
    let out = browser.post(&stand.url("/logout"), &evil, &[]);
    assert_eq!((out.status, out.header("Set-Cookie")), (303, ""));
    browser.cookies = kept;
    assert_eq!(stand.who(&mut browser).as_deref(), Some("ada"));
}

/// On each page that looks for a session, and at the management API.
#[test]
fn made_up_cookies_are_looked_for_only_so_often() {
    let stand = Stand::start_with(&[("WHARF_LIMITS_TOKEN_REQUESTS", "30/1h")]);
    let mut made_up = ada(&stand);
    let mut look = |method: &str, path: &str, number: usize| {
        let cookie = made_up.cookies.iter_mut().find(|it| it.name == "wharf-session").unwrap();
        cookie.value = format!("{number:064x}");
        let url = stand.url(path);
        match method {
            "GET" => made_up.get(&url),
            _ => made_up.post(&url, &[], &[]),
        }
    };
    let asked = [
        ("GET", "/login"),
        ("GET", "/device"),
        ("POST", "/device"),
        ("POST", "/logout"),
        ("GET", "/api/v1/whoami"),
    ];
    for number in 0..25 {
        let (method, path) = asked[number % asked.len()];
        let page = look(method, path, number);
        assert_ne!(page.status, 429, "{method} {path}: {}", page.text);
    }
    let until_refused = (25..60).find(|number| look("GET", "/login", *number).status == 429);
    assert!(until_refused.is_some(), "nobody counts them");
    for (method, path) in asked {
        let refused = look(method, path, 60);
        assert_eq!(refused.status, 429, "{method} {path}: {}", refused.text);
        assert!(!refused.header("Retry-After").is_empty());
    }
    // Whoever shows none is shown the way in as ever.
    assert_eq!(Browser::new().get(&stand.url("/login")).status, 200);
}

#[test]
fn a_wrong_password_lets_nobody_in_and_too_many_make_them_wait() {
    let stand = Stand::start_with(&[("WHARF_LIMITS_FAILED_LOGINS", "3/1h")]);
    let mut browser = Browser::new();
    for _ in 0..3 {
        let refused = stand.by_password(&mut browser, "ada", "wrong");
        assert_eq!(refused.status, 403);
        assert!(refused.text.contains("name or the password is wrong"), "{}", refused.text);
    }
    let refused = stand.by_password(&mut browser, "ada", PASSWORD);
    assert_eq!(refused.status, 429, "{}", refused.text);
    assert!(refused.header("Retry-After").parse::<u32>().unwrap() > 0);
    // The same limits as at the token's end-point.
    assert_eq!(stand.ask_for_token("ada", PASSWORD, "").status, 429);
    assert_eq!(stand.audited("login").len(), 3);
}

/// They are good for less than a session is.
#[test]
fn secrets_of_machines_begin_no_session() {
    let stand = Stand::start();
    let token = stand.admin(&["token", "ada", "--role", "read"]);
    let robot = stand.admin(&["robot", "team+ci"]);
    for (name, secret) in [("ada", token.as_str()), ("team+ci", &robot)] {
        let refused = stand.by_password(&mut Browser::new(), name, secret);
        assert_eq!(refused.status, 403, "{name}");
    }
}

#[test]
fn another_password_ends_sessions() {
    let stand = Stand::start();
    let mut browser = Browser::new();
    stand.by_password(&mut browser, "ada", PASSWORD);
    assert_eq!(stand.who(&mut browser).as_deref(), Some("ada"));
    stand.admin(&["password", "ada", "--password-stdin"]);
    assert_eq!(stand.who(&mut browser), None);
}

#[test]
fn what_is_no_form_is_refused() {
    let stand = Stand::start();
    let mut browser = Browser::new();
    browser.open(&stand.url("/login"));
    let long = [("name".to_owned(), "a".repeat(20_000))];
    for path in ["/login", "/oauth2/device", "/oauth2/token"] {
        let refused = browser.post(&stand.url(path), &[], &long);
        assert!([400, 403].contains(&refused.status), "{path}: {}", refused.status);
    }
}

/// With the token of its forms where something is changed, and until it ends.
#[test]
fn a_session_asks_the_management_api() {
    let stand = Stand::start();
    let mut browser = Browser::new();
    let whoami = |browser: &mut Browser| browser.get(&stand.url("/api/v1/whoami"));
    assert_eq!(whoami(&mut browser).status, 401);
    stand.by_password(&mut browser, "ada", PASSWORD);
    let said = whoami(&mut browser);
    assert!(said.text.contains("\"user:ada\""), "{}", said.text);
    stand.admin(&["grant", "team", "admin", "--to", "user:keeper"]);
    stand.admin(&["disable", "ada"]);
    assert_eq!(whoami(&mut browser).status, 401);
}

/// Nor serves any of it where nobody was asked to log in.
#[test]
fn a_node_that_issues_no_tokens_has_no_pages() {
    let registry_alone = Server::start();
    for path in ["/login", "/device"] {
        let page = Browser::new().get(&format!("http://{}{path}", registry_alone.address()));
        assert_eq!(page.status, 404, "{path}");
    }
}

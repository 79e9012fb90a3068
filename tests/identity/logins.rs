//! Logging in at a real provider.

use serde_json::json;
use ureq::http::Method;

use crate::browser::{Browser, encoded, origin_of, parameter};
use crate::house::{PASSWORD, basic};
use crate::stand::Stand;

/// By each way in which a client says who it is, with RS256 and with ES256.
#[test]
fn somebody_logs_in_at_a_provider_and_becomes_a_user() {
    let stand = Stand::start();
    for (provider, name) in [("basic", "eve"), ("post", "mallory"), ("public", "trent")] {
        let mut browser = stand.logged_in(provider, name);
        assert_eq!(stand.who(&mut browser).as_deref(), Some(name));
        assert_eq!(stand.admin(&["identity", name]).trim(), format!("{provider}={name}"));
    }
    // They come again, with another browser, and are the same.
    let mut again = stand.logged_in("basic", "eve");
    assert_eq!(stand.who(&mut again).as_deref(), Some("eve"));
    // By another provider they are somebody else: nobody is found by a name.
    let mut other = stand.logged_in("post", "eve");
    assert_eq!(stand.who(&mut other).as_deref(), Some("eve-2"));
    // Nor is who has a password here.
    let mut namesake = stand.logged_in("basic", "ada");
    assert_eq!(stand.who(&mut namesake).as_deref(), Some("ada-2"));
    let created = stand.audited("user.create");
    let eve = "user:eve 127.0.0.1 user:eve done provider=basic groups=";
    assert!(created.iter().any(|it| it == eve), "{created:#?}");
    let logins = stand.audited("login");
    let eve = "user:eve 127.0.0.1 user:eve done provider=basic";
    assert_eq!(logins.iter().filter(|it| *it == eve).count(), 2, "{logins:#?}");
}

#[test]
fn the_page_shows_the_providers_and_a_form() {
    let stand = Stand::start();
    let page = Browser::new().open(&stand.url("/login"));
    assert!(page.text.contains("Log in by Example &lt;Inc&gt;"), "{}", page.text);
    assert!(page.text.contains("Log in by post") && page.text.contains("type=\"password\""));
    let none = Stand::start_with(&[("WHARF_BROWSER_PASSWORDS", "false")]);
    let page = Browser::new().open(&none.url("/login"));
    assert!(!page.text.contains("<form") && page.text.contains("Log in by post"), "{}", page.text);
    let sent = Browser::new().post(&none.url("/login"), &[], &[]);
    assert_eq!(sent.status, 404);
}

/// And not any more when the provider says so.
#[test]
fn a_group_of_a_provider_fills_a_team_that_may_pull() {
    let stand = Stand::start();
    stand.admin(&["team", "team", "devs"]);
    stand.admin(&["grant", "team", "write", "--to", "team:devs", "--on", "team/private"]);
    stand.admin(&["groups", "team", "devs", "--add", "basic=/devs", "--add", "post=/devs"]);
    assert_eq!(stand.admin(&["groups", "team", "devs"]), "basic=/devs\npost=/devs");
    let may = |who: &str| {
        let said = stand.admin(&["explain", &format!("user:{who}"), "team/private"]);
        said.contains("pull: allowed")
    };
    stand.logged_in("basic", "eve:/devs,/staff");
    stand.logged_in("basic", "mallory:/staff");
    stand.logged_in("public", "trent:/devs");
    assert_eq!((may("eve"), may("mallory"), may("trent")), (true, false, false));
    let listed = stand.admin(&["identity", "eve"]);
    assert_eq!(listed, "basic=eve\t/devs /staff");
    stand.logged_in("basic", "eve:/staff");
    assert!(!may("eve"));
    stand.logged_in("basic", "eve:/devs");
    assert!(may("eve"));
    stand.admin(&["groups", "team", "devs", "--remove", "basic=/devs"]);
    assert!(!may("eve"));
    let changed = stand.audited("identity.groups");
    assert_eq!(
        changed,
        [
            "user:eve 127.0.0.1 user:eve done provider=basic groups=basic:/staff",
            "user:eve 127.0.0.1 user:eve done provider=basic groups=basic:/devs",
        ]
    );
    let filled = stand.audited("team.groups");
    assert_eq!(filled[0], "system - team:team/devs done groups=basic:/devs,post:/devs");
}

/// Without an operator, and sees who came by them.
#[test]
fn an_organizations_administrator_says_which_groups_fill_its_teams() {
    let stand = Stand::start();
    stand.admin(&["team", "team", "devs"]);
    stand.admin(&["grant", "team", "read", "--to", "team:devs", "--on", "team/private"]);
    let ask = |who: &str, method: Method, path: &str, body: Option<&str>| {
        let login = basic(who, PASSWORD);
        let json = ("Content-Type", "application/json");
        let headers = [("Authorization", login.as_str()), json];
        let target = format!("/api/v1/namespaces/team/teams/devs/groups{path}");
        stand.registry.send(method, &target, &headers, body.map(str::as_bytes)).unwrap()
    };
    let groups = r#"{"groups":[{"provider":"basic","group":"/devs"},{"provider":"basic","group":"/Größe 1"}]}"#;
    assert_eq!(ask("reader", Method::PUT, "", Some(groups)).status, 403);
    // Nobody learns who is in a group by filling a team with it, but whoever is in it.
    stand.admin(&["identity", "ada", "--link", "basic=ada"]);
    stand.logged_in("basic", "ada:/devs");
    let strange = ask("ada", Method::PUT, "", Some(groups));
    assert_eq!(strange.status, 403, "{}", strange.text());
    assert!(
        strange.text().contains("you are not in the group /Größe 1 of basic"),
        "{}",
        strange.text()
    );
    let tried = stand.audited("team.groups");
    assert_eq!(
        tried.last().unwrap(),
        "user:ada 127.0.0.1 team:team/devs denied groups=\"basic:/Größe%201,basic:/devs\""
    );
    stand.logged_in("basic", "ada:/devs,/Größe 1");
    let set = ask("ada", Method::PUT, "", Some(groups));
    assert_eq!(set.status, 200, "{}", set.text());
    // What is set already stays theirs to keep or to take away.
    stand.logged_in("basic", "ada:/staff");
    let kept =
        ask("ada", Method::PUT, "", Some(r#"{"groups":[{"provider":"basic","group":"/devs"}]}"#));
    assert_eq!(kept.status, 200, "{}", kept.text());
    let mut eve = stand.logged_in("basic", "eve:/devs");
    stand.logged_in("basic", "mallory:/staff");
    assert_eq!(ask("reader", Method::GET, "/members", None).status, 403);
    let members = ask("ada", Method::GET, "/members", None);
    assert_eq!(members.json()["items"], json!([{ "name": "eve" }]), "{}", members.text());
    // In the list of all, of whom those who give no rights see no more than who was put there.
    stand.admin(&["team", "team", "devs", "--add", "bob"]);
    let listed = |who: &str| {
        let listed = stand.manage(who, Method::GET, "/namespaces/team/teams/devs/members", None);
        listed.json()["items"].clone()
    };
    let all = json!([
        { "name": "bob", "by_hand": true, "by_group": false },
        { "name": "eve", "by_hand": false, "by_group": true },
    ]);
    assert_eq!(listed("ada"), all);
    assert_eq!(listed("reader"), json!([{ "name": "bob", "by_hand": true }]));
    let own = eve.get(&stand.url("/api/v1/organizations"));
    assert!(own.text.contains(r#""name":"team""#), "{}", own.text);
    let may = stand.admin(&["explain", "user:eve", "team/private"]);
    assert!(may.contains("pull: allowed"), "{may}");
    // Eve sees who she is there, by her session, and that nobody else does.
    let own = eve.get(&stand.url("/api/v1/users/eve/identities"));
    assert!(
        own.text.contains(r#""provider":"basic","subject":"eve","groups":["/devs"]"#),
        "{}",
        own.text
    );
    assert_eq!(eve.get(&stand.url("/api/v1/users/mallory/identities")).status, 404);
    let none = ask("ada", Method::PUT, "", Some(r#"{"groups":[]}"#));
    assert_eq!(none.status, 200, "{}", none.text());
    let may = stand.admin(&["explain", "user:eve", "team/private"]);
    assert!(may.contains("pull: denied"), "{may}");
    let wrong = ask("ada", Method::PUT, "", Some(r#"{"groups":[{"provider":"A","group":"x"}]}"#));
    assert_eq!(wrong.status, 400, "{}", wrong.text());
}

#[test]
fn nobody_becomes_a_user_where_none_may() {
    let stand = Stand::start_with(&[("WHARF_OIDC_CREATE_USERS", "post=true")]);
    let mut browser = Browser::new();
    let page = stand.log_in(&mut browser, "basic", "eve");
    assert_eq!(page.status, 403);
    assert!(page.text.contains("You may not use this registry"), "{}", page.text);
    assert_eq!(stand.who(&mut browser), None);
    let denied = stand.audited("login");
    assert_eq!(denied, ["anonymous 127.0.0.1 unknown denied provider=basic subject=eve"]);
    // Until somebody says who they are.
    stand.admin(&["identity", "bob", "--link", "basic=eve"]);
    let mut browser = stand.logged_in("basic", "eve");
    assert_eq!(stand.who(&mut browser).as_deref(), Some("bob"));
    stand.admin(&["identity", "bob", "--unlink", "basic"]);
    assert_eq!(stand.who(&mut browser), None);
    let linked = stand.audited("identity.link");
    assert_eq!(linked, ["system - user:bob done provider=basic subject=eve"]);
    assert_eq!(stand.audited("identity.unlink").len(), 1);
}

#[test]
fn who_lacks_what_is_required_is_not_let_in() {
    let stand = Stand::start_with(&[
        ("WHARF_OIDC_REQUIRED_GROUPS", "basic=/registry,basic=/admins"),
        ("WHARF_OIDC_REQUIRED_CLAIMS", "post=email=eve@example.com"),
    ]);
    for (provider, who, status) in [
        ("basic", "eve:/devs", 403),
        ("basic", "eve:/devs,/admins", 200),
        ("post", "mallory", 403),
        ("post", "eve", 200),
        ("public", "mallory", 200),
    ] {
        let page = stand.log_in(&mut Browser::new(), provider, who);
        assert_eq!(page.status, status, "{provider} {who}: {}", page.text);
    }
    let denied = stand.audited("login");
    let denied = denied.iter().filter(|it| it.contains(" denied ")).count();
    assert_eq!(denied, 2);
}

#[test]
fn a_disabled_user_is_not_let_in_and_is_out_at_once() {
    let stand = Stand::start();
    let mut browser = stand.logged_in("basic", "eve");
    stand.admin(&["disable", "eve"]);
    assert_eq!(stand.who(&mut browser), None);
    let page = stand.log_in(&mut Browser::new(), "basic", "eve");
    assert_eq!(page.status, 403, "{}", page.text);
    stand.admin(&["enable", "eve"]);
    assert_eq!(stand.who(&mut browser), None);
    stand.logged_in("basic", "eve");
}

/// The same way to the token that another browser was given, and no way in for who only saw the code.
#[test]
fn an_answer_belongs_to_one_question_of_one_browser() {
    let stand = Stand::start();
    let (mut eve, mut mallory) = (Browser::new(), Browser::new());
    let begun = eve.get(&stand.url("/login/basic"));
    let asked = begun.location();
    assert_eq!(parameter(&asked, "code_challenge_method").as_deref(), Some("S256"));
    let back = stand.at_provider(&mut eve, begun, "eve");
    // Another browser, which began none, and one that began another.
    let refused = mallory.get(&back);
    assert_eq!((refused.status, stand.who(&mut mallory)), (400, None), "{}", refused.text);
    mallory.get(&stand.url("/login/basic"));
    let refused = mallory.get(&back);
    assert_eq!((refused.status, stand.who(&mut mallory)), (400, None), "{}", refused.text);
    // With Eve's state but the code of somebody else's login, which is for another verifier.
    let begun = mallory.get(&stand.url("/login/basic"));
    let other = stand.at_provider(&mut mallory, begun, "mallory");
    let code = |url: &str| parameter(url, "code").unwrap();
    let mixed = back.replace(&code(&back), &code(&other));
    let refused = eve.get(&mixed);
    assert_eq!((refused.status, stand.who(&mut eve)), (400, None), "{}", refused.text);
    // That attempt is over now, as is each that was answered.
    assert_eq!(eve.get(&back).status, 400);
    let begun = eve.get(&stand.url("/login/basic"));
    let attempt = eve.cookies.clone();
    let back = stand.at_provider(&mut eve, begun, "eve");
    assert!(eve.get(&back).is_redirect());
    assert_eq!(eve.get(&back).status, 400);
    // Whoever keeps the cookie of the attempt has it no more: the code was used.
    let mut replay = Browser::new();
    replay.cookies = attempt;
    let refused = replay.get(&back);
    assert_eq!((refused.status, stand.who(&mut replay)), (400, None), "{}", refused.text);
}

#[test]
fn an_answer_of_one_provider_is_none_of_another() {
    let stand = Stand::start();
    let mut browser = Browser::new();
    let begun = browser.get(&stand.url("/login/basic"));
    let back = stand.at_provider(&mut browser, begun, "eve");
    let jar = browser.cookies.clone();
    // To the way back of another provider; from another issuer; from nobody in particular.
    let iss = parameter(&back, "iss").unwrap();
    for (wrong, status) in [
        (back.replace("/login/basic/", "/login/post/"), 400),
        (back.replace(&iss, &encoded("https://evil.example")), 502),
        (back.replace(&format!("&iss={iss}"), ""), 502),
        (format!("{back}&iss={iss}"), 502),
    ] {
        browser.cookies = jar.clone();
        let refused = browser.get(&wrong);
        assert_eq!((refused.status, stand.who(&mut browser)), (status, None), "{wrong}");
    }
    browser.cookies = jar;
    assert!(browser.get(&back).is_redirect());
}

#[test]
fn who_says_no_at_the_provider_is_told_so() {
    let stand = Stand::start();
    let mut browser = Browser::new();
    let begun = browser.get(&stand.url("/login/basic"));
    let state = parameter(&begun.location(), "state").unwrap();
    let iss = encoded(&wharf_engines::oidc());
    let back = format!("/login/basic/callback?error=access_denied&state={state}&iss={iss}");
    let page = browser.get(&stand.url(&back));
    assert_eq!(page.status, 403);
    assert!(page.text.contains("did not log you in"), "{}", page.text);
    // Somebody else's page cannot say so for them.
    browser.get(&stand.url("/login/basic"));
    let forged = "/login/basic/callback?error=access_denied&state=1";
    assert_eq!(browser.get(&stand.url(forged)).status, 400);
}

#[test]
fn a_browser_goes_on_where_it_wanted_to_and_nowhere_else() {
    let stand = Stand::start();
    let mut browser = Browser::new();
    let begun = browser.get(&stand.url("/login/basic?return_to=/device%3Fuser_code%3DBCDF-GHJK"));
    let back = stand.at_provider(&mut browser, begun, "eve");
    let on = browser.get(&back).location();
    assert_eq!(on, stand.url("/device?user_code=BCDF-GHJK"));
    for elsewhere in [
        "//evil.example/",
        "https://evil.example/",
        "/%5Cevil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
    ] {
        let mut browser = Browser::new();
        let begun = browser.get(&stand.url(&format!("/login/basic?return_to={elsewhere}")));
        let back = stand.at_provider(&mut browser, begun, "eve");
        assert_eq!(browser.get(&back).location(), stand.url("/login"), "{elsewhere}");
        let form = Browser::new().open(&stand.url(&format!("/login?return_to={elsewhere}")));
        assert_eq!(form.field("return_to"), "/login", "{elsewhere}");
    }
}

#[test]
fn a_provider_that_nobody_named_is_none() {
    let stand = Stand::start();
    for path in
        ["/login/other", "/login/other/callback", "/login/", "/login/basic/x", "/login/BASIC"]
    {
        assert_eq!(Browser::new().get(&stand.url(path)).status, 404, "{path}");
    }
    let asked = Browser::new().get(&stand.url("/login/basic"));
    assert_eq!(origin_of(&asked.location()), wharf_engines::oidc());
}

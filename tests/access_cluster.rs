//! Access on three nodes: tokens of each are good at all, keys change under load, what is revoked ends everywhere, and
//! what is private looks absent from every side.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "access/absent.rs"]
mod absent;
#[path = "identity/browser.rs"]
mod browser;
#[path = "access/cluster.rs"]
mod cluster;
#[path = "access/forging.rs"]
mod forging;
#[path = "access/house.rs"]
mod house;
#[path = "identity/provider.rs"]
mod provider;
#[path = "audit_export/receiver.rs"]
mod receiver;
#[path = "access/rotation.rs"]
mod rotation;
#[path = "access/shared_limits.rs"]
mod shared_limits;

use std::fs;
use std::process::Command;
use std::time::Duration;

use browser::Browser;
use cluster::{Cluster, NODES, ask_for_token};
use forging::{LIFE, SKEW, signed_ago};
use house::{PASSWORD, bearer, granted};
use support::program::{run, wait_until};
use support::registry::Registry;
use support::server::Process;
use ureq::http::Method;

const PRIVATE: &str = "/v2/team/private/manifests/v1";
const PULL: &str = "repository:team/private:pull";

fn status(node: &Registry, target: &str, token: &str) -> u16 {
    let headers = [("Authorization", token)];
    node.send(Method::GET, target, &headers, None).unwrap().status
}

fn login_offline(node: &Registry, user: &str) -> String {
    let form = format!(
        "grant_type=password&username={user}&password={}&access_type=offline&client_id=test",
        PASSWORD.replace(' ', "+")
    );
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let said = node.send(Method::POST, "/token", &headers, Some(form.as_bytes())).unwrap();
    assert_eq!(said.status, 200, "{}", said.text());
    said.json()["refresh_token"].as_str().unwrap().to_owned()
}

fn refresh(node: &Registry, refresh: &str) -> (u16, String) {
    let form = format!("grant_type=refresh_token&refresh_token={refresh}&scope={PULL}");
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let said = node.send(Method::POST, "/token", &headers, Some(form.as_bytes())).unwrap();
    let token = said.json()["access_token"].as_str().unwrap_or_default().to_owned();
    (said.status, token)
}

#[test]
fn a_token_of_one_node_is_good_at_every_other() {
    let cluster = Cluster::start(&[]);
    cluster.push("ada", "team/private", "private");
    for issuer in 0..NODES {
        let token = bearer(&cluster.token(&cluster.node(issuer), "reader", PULL));
        let offline = login_offline(&cluster.node(issuer), "reader");
        for node in 0..NODES {
            assert_eq!(status(&cluster.node(node), PRIVATE, &token), 200, "{issuer} to {node}");
            let (answer, renewed) = refresh(&cluster.node(node), &offline);
            assert_eq!(answer, 200, "{issuer} to {node}");
            assert_eq!(status(&cluster.node(issuer), PRIVATE, &bearer(&renewed)), 200);
        }
    }
}

/// A node that serves needs public keys, and of the database what it serves: accounts and grants could as well not be there.
#[test]
fn a_node_that_serves_asks_for_no_account() {
    let cluster = Cluster::start(&[]);
    cluster.push("ada", "team/private", "private");
    let keys = cluster.folder().join("public");
    fs::create_dir(&keys).unwrap();
    let private = fs::read_to_string(cluster.keys().join("first.pem")).unwrap();
    let public = rcgen::KeyPair::from_pem(&private).unwrap().public_key_pem();
    fs::write(keys.join("first.pem"), public).unwrap();
    let mut settings = cluster.settings();
    let issuer = format!("http://{}", cluster.nodes.address());
    settings.push(("WHARF_ACCESS_KEYS", keys.to_str().unwrap()));
    settings.push(("WHARF_ACCESS_TOKEN_URL", &issuer));
    settings.push(("WHARF_NODE_ROLES", "registry"));
    let server = Process::launch(&cluster.folder().join("serving"), &settings).ready();
    let serving = server.registry();
    let token = bearer(&cluster.token(&cluster.node(0), "reader", PULL));
    let database = settings.iter().find(|(name, _)| *name == "WHARF_DATABASE_DIRECT_URL");
    let psql = |sql: &str| {
        run(Command::new("psql").args(["--quiet", "--no-psqlrc", "-c", sql, database.unwrap().1]))
    };

    psql("ALTER TABLE users RENAME TO users_away; ALTER TABLE grants RENAME TO grants_away");

    assert_eq!(status(&serving, PRIVATE, &token), 200);
    assert_eq!(status(&serving, "/v2/team/private/tags/list", &token), 200);
    assert_eq!(status(&serving, "/v2/team/private/manifests/absent", &token), 404);
    let nowhere = "/v2/team/internal/manifests/v1";
    assert_eq!(status(&serving, nowhere, &token), 401);
    let refused = ask_for_token(&cluster.node(0), "reader", PASSWORD, PULL);
    assert!(refused.status >= 500, "the accounts are away: {}", refused.text());
    assert!(!refused.text().contains("users"), "{}", refused.text());
}

#[test]
fn what_is_revoked_ends_on_every_node_with_the_token() {
    let cluster = Cluster::start(&[]);
    cluster.push("ada", "team/private", "private");
    cluster.push("ada", "team/public", "public");
    let nodes: Vec<Registry> = (0..NODES).map(|index| cluster.node(index)).collect();
    let public = "repository:team/public:pull";
    let said = |node: &Registry, who: &str, scope: &str| granted(&cluster.token(node, who, scope));
    let nothing = serde_json::json!([]);
    let offline: Vec<String> = nodes.iter().map(|node| login_offline(node, "keeper")).collect();
    for node in &nodes {
        assert_ne!(said(node, "reader", PULL), nothing);
        assert_ne!(granted(&cluster.token(node, "bob", public)), nothing);
    }
    // The last tokens that were issued before, three seconds from their end.
    let left = LIFE + SKEW - Duration::from_secs(3);
    let last = |who: &str, scope: &str| bearer(&signed_ago(&cluster.keys(), left, who, scope));
    let tokens = [
        (last("user:reader", PULL), PRIVATE),
        (last("user:keeper", PULL), PRIVATE),
        (last("user:bob", public), "/v2/team/public/manifests/v1"),
    ];

    cluster.admin(&["revoke", "team", "--to", "user:reader"]);
    cluster.admin(&["disable", "keeper"]);
    cluster.admin(&["visibility", "team/public", "private"]);

    for (node, offline) in nodes.iter().zip(&offline) {
        assert_eq!(said(node, "reader", PULL), nothing);
        assert_eq!(said(node, "bob", public), nothing);
        assert_eq!(ask_for_token(node, "keeper", PASSWORD, PULL).status, 401);
        // At once at every node, whichever gave it.
        for node in &nodes {
            assert_eq!(refresh(node, offline).0, 401);
        }
    }
    for (token, target) in &tokens {
        for node in &nodes {
            wait_until("what was issued before has ended", LIFE, || {
                status(node, target, token) == 401
            });
        }
    }
}

/// Each request of a browser and of a device goes to the next node.
#[test]
fn a_login_that_one_node_began_goes_on_at_any_other() {
    let providers = provider::providers();
    let settings: Vec<_> = providers.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let cluster = Cluster::start(&settings);
    cluster.push("ada", "team/private", "private");
    cluster.admin(&["team", "team", "devs"]);
    cluster.admin(&["groups", "team", "devs", "--add", "basic=/devs"]);
    cluster.admin(&["grant", "team", "read", "--to", "team:devs"]);
    let registry = format!("http://{}", cluster.nodes.address());
    let (eve, token) = provider::device_token(&registry, "basic", "eve:/devs");
    let mut browser = Browser::new();
    provider::log_in(&mut browser, &registry, "basic", "eve:/devs");
    for index in 0..NODES {
        let said = ask_for_token(&cluster.node(index), &eve, &token, PULL);
        assert_eq!(said.json()["scope"], PULL, "{index}: {}", said.text());
        let page = browser.open(&format!("{registry}/login"));
        assert!(page.text.contains("logged in as <strong>eve</strong>"), "{}", page.text);
    }
    // Out everywhere at once.
    cluster.admin(&["disable", "eve"]);
    for _ in 0..NODES {
        let page = browser.open(&format!("{registry}/login"));
        assert!(!page.text.contains("logged in as"), "{}", page.text);
    }
    for index in 0..NODES {
        assert_eq!(ask_for_token(&cluster.node(index), &eve, &token, PULL).status, 401);
    }
}

/// Any of them, and another one when that is gone; each record comes, and in a run without failures once.
#[test]
fn one_of_several_nodes_sends_the_audit_log() {
    let receiver = receiver::Receiver::start();
    let url = receiver.url();
    let cluster = Cluster::start(&[("WHARF_AUDIT_SYSLOG", url.as_str())]);
    for number in 0..10 {
        cluster.admin(&["team", "team", &format!("team-{number}")]);
    }
    receiver.received.wait_for(&cluster.admin(&["audit", "--all", "--json"]));
    let ids = receiver.received.ids();
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "none came twice: {ids:?}");
}

/// Whatever one node was told the others know at once; a change under a key is made once, whoever is asked again.
#[test]
fn a_change_at_one_node_is_known_at_every_other() {
    let cluster = Cluster::start(&[]);
    let ask = |node: usize, user: &str, method: Method, path: &str, body: Option<&str>| {
        let login = house::basic(user, PASSWORD);
        let headers = [
            ("Authorization", login.as_str()),
            ("Content-Type", "application/json"),
            ("Idempotency-Key", path),
        ];
        let path = format!("/api/v1{path}");
        let body = body.map(str::as_bytes);
        cluster.node(node).send(method, &path, &headers, body).unwrap()
    };
    for node in 0..NODES {
        let team = format!(r#"{{"name":"devs{node}"}}"#);
        let path = "/namespaces/team/teams";
        let made = ask(node, "ada", Method::POST, path, Some(&team));
        // Under one key: the second and the third are of another body.
        assert_eq!(made.status, if node == 0 { 201 } else { 422 }, "{}", made.text());
        let again = ask((node + 1) % NODES, "ada", Method::POST, path, Some(r#"{"name":"devs0"}"#));
        assert_eq!(again.status, 200, "{}", again.text());
    }
    let grants = "/namespaces/team/grants";
    let read = |node: usize| ask(node, "bob", Method::GET, "/namespaces/team", None).status;
    for round in 0..NODES {
        let grant = Some(r#"{"subject":"user:bob","role":"read"}"#);
        assert_eq!(ask(round, "ada", Method::PUT, grants, grant).status, 200);
        assert_eq!((0..NODES).map(read).collect::<Vec<_>>(), [200; NODES]);
        let revoke = format!("{grants}?subject=user:bob");
        assert_eq!(ask(round, "ada", Method::DELETE, &revoke, None).status, 204);
        assert_eq!((0..NODES).map(read).collect::<Vec<_>>(), [404; NODES]);
    }
}

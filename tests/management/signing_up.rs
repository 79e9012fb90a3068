//! The first administrator, and who makes an account for themselves.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::http::Method;

use crate::house::{PASSWORD, basic};
use crate::people::{Api, problem};
use crate::support::program::wait_until;
use crate::support::registry::{Registry, Reply};
use crate::support::server::{Process, Server};

fn sign_up(registry: &Registry, name: &str, invitation: Option<&str>) -> Reply {
    let body = json!({ "name": name, "password": PASSWORD, "invitation": invitation }).to_string();
    let headers = [("Content-Type", "application/json")];
    registry.send(Method::POST, "/api/v1/sign-up", &headers, Some(body.as_bytes())).unwrap()
}

/// The code that a server prints behind where it listens.
fn code_of(server: &Server) -> String {
    let mut code = None;
    wait_until("the set-up code is printed", Duration::from_secs(60), || {
        let log = server.log();
        let line = log.lines().find_map(|line| line.strip_prefix("set-up code: "));
        code = line.and_then(|line| line.split_once(' ')).map(|(code, _)| code.to_owned());
        code.is_some()
    });
    code.unwrap()
}

fn ask(registry: &Registry, login: &str, path: &str) -> Reply {
    let path = format!("/api/v1{path}");
    registry.send(Method::GET, &path, &[("Authorization", login)], None).unwrap()
}

/// By the code that is printed when nobody is anybody yet, once, whatever the rule.
#[test]
fn the_first_administrator_signs_up_by_the_code() {
    for rule in ["open", "invited", "closed"] {
        let folder = TempDir::new().unwrap();
        let settings = [("WHARF_ACCESS_CONTROL", "true"), ("WHARF_ACCESS_SIGN_UP", rule)];
        let server = Process::launch(folder.path(), &settings).ready();
        let code = code_of(&server);
        let registry = server.registry();
        let wrong =
            format!("{}{}", &code[..code.len() - 1], if code.ends_with('a') { 'b' } else { 'a' });
        assert_eq!(problem(&sign_up(&registry, "eve", Some(&wrong))).0, 422, "{rule}");
        let made = sign_up(&registry, "root", Some(&code));
        assert_eq!(made.status, 201, "{rule}: {}", made.text());
        assert_eq!(made.json()["site_admin"], true);
        assert_eq!(ask(&registry, &basic("root", PASSWORD), "/whoami").json()["site_admin"], true);
        let late = sign_up(&registry, "eve", Some(&code));
        assert_eq!(problem(&late).0, 403, "{rule}: {}", late.text());
        drop(server);
        // With somebody there no code is made.
        let server = Process::launch(folder.path(), &settings).ready();
        assert!(!server.log().contains("set-up code"), "{}", server.log());
    }
}

/// Whoever was in the database before the code is used is enough to end it.
#[test]
fn a_code_is_worth_nothing_once_there_is_a_user() {
    let folder = TempDir::new().unwrap();
    let settings = [("WHARF_ACCESS_CONTROL", "true")];
    let server = Process::launch(folder.path(), &settings).ready();
    let code = code_of(&server);
    crate::house::admin(folder.path(), &[], &["user", "ada", "--password-stdin"]);
    assert_eq!(problem(&sign_up(&server.registry(), "eve", Some(&code))).0, 403);
}

#[test]
fn an_invitation_lets_one_person_sign_up() {
    let api = Api::start();
    let registry = &api.house.registry;
    assert_eq!(problem(&sign_up(registry, "cy", None)).0, 403);
    let invitation: Value = api.root(Method::POST, "/invitations", Some(&json!({ "days": 1 })));
    let secret = invitation["secret"].as_str().unwrap();
    assert_eq!(problem(&sign_up(registry, "ada", Some(secret))).1, "taken");
    let made = sign_up(registry, "cy", Some(secret));
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.json()["site_admin"], false);
    assert_eq!(problem(&sign_up(registry, "di", Some(secret))).0, 403);
    let cy = basic("cy", PASSWORD);
    assert_eq!(api.get(&cy, "/whoami").json()["principal"], "user:cy");
    api.house.push("cy", "cy/own");
    // A password that everybody tries is nobody's here either.
    let body = json!({ "name": "di", "password": "password12345", "invitation": secret });
    let weak = api.ask("", Method::POST, "/sign-up", Some(&body));
    assert!([403, 422].contains(&problem(&weak).0), "{}", weak.text());
}

#[test]
fn open_sign_up_takes_everyone_only_so_often() {
    let api = Api::start_with(&[("WHARF_ACCESS_SIGN_UP", "open")]);
    let registry = &api.house.registry;
    let mut made = 0;
    for number in 0..25 {
        let reply = sign_up(registry, &format!("user{number}"), None);
        match reply.status {
            201 => made += 1,
            429 => assert!(reply.header("Retry-After").is_some()),
            other => panic!("{other}: {}", reply.text()),
        }
    }
    assert_eq!(made, 20);
}

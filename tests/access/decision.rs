//! The decision as an end-point of its own: the same answers as everywhere, a little old at most, and to nobody else.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::http::Method;

use crate::house::{House, PASSWORD};
use crate::support::program::{attempt, wait_until};
use crate::support::registry::{Registry, Reply};
use crate::support::server::program;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A registry, and another of its addresses that is asked for decisions.
struct Stand {
    house: House,
    decisions: Registry,
    _folder: TempDir,
}

impl Stand {
    fn start(cache: &str) -> Stand {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, format!("{SECRET}\n")).unwrap();
        let house = House::start_with(&[
            ("WHARF_ACCESS_DECISION_LISTEN", "127.0.0.1:0"),
            ("WHARF_ACCESS_DECISION_SECRET_FILE", file.to_str().unwrap()),
            ("WHARF_ACCESS_DECISION_CACHE", cache),
        ]);
        let log = house.server.log();
        let (_, at) = log.split_once("decisions at http://").expect(&log);
        let decisions = Registry::at(at.split_once("/internal/decision").unwrap().0);
        Stand { house, decisions, _folder: folder }
    }

    fn post(&self, authorization: Option<&str>, body: &str) -> Reply {
        let headers: Vec<_> = authorization.iter().map(|value| ("Authorization", *value)).collect();
        let target = "/internal/decision";
        self.decisions.send(Method::POST, target, &headers, Some(body.as_bytes())).unwrap()
    }

    fn ask(&self, question: &Value) -> Reply {
        self.post(Some(&format!("Bearer {SECRET}")), &question.to_string())
    }

    fn decide(&self, principal: &str, repository: &str) -> Value {
        let reply = self.ask(&json!({ "principal": principal, "repository": repository }));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }
}

#[test]
fn it_says_what_an_operator_is_told() {
    let stand = Stand::start("0s");
    stand.house.admin(&["team", "team", "devs"]);
    stand.house.admin(&["team", "team", "devs", "--add", "bob"]);
    stand.house.admin(&["grant", "team", "write", "--to", "team:devs", "--on", "team/pri*"]);
    stand.house.admin(&["robot", "team+ci"]);
    stand.house.admin(&["grant", "team", "read", "--to", "robot:ci", "--on", "team/internal"]);
    stand.house.admin(&["disable", "keeper"]);
    let mut allowed = 0;
    for principal in [
        "anonymous",
        "user:ada",
        "user:bob",
        "user:reader",
        "user:writer",
        "user:keeper",
        "user:root",
        "user:nobody",
        "robot:team+ci",
        "robot:team+none",
        "system",
    ] {
        for repository in
            ["team/public", "team/internal", "team/private", "team/new", "bob/own", "none/none"]
        {
            let told = stand.house.admin(&["explain", principal, repository]);
            let said = stand.decide(principal, repository);
            let because = said["because"].as_array().unwrap();
            let lines = because.iter().map(|it| {
                format!("{}: {}", it["action"].as_str().unwrap(), it["reason"].as_str().unwrap())
            });
            assert_eq!(lines.collect::<Vec<_>>().join("\n"), told, "{principal} {repository}");
            let names = because.iter().filter(|it| it["allowed"] == true);
            let names: Vec<_> = names.map(|it| it["action"].clone()).collect();
            assert_eq!(said["allowed"], json!(names));
            let by_word = told.lines().filter(|line| line.contains(": allowed: ")).count();
            assert_eq!(names.len(), by_word, "{told}");
            allowed += names.len();
        }
    }
    assert!((40..100).contains(&allowed), "{allowed}");
    let question = json!({
        "principal": "user:bob", "repository": "team/private", "actions": ["delete", "push"],
    });
    let said = stand.ask(&question).json();
    assert_eq!(said["allowed"], json!(["push"]));
    assert_eq!(said["because"].as_array().unwrap().len(), 2);
    assert!(said["because"][0]["reason"].as_str().unwrap().contains("the team devs"), "{said}");
}

#[test]
fn what_it_says_is_old_for_a_while_and_then_no_more() {
    let stand = Stand::start("3s");
    let may_push =
        || stand.decide("user:writer", "team/private")["allowed"] == json!(["pull", "push"]);
    let begin = Instant::now();
    assert!(may_push());
    stand.house.admin(&["revoke", "team", "--to", "user:writer"]);
    let (old, asked) = (may_push(), begin.elapsed());
    assert!(old || asked > Duration::from_secs(3), "it was not kept");
    // What was not asked is not old.
    let said = stand.decide("user:writer", "team/internal")["allowed"].clone();
    assert_eq!(said, json!(["pull"]), "it is internal");
    wait_until("the right has ended", Duration::from_secs(20), || !may_push());
    assert!(begin.elapsed() >= Duration::from_secs(3) || !old, "{:?}", begin.elapsed());
    let stand = Stand::start("0s");
    assert_eq!(stand.decide("user:writer", "team/private")["allowed"], json!(["pull", "push"]));
    stand.house.admin(&["revoke", "team", "--to", "user:writer"]);
    assert_eq!(stand.decide("user:writer", "team/private")["allowed"], json!([]));
}

#[test]
fn nobody_is_told_who_does_not_know_the_secret() {
    let stand = Stand::start("5s");
    let question = json!({ "principal": "user:ada", "repository": "team/private" }).to_string();
    let token = stand.house.token("root", "repository:team/private:pull");
    for authorization in [
        None,
        Some(""),
        Some("Bearer"),
        Some("Bearer "),
        Some("Bearer 0123456789abcdef0123456789abcde"),
        Some("Bearer 0123456789abcdef0123456789abcdef0"),
        Some("Basic 0123456789abcdef0123456789abcdef"),
        Some(&format!("Bearer {token}")),
    ] {
        let reply = stand.post(authorization, &question);
        assert_eq!(reply.status, 401, "{authorization:?}");
        assert_eq!(reply.header("WWW-Authenticate"), Some("Bearer"));
        assert!(!reply.text().contains(SECRET), "{}", reply.text());
    }
    let bearer = format!("Bearer {SECRET}");
    assert_eq!(stand.post(Some(&bearer), &question).status, 200);
    // Nor is it among what clients of the registry reach, or the other way round.
    let headers = [("Authorization", bearer.as_str())];
    let body = Some(question.as_bytes());
    let there = stand.house.registry.send(Method::POST, "/internal/decision", &headers, body);
    assert_eq!(there.unwrap().status, 404);
    assert_eq!(stand.decisions.get("/v2/").unwrap().status, 404);
    let get = stand.decisions.send(Method::GET, "/internal/decision", &headers, None).unwrap();
    assert_eq!((get.status, get.header("Allow")), (405, Some("POST")));
}

#[test]
fn what_is_no_question_is_told_what_is_wrong_with_it() {
    let stand = Stand::start("5s");
    let bearer = format!("Bearer {SECRET}");
    let with = |name: &str, value: Value| {
        let mut question = json!({ "principal": "user:ada", "repository": "team/private" });
        question[name] = value;
        question.to_string()
    };
    for (body, told) in [
        (String::new(), "no question"),
        ("[]".to_owned(), "no question"),
        ("{}".to_owned(), "principal"),
        (with("principal", json!("ada")), "principal"),
        (with("principal", json!("user:../x")), "principal"),
        (with("principal", json!(7)), "no question"),
        (with("repository", json!("../x")), "repository"),
        (with("repository", json!("TEAM")), "repository"),
        (with("actions", json!(["pull", "own"])), "\"own\""),
        (with("actions", json!("pull")), "no question"),
        (with("action", json!(["pull"])), "action"),
        (with("repository", json!("x".repeat(20_000))), "16384"),
    ] {
        let reply = stand.post(Some(&bearer), &body);
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
        assert_eq!(reply.header("Content-Type"), Some("application/problem+json"));
        let problem = reply.json();
        assert!(problem["detail"].as_str().unwrap().contains(told), "{body}: {problem}");
    }
    let none = with("actions", json!([]));
    let reply = stand.post(Some(&bearer), &none);
    assert_eq!(reply.json(), json!({ "allowed": [], "because": [] }));
}

#[test]
fn it_does_not_start_without_a_secret_that_is_one() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("secret");
    let start = |command: &str, file: Option<&str>| {
        let mut started = Command::new("timeout");
        started.args(["30", &program(), command]);
        if command == "config" {
            started.arg("check");
        } else {
            started.args(["--listen", "127.0.0.1:0", "--data"]).arg(folder.path().join("data"));
        }
        started.env("WHARF_ACCESS_CONTROL", "true");
        started.env("WHARF_ACCESS_DECISION_LISTEN", "127.0.0.1:0");
        started.env("WHARF_ACCESS_DECISION_SECRET_FILE", file.unwrap_or_default());
        attempt(&mut started).unwrap_err()
    };
    assert!(start("config", None).contains("decision_secret_file is not"));
    let path = file.to_str().unwrap();
    assert!(start("serve", Some(path)).contains("cannot be read"));
    for text in
        ["", "short", "0123456789abcdef 0123456789abcdef", "0123456789abcdef\n0123456789abcdef"]
    {
        fs::write(&file, text).unwrap();
        assert!(start("serve", Some(path)).contains("at least 32 characters"), "{text:?}");
    }
}

/// Tokens that rest on older facts live so much shorter, so that a right ends as soon as ever.
#[test]
fn the_age_of_what_is_known_is_taken_from_the_life_of_a_token() {
    let house = House::start_with(&[
        ("WHARF_ACCESS_TOKEN_CACHE", "10s"),
        ("WHARF_ACCESS_TOKEN_LIFE", "60s"),
    ]);
    let scope = "repository:team/private:pull,push";
    let life = |reply: &Reply| reply.json()["expires_in"].as_u64().unwrap();
    let first = house.ask_for_token("writer", PASSWORD, scope);
    // The facts were asked for before now.
    let begin = Instant::now();
    assert_eq!((life(&first), first.json()["scope"].as_str()), (60, Some(scope)));
    house.admin(&["revoke", "team", "--to", "user:writer"]);
    wait_until("the right has ended", Duration::from_secs(30), || {
        let before = begin.elapsed();
        let next = house.ask_for_token("writer", PASSWORD, scope);
        let has_right = next.json()["scope"] == scope;
        if has_right {
            let left = Duration::from_secs(life(&next));
            assert!(left + before < Duration::from_secs(60), "{left:?} after {before:?}");
        }
        !has_right
    });
    // Others' are asked for when they come.
    assert_eq!(life(&house.ask_for_token("reader", PASSWORD, scope)), 60);
}

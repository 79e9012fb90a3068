//! Every end-point of the API x everyone: what they are answered, in a table that a person can read.
//!
//! An end-point that is added without a row here makes the test fail.

use std::cell::Cell;
use std::collections::BTreeSet;

use serde_json::{Value, json};
use ureq::http::Method;
use wharf_http::api::management::listed;

use crate::house::{basic, manifest};
use crate::people::Api;
use crate::support::registry::digest;

/// The columns: nobody; `bob`, who has no part in the organization `team`; its reader, its writer, who keeps it, its
/// administrator `ada`; the administrator of all; a robot of it with a grant on `team/private`; a token of ada's that is
/// good to read, and one of root's that is good to write `team/private`.
const WHO: [&str; 10] = [
    "anonymous",
    "bob",
    "reader",
    "writer",
    "keeper",
    "ada",
    "root",
    "team+ci",
    "ada to read",
    "root for team/private",
];

/// `+` it is done, `-` they may not (403), `0` it is not there for them (404), `?` they must say who they are (401).
///
/// Words in braces are made anew for each request.
#[rustfmt::skip]
const TABLE: &str = "
                                                              nobody bob reader writer keeper ada root robot ada-r root-p
    GET    /                                                       + + + + + + + + + +
    GET    /openapi.json                                           + + + + + + + + + +
    GET    /whoami                                                 ? + + + + + + + + +

    GET    /users                                                  ? - - - - - + - - -
    POST   /users                                                  ? - - - - - + - - -
    GET    /users/reader                                           ? 0 + 0 0 0 + 0 0 0
    PATCH  /users/reader                                           ? 0 + 0 0 0 + 0 0 0
    PATCH  /users/{user}!disabled                                  ? - - - - - + - - -
    DELETE /users/{user}                                           ? - - - - - + - - -
    PUT    /users/{user}/password                                  ? 0 0 0 0 0 + 0 0 0
    GET    /users/reader/tokens                                    ? 0 + 0 0 0 + 0 0 0
    POST   /users/reader/tokens                                    ? 0 + 0 0 0 + 0 0 0
    DELETE /users/reader/tokens/{token}                            ? 0 + 0 0 0 + 0 0 0
    GET    /users/reader/identities                                ? 0 + 0 0 0 + 0 0 0
    PUT    /users/{user}/identities/sso                            ? - - - - - + - - -
    DELETE /users/{linked}/identities/sso                          ? - - - - - + - - -
    POST   /sign-up                                                + + + + + + + + + +
    GET    /invitations                                            ? - - - - - + - - -
    POST   /invitations                                            ? - - - - - + - - -
    DELETE /invitations/{invitation}                               ? - - - - - + - - -

    GET    /organizations                                          ? + + + + + + - + -
    POST   /organizations!own                                      ? + + + + + + - - -
    GET    /organizations/team                                     ? 0 + + + + + + + 0
    DELETE /organizations/{organization}                           ? 0 0 0 0 0 + 0 0 0
    GET    /namespaces/team                                        ? 0 + + + + + + + 0
    PATCH  /namespaces/team                                        ? 0 - - - + + - - 0
    GET    /namespaces/team/teams                                  ? 0 + + + + + - + 0
    POST   /namespaces/team/teams                                  ? 0 - - - + + - - 0
    DELETE /namespaces/team/teams/{team}                           ? 0 - - - + + - - 0
    GET    /namespaces/team/teams/{team}/members                   ? 0 + + + + + - + 0
    PUT    /namespaces/team/teams/{team}/members/bob               ? 0 - - - + + - - 0
    DELETE /namespaces/team/teams/{full-team}/members/bob          ? 0 - - - + + - - 0
    GET    /namespaces/team/teams/{team}/groups                    ? 0 + + + + + - + 0
    PUT    /namespaces/team/teams/{team}/groups                    ? 0 - - - - + - - 0
    GET    /namespaces/team/teams/{team}/groups/members            ? 0 - - - + + - - 0
    GET    /namespaces/team/grants                                 ? 0 - - - + + - - 0
    PUT    /namespaces/team/grants                                 ? 0 - - - + + - - 0
    DELETE /namespaces/team/grants?{grant}                         ? 0 - - - + + - - 0
    GET    /namespaces/team/robots                                 ? 0 - - - + + - - 0
    POST   /namespaces/team/robots                                 ? 0 - - - + + - - 0
    GET    /namespaces/team/robots/{robot}                         ? 0 - - - + + - - 0
    PATCH  /namespaces/team/robots/{robot}                         ? 0 - - - + + - - 0
    DELETE /namespaces/team/robots/{robot}                         ? 0 - - - + + - - 0
    POST   /namespaces/team/robots/{robot}/secret                  ? 0 - - - + + - - 0
    GET    /namespaces/team/robots/{robot}/trust                   ? 0 - - - + + - - 0
    POST   /namespaces/team/robots/{robot}/trust                   ? 0 - - - + + - - 0
    DELETE /namespaces/team/robots/{trusting}                      ? 0 - - - + + - - 0
    GET    /namespaces/team/immutability                           ? 0 + + + + + + + 0
    POST   /namespaces/team/immutability                           ? 0 - - - + + - - 0
    GET    /namespaces/team/immutability/{policy}                  ? 0 + + + + + + + 0
    PUT    /namespaces/team/immutability/{policy}                  ? 0 - - - + + - - 0
    DELETE /namespaces/team/immutability/{policy}                  ? 0 - - - + + - - 0

    GET    /namespaces/team/usage                                  ? 0 + + + + + + + 0
    GET    /namespaces/team/usage/repositories                     ? 0 - - - + + - - 0
    GET    /namespaces/team/quota                                  ? 0 + + + + + + + 0
    PUT    /namespaces/team/quota                                  ? - - - - - + - - -
    DELETE /namespaces/team/quota                                  ? - - - - - + - - -

    GET    /repositories                                           + + + + + + + + + +
    GET    /repositories/team%2Fpublic                             + + + + + + + + + 0
    GET    /repositories/team%2Finternal                           ? + + + + + + 0 + 0
    GET    /repositories/team%2Fprivate                            ? 0 + + + + + + + +
    PATCH  /repositories/team%2Fprivate                            ? 0 - - - + + - - -
    PATCH  /repositories/team%2Fpublic                             ? - - - - + + - - 0
    DELETE /repositories/{repository}                              ? 0 - - - + + 0 - 0
    GET    /namespaces/team/deleted-repositories                   ? 0 - - - + + - - 0
    POST   /deleted-repositories/{deleted-repository}/restore      ? 0 - - - + + 0 - 0
    POST   /repositories/{repository}/rename                       ? 0 - - - + + 0 - 0
    GET    /repositories/{with-policy}/retention                   ? 0 - - - + + - - -
    PUT    /repositories/team%2Fprivate/retention                  ? 0 - - - + + - - -
    DELETE /repositories/{with-policy}/retention                   ? 0 - - - + + - - -
    GET    /repositories/{with-policy}/retention/plan              ? 0 - - - + + - - -
    POST   /repositories/{with-policy}/retention/preview           ? 0 - - - + + - - -
    POST   /repositories/{previewed}/retention/enable              ? 0 - - - + + 0 - 0
    POST   /repositories/team%2Fprivate/running                    ? 0 - + + + + + - +
    GET    /repositories/team%2Fprivate/tags                       ? 0 + + + + + + + +
    GET    /repositories/team%2Fprivate/tags/v1                    ? 0 + + + + + + + +
    GET    /repositories/team%2Fpublic/tags                        + + + + + + + + + 0
    DELETE /repositories/team%2Fprivate/tags/{tag}                 ? 0 - - + + + - - -
    GET    /repositories/team%2Fprivate/tags/v1/immutability       ? 0 + + + + + + + +
    GET    /repositories/team%2Fprivate/tag-immutability           ? 0 + + + + + + + +
    GET    /repositories/team%2Fprivate/immutability               ? 0 + + + + + + + +
    POST   /repositories/team%2Fprivate/immutability               ? 0 - - - + + - - -
    GET    /repositories/team%2Fprivate/immutability/{own-policy}  ? 0 + + + + + + + +
    PUT    /repositories/team%2Fprivate/immutability/{own-policy}  ? 0 - - - + + - - -
    DELETE /repositories/team%2Fprivate/immutability/{own-policy}  ? 0 - - - + + - - -
    GET    /repositories/team%2Fprivate/tags/v1/history            ? 0 + + + + + + + +
    POST   /repositories/team%2Fprivate/tags/{tag}/rollback        ? 0 - + + + + + - +
    GET    /repositories/team%2Fprivate/history                    ? 0 + + + + + + + +
    GET    /repositories/team%2Fprivate/deleted                    ? 0 - + + + + + - +
    POST   /repositories/{with-deleted}/restore                    ? 0 - + + + + 0 - 0
    GET    /repositories/team%2Fprivate/pins                       ? 0 + + + + + + + +
    PUT    /repositories/team%2Fprivate/pins/{new-pin}             ? 0 - + + + + + - +
    DELETE /repositories/team%2Fprivate/pins/{pin}                 ? 0 - - + + + - - -
    GET    /repositories/team%2Fprivate/manifests                  ? 0 + + + + + + + +
    GET    /repositories/team%2Fprivate/manifests/{image}          ? 0 + + + + + + + +
    DELETE /repositories/{repository}/manifests/{its-image}        ? 0 - - + + + 0 - 0
    GET    /repositories/team%2Fprivate/counts                     ? 0 + + + + + + + +
    GET    /repositories/team%2Fprivate/counts/trend               ? 0 + + + + + + + +
    GET    /repositories/team%2Fprivate/counts/manifests           ? 0 + + + + + + + +
    GET    /repositories/team%2Fprivate/usage                      ? 0 - + + + + + - +
    GET    /repositories/team%2Fprivate/quota                      ? 0 - + + + + + - +
    PUT    /repositories/team%2Fprivate/quota                      ? 0 - - - + + - - 0
    DELETE /repositories/team%2Fprivate/quota                      ? 0 - - - + + - - 0
    GET    /usage                                                  ? - - - - - + - - -
    GET    /counts/repositories                                    + + + + + + + + + +
    GET    /counts/repositories?namespace=team                     ? 0 - - - + + - - 0

    GET    /repositories/team%2Fprivate/writes                     ? 0 + + + + + + + +
    PUT    /repositories/team%2Fprivate/writes                     ? 0 - - - + + - - -
    GET    /writes                                                 ? - - - - - + - - -
    PUT    /writes                                                 ? - - - - - + - - -

    GET    /access/explain?repository=team%2Fprivate               ? + + + + + + + + +
    GET    /access/explain?repository=team%2Fprivate&principal=user:bob  ? + - - - + + - - -
    GET    /findings                                               ? - - - - - + - - -
    GET    /audit                                                  ? - - - - - + - - -
    GET    /audit?namespace=team                                   ? 0 - - - + + - - 0
";

/// A row.
struct Row {
    method: Method,
    path: &'static str,
    cells: Vec<char>,
}

fn rows() -> Vec<Row> {
    let lines = TABLE.lines().skip(2).filter(|line| !line.trim().is_empty());
    let row = |line: &'static str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let cells: Vec<char> = words[2..].iter().flat_map(|cell| cell.chars()).collect();
        assert_eq!(cells.len(), WHO.len(), "{line}");
        Row { method: words[0].parse().unwrap(), path: words[1], cells }
    };
    lines.map(row).collect()
}

/// A policy of retention.
fn policy() -> Value {
    json!({ "rules": [{ "name": "old", "tags": ["old-*"], "keep": { "newest": 1 } }] })
}

/// What is made for requests, so that each finds what it is about.
struct Making<'a> {
    api: &'a Api,
    count: Cell<u32>,
}

impl Making<'_> {
    fn name(&self, kind: &str) -> String {
        self.count.set(self.count.get() + 1);
        format!("{kind}{}", self.count.get())
    }

    /// What a word in braces stands for.
    fn make(&self, word: &str) -> String {
        let api = self.api;
        let post = |path: &str, body: Value| api.root(Method::POST, path, Some(&body));
        match word {
            "user" => {
                let name = self.name("user");
                post("/users", json!({ "name": name }));
                name
            }
            "linked" => {
                let name = self.make("user");
                let identity = format!("/users/{name}/identities/sso");
                api.root(Method::PUT, &identity, Some(&json!({ "subject": name })));
                name
            }
            "token" => {
                let made = post("/users/reader/tokens", json!({ "name": "one", "role": "read" }));
                made["id"].as_str().unwrap().to_owned()
            }
            "invitation" => {
                let made = post("/invitations", json!({ "days": 1 }));
                made["id"].as_str().unwrap().to_owned()
            }
            "organization" => {
                let name = self.name("org");
                post("/organizations", json!({ "name": name }));
                name
            }
            "team" | "full-team" => {
                let name = self.name("devs");
                post("/namespaces/team/teams", json!({ "name": name }));
                if word == "full-team" {
                    let member = format!("/namespaces/team/teams/{name}/members/bob");
                    api.root(Method::PUT, &member, None);
                }
                name
            }
            "grant" => {
                let pattern = format!("team/{}-*", self.name("granted"));
                let grant = json!({ "subject": "user:writer", "role": "read", "pattern": pattern });
                api.root(Method::PUT, "/namespaces/team/grants", Some(&grant));
                format!("subject=user:writer&pattern={}", pattern.replace('/', "%2F"))
            }
            "robot" | "trusting" => {
                let name = self.name("bot");
                post("/namespaces/team/robots", json!({ "name": name }));
                if word == "robot" {
                    return name;
                }
                let path = format!("/namespaces/team/robots/{name}/trust");
                let rule = json!({
                    "issuer": "https://ci.example.com", "audience": "wharf",
                    "conditions": { "sub": "team/app" },
                });
                format!("{name}/trust/{}", post(&path, rule)["id"])
            }
            "policy" | "own-policy" => {
                let name = self.name("policy");
                let of = if word == "policy" {
                    "namespaces/team"
                } else {
                    "repositories/team%2Fprivate"
                };
                post(
                    &format!("/{of}/immutability"),
                    json!({ "name": name, "patterns": ["never"] }),
                );
                name
            }
            "repository" => {
                let name = format!("team/{}", self.name("app"));
                api.house.push("ada", &name);
                name.replace('/', "%2F")
            }
            "deleted-repository" => {
                let name = self.make("repository");
                api.root(Method::DELETE, &format!("/repositories/{name}"), None);
                name
            }
            "with-deleted" => {
                let name = self.make("repository");
                let image = digest(&manifest(&name.replace("%2F", "/")));
                api.root(Method::DELETE, &format!("/repositories/{name}/manifests/{image}"), None);
                name
            }
            "with-policy" => {
                let path = "/repositories/team%2Fprivate/retention";
                api.root(Method::PUT, path, Some(&policy()));
                "team%2Fprivate".to_owned()
            }
            "previewed" => {
                let name = self.make("repository");
                let path = format!("/repositories/{name}/retention");
                api.root(Method::PUT, &path, Some(&policy()));
                post(&format!("{path}/preview"), json!({}));
                name
            }
            "tag" => {
                let tag = self.name("v");
                let scope = "repository:team/private:pull,push";
                let bearer = crate::house::bearer(&api.house.token("ada", scope));
                let pushed = api.house.put_manifest("team/private", &tag, &bearer);
                assert_eq!(pushed.status, 201, "{}", pushed.text());
                tag
            }
            "new-pin" => self.name("pin"),
            "pin" => {
                let name = self.name("pin");
                let path = format!("/repositories/team%2Fprivate/pins/{name}");
                api.root(Method::PUT, &path, Some(&json!({ "tag": "v1" })));
                name
            }
            "image" => digest(&manifest("team/private")),
            other => panic!("nobody makes a {other}"),
        }
    }

    /// The path of a row, with what it names made.
    fn path(&self, path: &str) -> String {
        let mut made = path.split('!').next().unwrap().to_owned();
        while let Some(start) = made.find('{') {
            let end = made.find('}').unwrap();
            let word = made[start + 1..end].to_owned();
            let value = if word == "its-image" {
                let before = &made
                    [.."/repositories/".len() + made["/repositories/".len()..].find('/').unwrap()];
                let repository = before.rsplit('/').next().unwrap().replace("%2F", "/");
                digest(&manifest(&repository))
            } else {
                self.make(&word)
            };
            made.replace_range(start..=end, &value);
        }
        made
    }

    /// A body that does what a row's end-point is for.
    fn body(&self, method: &Method, path: &str) -> Option<Value> {
        let template = path.split('?').next().unwrap();
        let password = "a long enough secret of 2026";
        let body = match (method.as_str(), template) {
            ("POST", "/users") => json!({ "name": self.name("made") }),
            ("PATCH", "/users/reader") => json!({ "email": "reader@example.com" }),
            ("PATCH", "/users/{user}!disabled") => json!({ "disabled": true }),
            ("PUT", "/users/{user}/password") => json!({ "password": password }),
            ("PUT", "/users/{user}/identities/sso") => json!({ "subject": self.name("subject") }),
            ("PUT", "/namespaces/team/teams/{team}/groups") => {
                json!({ "groups": [{ "provider": "sso", "group": "/devs" }] })
            }
            ("POST", "/users/reader/tokens") => json!({ "name": "one", "role": "read" }),
            ("POST", "/sign-up") => json!({ "name": self.name("self"), "password": password }),
            ("POST", "/invitations") => json!({ "days": 1 }),
            ("POST", "/organizations!own") => json!({ "name": self.name("org") }),
            ("PATCH", "/namespaces/team") => json!({ "create_on_push": true }),
            ("POST", "/namespaces/team/teams") => json!({ "name": self.name("devs") }),
            ("PUT", "/namespaces/team/grants") => {
                json!({ "subject": "user:writer", "role": "read", "pattern": "team/nothing" })
            }
            ("POST", "/namespaces/team/robots") => json!({ "name": self.name("bot") }),
            ("PATCH", "/namespaces/team/robots/{robot}") => json!({ "disabled": true }),
            ("POST", "/namespaces/team/robots/{robot}/secret") => json!({}),
            ("POST", "/namespaces/team/robots/{robot}/trust") => json!({
                "issuer": "https://ci.example.com", "audience": "wharf", "conditions": { "sub": "a" },
            }),
            ("PATCH", path) if path.starts_with("/repositories/") => json!({
                "visibility": if path.ends_with("public") { "public" } else { "private" },
            }),
            ("POST", "/repositories/{repository}/rename") => {
                json!({ "to": format!("team/{}", self.name("renamed")) })
            }
            ("POST", path) if path.ends_with("/immutability") => {
                json!({ "name": self.name("made"), "patterns": ["never"] })
            }
            ("PUT", path) if path.contains("/immutability/") => json!({ "patterns": ["never"] }),
            ("PUT", "/repositories/team%2Fprivate/pins/{new-pin}") => json!({ "tag": "v1" }),
            ("POST", "/repositories/team%2Fprivate/tags/{tag}/rollback") => {
                json!({ "to": { "version": 1 } })
            }
            ("POST", "/deleted-repositories/{deleted-repository}/restore") => json!({}),
            ("POST", "/repositories/{with-deleted}/restore") => json!({ "tag": "v1" }),
            ("PUT", "/repositories/team%2Fprivate/retention") => policy(),
            ("POST", "/repositories/{with-policy}/retention/preview") => json!({}),
            ("POST", "/repositories/{previewed}/retention/enable") => json!({ "version": 1 }),
            ("POST", "/repositories/team%2Fprivate/running") => {
                json!({ "digest": self.make("image"), "by": "a cluster", "for": "1h" })
            }
            ("PUT", path) if path.ends_with("/writes") => json!({ "mode": "writable" }),
            ("PUT", path) if path.ends_with("/quota") => json!({ "bytes": 1_000_000_000 }),
            ("GET" | "DELETE" | "PUT", _) => return None,
            (method, path) => panic!("{method} {path} has no body"),
        };
        Some(body)
    }
}

#[test]
fn everyone_is_answered_at_every_end_point_as_the_table_says() {
    let api = Api::start_with(&[
        ("WHARF_ACCESS_SIGN_UP", "open"),
        ("WHARF_LIMITS_EXEMPT_NETWORKS", "127.0.0.0/8"),
    ]);
    let robot = api.house.admin(&["robot", "team+ci"]);
    api.house.admin(&["grant", "team", "write", "--to", "robot:ci", "--on", "team/private"]);
    let login = |who: &str| match who {
        "anonymous" => String::new(),
        "team+ci" => basic(who, &robot),
        "ada to read" => api.login_for("ada", &["--role", "read"]),
        "root for team/private" => {
            api.login_for("root", &["--role", "write", "--on", "team/private"])
        }
        user => api.login(user),
    };
    let logins: Vec<String> = WHO.iter().map(|who| login(who)).collect();
    let making = Making { api: &api, count: Cell::new(0) };
    let mut wrong = Vec::new();
    for Row { method, path, cells } in rows() {
        let found: Vec<char> = logins
            .iter()
            .map(|login| {
                let target = making.path(path);
                let body = making.body(&method, path);
                let reply = api.ask(login, method.clone(), &target, body.as_ref());
                match reply.status {
                    200..300 => '+',
                    401 => '?',
                    403 => '-',
                    404 => '0',
                    other => panic!("{method} {target}: {other}: {}", reply.text()),
                }
            })
            .collect();
        if found != cells {
            let spaced =
                |cells: &[char]| cells.iter().map(|cell| format!("{cell} ")).collect::<String>();
            wrong.push(format!("{method:6} {path:60} {} not {}", spaced(&found), spaced(&cells)));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// And each row leads to one of the table.
#[test]
fn every_end_point_has_a_row() {
    let mut named = BTreeSet::new();
    for Row { method, path, .. } in rows() {
        let target = path.split(['?', '!']).next().unwrap();
        let target = target.replace("{trusting}", "bot/trust/1").replace("{image}", "sha256:0");
        let segments = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
        let found = listed().into_iter().find(|endpoint| {
            let template = segments(endpoint.path.strip_prefix("/api/v1").unwrap());
            let path = segments(&target);
            endpoint.method.as_str() == method.as_str()
                && template.len() == path.len()
                && template
                    .iter()
                    .zip(&path)
                    .all(|(one, other)| one.starts_with('{') || one == other)
        });
        named.insert(found.unwrap_or_else(|| panic!("{method} {path} is no end-point")).operation);
    }
    for endpoint in listed() {
        assert!(named.contains(endpoint.operation), "{endpoint:?} has no row in the matrix");
    }
}

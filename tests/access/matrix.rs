//! Every route × every role × every visibility × own and foreign repositories, against two tables that a person can
//! read: what each route asks for (`routes.rs`), and here who has what.

use ureq::http::Method;

use crate::house::{House, PASSWORD, bearer};
use crate::routes::rows;

const REPOSITORIES: [&str; 6] =
    ["team/public", "team/internal", "team/private", "bob/public", "bob/internal", "bob/private"];

/// Who may do what with whose: `r` reads, `w` pushes, `d` deletes; `c` lists all repositories.
#[rustfmt::skip]
const PEOPLE: [(&str, [&str; 6], bool); 13] = [
    // who             of the organization    of bob               lists all
    //                 public internal private public internal private
    ("anonymous",     ["r--", "---", "---",   "r--", "---", "---"], false),
    ("bob",           ["r--", "r--", "---",   "rwd", "rwd", "rwd"], false),
    ("reader",        ["r--", "r--", "r--",   "r--", "r--", "---"], false),
    ("writer",        ["rw-", "rw-", "rw-",   "r--", "r--", "---"], false),
    ("keeper",        ["rwd", "rwd", "rwd",   "r--", "r--", "---"], false),
    ("ada",           ["rwd", "rwd", "rwd",   "r--", "r--", "---"], false),
    ("root",          ["rwd", "rwd", "rwd",   "rwd", "rwd", "rwd"], true),
    // Whose grant was taken away, and who was taken out of the team that had one.
    ("former",        ["r--", "r--", "---",   "r--", "r--", "---"], false),
    ("left",          ["r--", "r--", "---",   "r--", "r--", "---"], false),
    // Robots are no users that are logged in; one has a grant on one repository, one has none.
    ("team+ci",       ["r--", "---", "rw-",   "r--", "---", "---"], false),
    ("team+idle",     ["r--", "---", "---",   "r--", "---", "---"], false),
    // Personal tokens have no more than they were made for, and no more than their user has.
    ("ada's to read", ["r--", "r--", "r--",   "r--", "r--", "---"], false),
    ("root's for team/private", ["---", "---", "rw-", "---", "---", "---"], false),
];

/// A name to log in by, and a secret.
pub fn login(house: &House, who: &str) -> (String, String) {
    let last = |said: String| said.split_whitespace().next_back().unwrap().to_owned();
    match who {
        "anonymous" => (String::new(), String::new()),
        "ada's to read" => {
            let secret = house.admin(&["token", "ada", "--role", "read"]);
            ("ada".into(), last(secret))
        }
        "root's for team/private" => {
            let secret = house.admin(&["token", "root", "--role", "write", "--on", "team/private"]);
            ("root".into(), last(secret))
        }
        robot if robot.contains('+') => (robot.into(), last(house.admin(&["robot", robot]))),
        user => (user.into(), PASSWORD.into()),
    }
}

/// A house with everyone of the table in it.
pub fn peopled() -> House {
    let house = House::start();
    for user in ["former", "left"] {
        house.admin(&["user", user, "--password-stdin"]);
    }
    house.admin(&["grant", "team", "maintain", "--to", "user:former"]);
    house.admin(&["revoke", "team", "--to", "user:former"]);
    house.admin(&["team", "team", "devs"]);
    house.admin(&["grant", "team", "maintain", "--to", "team:devs"]);
    house.admin(&["team", "team", "devs", "--add", "left"]);
    house.admin(&["team", "team", "devs", "--remove", "left"]);
    for robot in ["team+ci", "team+idle"] {
        house.admin(&["robot", robot]);
    }
    house.admin(&["grant", "team", "write", "--to", "robot:ci", "--on", "team/private"]);
    for visibility in ["public", "internal", "private"] {
        let repository = format!("bob/{visibility}");
        house.push("bob", &repository);
        house.admin(&["visibility", &repository, visibility]);
    }
    house
}

#[test]
fn everyone_does_by_every_route_what_the_tables_say() {
    let house = peopled();
    let rows = rows();
    for (who, rights, lists) in PEOPLE {
        let (name, secret) = login(&house, who);
        for (repository, rights) in REPOSITORIES.into_iter().zip(rights) {
            let scope = format!("repository:{repository}:pull,push,delete registry:catalog:*");
            let said = house.ask_for_token(&name, &secret, &scope);
            assert_eq!(said.status, 200, "{who}: {}", said.text());
            let token = bearer(said.json()["token"].as_str().unwrap());
            for row in &rows {
                let may = match row.asks {
                    '.' | 't' => true,
                    'c' => lists,
                    letter => rights.contains(letter),
                };
                let target = row.target(repository);
                let reply = if row.asks == '.' {
                    house.send(row.method.clone(), &target, &[])
                } else {
                    house.ask(row.method.clone(), &target, &token)
                };
                let expected = if may { row.answers } else { 401 };
                let text = reply.text();
                assert_eq!(reply.status, expected, "{who}: {} {target}: {text}", row.method);
                if !may {
                    let challenge = reply.header("WWW-Authenticate").unwrap_or_default();
                    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
                }
            }
        }
    }
}

#[test]
fn a_new_repository_is_made_only_where_its_maker_may() {
    let house = House::start();
    for (who, repository, status) in [
        ("writer", "team/new", 202),
        ("reader", "team/newer", 401),
        ("bob", "team/newer", 401),
        ("bob", "bob/first", 202),
        ("bob", "unowned/first", 401),
        ("ada", "bob/second", 401),
        ("root", "unowned/first", 202),
    ] {
        let opened = house.as_user(who, Method::POST, &format!("/v2/{repository}/blobs/uploads/"));
        assert_eq!(opened.status, status, "{who} {repository}: {}", opened.text());
    }
}

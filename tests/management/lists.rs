//! Lists: a page at a time, by what may be asked for, with what who asks may see.

use serde_json::{Value, json};
use ureq::http::Method;

use crate::people::{Api, problem};

/// All pages of a list.
pub fn all(api: &Api, login: &str, path: &str, limit: usize) -> Vec<Value> {
    let (mut items, mut after) = (Vec::new(), String::new());
    loop {
        let join = if path.contains('?') { '&' } else { '?' };
        let page = api.get(login, &format!("{path}{join}limit={limit}{after}"));
        assert_eq!(page.status, 200, "{}", page.text());
        let page = page.json();
        let found = page["items"].as_array().unwrap();
        assert!(found.len() <= limit);
        items.extend(found.iter().cloned());
        match page["next"].as_str() {
            Some(next) => {
                after = format!("&after={}", next.replace('/', "%2F").replace('+', "%2B"))
            }
            None => return items,
        }
    }
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[test]
fn a_list_comes_whole_whatever_its_pages() {
    let api = Api::start();
    let ada = api.login("ada");
    for number in 0..7 {
        let team = json!({ "name": format!("devs{number}") });
        api.root(Method::POST, "/namespaces/team/teams", Some(&team));
        let member = format!(
            "/namespaces/team/teams/devs0/members/{}",
            ["ada", "reader", "writer", "keeper", "root", "ada", "ada"][number]
        );
        api.root(Method::PUT, &member, None);
        api.house.admin(&["robot", &format!("team+bot{number}")]);
        let token = json!({ "name": format!("token {number}"), "role": "read" });
        api.root(Method::POST, "/users/bob/tokens", Some(&token));
    }
    for (path, count) in [
        ("/users", 6),
        ("/users?disabled=false", 6),
        ("/users?site_admin=true", 1),
        ("/organizations", 1),
        ("/namespaces/team/teams", 7),
        ("/namespaces/team/teams/devs0/members", 5),
        ("/namespaces/team/grants", 4),
        ("/namespaces/team/robots", 7),
        ("/repositories", 3),
        ("/repositories?namespace=team&visibility=private", 1),
        ("/repositories?namespace=bob", 0),
        ("/repositories/team%2Fprivate/tags", 1),
        ("/repositories/team%2Fprivate/manifests", 1),
        ("/audit?action=robot.create", 7),
    ] {
        for limit in [1, 2, 3, 1000] {
            let items = all(&api, api.as_root(), path, limit);
            assert_eq!(items.len(), count, "{path} by {limit}");
        }
    }
    assert_eq!(names(&all(&api, &ada, "/organizations", 9)), ["team"]);
    assert_eq!(api.get(&api.login("bob"), "/organizations").json()["items"], json!([]));
    let oldest = all(&api, api.as_root(), "/audit?order=oldest", 4);
    let mut newest = all(&api, api.as_root(), "/audit", 5);
    newest.reverse();
    // Reading writes nothing, so both walks saw the same.
    assert_eq!(oldest, newest);
}

#[test]
fn a_list_shows_what_may_be_seen() {
    let api = Api::start();
    let seen = |login: &str| {
        let items = all(&api, login, "/repositories", 10);
        names(&items).iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(seen(""), ["team/public"]);
    assert_eq!(seen(&api.login("bob")), ["team/internal", "team/public"]);
    assert_eq!(seen(&api.login("reader")), ["team/internal", "team/private", "team/public"]);
    // A token that is good for one repository shows no other.
    let narrowed = api.login_for("ada", &["--on", "team/private"]);
    assert_eq!(seen(&narrowed), ["team/private"]);
    let page = api.get(&narrowed, "/repositories?limit=1").json();
    assert_eq!(page["next"], Value::Null, "no name that it must not see is a place either");
}

#[test]
fn only_what_is_known_can_be_asked_for() {
    let api = Api::start();
    let root = api.as_root();
    for (path, field) in [
        ("/users?password_hash=x", "password_hash"),
        ("/users?disabled=maybe", "disabled"),
        ("/users?disabled=true&disabled=false", "disabled"),
        ("/users?limit=0", "limit"),
        ("/users?limit=-1", "limit"),
        ("/users?after=%00", "after"),
        ("/users?after=", "after"),
        ("/users?%ff=1", "query"),
        ("/audit?from=yesterday", "from"),
        ("/audit?after=9%27", "after"),
        ("/repositories?visibility=secret", "visibility"),
        ("/access/explain", "query"),
        ("/access/explain?repository=Team", "repository"),
        ("/repositories/team%2Fprivate/counts?step=minute", "step"),
    ] {
        let reply = api.get(root, path);
        assert_eq!(problem(&reply).0, 400, "{path}");
        assert_eq!(reply.json()["field"], field, "{path}: {}", reply.text());
    }
    let long = "/counts/repositories?from=1970-01-01T00:00:00Z";
    assert_eq!(problem(&api.get(root, long)).0, 422);
    let backwards =
        "/repositories/team%2Fprivate/counts?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z";
    assert_eq!(problem(&api.get(root, backwards)).0, 422);
}

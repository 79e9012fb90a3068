//! Every role on every visibility by every kind of route, against a table that a person can read.

use ureq::http::Method;

use crate::house::{House, content};
use crate::support::registry::digest;

/// Who may do what: `r` reads, `w` pushes, `d` deletes.
#[rustfmt::skip]
const TABLE: [(&str, [&str; 3]); 7] = [
    // who          public  internal  private
    ("anonymous", ["r--",   "---",    "---"]),
    ("bob",       ["r--",   "r--",    "---"]),
    ("reader",    ["r--",   "r--",    "r--"]),
    ("writer",    ["rw-",   "rw-",    "rw-"]),
    ("keeper",    ["rwd",   "rwd",    "rwd"]),
    ("ada",       ["rwd",   "rwd",    "rwd"]),
    ("root",      ["rwd",   "rwd",    "rwd"]),
];

const VISIBILITIES: [&str; 3] = ["public", "internal", "private"];

/// What each letter stands for: routes, and how each answers where it is allowed. Nothing is changed by any of them:
/// what is deleted is not there, what is pushed is refused later.
fn routes(letter: char, repository: &str) -> Vec<(Method, String, u16)> {
    let blob = digest(&content(repository));
    let none = digest(b"none");
    let uploads = format!("/v2/{repository}/blobs/uploads/");
    let unknown = format!("{uploads}00000000-0000-4000-8000-000000000000");
    match letter {
        'r' => vec![
            (Method::GET, format!("/v2/{repository}/manifests/v1"), 200),
            (Method::HEAD, format!("/v2/{repository}/manifests/v1"), 200),
            (Method::GET, format!("/v2/{repository}/blobs/{blob}"), 200),
            (Method::HEAD, format!("/v2/{repository}/blobs/{blob}"), 200),
            (Method::GET, format!("/v2/{repository}/tags/list"), 200),
            (Method::GET, format!("/v2/{repository}/referrers/{blob}"), 200),
        ],
        'w' => vec![
            (Method::POST, uploads.clone(), 202),
            (Method::POST, format!("{uploads}?mount={none}&from=team/public"), 202),
            (Method::GET, unknown.clone(), 404),
            (Method::PATCH, unknown.clone(), 404),
            (Method::PUT, format!("{unknown}?digest={none}"), 404),
            (Method::DELETE, unknown, 404),
            (Method::PUT, format!("/v2/{repository}/manifests/v2"), 400),
        ],
        _ => vec![
            (Method::DELETE, format!("/v2/{repository}/manifests/none"), 404),
            (Method::DELETE, format!("/v2/{repository}/blobs/{none}"), 404),
        ],
    }
}

#[test]
fn every_role_does_what_the_table_says_by_every_route() {
    let house = House::start();
    for (who, rights) in TABLE {
        for (visibility, rights) in VISIBILITIES.into_iter().zip(rights) {
            let repository = format!("team/{visibility}");
            for (letter, given) in ['r', 'w', 'd'].into_iter().zip(rights.chars()) {
                for (method, target, status) in routes(letter, &repository) {
                    let reply = house.as_user(who, method.clone(), &target);
                    let expected = if given == letter { status } else { 401 };
                    assert_eq!(
                        reply.status,
                        expected,
                        "{who}: {method} {target}: {}",
                        reply.text()
                    );
                }
            }
        }
    }
}

#[test]
fn the_list_of_repositories_is_for_administrators_of_all() {
    let house = House::start();
    for (who, status) in [("root", 200), ("ada", 401), ("bob", 401), ("anonymous", 401)] {
        let listed = house.as_user(who, Method::GET, "/v2/_catalog");
        assert_eq!(listed.status, status, "{who}: {}", listed.text());
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

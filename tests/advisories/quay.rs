//! Those of Quay and its mirror registry.

use ureq::http::Method;

use crate::house::{House, bearer, content};
use crate::support::registry::digest;
use crate::{due, due_with_settings};

/// Who could push to any repository could read, change and cancel the uploads of everyone: an upload was found by its id
/// alone. Here it is bound to its repository and its principal, and is unknown to everyone else.
#[test]
fn cve_2026_32589_an_upload_in_progress_is_its_beginners_alone() {
    let house = House::start();
    let victim = bearer(&house.token("writer", "repository:team/private:pull,push"));
    let opened = house.ask(Method::POST, "/v2/team/private/blobs/uploads/", &victim);
    let place = opened.header("Location").unwrap().to_owned();
    let bytes = b"what the victim pushes";
    let begun = &bytes[..8];
    let send = |method: Method, target: &str, token: &str, body: Option<&[u8]>| {
        let headers = [("Authorization", token), ("Content-Type", "application/octet-stream")];
        house.registry.send(method, target, &headers, body).unwrap()
    };
    assert_eq!(send(Method::PATCH, &place, &victim, Some(begun)).status, 202);

    // Somebody with a repository of their own, and a colleague who may push to the same one.
    let scopes = "repository:bob/app:pull,push repository:team/private:pull,push";
    let colleague = "repository:team/private:pull,push";
    for (attacker, scope, refusals) in
        [("bob", scopes, [401, 404]), ("keeper", colleague, [404, 401])]
    {
        let token = bearer(&house.token(attacker, scope));
        for repository in ["team/private", "bob/app"] {
            let refused = refusals[usize::from(repository == "bob/app")];
            let there = place.replace("team/private", repository);
            let end = format!("{there}?digest={}", digest(begun));
            let attack: [(Method, &str, Option<&[u8]>); 4] = [
                (Method::GET, &there, None),
                (Method::PATCH, &there, Some(b"poison")),
                (Method::PUT, &end, Some(b"")),
                (Method::DELETE, &there, None),
            ];
            for (method, target, body) in attack {
                let reply = send(method.clone(), target, &token, body);
                assert_eq!(reply.status, refused, "{attacker} {method} {target}: {}", reply.text());
                assert!(reply.header("Range").is_none(), "{attacker} {method} {target}");
            }
        }
    }
    let progress = send(Method::GET, &place, &victim, None);
    assert_eq!(progress.header("Range"), Some("0-7"), "nothing was added");
    let end = format!("{place}?digest={}", digest(bytes));
    assert_eq!(send(Method::PUT, &end, &victim, Some(&bytes[8..])).status, 201);
    assert_ne!(bytes[..], content("team/private")[..]);
}

/// An address that a user named (of an image to mirror) was fetched with its redirects, wherever they led: into the
/// inner network too. Here the server fetches nothing that somebody names: it has no mirroring and no proxying yet.
#[test]
fn cve_2026_2376_no_address_of_a_user_is_fetched_yet() {
    let then = "an upstream's redirect leads to no address that the upstream itself may not have";
    due_with_settings(&["proxy", "upstream", "mirror", "replication"], then);
    due(&["/api/v1/mirrors", "/api/v1/replications", "/api/v1/upstreams"], then);
}

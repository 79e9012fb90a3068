//! What an attacker finds who knows names and digests: nothing.

use std::io::{Read, Write};
use std::net::TcpStream;

use ureq::http::Method;

use crate::house::{House, bearer, content, granted, scope};
use crate::support::registry::{Reply, digest};

/// All that a reply tells, but for what differs between any two.
fn told(reply: &Reply, name: &str) -> String {
    let headers = ["Content-Type", "Docker-Content-Digest", "ETag", "Link", "Range", "OCI-Subject"];
    let headers = headers.map(|header| reply.header(header).is_some());
    format!("{} {headers:?} {}", reply.status, reply.text().replace(name, "NAME"))
}

#[test]
fn what_is_private_and_what_is_not_there_look_the_same() {
    let house = House::start();
    let blob = digest(&content("team/private"));
    for who in ["anonymous", "bob"] {
        let tokens = ["team/private", "team/missing"].map(|repository| {
            let token = house.token(who, &format!("repository:{repository}:pull,push,delete"));
            assert_eq!(granted(&token), serde_json::json!([]), "{who} {repository}");
            bearer(&token)
        });
        for (method, path) in [
            (Method::GET, "manifests/v1".to_owned()),
            (Method::HEAD, "manifests/v1".to_owned()),
            (Method::GET, format!("blobs/{blob}")),
            (Method::HEAD, format!("blobs/{blob}")),
            (Method::GET, "tags/list".to_owned()),
            (Method::GET, format!("referrers/{blob}")),
            (Method::POST, "blobs/uploads/".to_owned()),
            (Method::DELETE, "manifests/v1".to_owned()),
        ] {
            let [private, missing] = [("team/private", &tokens[0]), ("team/missing", &tokens[1])]
                .map(|(name, token)| {
                    let reply = house.ask(method.clone(), &format!("/v2/{name}/{path}"), token);
                    let challenge = reply.header("WWW-Authenticate").unwrap().replace(name, "NAME");
                    format!("{} {challenge}", told(&reply, name))
                });
            assert_eq!(private, missing, "{who} {method} {path}");
        }
    }
}

#[test]
fn knowing_a_digest_opens_nothing() {
    let house = House::start();
    let (known, unknown) = (digest(&content("team/private")), digest(b"nobody has this"));
    let token = house.token("bob", "repository:bob/app:pull,push repository:team/private:pull");
    let bearer = bearer(&token);
    let uploads = "/v2/bob/app/blobs/uploads/";
    assert_eq!(house.ask(Method::POST, uploads, &bearer).status, 202);
    for round in 0..2 {
        for (method, of) in [
            (Method::GET, "/v2/bob/app/blobs/DIGEST"),
            (Method::HEAD, "/v2/bob/app/blobs/DIGEST"),
            (Method::GET, "/v2/bob/app/manifests/DIGEST"),
            (Method::GET, "/v2/bob/app/referrers/DIGEST"),
            (Method::POST, "/v2/bob/app/blobs/uploads/?mount=DIGEST"),
            (Method::POST, "/v2/bob/app/blobs/uploads/?mount=DIGEST&from=team/private"),
            (Method::POST, "/v2/bob/app/blobs/uploads/?mount=DIGEST&from=team/missing"),
            (Method::POST, "/v2/bob/app/blobs/uploads/?mount=DIGEST&from=team/public"),
        ] {
            let [known, unknown] = [&known, &unknown].map(|digest| {
                let reply = house.ask(method.clone(), &of.replace("DIGEST", digest), &bearer);
                assert_ne!(reply.status, 201, "{method} {of}");
                told(&reply, digest)
            });
            assert_eq!(known, unknown, "round {round}: {method} {of}");
        }
    }
    // Naming it in a manifest neither.
    let pushed = house.put_manifest("team/private", "v9", &bearer);
    assert_eq!(pushed.status, 401);
}

#[test]
fn what_its_pusher_could_pull_need_not_be_sent() {
    let house = House::start();
    let public = digest(&content("team/public"));
    let private = digest(&content("team/private"));
    let found = |token: &str, repository: &str, digest: &str| {
        let target = format!("/v2/{repository}/blobs/{digest}");
        house.ask(Method::HEAD, &target, &bearer(token)).status
    };
    // Without the right to push nothing is added, whatever is public.
    house.push("bob", "bob/app");
    let pull = house.token("bob", "repository:bob/app:pull");
    assert_eq!(found(&pull, "bob/app", &public), 404);
    let push = house.token("bob", "repository:bob/app:pull,push");
    assert_eq!(found(&push, "bob/app", &public), 200);
    assert_eq!(found(&pull, "bob/app", &public), 200);
    // From a private one only where the same token may pull there.
    let alone = house.token("reader", "repository:reader/app:pull,push");
    assert_eq!(found(&alone, "reader/app", &private), 404);
    let both =
        house.token("reader", "repository:reader/app:pull,push repository:team/private:pull");
    assert_eq!(found(&both, "reader/app", &private), 200);
    // Once it is private, no more.
    house.admin(&["visibility", "team/public", "private"]);
    let other = house.token("bob", "repository:bob/other:pull,push");
    assert_eq!(found(&other, "bob/other", &digest(b"x")), 404);
    let mount = format!("/v2/bob/other/blobs/uploads/?mount={}", digest(&content("team/internal")));
    assert_eq!(house.ask(Method::POST, &mount, &bearer(&other)).status, 202);
}

/// CVE-2026-32589: an upload is its principal's.
#[test]
fn an_upload_is_unknown_to_everyone_else() {
    let house = House::start();
    let scope = "repository:team/private:pull,push";
    let [writer, keeper] = ["writer", "keeper"].map(|who| bearer(&house.token(who, scope)));
    let opened = house.ask(Method::POST, "/v2/team/private/blobs/uploads/", &writer);
    let place = opened.header("Location").unwrap().to_owned();
    let finish = format!("{place}?digest={}", digest(b""));
    for (method, target) in [
        (Method::GET, &place),
        (Method::PATCH, &place),
        (Method::PUT, &finish),
        (Method::DELETE, &place),
    ] {
        let reply = house.ask(method.clone(), target, &keeper);
        assert_eq!(reply.status, 404, "{method}: {}", reply.text());
    }
    let elsewhere = place.replace("team/private", "team/public");
    let token = bearer(&house.token("writer", "repository:team/public:pull,push"));
    assert_eq!(house.ask(Method::GET, &elsewhere, &token).status, 404);
    assert_eq!(house.ask(Method::PUT, &finish, &writer).status, 201);
}

#[test]
fn a_token_is_good_for_what_it_names_alone() {
    let house = House::start();
    let pull = bearer(&house.token("ada", "repository:team/private:pull"));
    let target = "/v2/team/private/manifests/v1";
    assert_eq!(house.ask(Method::GET, target, &pull).status, 200);
    for (method, target) in [
        (Method::DELETE, target),
        (Method::POST, "/v2/team/private/blobs/uploads/"),
        (Method::GET, "/v2/team/internal/manifests/v1"),
        (Method::GET, "/v2/team/private/other/manifests/v1"),
        (Method::GET, "/v2/_catalog"),
    ] {
        let reply = house.ask(method.clone(), target, &pull);
        let challenge = reply.header("WWW-Authenticate").unwrap_or_default();
        assert_eq!(reply.status, 401, "{method} {target}");
        assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    }
    let whole = pull.strip_prefix("Bearer ").unwrap();
    let (unsigned, _) = whole.rsplit_once('.').unwrap();
    let cases = ["", "x", whole, unsigned]
        .map(|token| [format!("Token {token}"), format!("Bearer {token}x")]);
    for header in cases.as_flattened() {
        let reply = house.ask(Method::GET, target, header);
        let challenge = reply.header("WWW-Authenticate").unwrap_or_default();
        assert_eq!(reply.status, 401, "{header}");
        assert!(challenge.contains("error=\"invalid_token\""), "{header}: {challenge}");
        assert_eq!(scope(&reply), "repository:team/private:pull");
    }
    let headers = [("Authorization", pull.as_str()), ("Authorization", "Bearer x")];
    let twice = house.registry.send(Method::GET, target, &headers, None).unwrap();
    assert_eq!(twice.status, 401);
}

#[test]
fn a_host_that_is_none_gets_into_no_challenge() {
    let house = House::start();
    for (host, realm) in [
        ("registry.example:8443", "http://registry.example:8443/token"),
        ("a\"b", "http://localhost/token"),
        ("user@host", "http://localhost/token"),
        ("a b", "http://localhost/token"),
        ("", "http://localhost/token"),
    ] {
        let mut socket = TcpStream::connect(house.server.address()).unwrap();
        write!(socket, "GET /v2/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut reply = String::new();
        socket.read_to_string(&mut reply).unwrap();
        assert!(reply.contains(&format!("www-authenticate: Bearer realm=\"{realm}\",")), "{reply}");
    }
}

//! How often images may be pulled and pushed: what counts, who is told what is left, and who is not limited.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use ureq::http::Method;

use crate::house::{House, PASSWORD, bearer, content};
use crate::support::program::wait_until;
use crate::support::registry::{OCI_MANIFEST, Registry, Reply, digest, image_manifest};
use crate::support::server::{Process, Server};

const PUBLIC: &str = "/v2/team/public/manifests/v1";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The fields by which a reply tells what is left: IETF's two, and Docker Hub's three.
const FIELDS: [&str; 5] = [
    "RateLimit-Policy",
    "RateLimit",
    "ratelimit-limit",
    "ratelimit-remaining",
    "docker-ratelimit-source",
];

fn told(reply: &Reply) -> [&str; 5] {
    FIELDS.map(|field| reply.header(field).unwrap_or_default())
}

/// What Docker Hub's field says.
fn remaining(reply: &Reply) -> u32 {
    let field = reply.header("ratelimit-remaining").unwrap_or_else(|| panic!("{}", reply.text()));
    field.split(';').next().unwrap().parse().unwrap()
}

fn wait(reply: &Reply) -> u64 {
    assert_eq!(reply.status, 429, "{}", reply.text());
    assert_eq!(reply.json()["errors"][0]["code"], "TOOMANYREQUESTS");
    reply.header("Retry-After").unwrap().parse().unwrap()
}

/// A registry that serves everyone, with an image under `v1`, its index under `all`.
fn open_registry(folder: &tempfile::TempDir, settings: &[(&str, &str)]) -> Server {
    let server = Process::launch(&folder.path().join("data"), settings).ready();
    let registry = server.registry();
    assert_eq!(registry.push_blob("app", b"content").unwrap().status, 201);
    let image = image();
    assert_eq!(registry.push_manifest("app", "v1", &[], &image).unwrap().status, 201);
    let index = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [{ "mediaType": OCI_MANIFEST, "digest": digest(&image), "size": image.len() }],
    });
    let index = index.to_string().into_bytes();
    let headers = [("Content-Type", INDEX)];
    let pushed = registry.send(Method::PUT, "/v2/app/manifests/all", &headers, Some(&index));
    assert_eq!(pushed.unwrap().status, 201);
    server
}

fn image() -> Vec<u8> {
    image_manifest(&[(digest(b"content"), 7)], "image")
}

fn head(registry: &Registry, target: &str) -> Reply {
    registry.send(Method::HEAD, target, &[], None).unwrap()
}

/// As Docker does it: a look at the tag, the index, the image of the platform by its digest, its blobs, in ranges too.
#[test]
fn a_pull_of_an_image_of_an_index_counts_once() {
    let folder = tempfile::TempDir::new().unwrap();
    let server = open_registry(&folder, &[("WHARF_LIMITS_ANONYMOUS_PULLS", "100/6h")]);
    let registry = server.registry();
    let child = format!("/v2/app/manifests/{}", digest(&image()));
    let blob = format!("/v2/app/blobs/{}", digest(b"content"));
    for round in 0..2 {
        let (before, after) = (100 - round, 99 - round);
        assert_eq!(remaining(&head(&registry, "/v2/app/manifests/all")), before);
        assert_eq!(remaining(&registry.get("/v2/app/manifests/all").unwrap()), before);
        assert_eq!(remaining(&head(&registry, &child)), before);
        let pulled = registry.get(&child).unwrap();
        assert_eq!((pulled.status, remaining(&pulled)), (200, after));
        let told = told(&pulled);
        let left = told[1].strip_prefix(&format!("\"pulls\";r={after};t=")).unwrap();
        let (left, owed) = (left.parse::<u32>().unwrap(), 216 * (round + 1));
        assert!((owed - 60..=owed).contains(&left), "{left} of {owed} s");
        let docker_remaining = format!("{after};w=21600");
        assert_eq!(
            [told[0], told[2], told[3], told[4]],
            ["\"pulls\";q=100;w=21600", "100;w=21600", &docker_remaining, "127.0.0.1"]
        );
        for range in ["bytes=0-", "bytes=2-3"] {
            let headers = [("Range", range)];
            let part = registry.send(Method::GET, &blob, &headers, None).unwrap();
            assert!(part.status == 206 && part.header("RateLimit").is_none());
        }
        // Who has it already pulls nothing.
        let etag = format!("\"{}\"", digest(&image()));
        let headers = [("If-None-Match", etag.as_str())];
        assert_eq!(registry.send(Method::GET, &child, &headers, None).unwrap().status, 304);
        assert_eq!(remaining(&head(&registry, &child)), after);
    }
    // Nor is what is not there a pull.
    assert_eq!(registry.get("/v2/app/manifests/absent").unwrap().status, 404);
    assert_eq!(remaining(&head(&registry, &child)), 98);
}

#[test]
fn what_is_between_us_and_a_client_keeps_no_manifest_while_pulls_are_limited() {
    let folder = tempfile::TempDir::new().unwrap();
    let settings = [("WHARF_LIMITS_NAMESPACE_PULLS", "100/1h"), ("WHARF_HTTP_TAG_MAX_AGE", "60s")];
    let server = open_registry(&folder, &settings);
    let kept = |target: &str| {
        let reply = server.registry().get(target).unwrap();
        assert_eq!(reply.status, 200);
        reply.header("Cache-Control").unwrap().to_owned()
    };
    let immutable = "max-age=31536000, immutable";
    assert_eq!(kept("/v2/app/manifests/v1"), "private, max-age=60");
    let child = format!("/v2/app/manifests/{}", digest(&image()));
    assert_eq!(kept(&child), format!("private, {immutable}"));
    let blob = format!("/v2/app/blobs/{}", digest(b"content"));
    assert_eq!(kept(&blob), format!("public, {immutable}"));
    drop(server);
    let server = Process::launch(&folder.path().join("data"), &settings[..1]).ready();
    let reply = server.registry().get("/v2/app/manifests/v1").unwrap();
    assert_eq!(reply.header("Cache-Control"), Some("private, no-cache"));
}

#[test]
fn who_has_pulled_enough_waits_and_may_look_all_the_same() {
    let settings = [
        ("WHARF_LIMITS_PRINCIPAL_PULLS", "2/1h"),
        ("WHARF_LIMITS_ANONYMOUS_PULLS", "1/1h"),
        ("WHARF_LIMITS_NAMESPACE_PULLS", "1000/1h"),
    ];
    let house = House::start_with(&settings);
    let robot = house.admin(&["robot", "team+ci"]);
    let robot = robot.split_whitespace().next_back().unwrap();
    let pull = "repository:team/public:pull";
    let of_robot = house.ask_for_token("team+ci", robot, pull).json()["token"].clone();
    for (token, source, limit) in [
        (house.token("reader", pull), "reader", 2),
        (of_robot.as_str().unwrap().to_owned(), "team+ci", 2),
        (house.token("anonymous", pull), "127.0.0.1", 1),
    ] {
        for left in (0..limit).rev() {
            let pulled = house.ask(Method::GET, PUBLIC, &bearer(&token));
            assert_eq!((pulled.status, remaining(&pulled)), (200, left));
            assert_eq!(pulled.header("docker-ratelimit-source"), Some(source));
        }
        let refused = house.ask(Method::GET, PUBLIC, &bearer(&token));
        let interval = 3600 / u64::from(limit);
        assert!((interval - 30..=interval).contains(&wait(&refused)), "{}", wait(&refused));
        assert_eq!(remaining(&refused), 0);
        assert_eq!(told(&refused)[0], format!("\"pulls\";q={limit};w=3600"));
        let message = format!("too many pulls of {source}, which has {limit}/1h: try again in ");
        assert!(refused.text().contains(&message), "{}", refused.text());
        let looked = house.ask(Method::HEAD, PUBLIC, &bearer(&token));
        assert_eq!((looked.status, remaining(&looked)), (200, 0));
        // Blobs of what was pulled are sent.
        let blob = format!("/v2/team/public/blobs/{}", digest(&content("team/public")));
        assert_eq!(house.ask(Method::GET, &blob, &bearer(&token)).status, 200);
    }
    // Whoever logs in again is who they were, and others are others.
    let again = bearer(&house.token("reader", pull));
    wait(&house.ask(Method::GET, PUBLIC, &again));
    let writer = bearer(&house.token("writer", pull));
    assert_eq!(house.ask(Method::GET, PUBLIC, &writer).status, 200);
}

#[test]
fn what_was_taken_comes_back() {
    let folder = tempfile::TempDir::new().unwrap();
    let server = open_registry(&folder, &[("WHARF_LIMITS_ANONYMOUS_PULLS", "2/2s")]);
    let registry = server.registry();
    let pull = || registry.manifest("app", "v1").unwrap().status;
    wait_until("pulls are refused", Duration::from_secs(30), || pull() == 429);
    wait_until("one may be pulled again", Duration::from_secs(30), || pull() == 200);
    wait_until("all is there again", Duration::from_secs(30), || {
        remaining(&head(&registry, "/v2/app/manifests/v1")) == 2
    });
}

/// By all together, and nobody is told what is left of it.
#[test]
fn a_namespace_is_pulled_from_so_often() {
    let house = House::start_with(&[("WHARF_LIMITS_NAMESPACE_PULLS", "3/1h")]);
    house.push("bob", "bob/app");
    house.admin(&["visibility", "bob/app", "public"]);
    let pull = |user: &str, repository: &str| {
        let token = house.token(user, &format!("repository:{repository}:pull"));
        house.ask(Method::GET, &format!("/v2/{repository}/manifests/v1"), &bearer(&token))
    };
    for (user, repository) in
        [("anonymous", "team/public"), ("reader", "team/private"), ("bob", "team/internal")]
    {
        let pulled = pull(user, repository);
        assert_eq!(pulled.status, 200, "{}", pulled.text());
        assert_eq!(told(&pulled), [""; 5]);
    }
    let refused = pull("writer", "team/public");
    assert!(wait(&refused) <= 1200);
    assert_eq!(told(&refused), [""; 5]);
    assert!(refused.text().contains("images of team, by all who ask"), "{}", refused.text());
    assert_eq!(pull("writer", "bob/app").status, 200);
    // Who may not know of a repository does not learn of it by the limit.
    let token = bearer(&house.token("bob", "repository:team/private:pull"));
    let denied = house.ask(Method::GET, "/v2/team/private/manifests/v1", &token);
    assert_eq!(denied.status, 401);
}

#[test]
fn pushes_are_limited_apart_and_before_their_body_is_read() {
    let settings = [
        ("WHARF_LIMITS_PRINCIPAL_PUSHES", "2/1h"),
        ("WHARF_LIMITS_NAMESPACE_PUSHES", "3/1h"),
        ("WHARF_LIMITS_EXEMPT_PRINCIPALS", "user:ada"),
    ];
    let house = House::start_with(&settings);
    let token = |user: &str| bearer(&house.token(user, "repository:team/public:pull,push"));
    let (writer, keeper) = (token("writer"), token("keeper"));
    for left in [1, 0] {
        let pushed = house.put_manifest("team/public", "v2", &writer);
        assert_eq!(pushed.status, 201, "{}", pushed.text());
        assert_eq!(pushed.header("RateLimit-Policy"), Some("\"pushes\";q=2;w=3600"));
        let limit = pushed.header("RateLimit").unwrap();
        assert!(limit.starts_with(&format!("\"pushes\";r={left};t=")), "{limit}");
        assert_eq!(pushed.header("ratelimit-limit"), None);
    }
    let refused = house.put_manifest("team/public", "v3", &writer);
    assert!(wait(&refused) <= 1800);
    // A body that is none is not looked at either.
    let headers = [("Authorization", writer.as_str()), ("Content-Type", OCI_MANIFEST)];
    let target = "/v2/team/public/manifests/v3";
    wait(&house.registry.send(Method::PUT, target, &headers, Some(b"no manifest")).unwrap());
    assert_eq!(house.ask(Method::GET, target, &writer).status, 404);
    assert_eq!(house.put_manifest("team/public", "v3", &keeper).status, 201);
    // The namespace has taken three; who is exempt goes on.
    let refused = house.put_manifest("team/public", "v4", &keeper);
    assert!(wait(&refused) <= 1200 && refused.text().contains("by all who ask"));
    assert_eq!(house.put_manifest("team/public", "v4", &token("ada")).status, 201);
}

#[test]
fn who_is_exempt_is_neither_limited_nor_counted() {
    let settings = [
        ("WHARF_LIMITS_PRINCIPAL_PULLS", "1/1h"),
        ("WHARF_LIMITS_ANONYMOUS_PULLS", "1/1h"),
        ("WHARF_LIMITS_NAMESPACE_PULLS", "3/1h"),
        ("WHARF_LIMITS_EXEMPT_PRINCIPALS", "user:reader,robot:team+ci"),
        ("WHARF_LIMITS_EXEMPT_NETWORKS", "192.0.2.0/24,2001:db8::/48"),
        ("WHARF_HTTP_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let house = House::start_with(&settings);
    let pull = |token: &str, from: &str| {
        let headers = [("Authorization", token), ("X-Forwarded-For", from)];
        house.send(Method::GET, PUBLIC, &headers)
    };
    let scope = "repository:team/public:pull";
    let token = |user: &str| bearer(&house.token(user, scope));
    let (reader, writer, nobody) = (token("reader"), token("writer"), token("anonymous"));
    for _ in 0..5 {
        for (who, from) in
            [(&reader, "198.51.100.1"), (&nobody, "192.0.2.9"), (&writer, "2001:db8::9")]
        {
            let pulled = pull(who, from);
            assert_eq!((pulled.status, told(&pulled)), (200, [""; 5]));
        }
    }
    for (who, from) in [(&writer, "198.51.100.1"), (&nobody, "198.51.100.1")] {
        assert_eq!(pull(who, from).status, 200);
        wait(&pull(who, from));
    }
    // Two addresses of one network are one client, shown as what is counted.
    let pulled = pull(&nobody, "2001:db8:1::1");
    assert_eq!((pulled.status, remaining(&pulled)), (200, 0));
    assert_eq!(pulled.header("docker-ratelimit-source"), Some("2001:db8:1::/64"));
    assert_eq!(remaining(&pull(&nobody, "2001:db8:1::2")), 0);
}

#[test]
fn many_at_once_pull_no_more_than_they_may() {
    let folder = tempfile::TempDir::new().unwrap();
    let server = open_registry(&folder, &[("WHARF_LIMITS_ANONYMOUS_PULLS", "25/10h")]);
    let pulled = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..10 {
            let (registry, pulled) = (server.registry(), &pulled);
            scope.spawn(move || {
                for _ in 0..6 {
                    let reply = registry.manifest("app", "v1").unwrap();
                    assert!([200, 429].contains(&reply.status), "{}", reply.text());
                    pulled.fetch_add(usize::from(reply.status == 200), Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(pulled.load(Ordering::SeqCst), 25);
}

/// Many images pulled at once by password are as many logins, few of which may fail.
#[test]
fn many_logins_at_once_by_a_right_password_are_all_let_in() {
    let house = House::start_with(&[("WHARF_LIMITS_FAILED_LOGINS", "2/1h")]);
    let scope = "repository:team/public:pull";
    thread::scope(|threads| {
        for _ in 0..20 {
            threads.spawn(|| {
                let said = house.ask_for_token("reader", PASSWORD, scope);
                assert_eq!(said.status, 200, "{}", said.text());
            });
        }
    });
    assert_eq!(house.ask_for_token("reader", "wrong", scope).status, 401);
}

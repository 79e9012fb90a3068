//! Those of distribution, the registry of Docker and the CNCF.

use jsonwebtoken::jwk::{Jwk, KeyOperations};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use ureq::http::Method;

use crate::forging::{part, signed_with_header, strange_key};
use crate::house::{House, bearer, content, manifest};
use crate::support::registry::{OCI_MANIFEST, digest};
use crate::{due, due_with_settings};

/// How much more memory an attack may take at its peak, in bytes: as much as eight of the largest manifests, and half of what
/// eight of the attack's would take.
const LITTLE: u64 = 64 << 20;

/// A manifest was read into memory whole, however long it was, so a few requests took all there was. Here a body is
/// counted while it comes, and refused at `registry.max_manifest_size` (4 MiB).
#[test]
fn cve_2017_11468_a_manifest_of_any_length_takes_no_memory() {
    let house = House::start();
    let token = bearer(&house.token("writer", "repository:team/private:pull,push"));
    let endless = vec![b' '; 16 << 20];
    let attack = || {
        let headers = [("Authorization", token.as_str()), ("Content-Type", OCI_MANIFEST)];
        let target = "/v2/team/private/manifests/large";
        let reply = house.registry.send(Method::PUT, target, &headers, Some(&endless)).unwrap();
        assert_eq!(reply.status, 413, "{}", reply.text());
    };
    // The first one takes what any request takes.
    attack();
    let before = house.server.memory("VmHWM");
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(attack);
        }
    });
    let taken = house.server.memory("VmHWM") - before;
    assert!(taken < LITTLE, "{taken} bytes");
    assert_eq!(house.put_manifest("team/private", "small", &token).status, 201);
}

/// `n` of a list was the size of an array that was made before anything was read, so one request took all memory. Here
/// a page has at most `registry.page_size` names, whatever `n` is.
#[test]
fn cve_2023_2253_a_page_of_any_size_takes_no_memory() {
    let house = House::start_with(&[("WHARF_REGISTRY_PAGE_SIZE", "2")]);
    let root = bearer(&house.token("root", "registry:catalog:*"));
    let before = house.server.memory("VmHWM");
    for n in ["1", "2", "1000000000", "9223372036854775807", "99999999999999999999999"] {
        let reply = house.ask(Method::GET, &format!("/v2/_catalog?n={n}"), &root);
        assert_eq!(reply.status, 200, "n={n}: {}", reply.text());
        let names = reply.json()["repositories"].as_array().unwrap().len();
        assert_eq!(names, if n == "1" { 1 } else { 2 }, "n={n}");
    }
    let taken = house.server.memory("VmHWM") - before;
    assert!(taken < LITTLE, "{taken} bytes");
}

/// A token could bring its own key (`jwk`): where that claimed the name of a trusted one, the key itself was not
/// compared, so anyone signed what they liked. Here `kid` selects among the keys of the folder, and nothing else of a
/// header is looked at.
#[test]
fn cve_2025_24976_a_key_that_a_token_brings_is_not_trusted() {
    let house = House::start();
    let target = "/v2/team/private/manifests/v1";
    let ours = house.token("reader", "repository:team/private:pull");
    assert_eq!(house.ask(Method::GET, target, &bearer(&ours)).status, 200);
    let trusted = part(&ours, 0)["kid"].as_str().unwrap().to_owned();
    let (claims, folder) = (part(&ours, 1), strange_key());
    let pem = std::fs::read(folder.path().join("first.pem")).unwrap();
    let key = EncodingKey::from_rsa_pem(&pem).unwrap();
    let mut theirs = Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap();
    theirs.common.key_operations = Some(vec![KeyOperations::Verify]);
    theirs.common.key_id = Some(trusted.clone());
    for kid in [Some(trusted), None, Some("theirs".to_owned())] {
        let header = Header { kid, jwk: Some(theirs.clone()), ..Header::new(Algorithm::RS256) };
        let forged = signed_with_header(folder.path(), &header, &claims);
        let reply = house.ask(Method::GET, target, &bearer(&forged));
        assert_eq!(reply.status, 401, "{:?}: {}", header.kid, reply.text());
    }
    // The same header under our signature would do: it is the signature that is missing.
    let header = Header { kid: Some(part(&ours, 0)["kid"].as_str().unwrap().into()), ..header() };
    let signed = signed_with_header(&house.data().join("keys"), &header, &claims);
    assert_eq!(house.ask(Method::GET, target, &bearer(&signed)).status, 200);
}

fn header() -> Header {
    Header::new(Algorithm::RS256)
}

/// A pull-through cache sent its upstream's password to whatever address the upstream's `WWW-Authenticate` named as its
/// realm. Here nothing is pulled through yet.
#[test]
fn cve_2026_33540_no_upstream_is_sent_a_password_yet() {
    let then = "a realm on another host than the upstream, or one by HTTP behind HTTPS, is sent no password";
    due_with_settings(&["proxy", "upstream", "mirror", "remote"], then);
    due(&["/api/v1/upstreams", "/api/v1/proxies"], then);
}

/// A blob that was deleted in one repository came back there once another repository was asked for the same digest: the
/// cache kept "this repository holds it" apart from "there is such a blob". Here the cache knows memberships alone,
/// and a delete makes those of its repository stale before it is acknowledged.
#[test]
fn cve_2026_35172_a_deleted_blob_stays_deleted_when_another_repository_is_asked_for_it() {
    let house = House::start();
    let shared = b"a blob that two repositories hold";
    let blob = digest(shared);
    let both = "repository:team/private:pull,push repository:team/internal:pull,push";
    let writer = bearer(&house.token("writer", both));
    for repository in ["team/private", "team/internal"] {
        let target = format!("/v2/{repository}/blobs/uploads/?digest={blob}");
        let headers = [("Authorization", writer.as_str())];
        let pushed = house.registry.send(Method::POST, &target, &headers, Some(shared)).unwrap();
        assert_eq!(pushed.status, 201, "{}", pushed.text());
    }
    let both = "repository:team/private:pull repository:team/internal:pull";
    let reader = bearer(&house.token("reader", both));
    let ask = |method: Method, repository: &str| {
        house.ask(method, &format!("/v2/{repository}/blobs/{blob}"), &reader).status
    };
    for _ in 0..3 {
        assert_eq!(ask(Method::HEAD, "team/private"), 200);
        assert_eq!(ask(Method::GET, "team/internal"), 200);
    }
    let keeper = bearer(&house.token("keeper", "repository:team/private:delete"));
    let deleted = house.ask(Method::DELETE, &format!("/v2/team/private/blobs/{blob}"), &keeper);
    assert_eq!(deleted.status, 202, "{}", deleted.text());
    for _ in 0..3 {
        assert_eq!(ask(Method::HEAD, "team/internal"), 200);
        assert_eq!(ask(Method::GET, "team/internal"), 200);
        assert_eq!(ask(Method::HEAD, "team/private"), 404);
        assert_eq!(ask(Method::GET, "team/private"), 404);
    }
}

/// The setting that forbids deletes did not hold for tags. Here `registry.delete` stands before all three kinds.
#[test]
fn cve_2026_41888_where_deletes_are_off_a_tag_stays_too() {
    let house = House::start_with(&[("WHARF_REGISTRY_DELETE", "false")]);
    let scope = "repository:team/private:pull,push,delete";
    let keeper = bearer(&house.token("keeper", scope));
    let (image, blob) = (digest(&manifest("team/private")), digest(&content("team/private")));
    for path in ["manifests/v1".to_owned(), format!("manifests/{image}"), format!("blobs/{blob}")] {
        let target = format!("/v2/team/private/{path}");
        let reply = house.ask(Method::DELETE, &target, &keeper);
        assert_eq!(reply.status, 405, "{path}: {}", reply.text());
        assert_eq!(house.ask(Method::GET, &target, &keeper).status, 200, "{path}");
    }
    // The same where deletes are on.
    let house = House::start();
    let keeper = bearer(&house.token("keeper", scope));
    let deleted = house.ask(Method::DELETE, "/v2/team/private/manifests/v1", &keeper);
    assert_eq!(deleted.status, 202, "{}", deleted.text());
}

/// Bytes that are an image to one client and an index to another: both "layers" and "manifests" under one digest. Here
/// such a manifest is refused, and so is one with a key twice or in other letters.
#[test]
fn ghsa_qq97_vm5h_rrhg_what_could_be_read_as_two_things_is_refused() {
    let house = House::start();
    let token = bearer(&house.token("writer", "repository:team/private:pull,push"));
    let image = String::from_utf8(manifest("team/private")).unwrap();
    let push = |text: &str| {
        let headers = [("Authorization", token.as_str())];
        house.registry.push_manifest("team/private", "two", &headers, text.as_bytes()).unwrap()
    };
    assert_eq!(push(&image).status, 201);
    for more in ["\"manifests\":[]", "\"layers\":[]", "\"Layers\":[]", "\"fsLayers\":[]"] {
        let ambiguous = format!("{},{more}}}", image.strip_suffix('}').unwrap());
        let reply = push(&ambiguous);
        assert_eq!(reply.status, 400, "{more}: {}", reply.text());
        assert_eq!(reply.json()["errors"][0]["code"], "MANIFEST_INVALID");
    }
}

/// The specification let a registry give a manifest under a `Content-Type` that its bytes did not state, so that two
/// clients could read one digest as two things. Here the type is what the bytes state, and a push under another is
/// refused.
#[test]
fn ghsa_mc8v_mgrf_8f4m_a_manifest_has_the_type_that_its_bytes_state() {
    let house = House::start();
    let token = bearer(&house.token("writer", "repository:team/private:pull,push"));
    let image = manifest("team/private");
    let target = "/v2/team/private/manifests/typed";
    let push = |kind: &str, body: &[u8]| {
        let headers = [("Authorization", token.as_str()), ("Content-Type", kind)];
        house.registry.send(Method::PUT, target, &headers, Some(body)).unwrap()
    };
    let index = "application/vnd.oci.image.index.v1+json";
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    for kind in [index, docker, "text/plain"] {
        let reply = push(kind, &image);
        assert_eq!(reply.status, 400, "{kind}: {}", reply.text());
    }
    let pushed = push(OCI_MANIFEST, &image);
    assert_eq!(pushed.status, 201, "{}", pushed.text());
    for accepted in [index, docker, "*/*", "text/html"] {
        let headers = [("Authorization", token.as_str()), ("Accept", accepted)];
        let pulled = house.registry.send(Method::GET, target, &headers, None).unwrap();
        if pulled.status == 200 {
            assert_eq!(pulled.header("Content-Type"), Some(OCI_MANIFEST), "{accepted}");
            assert_eq!(pulled.body, image);
        }
    }
    // Bytes that state no type have the one that their structure allows.
    let unstated = json!({ "schemaVersion": 2, "manifests": [] }).to_string();
    assert_eq!(push(OCI_MANIFEST, unstated.as_bytes()).status, 400);
    assert_eq!(push(index, unstated.as_bytes()).status, 201);
}

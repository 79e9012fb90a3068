//! Settings that clients see: deletion, chunks, caching, pages, sizes, and where the server says that it is.

use ureq::http::Method;

use crate::support::registry::{Registry, Reply, digest, image_manifest};
use crate::support::server::Server;

/// Pushes an image as `app:latest`; its manifest.
fn push_image(registry: &Registry) -> Vec<u8> {
    let blob = |bytes: &[u8]| {
        assert_eq!(registry.push_blob("app", bytes).unwrap().status, 201);
        (digest(bytes), bytes.len())
    };
    let manifest = image_manifest(&[blob(b"{}"), blob(b"a layer")], "the one");
    push_tag(registry, "latest", &manifest);
    manifest
}

fn push_tag(registry: &Registry, tag: &str, manifest: &[u8]) -> Reply {
    let reply = registry.push_manifest("app", tag, &[], manifest).unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply
}

#[test]
fn without_deletion_nothing_is_deleted_but_uploads() {
    let server = Server::start_with(&[("WHARF_REGISTRY_DELETE", "false")]);
    let registry = server.registry();
    let manifest = push_image(&registry);
    let (image, layer) = (digest(&manifest), digest(b"a layer"));
    let absent = digest(b"absent");
    for target in [
        "manifests/latest".to_owned(),
        "manifests/absent".to_owned(),
        format!("manifests/{image}"),
        format!("manifests/{absent}"),
        format!("blobs/{layer}"),
        format!("blobs/{absent}"),
    ] {
        let reply = registry.delete(&format!("/v2/app/{target}")).unwrap();
        assert_eq!(reply.status, 405, "{target}: {}", reply.text());
        assert_eq!(reply.json()["errors"][0]["code"], "UNSUPPORTED", "{target}");
        assert!(reply.header("Allow").is_some_and(|allowed| !allowed.contains("DELETE")));
    }
    assert_eq!(registry.manifest("app", "latest").unwrap().body, manifest);
    assert_eq!(registry.blob("app", &layer).unwrap().body, b"a layer");
    let place = registry.open_upload("app").unwrap();
    assert_eq!(registry.delete(&place).unwrap().status, 204);
}

#[test]
fn the_least_chunk_is_told() {
    let told = |server: &Server| {
        let target = "/v2/app/blobs/uploads/";
        let begun = server.registry().send(Method::POST, target, &[], Some(b"")).unwrap();
        assert_eq!(begun.status, 202);
        begun.header("OCI-Chunk-Min-Length").map(str::to_owned)
    };
    assert_eq!(told(&Server::start()), None);
    let server = Server::start_with(&[("WHARF_UPLOADS_MIN_CHUNK", "5MiB")]);
    assert_eq!(told(&server).as_deref(), Some("5242880"));
}

#[test]
fn tags_are_kept_as_long_as_set_and_digests_for_ever() {
    for (settings, kept) in
        [(&[][..], "no-cache"), (&[("WHARF_HTTP_TAG_MAX_AGE", "90s")], "public, max-age=90")]
    {
        let server = Server::start_with(settings);
        let registry = server.registry();
        let image = digest(&push_image(&registry));
        let known = format!("\"{image}\"");
        let cache_control = |reference: &str, headers: &[(&str, &str)]| {
            let target = format!("/v2/app/manifests/{reference}");
            let reply = registry.send(Method::GET, &target, headers, None).unwrap();
            reply.header("Cache-Control").unwrap().to_owned()
        };
        assert_eq!(cache_control("latest", &[]), kept);
        assert_eq!(cache_control("latest", &[("If-None-Match", &known)]), kept);
        assert_eq!(cache_control(&image, &[]), "public, max-age=31536000, immutable");
    }
}

#[test]
fn pages_have_as_many_names_as_set() {
    let server = Server::start_with(&[("WHARF_REGISTRY_PAGE_SIZE", "2")]);
    let registry = server.registry();
    let manifest = push_image(&registry);
    for tag in ["a", "b", "c"] {
        push_tag(&registry, tag, &manifest);
    }
    for target in ["/v2/app/tags/list", "/v2/app/tags/list?n=100"] {
        let page = registry.get(target).unwrap();
        assert_eq!(page.json()["tags"], serde_json::json!(["a", "b"]), "{target}");
        let next = "</v2/app/tags/list?n=2&last=b>; rel=\"next\"";
        assert_eq!(page.header("Link"), Some(next), "{target}");
    }
    let page = registry.get("/v2/app/tags/list?n=1").unwrap();
    assert_eq!(page.json()["tags"], serde_json::json!(["a"]));
    let last = registry.get("/v2/app/tags/list?last=b").unwrap();
    assert_eq!(last.json()["tags"], serde_json::json!(["c", "latest"]));
    assert_eq!(last.header("Link"), None);
}

#[test]
fn what_is_larger_than_set_is_refused() {
    let server = Server::start_with(&[
        ("WHARF_REGISTRY_MAX_MANIFEST_SIZE", "1KiB"),
        ("WHARF_REGISTRY_MAX_BLOB_SIZE", "2KiB"),
    ]);
    let registry = server.registry();
    let manifest = registry.push_manifest("app", "latest", &[], &[b' '; 1025]).unwrap();
    assert_eq!(manifest.status, 413, "{}", manifest.text());
    assert_eq!(registry.push_blob("app", &[b'x'; 2048]).unwrap().status, 201);
    assert_eq!(registry.push_blob("app", &[b'x'; 2049]).unwrap().status, 413);
    let place = registry.open_upload("app").unwrap();
    assert_eq!(registry.send(Method::PATCH, &place, &[], Some(&[b'x'; 2000])).unwrap().status, 202);
    assert_eq!(registry.send(Method::PATCH, &place, &[], Some(&[b'x'; 49])).unwrap().status, 413);
}

/// Where the replies to a push and to a list send their client: the first of what each says.
fn sent_to(registry: &Registry, headers: &[(&str, &str)]) -> Vec<String> {
    let blob = digest(b"{}");
    let mut targets = vec![
        (Method::POST, "/v2/app/blobs/uploads/".to_owned(), "Location"),
        (Method::POST, format!("/v2/app/blobs/uploads/?digest={blob}"), "Location"),
        (Method::GET, "/v2/app/tags/list?n=1".to_owned(), "Link"),
    ];
    let mut all = Vec::new();
    for (method, target, header) in targets.drain(..) {
        let body = (method == Method::POST).then_some(b"{}".as_slice());
        let body = if target.ends_with('/') { body.map(|_| b"".as_slice()) } else { body };
        let reply = registry.send(method, &target, headers, body).unwrap();
        let place = reply.header(header).unwrap().trim_start_matches('<').to_owned();
        all.push(place[..place.find("/v2/app/").unwrap()].to_owned());
    }
    all
}

/// A registry with two tags, whose replies therefore link to a second page.
fn two_tags(server: &Server) -> Registry {
    let registry = server.registry();
    let manifest = push_image(&registry);
    push_tag(&registry, "other", &manifest);
    registry
}

const FORWARDED: [(&str, &str); 2] =
    [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "registry.example.com")];

#[test]
fn clients_are_sent_to_the_external_url() {
    let url = "https://registry.example.com:8443";
    let server = Server::start_with(&[("WHARF_HTTP_EXTERNAL_URL", url)]);
    let registry = server.registry();
    // The Location of these replies is elsewhere, so nothing here may follow one.
    let push = |target: &str, body: &[u8]| {
        let headers = [("Content-Type", crate::support::registry::OCI_MANIFEST)];
        let method = if target.contains("manifests") { Method::PUT } else { Method::POST };
        let reply = registry.send(method, target, &headers, Some(body)).unwrap();
        assert_eq!(reply.status, 201, "{}", reply.text());
        assert!(reply.header("Location").unwrap().starts_with(url));
    };
    let blob = |bytes: &[u8]| {
        push(&format!("/v2/app/blobs/uploads/?digest={}", digest(bytes)), bytes);
        (digest(bytes), bytes.len())
    };
    let manifest = image_manifest(&[blob(b"{}"), blob(b"a layer")], "the one");
    push("/v2/app/manifests/latest", &manifest);
    push("/v2/app/manifests/other", &manifest);
    assert_eq!(sent_to(&registry, &FORWARDED), [url, url, url], "whatever proxies say");
    let greeting = "first push:  docker push registry.example.com:8443/hello:latest";
    assert!(server.log().contains(greeting), "{}", server.log());
}

#[test]
fn a_trusted_proxy_says_where_clients_see_the_server_and_who_they_are() {
    let server = Server::start_with(&[("WHARF_HTTP_TRUSTED_PROXIES", "10.0.0.0/8,127.0.0.1")]);
    let registry = two_tags(&server);
    assert_eq!(sent_to(&registry, &[]), ["", "", ""]);
    let seen = ["https://registry.example.com"; 3];
    assert_eq!(sent_to(&registry, &FORWARDED), seen);
    let standard = [("Forwarded", "for=203.0.113.9;proto=https;host=registry.example.com")];
    assert_eq!(sent_to(&registry, &standard), seen);
    let with_port = [FORWARDED[0], FORWARDED[1], ("X-Forwarded-Port", "8443")];
    assert_eq!(sent_to(&registry, &with_port), ["https://registry.example.com:8443"; 3]);
    let hostile = [FORWARDED[0], ("X-Forwarded-Host", "evil.example/path?")];
    assert_eq!(sent_to(&registry, &hostile), ["", "", ""]);

    let chain = [("X-Forwarded-For", "1.1.1.1, 203.0.113.77, 10.1.1.1")];
    registry.send(Method::GET, "/v2/", &chain, None).unwrap();
    wait_for_log(&server, "203.0.113.77 - \"GET /v2/\"");
}

#[test]
fn a_stranger_is_not_believed() {
    let server = Server::start_with(&[("WHARF_HTTP_TRUSTED_PROXIES", "10.0.0.0/8")]);
    let registry = two_tags(&server);
    assert_eq!(sent_to(&registry, &FORWARDED), ["", "", ""]);
    let chain = [("X-Forwarded-For", "203.0.113.77")];
    registry.send(Method::GET, "/v2/?said", &chain, None).unwrap();
    wait_for_log(&server, "127.0.0.1 - \"GET /v2/?said\"");
}

fn wait_for_log(server: &Server, text: &str) {
    let patience = std::time::Duration::from_secs(30);
    crate::support::program::wait_until(&format!("{text} is logged"), patience, || {
        server.log().contains(text)
    });
}

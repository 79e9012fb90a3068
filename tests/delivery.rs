//! Blobs past the node: from a bucket by signed URLs, from a CDN that checks them itself, from a proxy's own files.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use support::engines::Shared;
use support::nginx::Rules;
use support::nodes::Nodes;
use support::program::wait_until;
use support::random::Random;
use support::registry::{Registry, digest};
use tempfile::TempDir;
use ureq::http::Method;

const PATIENCE: Duration = Duration::from_secs(30);

fn push(registry: &Registry, repository: &str, length: usize, seed: u64) -> (String, Vec<u8>) {
    let bytes = Random::seeded(seed).bytes(length);
    let pushed = registry.push_blob(repository, &bytes).unwrap();
    assert_eq!(pushed.status, 201, "{}", pushed.text());
    (digest(&bytes), bytes)
}

/// Where a pull of the blob is sent.
fn redirected(registry: &Registry, repository: &str, name: &str) -> String {
    let reply = registry.blob(repository, name).unwrap();
    assert_eq!(reply.status, 307, "{}", reply.text());
    assert_eq!(reply.header("Cache-Control"), Some("no-store"));
    assert_eq!(reply.header("Docker-Content-Digest"), Some(name));
    reply.header("Location").unwrap().to_owned()
}

#[test]
fn a_signed_url_gives_one_blob_by_get_for_a_short_time() {
    let shared = Shared::new()
        .with("WHARF_DELIVERY_MODE", "redirect")
        .with("WHARF_DELIVERY_URL_LIFETIME", "2s");
    let nodes = Nodes::start(1, &shared.settings());
    let registry = nodes.registry();
    let (name, bytes) = push(&registry, "team/app", 300_000, 1);
    let (other, _) = push(&registry, "team/app", 300_000, 2);

    let place = redirected(&registry, "team/app", &name);
    let pulled = registry.get(&place).unwrap();
    assert!(pulled.status == 200 && pulled.body == bytes);
    assert_eq!(pulled.header("Content-Type"), Some("application/octet-stream"));
    let part = registry.send(Method::GET, &place, &[("Range", "bytes=10-19")], None).unwrap();
    assert!(part.status == 206 && part.body == bytes[10..20]);

    let written = registry.send(Method::PUT, &place, &[], Some(b"other")).unwrap();
    assert_eq!(written.status, 403, "{}", written.text());
    let hex = |name: &str| name.trim_start_matches("sha256:").to_owned();
    let elsewhere = place.replace(&hex(&name), &hex(&other));
    assert_eq!(registry.get(&elsewhere).unwrap().status, 403);
    wait_until("the URL ends", PATIENCE, || registry.get(&place).unwrap().status == 403);

    // A HEAD is answered here, and a blob of another repository has no place.
    let target = format!("/v2/team/app/blobs/{name}");
    let head = registry.send(Method::HEAD, &target, &[], None).unwrap();
    assert_eq!((head.status, head.header("Content-Length")), (200, Some("300000")));
    assert_eq!(registry.blob("other/app", &name).unwrap().status, 404);
}

#[test]
fn rules_keep_small_blobs_some_repositories_and_some_networks_here() {
    let shared = Shared::new()
        .with("WHARF_DELIVERY_MODE", "redirect")
        .with("WHARF_DELIVERY_LEAST_SIZE", "1000")
        .with("WHARF_DELIVERY_STREAMED_REPOSITORIES", "edge/*")
        .with("WHARF_DELIVERY_STREAMED_NETWORKS", "192.0.2.0/24");
    let nodes = Nodes::start(1, &shared.settings());
    let registry = nodes.registry();
    let (small, _) = push(&registry, "team/app", 999, 1);
    assert_eq!(registry.blob("team/app", &small).unwrap().status, 200);
    let (large, bytes) = push(&registry, "team/app", 100_000, 2);
    redirected(&registry, "team/app", &large);
    push(&registry, "edge/app", 100_000, 2);
    assert!(registry.blob("edge/app", &large).unwrap().body == bytes);
    // The node trusts what a proxy on this machine says of the client.
    let target = format!("/v2/team/app/blobs/{large}");
    let node = nodes.node(0).registry();
    let from = [("X-Forwarded-For", "192.0.2.7")];
    assert_eq!(node.send(Method::GET, &target, &from, None).unwrap().status, 200);
    let from = [("X-Forwarded-For", "198.51.100.7")];
    assert_eq!(node.send(Method::GET, &target, &from, None).unwrap().status, 307);
}

#[test]
fn a_proxy_in_front_sends_the_files_that_the_node_names() {
    let folder = TempDir::new().unwrap();
    let blobs = folder.path().join("blobs");
    let url = format!("file://{}", blobs.display());
    let settings = [("WHARF_BLOBS_URL", url.as_str()), ("WHARF_DELIVERY_MODE", "x-accel")];
    let server = format!(
        "location /wharf-objects/ {{
            internal;
            alias {}/objects/;
            etag off;
            add_header ETag $upstream_http_etag;
            add_header Docker-Content-Digest $upstream_http_docker_content_digest;
        }}",
        blobs.display()
    );
    let rules = Rules { main: "user root;", server: &server, ..Rules::default() };
    let nodes = Nodes::start_behind(1, &settings, rules);
    let registry = nodes.registry();
    let (name, bytes) = push(&registry, "team/app", 300_000, 1);

    let pulled = registry.blob("team/app", &name).unwrap();
    assert!(pulled.status == 200 && pulled.body == bytes, "{}", pulled.status);
    assert_eq!(pulled.header("Docker-Content-Digest"), Some(name.as_str()));
    assert_eq!(pulled.header("ETag"), Some(format!("\"{name}\"").as_str()));
    assert_eq!(pulled.header("Content-Type"), Some("application/octet-stream"));
    assert_eq!(pulled.header("X-Accel-Redirect"), None);
    let target = format!("/v2/team/app/blobs/{name}");
    let part = registry.send(Method::GET, &target, &[("Range", "bytes=-5")], None).unwrap();
    assert!(part.status == 206 && part.body == bytes[299_995..]);
    // The node itself sent nothing, and nobody comes to the files without it.
    let alone = nodes.node(0).registry().blob("team/app", &name).unwrap();
    assert!(alone.body.is_empty() && alone.header("X-Accel-Redirect").is_some());
    let hex = name.trim_start_matches("sha256:");
    let file = format!("/wharf-objects/sha256/{}/{}/{hex}", &hex[..2], &hex[2..4]);
    assert_eq!(registry.get(&file).unwrap().status, 404);
    assert_eq!(registry.blob("other/app", &name).unwrap().status, 404);
}

/// What the CDN computes before it serves anything, from its own copy of the secret.
const CDN_CHECK: &str = "
const crypto = require('crypto');
function check(request) {
    const asked = request.args;
    if (!(asked.expires > Date.now() / 1000) || asked.key !== 'k1') { return 'no'; }
    const signed = `${request.uri}?expires=${asked.expires}&key=${asked.key}`;
    const mac = crypto.createHmac('sha256', '0123456789abcdef0123456789abcdef');
    return mac.update(signed).digest('hex') === asked.signature ? 'yes' : 'no';
}
export default { check };
";

#[test]
fn a_cdn_that_checks_signatures_serves_nearly_all_bytes() {
    let folder = TempDir::new().unwrap();
    let blobs = folder.path().join("blobs");
    let secret = folder.path().join("secret");
    fs::write(&secret, "0123456789abcdef0123456789abcdef\n").unwrap();
    let cdn = Cdn::start(folder.path(), &blobs);
    let (url, at) =
        (format!("file://{}", blobs.display()), format!("http://{}/cdn", cdn.address()));
    let settings = [
        ("WHARF_BLOBS_URL", url.as_str()),
        ("WHARF_DELIVERY_MODE", "redirect"),
        ("WHARF_DELIVERY_CDN_URL", at.as_str()),
        ("WHARF_DELIVERY_CDN_KEY_ID", "k1"),
        ("WHARF_DELIVERY_CDN_KEY_FILE", secret.to_str().unwrap()),
    ];
    let nodes = Nodes::start(1, &settings);
    let registry = nodes.registry();
    let layers: Vec<_> = (0..60).map(|seed| push(&registry, "team/app", 100_000, seed)).collect();

    // The n-th layer is pulled a n-th as often as the first.
    let mut random = Random::seeded(1);
    let weights: Vec<f64> = (1..=layers.len()).map(|rank| 1.0 / rank as f64).collect();
    let all: f64 = weights.iter().sum();
    let (mut bytes, mut kept) = (0, 0);
    for _ in 0..1500 {
        let mut left = random.below(1 << 40) as f64 / (1_u64 << 40) as f64 * all;
        let chosen = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        let (name, content) = &layers[chosen.unwrap_or(0)];
        let place = redirected(&registry, "team/app", name);
        let pulled = registry.get(&place).unwrap();
        assert!(pulled.status == 200 && pulled.body == *content, "{}", pulled.status);
        bytes += content.len();
        if pulled.header("X-Cache") == Some("HIT") {
            kept += content.len();
        }
    }
    assert!(kept * 100 > bytes * 90, "{kept} of {bytes} bytes came out of the CDN's own store");

    // What it keeps it gives to nobody without a signature, or with another's.
    let place = redirected(&registry, "team/app", &layers[0].0);
    let (plain, query) = place.split_once('?').unwrap();
    assert_eq!(registry.get(plain).unwrap().status, 403);
    let other = redirected(&registry, "team/app", &layers[1].0);
    let other = other.split_once('?').unwrap().0;
    assert_eq!(registry.get(&format!("{other}?{query}")).unwrap().status, 403);
    let later = place.replacen("expires=", "expires=1", 1);
    assert_eq!(registry.get(&later).unwrap().status, 403);
}

/// An nginx that plays the CDN: it keeps what it fetched from the origin, which is the folder of blobs.
struct Cdn(support::nginx::Nginx);

impl Cdn {
    fn start(folder: &Path, blobs: &Path) -> Cdn {
        let at = folder.join("cdn");
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join("check.js"), CDN_CHECK).unwrap();
        let http = format!(
            "js_path {0};
             js_import check.js;
             js_set $is_signed check.check;
             proxy_cache_path {0}/kept keys_zone=kept:1m max_size=1g;",
            at.display()
        );
        let server = format!(
            "location /cdn/ {{
                if ($is_signed != yes) {{ return 403; }}
                proxy_cache kept;
                proxy_cache_key $uri;
                proxy_cache_valid 200 1y;
                proxy_buffering on;
                add_header X-Cache $upstream_cache_status;
                rewrite ^/cdn/(.*)$ /origin/$1 break;
                proxy_pass http://127.0.0.1:$server_port;
            }}
            location /origin/ {{ alias {}/objects/; }}",
            blobs.display()
        );
        let main = "load_module /usr/lib/nginx/modules/ngx_http_js_module.so;\nuser root;";
        let rules = Rules { main, http: &http, server: &server };
        Cdn(support::nginx::Nginx::start(&at, &["127.0.0.1:1".to_owned()], rules))
    }

    fn address(&self) -> String {
        self.0.address()
    }
}

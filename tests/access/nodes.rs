//! Nodes that share the work: one that issues tokens, and one that has public keys alone.

use std::fs;

use tempfile::TempDir;
use ureq::http::Method;

use crate::house::{House, bearer, scope};
use crate::support::program::wait_until;
use crate::support::server::Process;

#[test]
fn a_node_with_public_keys_alone_takes_the_tokens_that_another_one_issues() {
    let house = House::start();
    let folder = TempDir::new().unwrap();
    let (keys, data) = (folder.path().join("keys"), folder.path().join("data"));
    fs::create_dir(&keys).unwrap();
    let private = fs::read_to_string(house.data().join("keys/first.pem")).unwrap();
    let public = rcgen::KeyPair::from_pem(&private).unwrap().public_key_pem();
    fs::write(keys.join("first.pem"), public).unwrap();
    let issuer = format!("http://{}", house.server.address());
    let mut settings = vec![
        ("WHARF_ACCESS_CONTROL", "true"),
        ("WHARF_ACCESS_KEYS", keys.to_str().unwrap()),
        ("WHARF_ACCESS_TOKEN_URL", &issuer),
        ("WHARF_NODE_ROLES", "registry"),
    ];
    let server = Process::launch(&data, &settings).ready();
    let registry = server.registry();

    let challenged = registry.get("/v2/team/new/manifests/v1").unwrap();
    let challenge = challenged.header("WWW-Authenticate").unwrap();
    assert!(challenge.contains(&format!("realm=\"{issuer}/token\"")), "{challenge}");
    let token = bearer(&house.token("ada", &scope(&challenged)));
    let headers = [("Authorization", token.as_str())];
    let asked = registry.send(Method::GET, "/v2/team/new/manifests/v1", &headers, None).unwrap();
    assert_eq!(asked.status, 404, "{}", asked.text());
    for path in ["/token", "/.well-known/jwks.json", "/login", "/device"] {
        assert_eq!(registry.get(path).unwrap().status, 404, "{path}");
    }
    drop(server);

    settings.retain(|(name, _)| *name != "WHARF_NODE_ROLES");
    let refused = Process::launch(&data, &settings);
    wait_until("the node says what it lacks", std::time::Duration::from_secs(60), || {
        refused.log().contains("holds public keys only, and this node issues tokens (node.roles)")
    });
}

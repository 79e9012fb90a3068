//! Three nodes with people: PostgreSQL, S3 and Redis shared, and a folder of keys; made as `House` makes one node.

// Each test binary uses the part that it needs.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use ureq::http::Method;

use crate::forging::strange_key;
use crate::house::{admin, basic, bearer, content, manifest, people};
use crate::support::engines::Shared;
use crate::support::nodes::Nodes;
use crate::support::registry::{Registry, Reply, digest};

/// How many nodes there are.
pub const NODES: usize = 3;

pub struct Cluster {
    pub nodes: Nodes,
    settings: Vec<(String, String)>,
    keys: TempDir,
    folder: TempDir,
}

impl Cluster {
    pub fn start(more: &[(&str, &str)]) -> Cluster {
        let (keys, folder) = (strange_key(), TempDir::new().unwrap());
        let mut shared = Shared::new()
            .with("WHARF_ACCESS_CONTROL", "true")
            .with("WHARF_ACCESS_KEYS", keys.path().to_str().unwrap());
        for (name, text) in more {
            shared = shared.with(name, text);
        }
        let nodes = Nodes::start(NODES, &shared.settings());
        let owned = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
        let settings = shared.settings().into_iter().map(owned).collect();
        let cluster = Cluster { nodes, settings, keys, folder };
        people(|arguments| cluster.admin(arguments));
        cluster
    }

    /// `wharf admin …`, in the database that the nodes share.
    pub fn admin(&self, arguments: &[&str]) -> String {
        admin(&self.folder.path().join("admin"), &self.settings(), arguments)
    }

    /// What the nodes were started with.
    pub fn settings(&self) -> Vec<(&str, &str)> {
        self.settings.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
    }

    /// The folder of keys.
    pub fn keys(&self) -> PathBuf {
        self.keys.path().to_owned()
    }

    /// A folder of the test's own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A client that asks this node alone.
    pub fn node(&self, index: usize) -> Registry {
        self.nodes.node(index).registry()
    }

    /// An access token that this client is given.
    pub fn token(&self, at: &Registry, user: &str, scope: &str) -> String {
        let said = ask_for_token(at, user, crate::house::PASSWORD, scope);
        assert_eq!(said.status, 200, "{}", said.text());
        said.json()["token"].as_str().unwrap().to_owned()
    }

    /// Pushes the image of a repository under `v1`, each request to the next node, and makes it so visible.
    pub fn push(&self, user: &str, repository: &str, visibility: &str) {
        let registry = self.nodes.registry();
        let scope = format!("repository:{repository}:pull,push");
        let token = bearer(&self.token(&registry, user, &scope));
        let blob = content(repository);
        let headers = [("Authorization", token.as_str())];
        let target = format!("/v2/{repository}/blobs/uploads/?digest={}", digest(&blob));
        let pushed = registry.send(Method::POST, &target, &headers, Some(&blob)).unwrap();
        assert_eq!(pushed.status, 201, "{}", pushed.text());
        let image = manifest(repository);
        let pushed = registry.push_manifest(repository, "v1", &headers, &image).unwrap();
        assert_eq!(pushed.status, 201, "{}", pushed.text());
        self.admin(&["visibility", repository, visibility]);
    }
}

/// What a token's end-point answers; nobody asks where the name is empty.
pub fn ask_for_token(at: &Registry, user: &str, secret: &str, scope: &str) -> Reply {
    let target = format!("/token?service=wharf&scope={}", scope.replace(' ', "%20"));
    let basic = basic(user, secret);
    let headers = [("Authorization", basic.as_str())];
    let headers = if user.is_empty() { &headers[..0] } else { &headers[..] };
    at.send(Method::GET, &target, headers, None).unwrap()
}

//! A registry with people in it: an organization `team` of `ada`, a user for each role, and a repository of each
//! visibility with an image.

// Each test binary uses the part that it needs.
#![allow(dead_code)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use tempfile::TempDir;
use ureq::http::Method;

use crate::support::registry::{Registry, Reply, digest, image_manifest};
use crate::support::server::{Process, Server};

/// The password of everyone.
pub const PASSWORD: &str = "correct horse battery";

/// The image's only blob in each repository: its own content.
pub fn content(repository: &str) -> Vec<u8> {
    format!("the blob of {repository}").into_bytes()
}

/// Its manifest.
pub fn manifest(repository: &str) -> Vec<u8> {
    let blob = content(repository);
    image_manifest(&[(digest(&blob), blob.len())], repository)
}

pub struct House {
    pub server: Server,
    pub registry: Registry,
    folder: TempDir,
    settings: Vec<(String, String)>,
}

impl House {
    pub fn start() -> House {
        House::start_with(&[])
    }

    /// The same with these settings, as environment variables, which its administrator has too.
    pub fn start_with(settings: &[(&str, &str)]) -> House {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        people(|arguments| admin(&data, &[], arguments));
        let all = [&[("WHARF_ACCESS_CONTROL", "true")], settings].concat();
        let server = Process::launch(&data, &all).ready();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let settings = settings.iter().map(owned).collect();
        let house = House { registry: server.registry(), server, folder, settings };
        for visibility in ["public", "internal", "private"] {
            let repository = format!("team/{visibility}");
            house.push("ada", &repository);
            house.admin(&["visibility", &repository, visibility]);
        }
        house
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// `wharf admin …`, beside the registry that runs.
    pub fn admin(&self, arguments: &[&str]) -> String {
        let settings: Vec<_> =
            self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        admin(&self.data(), &settings, arguments)
    }

    /// Has the object of a repository's blob be gone from the store, as if somebody had tidied up.
    pub fn lose_blob(&self, repository: &str) {
        let hex = digest(&content(repository)).trim_start_matches("sha256:").to_owned();
        let objects = self.data().join("blobs/objects/sha256");
        let object = objects.join(&hex[..2]).join(&hex[2..4]).join(&hex);
        std::fs::remove_file(object).unwrap();
    }

    /// Pushes the image of a repository under `v1`.
    pub fn push(&self, user: &str, repository: &str) {
        let token = self.token(user, &format!("repository:{repository}:pull,push"));
        let blob = content(repository);
        let bearer = bearer(&token);
        let opened = self.ask(Method::POST, &format!("/v2/{repository}/blobs/uploads/"), &bearer);
        assert_eq!(opened.status, 202, "{}", opened.text());
        let target = format!("{}?digest={}", opened.header("Location").unwrap(), digest(&blob));
        let headers = [("Authorization", bearer.as_str())];
        let closed = self.registry.send(Method::PUT, &target, &headers, Some(&blob)).unwrap();
        assert_eq!(closed.status, 201, "{}", closed.text());
        let pushed = self.put_manifest(repository, "v1", &bearer);
        assert_eq!(pushed.status, 201, "{}", pushed.text());
    }

    pub fn put_manifest(&self, repository: &str, tag: &str, bearer: &str) -> Reply {
        let headers = [("Authorization", bearer)];
        let manifest = manifest(repository);
        self.registry.push_manifest(repository, tag, &headers, &manifest).unwrap()
    }

    /// What the token's end-point answers a user, or nobody where the name is empty.
    pub fn ask_for_token(&self, user: &str, secret: &str, scope: &str) -> Reply {
        let target = format!("/token?service=wharf&scope={}", scope.replace(' ', "%20"));
        let basic = basic(user, secret);
        let headers = [("Authorization", basic.as_str())];
        let headers = if user.is_empty() { &headers[..0] } else { &headers[..] };
        self.registry.send(Method::GET, &target, headers, None).unwrap()
    }

    /// An access token; `anonymous` logs in as nobody.
    pub fn token(&self, user: &str, scope: &str) -> String {
        let user = if user == "anonymous" { "" } else { user };
        let reply = self.ask_for_token(user, PASSWORD, scope);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["token"].as_str().unwrap().to_owned()
    }

    pub fn ask(&self, method: Method, target: &str, bearer: &str) -> Reply {
        self.send(method, target, &[("Authorization", bearer)])
    }

    pub fn send(&self, method: Method, target: &str, headers: &[(&str, &str)]) -> Reply {
        let reads = [Method::GET, Method::HEAD, Method::DELETE].contains(&method);
        let body = (!reads).then_some(&b""[..]);
        self.registry.send(method, target, headers, body).unwrap()
    }

    /// A request of the management API, by the password of everyone; of nobody where the name is empty.
    pub fn manage(&self, user: &str, method: Method, path: &str, body: Option<&str>) -> Reply {
        let basic = basic(user, PASSWORD);
        let headers = [("Authorization", basic.as_str()), ("Content-Type", "application/json")];
        let headers = if user.is_empty() { &headers[1..] } else { &headers[..] };
        let reads = [Method::GET, Method::HEAD, Method::DELETE].contains(&method);
        let body = body.or((!reads).then_some("")).map(str::as_bytes);
        self.registry.send(method, &format!("/api/v1{path}"), headers, body).unwrap()
    }

    /// A request of a user, with a token for what the challenge to it says, as clients do it.
    pub fn as_user(&self, user: &str, method: Method, target: &str) -> Reply {
        let challenged = self.send(method.clone(), target, &[]);
        assert_eq!(challenged.status, 401, "{method} {target} without a token");
        let scope = scope(&challenged);
        self.ask(method, target, &bearer(&self.token(user, &scope)))
    }
}

/// Makes everyone who is there in every test.
pub fn people(admin: impl Fn(&[&str]) -> String) {
    for user in ["ada", "reader", "writer", "keeper", "bob"] {
        admin(&["user", user, "--password-stdin"]);
    }
    admin(&["create", "root", "--password-stdin"]);
    admin(&["org", "team", "--owner", "ada"]);
    for (user, role) in [("reader", "read"), ("writer", "write"), ("keeper", "maintain")] {
        admin(&["grant", "team", role, "--to", &format!("user:{user}")]);
    }
}

/// The scope that a challenge names.
pub fn scope(challenged: &Reply) -> String {
    let challenge = challenged.header("WWW-Authenticate").unwrap();
    let after = challenge.split_once("scope=\"").map_or("", |(_, after)| after);
    after.split('"').next().unwrap().to_owned()
}

/// What a token grants, as its claims say.
pub fn granted(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    claims["access"].clone()
}

pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// `wharf admin …` with the password of everyone on its standard input, over this data folder and with these settings.
pub fn admin(data: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wharf"))
        .args(["admin", "--data"])
        .arg(data)
        .args(arguments)
        .envs(settings.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that reads no password may have ended already.
    let _ = child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "wharf admin {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub fn basic(user: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{secret}")))
}

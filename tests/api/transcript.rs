//! A scenario against a server of its own, written down: each request, and the whole of each reply.

use std::fmt::Write as _;

use super::h2c;
use super::request::{Request, get, post, put};
use super::wire::{Reply, Wire};
use crate::support::registry::{OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, digest};
use crate::support::server::Server;

/// What differs from run to run, and what a snapshot has in its place.
const FILTERS: [(&str, &str); 4] = [
    (r"(?m)^x-request-id: \S+$", "x-request-id: [id]"),
    (r"(?m)^date: .+ GMT$", "date: [date]"),
    (r#""[0-9a-f]{32}""#, "\"[tag]\""),
    ("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", "[upload]"),
];

/// What a binary with these scenarios speaks: `PROTOCOL` at its top. The replies must be the same.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "each binary speaks one of them")]
pub enum Protocol {
    Http1,
    /// Without TLS.
    Http2,
}

/// A running scenario.
pub struct Transcript {
    server: Server,
    text: String,
}

impl Transcript {
    pub fn start() -> Transcript {
        Transcript { server: Server::start(), text: String::new() }
    }

    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Sends the request and writes down what came of it. Each goes over a connection of its own, so
    /// that none depends on how another one left it.
    pub fn step(&mut self, what: &str, request: Request) -> Reply {
        let reply = self.send(&request);
        writeln!(self.text, "## {what}\n{}", request.shown().trim_end()).unwrap();
        writeln!(self.text, "< {} {}", reply.status, reply.reason).unwrap();
        for (name, value) in &reply.headers {
            writeln!(self.text, "{name}: {value}").unwrap();
        }
        if !reply.body.is_empty() {
            writeln!(self.text, "\n{}", reply.text().trim_end()).unwrap();
        }
        self.text.push('\n');
        reply
    }

    /// Sends a request that only prepares: it must succeed, and is not written down.
    pub fn given(&self, request: Request) -> Reply {
        let reply = self.send(&request);
        assert!(reply.status < 400, "{}{} {}", request.shown(), reply.status, reply.text());
        reply
    }

    /// Holds the scenario against its snapshot.
    pub fn matches(self, name: &str) {
        let mut settings = insta::Settings::new();
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        for (pattern, instead) in FILTERS {
            settings.add_filter(pattern, instead);
        }
        settings.bind(|| insta::assert_snapshot!(name, self.text));
    }

    fn send(&self, request: &Request) -> Reply {
        if crate::PROTOCOL == Protocol::Http2 {
            return h2c::exchange(self.port(), request);
        }
        let mut wire = Wire::to(self.port());
        wire.send(&request.bytes());
        wire.reply(request.method == "HEAD").expect("the server answers")
    }

    /// The repository holds this blob; its digest.
    pub fn holds_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        let target = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        self.given(post(target).body(bytes));
        digest
    }

    /// The repository holds an image with this mark under the tag; the image's manifest and digest.
    pub fn holds_image(&self, repository: &str, tag: &str) -> (String, String) {
        let manifest = self.image(repository, tag);
        let target = format!("/v2/{repository}/manifests/{tag}");
        self.given(put(target).header("Content-Type", OCI_MANIFEST).body(manifest.as_str()));
        let digest = digest(manifest.as_bytes());
        (manifest, digest)
    }

    /// The manifest of an image with this mark, whose blobs the repository holds.
    pub fn image(&self, repository: &str, mark: &str) -> String {
        let config = self.holds_blob(repository, b"{}");
        let layer = self.holds_blob(repository, b"a layer");
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{"mediaType":"{OCI_CONFIG}","digest":"{config}","size":2}},"layers":[{{"mediaType":"{OCI_LAYER}","digest":"{layer}","size":7}}],"annotations":{{"mark":"{mark}"}}}}"#
        )
    }

    /// Begins an upload: where it goes on.
    pub fn begins_upload(&self, repository: &str) -> String {
        let reply = self.given(post(format!("/v2/{repository}/blobs/uploads/")));
        reply.header("location").unwrap().to_owned()
    }

    /// Follows the reply's `Link` to the next page, if it has one.
    pub fn next_page(&mut self, reply: &Reply) -> Option<Reply> {
        let link = reply.header("link")?;
        let target = link.strip_prefix('<').unwrap().split_once(">; rel=\"next\"").unwrap().0;
        Some(self.step("its Link, followed", get(target)))
    }
}

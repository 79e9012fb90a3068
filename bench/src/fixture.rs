//! The same content in each server: one large blob, and one manifest of 2 KB under a tag.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::content::{self, Blob, Content};
use crate::options::Options;
use crate::programs::Programs;
use crate::servers::{Server, Subject};
use wharf_bench::http::Connection;

/// The media type of the manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

const REPOSITORY: &str = "/v2/bench/image";
const TAG: &str = "latest";
const MANIFEST_BYTES: usize = 2048;

/// What every measure needs.
pub struct Fixture {
    /// What was asked for.
    pub options: Options,
    /// What is run.
    pub programs: Programs,
    /// What is pushed.
    pub content: Content,
    /// Where all is kept.
    pub folder: PathBuf,
}

impl Fixture {
    /// A folder of this run.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Starts `subject` in the folder that holds the content to pull, and feeds it when it is new.
    pub fn fed(&self, subject: Subject) -> Result<Server> {
        let folder = self.folder(&format!("fed-{}", subject.name()));
        let is_new = !folder.exists();
        let server = Server::start(subject, &self.programs, &folder)?;
        if is_new {
            let blob = self.content.blob(0);
            if subject == Subject::Nginx {
                blob.write(&folder.join("blob"))?;
                fs::write(folder.join("manifest"), manifest(&blob.digest, self.options.size()))?;
            } else {
                let mut connection = server.connect()?;
                push_blob(&mut connection, &blob)?;
                push_manifest(&mut connection, &blob.digest, self.options.size())?;
            }
        }
        Ok(server)
    }

    /// Starts `subject` in a new folder.
    pub fn empty(&self, subject: Subject, folder: &Path) -> Result<Server> {
        Server::start(subject, &self.programs, folder)
    }

    /// The path of the blob in `subject`.
    pub fn blob_path(&self, subject: Subject) -> String {
        match subject {
            Subject::Nginx => "/blob".to_owned(),
            _ => format!("{REPOSITORY}/blobs/{}", self.content.blob(0).digest),
        }
    }

    /// The path of the manifest in `subject`, by tag or by digest.
    pub fn manifest_path(&self, subject: Subject, by_tag: bool) -> String {
        let payload = manifest(&self.content.blob(0).digest, self.options.size());
        match (subject, by_tag) {
            (Subject::Nginx, _) => "/manifest".to_owned(),
            (_, true) => format!("{REPOSITORY}/manifests/{TAG}"),
            (_, false) => format!("{REPOSITORY}/manifests/{}", content::digest(payload.as_bytes())),
        }
    }
}

/// Pushes `blob` as docker does: `POST`, one chunked `PATCH`, `PUT`.
pub fn push_blob(connection: &mut Connection, blob: &Blob<'_>) -> Result<()> {
    let upload = begin(connection)?;
    let sent = connection.stream("PATCH", &upload, blob.pieces())?.expect(202, "PATCH")?;
    finish(connection, &sent.location.unwrap_or(upload), &blob.digest)
}

/// Pushes a config, and a manifest that names it and a layer.
pub fn push_manifest(connection: &mut Connection, layer: &str, size: u64) -> Result<()> {
    let upload = begin(connection)?;
    let sent = connection.stream("PATCH", &upload, [&b"{}"[..]].into_iter())?;
    let sent = sent.expect(202, "PATCH")?;
    finish(connection, &sent.location.unwrap_or(upload), &content::digest(b"{}"))?;
    let path = format!("{REPOSITORY}/manifests/{TAG}");
    let headers = format!("Content-Type: {MANIFEST}\r\n");
    let payload = manifest(layer, size);
    connection.call("PUT", &path, &headers, payload.as_bytes())?.expect(201, "PUT a manifest")?;
    Ok(())
}

fn begin(connection: &mut Connection) -> Result<String> {
    let path = format!("{REPOSITORY}/blobs/uploads/");
    let reply = connection.call("POST", &path, "", b"")?.expect(202, "POST")?;
    reply.location.context("an upload without a location")
}

fn finish(connection: &mut Connection, upload: &str, digest: &str) -> Result<()> {
    let separator = if upload.contains('?') { '&' } else { '?' };
    let path = format!("{upload}{separator}digest={digest}");
    connection.call("PUT", &path, "", b"")?.expect(201, "PUT a blob")?;
    Ok(())
}

/// A manifest of 2 KB, most of it an annotation.
fn manifest(layer: &str, size: u64) -> String {
    let config = content::digest(b"{}");
    let with = |note: &str| {
        serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config, "size": 2,
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": layer, "size": size,
            }],
            "annotations": { "note": note },
        })
        .to_string()
    };
    let short = with("").len();
    with(&"x".repeat(MANIFEST_BYTES.saturating_sub(short)))
}

//! The same content in each server: one large blob, and one manifest of 2 KB under a tag.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};

use crate::comparison::Comparison;
use crate::content::{self, Blob, Content};
use crate::options::Options;
use crate::programs::Programs;
use crate::servers::{Server, Subject};
use wharf_bench::engines::{Engines, Place};
use wharf_bench::http::Connection;

/// The media type of the manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

const REPOSITORY: &str = "/v2/bench/image";
const TAG: &str = "latest";
const MANIFEST_BYTES: usize = 2048;

/// What every measure needs.
pub struct Fixture {
    /// What is measured beside what.
    pub comparison: &'static Comparison,
    /// What was asked for.
    pub options: Options,
    /// What is run.
    pub programs: Programs,
    /// What is pushed.
    pub content: Content,
    /// Where all is kept.
    pub folder: PathBuf,
    /// The engines that nodes share, when those are measured.
    pub engines: Option<Arc<Engines>>,
    /// Where the content to pull is in them, once it is.
    pub fed: Mutex<Option<Arc<Place>>>,
}

impl Fixture {
    /// A folder of this run.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// All that can be pulled from.
    pub fn servers(&self) -> impl Iterator<Item = Subject> + use<> {
        self.comparison.subjects().filter(|subject| subject.serves())
    }

    /// The engines that nodes share.
    pub fn engines(&self) -> Result<&Arc<Engines>> {
        self.engines.as_ref().context("only --shared has engines")
    }

    /// Starts `subject` in the folder that holds the content to pull, and feeds it when it is new.
    pub fn fed(&self, subject: Subject) -> Result<Server> {
        self.fed_with(subject, &[])
    }

    /// The same with further settings.
    pub fn fed_with(&self, subject: Subject, further: &[(&'static str, String)]) -> Result<Server> {
        let folder = self.folder(&format!("fed-{}", subject.name()));
        let is_new = !folder.exists();
        let mut settings = further.to_vec();
        if subject == Subject::Shared {
            settings.extend(self.fed_place()?.settings());
        }
        let server = Server::start(subject, &self.programs, &folder, &settings)?;
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

    fn fed_place(&self) -> Result<Arc<Place>> {
        let mut fed = self.fed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = &*fed {
            return Ok(Arc::clone(place));
        }
        let place = Arc::new(Place::new(self.engines()?, "fed")?);
        *fed = Some(Arc::clone(&place));
        Ok(place)
    }

    /// Starts `subject`, which needs nothing but a folder, in a new one.
    pub fn empty(&self, subject: Subject, folder: &Path) -> Result<Server> {
        Server::start(subject, &self.programs, folder, &[])
    }

    /// Starts a registry in a new folder and in a new place of the engines.
    pub fn empty_in(&self, place: &Place, folder: &Path) -> Result<Server> {
        Server::start(Subject::Shared, &self.programs, folder, &place.settings())
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

//! The distribution API by raw HTTP: small calls that tell an answer from a lost connection.

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use ureq::http::{Method, Request, Response};
use ureq::{Agent, Body, Error, SendBody};

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";

/// A client of one server. Clones share its connections.
#[derive(Clone)]
pub struct Registry {
    agent: Agent,
    base: String,
}

/// An answer that arrived whole.
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    headers: ureq::http::HeaderMap,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// All headers, sorted.
    pub fn headers(&self) -> Vec<(String, String)> {
        let text = |value: &ureq::http::HeaderValue| value.to_str().unwrap().to_owned();
        let all = self.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
        let mut all: Vec<(String, String)> = all.collect();
        all.sort();
        all
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Registry {
    pub fn at(address: &str) -> Registry {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(120)));
        Registry { agent: config.build().new_agent(), base: format!("http://{address}") }
    }

    pub fn send(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Reply, Error> {
        // A Location may be absolute or relative.
        let base = if target.starts_with('/') { self.base.as_str() } else { "" };
        let mut request = Request::builder().method(method).uri(format!("{base}{target}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = match body {
            Some(body) => self.agent.run(request.body(body)?)?,
            None => self.agent.run(request.body(())?)?,
        };
        whole(response)
    }

    /// The same without saying how long the body is, as `docker push` does.
    pub fn stream(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        mut body: &[u8],
    ) -> Result<Reply, Error> {
        let base = if target.starts_with('/') { self.base.as_str() } else { "" };
        let mut request = Request::builder().method(method).uri(format!("{base}{target}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        whole(self.agent.run(request.body(SendBody::from_reader(&mut body))?)?)
    }

    pub fn get(&self, target: &str) -> Result<Reply, Error> {
        self.send(Method::GET, target, &[("Accept", ACCEPTED)], None)
    }

    pub fn delete(&self, target: &str) -> Result<Reply, Error> {
        self.send(Method::DELETE, target, &[], None)
    }

    pub fn blob(&self, repository: &str, digest: &str) -> Result<Reply, Error> {
        self.get(&format!("/v2/{repository}/blobs/{digest}"))
    }

    pub fn manifest(&self, repository: &str, reference: &str) -> Result<Reply, Error> {
        self.get(&format!("/v2/{repository}/manifests/{reference}"))
    }

    pub fn delete_manifest(&self, repository: &str, reference: &str) -> Result<Reply, Error> {
        self.delete(&format!("/v2/{repository}/manifests/{reference}"))
    }

    /// Asks for an upload.
    pub fn ask_for_upload(&self, repository: &str) -> Result<Reply, Error> {
        self.send(Method::POST, &format!("/v2/{repository}/blobs/uploads/"), &[], Some(b""))
    }

    /// Opens an upload: the address that its parts go to.
    pub fn open_upload(&self, repository: &str) -> Result<String, Error> {
        let reply = self.ask_for_upload(repository)?;
        assert_eq!(reply.status, 202, "opening an upload: {}", reply.text());
        Ok(reply.header("Location").unwrap().to_owned())
    }

    /// Closes an upload with its last bytes under this digest.
    pub fn close_upload(&self, place: &str, digest: &str, rest: &[u8]) -> Result<Reply, Error> {
        let joint = if place.contains('?') { '&' } else { '?' };
        let target = format!("{place}{joint}digest={digest}");
        let headers = [("Content-Type", "application/octet-stream")];
        self.send(Method::PUT, &target, &headers, Some(rest))
    }

    /// Pushes a blob in one piece. The reply is that of the last request, or the first that is a refusal.
    pub fn push_blob(&self, repository: &str, bytes: &[u8]) -> Result<Reply, Error> {
        let opened = self.ask_for_upload(repository)?;
        if opened.status != 202 {
            return Ok(opened);
        }
        self.close_upload(opened.header("Location").unwrap(), &digest(bytes), bytes)
    }

    /// Sends a chunk of an upload that begins at `start`.
    pub fn push_chunk(&self, place: &str, start: usize, chunk: &[u8]) -> Result<Reply, Error> {
        let range = format!("{start}-{}", start + chunk.len() - 1);
        let headers =
            [("Content-Range", range.as_str()), ("Content-Type", "application/octet-stream")];
        self.send(Method::PATCH, place, &headers, Some(chunk))
    }

    /// The same in chunks of this many bytes, each with its `Content-Range`.
    pub fn push_chunks(&self, repository: &str, bytes: &[u8], size: usize) -> Result<Reply, Error> {
        let mut reply = self.ask_for_upload(repository)?;
        for (index, chunk) in bytes.chunks(size).enumerate() {
            if reply.status != 202 {
                return Ok(reply);
            }
            reply = self.push_chunk(reply.header("Location").unwrap(), index * size, chunk)?;
        }
        if reply.status != 202 {
            return Ok(reply);
        }
        self.close_upload(reply.header("Location").unwrap(), &digest(bytes), b"")
    }

    pub fn push_manifest(
        &self,
        repository: &str,
        reference: &str,
        headers: &[(&str, &str)],
        bytes: &[u8],
    ) -> Result<Reply, Error> {
        let target = format!("/v2/{repository}/manifests/{reference}");
        let mut all = vec![("Content-Type", OCI_MANIFEST)];
        all.extend_from_slice(headers);
        self.send(Method::PUT, &target, &all, Some(bytes))
    }
}

fn whole(mut response: Response<Body>) -> Result<Reply, Error> {
    Ok(Reply {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.body_mut().with_config().limit(1 << 30).read_to_vec()?,
    })
}

/// The image manifest over these blobs (digest and size), the first of which is its config.
pub fn image_manifest(blobs: &[(String, usize)], mark: &str) -> Vec<u8> {
    let descriptor = |kind: &str, (digest, size): &(String, usize)| json!({ "mediaType": kind, "digest": digest, "size": size });
    let layers: Vec<Value> = blobs[1..].iter().map(|blob| descriptor(OCI_LAYER, blob)).collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, &blobs[0]),
        "layers": layers,
        "annotations": { "mark": mark },
    });
    manifest.to_string().into_bytes()
}

/// `sha256:…` of these bytes.
pub fn digest(bytes: &[u8]) -> String {
    name_digest(Sha256::new_with_prefix(bytes))
}

/// `sha256:…` of all that went into this hasher.
pub fn name_digest(hasher: Sha256) -> String {
    hasher.finalize().iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

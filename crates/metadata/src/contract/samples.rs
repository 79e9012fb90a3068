//! Content for the rules: names, blobs, manifests and commits, each in one line.

use bytes::Bytes;
use serde_json::{Value, json};
use wharf_core::metadata::{CommitManifest, DeleteManifest, Precondition};
use wharf_oci::{Algorithm, Digest, Hasher, Manifest, RepositoryName, Tag};

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

/// The digest of a blob that says `text`.
pub(crate) fn blob(text: &str) -> Digest {
    Hasher::digest(Algorithm::Sha256, text.as_bytes())
}

fn descriptor(media_type: &str, digest: Digest) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": 3 })
}

fn layer(digest: &Digest) -> Value {
    descriptor("application/vnd.oci.image.layer.v1.tar+gzip", *digest)
}

/// An image whose configuration is the first blob and whose layers are all others.
pub(crate) fn image(blobs: &[Digest]) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", blobs[0]),
        "layers": blobs[1..].iter().map(layer).collect::<Vec<_>>(),
    })
}

/// The image with a layer of another type behind its layers.
pub(crate) fn with_layer(mut image: Value, media_type: &str, digest: Digest) -> Value {
    image["layers"].as_array_mut().unwrap().push(descriptor(media_type, digest));
    image
}

pub(crate) fn index(children: &[Digest]) -> Value {
    let child = |child: &Digest| descriptor("application/vnd.oci.image.manifest.v1+json", *child);
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": children.iter().map(child).collect::<Vec<_>>(),
    })
}

/// The manifest, about `subject`.
pub(crate) fn about(mut manifest: Value, subject: Digest) -> Value {
    manifest["subject"] = descriptor("application/vnd.oci.image.manifest.v1+json", subject);
    manifest
}

/// A commit without a precondition.
pub(crate) fn commit(repository: &str, manifest: &Value, tags: &[&str]) -> CommitManifest {
    let payload = Bytes::from(serde_json::to_vec_pretty(manifest).unwrap());
    CommitManifest {
        repository: name(repository),
        digest: Hasher::digest(Algorithm::Sha256, &payload),
        manifest: Manifest::parse(&payload, None).unwrap(),
        payload,
        tags: tags.iter().map(|tag| tag.parse::<Tag>().unwrap()).collect(),
        precondition: Precondition::None,
        by: "alice".into(),
    }
}

/// The deletion of a manifest, without a precondition.
pub(crate) fn deletion(repository: &str, digest: Digest) -> DeleteManifest {
    let (repository, precondition) = (name(repository), Precondition::None);
    DeleteManifest { repository, digest, precondition, by: "bob".into() }
}

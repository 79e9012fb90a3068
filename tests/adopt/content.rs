//! What is pushed to the registry that is taken over, and how its answers are compared with Wharf's.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::random::Random;
use crate::support::registry::{Registry, digest, image_manifest};

/// What was pushed: each repository with references to its manifests.
#[derive(Default)]
pub struct Content(Vec<(String, String)>);

fn pushed(reply: Result<crate::support::registry::Reply, ureq::Error>) {
    let reply = reply.unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text());
}

/// Pushes an image with a layer of its own on a base, and returns the digest of its manifest.
pub fn push_image(to: &Registry, repository: &str, tag: &str, base: &[u8], seed: u64) -> String {
    let config = format!("{{\"architecture\":\"amd64\",\"os\":\"linux\",\"seed\":{seed}}}");
    let layer = Random::seeded(seed).bytes(200_000 + seed as usize);
    let blobs = [config.as_bytes(), base, &layer];
    for blob in blobs {
        pushed(to.push_blob(repository, blob));
    }
    let named: Vec<_> = blobs.iter().map(|blob| (digest(blob), blob.len())).collect();
    let manifest = image_manifest(&named, tag);
    pushed(to.push_manifest(repository, tag, &[], &manifest));
    digest(&manifest)
}

fn index_of(children: &[&str]) -> Vec<u8> {
    let child = |digest: &&str| json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 400 });
    let children: Vec<Value> = children.iter().map(child).collect();
    json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": children })
        .to_string()
        .into_bytes()
}

impl Content {
    /// Two images and an index of both in one repository, the first image in another one, an image of Docker's schema 2, and
    /// one that was deleted again.
    pub fn push(to: &Registry) -> Content {
        let base = Random::seeded(1).bytes(3 << 20);
        let mut content = Content::default();
        let one = push_image(to, "team/app", "v1", &base, 11);
        let two = push_image(to, "team/app", "v2", &base, 12);
        let index = index_of(&[&one, &two]);
        let index_type = [("Content-Type", "application/vnd.oci.image.index.v1+json")];
        pushed(put(to, "team/app", "latest", index_type[0].1, &index));
        content.knows("team/app", &["v1", "v2", "latest", &one, &two, &digest(&index)]);

        let same = push_image(to, "library/deep/er/app", "v1", &base, 11);
        assert_eq!(same, one);
        content.knows("library/deep/er/app", &["v1", &same]);

        let docker = docker_manifest(to, "library/docker");
        pushed(put(to, "library/docker", "old", docker.0, &docker.1));
        content.knows("library/docker", &["old", &digest(&docker.1)]);

        let gone = push_image(to, "team/app", "gone", &base, 13);
        let deleted = to.delete_manifest("team/app", &gone).unwrap();
        assert_eq!(deleted.status, 202, "{}", deleted.text());
        content
    }

    pub fn knows(&mut self, repository: &str, references: &[&str]) {
        let named = references.iter().map(|it| (repository.to_owned(), (*it).to_owned()));
        self.0.extend(named);
    }

    /// How many repositories, manifests and tags there are.
    pub fn counts(&self) -> (usize, usize, usize) {
        let repositories: BTreeSet<_> = self.0.iter().map(|(repository, _)| repository).collect();
        let (digests, tags): (Vec<_>, Vec<_>) =
            self.0.iter().partition(|(_, reference)| reference.starts_with("sha256:"));
        (repositories.len(), digests.len(), tags.len())
    }

    /// That both registries answer alike, byte by byte: each manifest, and each blob that it names.
    pub fn is_same(&self, old: &Registry, wharf: &Registry) {
        for (repository, reference) in &self.0 {
            let asked = format!("{repository} {reference}");
            let [was, is] = [old, wharf].map(|it| it.manifest(repository, reference).unwrap());
            assert_eq!((was.status, is.status), (200, 200), "{asked}: {}", is.text());
            assert!(was.body == is.body, "{asked}");
            for header in ["Docker-Content-Digest", "Content-Type"] {
                assert_eq!(was.header(header), is.header(header), "{asked}");
            }
            let manifest = is.json();
            let layers = manifest["layers"].as_array().into_iter().flatten();
            let blobs = layers.chain(manifest.get("config"));
            for name in blobs.map(|blob| blob["digest"].as_str().unwrap()) {
                assert!(
                    blob(old, repository, name) == blob(wharf, repository, name),
                    "{asked} {name}"
                );
            }
        }
    }
}

/// A blob's bytes, where need be from where the registry sends its client.
pub fn blob(registry: &Registry, repository: &str, name: &str) -> Vec<u8> {
    let reply = registry.blob(repository, name).unwrap();
    let reply = match reply.header("Location") {
        Some(place) if reply.status == 307 => registry.get(place).unwrap(),
        _ => reply,
    };
    assert_eq!(reply.status, 200, "{repository} {name}: {}", reply.text());
    assert_eq!(digest(&reply.body), name);
    reply.body
}

fn put(
    to: &Registry,
    repository: &str,
    reference: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<crate::support::registry::Reply, ureq::Error> {
    let target = format!("/v2/{repository}/manifests/{reference}");
    to.send(ureq::http::Method::PUT, &target, &[("Content-Type", media_type)], Some(bytes))
}

/// An image as Docker pushes it; its blobs are pushed.
fn docker_manifest(to: &Registry, repository: &str) -> (&'static str, Vec<u8>) {
    let (config, layer) = (b"{\"os\":\"linux\"}".as_slice(), Random::seeded(5).bytes(100_000));
    for blob in [config, &layer] {
        pushed(to.push_blob(repository, blob));
    }
    let descriptor = |media_type: &str, blob: &[u8]| json!({ "mediaType": media_type, "digest": digest(blob), "size": blob.len() });
    let media_type = "application/vnd.docker.distribution.manifest.v2+json";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": descriptor("application/vnd.docker.container.image.v1+json", config),
        "layers": [descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", &layer)],
    });
    // Indented as Docker does it: the bytes count, not what they say.
    (media_type, serde_json::to_vec_pretty(&manifest).unwrap())
}

//! Another registry's folder as the distribution project lays it out, written by hand.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};
use wharf_oci::{Algorithm, Digest, Hasher};

/// The folder, as the other registry was given it.
pub struct Tree(PathBuf);

pub fn digest_of(bytes: &[u8]) -> Digest {
    Hasher::digest(Algorithm::Sha256, bytes)
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest_of(bytes), "size": bytes.len() })
}

/// An image of Docker's schema 2 whose configuration and only layer are these.
pub fn image(config: &[u8], layer: &[u8]) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": descriptor("application/vnd.docker.container.image.v1+json", config),
        "layers": [descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", layer)],
    })
}

/// An index of these manifests.
pub fn index(children: &[Digest]) -> Value {
    let child = |digest: &Digest| json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 3 });
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": children.iter().map(child).collect::<Vec<_>>(),
    })
}

impl Tree {
    pub fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder.join("docker/registry/v2/repositories")).unwrap();
        Self(folder.to_owned())
    }

    /// What lies in the layout.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join("docker/registry/v2").join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    /// Where the bytes of a blob are.
    pub fn blob_name(digest: &Digest) -> String {
        let hex = digest.hex();
        format!("blobs/sha256/{}/{hex}/data", &hex[..2])
    }

    pub fn link_name(repository: &str, folder: &str, digest: &Digest) -> String {
        format!("repositories/{repository}/{folder}/sha256/{}/link", digest.hex())
    }

    fn link(&self, repository: &str, folder: &str, digest: &Digest) {
        let name = Self::link_name(repository, folder, digest);
        self.write(&name, digest.to_string().as_bytes());
    }

    /// A blob that the repository holds.
    pub fn blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = digest_of(bytes);
        self.write(&Self::blob_name(&digest), bytes);
        self.link(repository, "_layers", &digest);
        digest
    }

    /// A manifest that the repository holds, whatever it says.
    pub fn manifest_bytes(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = digest_of(bytes);
        self.write(&Self::blob_name(&digest), bytes);
        self.link(repository, "_manifests/revisions", &digest);
        digest
    }

    pub fn manifest(&self, repository: &str, manifest: &Value) -> Digest {
        self.manifest_bytes(repository, &serde_json::to_vec_pretty(manifest).unwrap())
    }

    /// An image that says `text`, with all that it needs, on a layer.
    pub fn image_on(&self, repository: &str, text: &str, layer: &[u8]) -> Digest {
        self.blob(repository, text.as_bytes());
        self.blob(repository, layer);
        self.manifest(repository, &image(text.as_bytes(), layer))
    }

    /// An image that says `text`, on a layer of its own.
    pub fn image(&self, repository: &str, text: &str) -> Digest {
        self.image_on(repository, text, format!("the layer of {text}").as_bytes())
    }

    pub fn tag(&self, repository: &str, tag: &str, digest: &Digest) {
        let tags = format!("repositories/{repository}/_manifests/tags/{tag}");
        self.write(&format!("{tags}/current/link"), digest.to_string().as_bytes());
        self.write(
            &format!("{tags}/index/sha256/{}/link", digest.hex()),
            digest.to_string().as_bytes(),
        );
    }

    /// All files, with their bytes and times.
    pub fn everything(&self) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let about = fs::symlink_metadata(&path).unwrap();
                if about.is_dir() {
                    folders.push(path);
                } else if about.is_file() {
                    found.insert(
                        path.clone(),
                        (fs::read(&path).unwrap(), about.modified().unwrap()),
                    );
                }
            }
        }
        found
    }
}

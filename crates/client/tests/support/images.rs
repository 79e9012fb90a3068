//! Images to push: small ones, made up here, in a layout folder.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use wharf_oci::{Algorithm, Descriptor, Hasher};

/// An OCI image layout in a folder of its own.
pub struct Layout {
    folder: TempDir,
    entries: Vec<Value>,
}

/// What an image is made of.
#[derive(Clone, Debug)]
pub struct Image {
    pub descriptor: Value,
    /// Configuration and layers.
    pub blobs: Vec<Descriptor>,
}

impl Image {
    pub fn digest(&self) -> String {
        self.descriptor["digest"].as_str().unwrap().to_owned()
    }
}

/// Bytes that no compression and no zero page makes smaller, the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub fn descriptor(value: &Value) -> Descriptor {
    serde_json::from_value(value.clone()).unwrap()
}

impl Layout {
    pub fn new() -> Self {
        let layout = Self { folder: tempfile::tempdir().unwrap(), entries: Vec::new() };
        fs::create_dir_all(layout.path().join("blobs/sha256")).unwrap();
        fs::write(layout.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        layout.write_index();
        layout
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The file of a blob or manifest.
    pub fn file(&self, digest: &str) -> PathBuf {
        self.path().join("blobs").join(digest.replace(':', "/"))
    }

    pub fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        self.blob_by(Algorithm::Sha256, media_type, bytes)
    }

    pub fn blob_by(&self, algorithm: Algorithm, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Hasher::digest(algorithm, bytes).to_string();
        let file = self.file(&digest);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }

    /// An image with layers of these sizes.
    pub fn image(&self, seed: u64, sizes: &[usize]) -> Image {
        let layers: Vec<Value> = (0..)
            .zip(sizes)
            .map(|(index, size)| {
                let bytes = noise(seed * 100 + index, *size);
                self.blob("application/vnd.oci.image.layer.v1.tar+gzip", &bytes)
            })
            .collect();
        let config = json!({ "os": "linux", "architecture": format!("arch{seed}") });
        let config =
            self.blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
        self.manifest(config, &layers, |_| {})
    }

    /// A manifest of these parts, changed by `change`.
    pub fn manifest(
        &self,
        config: Value,
        layers: &[Value],
        change: impl FnOnce(&mut Value),
    ) -> Image {
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers,
        });
        change(&mut manifest);
        let descriptor = self.blob(media_type, manifest.to_string().as_bytes());
        let blobs = layers.iter().chain([&config]).map(self::descriptor).collect();
        Image { descriptor, blobs }
    }

    /// An index of images; the platform of the one at place `n` is `linux/arch<n>`.
    pub fn index(&self, images: &[&Image]) -> Value {
        let media_type = "application/vnd.oci.image.index.v1+json";
        let manifests: Vec<Value> = (0..)
            .zip(images)
            .map(|(place, image): (u32, _)| {
                let mut entry = image.descriptor.clone();
                entry["platform"] =
                    json!({ "os": "linux", "architecture": format!("arch{place}") });
                entry
            })
            .collect();
        let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": manifests });
        self.blob(media_type, index.to_string().as_bytes())
    }

    /// Something about `subject`.
    pub fn referrer(&self, subject: &Value) -> Image {
        let config = self.blob("application/vnd.oci.empty.v1+json", b"{}");
        let layer = self.blob("text/plain", b"signed");
        self.manifest(config, &[layer], |manifest| {
            manifest["subject"] = subject.clone();
            manifest["artifactType"] = "application/x.signature".into();
            manifest["annotations"] = json!({ "by": "ann" });
        })
    }

    /// Puts a manifest or index into the layout's index.
    pub fn add(&mut self, entry: &Value, name: Option<&str>) {
        let mut entry = entry.clone();
        if let Some(name) = name {
            entry["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        }
        self.entries.push(entry);
        self.write_index();
    }

    fn write_index(&self) {
        let index = json!({ "schemaVersion": 2, "manifests": self.entries });
        fs::write(self.path().join("index.json"), index.to_string()).unwrap();
    }
}

//! OCI image layouts written to disk: images of any shape, without any engine.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::registry::{OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, digest, name_digest};

/// Writes an image of this many one-file layers as `folder`, under the tag `latest`.
/// Returns the digest of its config, which is the image's id.
pub fn write_image_of_layers(folder: &Path, count: usize) -> String {
    let layers: Vec<Vec<u8>> = (0..count)
        .map(|number| {
            let content = format!("layer {number}\n");
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            let mut archive = tar::Builder::new(Vec::new());
            let name = format!("file-{number}");
            archive.append_data(&mut header, name, content.as_bytes()).unwrap();
            archive.into_inner().unwrap()
        })
        .collect();
    let described: Vec<(String, u64)> =
        layers.iter().map(|layer| (digest(layer), layer.len() as u64)).collect();
    for layer in &layers {
        write_blob(folder, layer);
    }
    write_image_over(folder, &described)
}

/// Writes config, manifest and index over layers whose blobs are already in the layout.
pub fn write_image_over(folder: &Path, layers: &[(String, u64)]) -> String {
    let diff_ids: Vec<&String> = layers.iter().map(|(digest, _)| digest).collect();
    let history: Vec<Value> = layers.iter().map(|_| json!({ "created_by": "a test" })).collect();
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": history,
    })
    .to_string();
    let config_digest = write_blob(folder, config.as_bytes());
    let described: Vec<Value> = layers
        .iter()
        .map(|(digest, size)| json!({ "mediaType": OCI_LAYER, "digest": digest, "size": size }))
        .collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": { "mediaType": OCI_CONFIG, "digest": config_digest, "size": config.len() },
        "layers": described,
    })
    .to_string();
    let index = json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": OCI_MANIFEST,
            "digest": write_blob(folder, manifest.as_bytes()),
            "size": manifest.len(),
            "annotations": { "org.opencontainers.image.ref.name": "latest" },
        }],
    });
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    config_digest
}

pub fn write_blob(folder: &Path, bytes: &[u8]) -> String {
    let digest = digest(bytes);
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(digest.trim_start_matches("sha256:")), bytes).unwrap();
    digest
}

/// The names of all blobs of a layout, after checking that each holds the bytes of its name.
pub fn verified_blobs(folder: &Path) -> BTreeMap<String, u64> {
    let mut blobs = BTreeMap::new();
    for entry in fs::read_dir(folder.join("blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("sha256:{}", path.file_name().unwrap().to_str().unwrap());
        let (found, size) = digest_of_file(&path);
        assert_eq!(found, name, "the content of {}", path.display());
        blobs.insert(name, size);
    }
    blobs
}

/// Digest and size of a file, read in pieces.
pub fn digest_of_file(path: &Path) -> (String, u64) {
    let mut file = File::open(path).unwrap();
    let mut buffer = vec![0; 1 << 20];
    let (mut hasher, mut size) = (Sha256::new(), 0);
    loop {
        let count = file.read(&mut buffer).unwrap();
        if count == 0 {
            return (name_digest(hasher), size);
        }
        hasher.update(&buffer[..count]);
        size += count as u64;
    }
}

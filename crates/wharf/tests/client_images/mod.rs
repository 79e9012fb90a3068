//! Images for the client's commands: a layout made on the spot, and what `docker save` would make of one.
#![allow(dead_code)]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use wharf_oci::{Algorithm, Hasher};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn blob(folder: &Path, media_type: &str, bytes: &[u8]) -> Value {
    let digest = Hasher::digest(Algorithm::Sha256, bytes);
    fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
    fs::write(folder.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
    json!({ "mediaType": media_type, "digest": digest.to_string(), "size": bytes.len() })
}

fn config(architecture: &str, layers: &[&[u8]]) -> Vec<u8> {
    let ids: Vec<String> =
        layers.iter().map(|layer| Hasher::digest(Algorithm::Sha256, layer).to_string()).collect();
    let rootfs = json!({ "type": "layers", "diff_ids": ids });
    json!({ "os": "linux", "architecture": architecture, "rootfs": rootfs }).to_string().into()
}

fn image(folder: &Path, architecture: &str, layers: &[&[u8]]) -> Value {
    let config = config(architecture, layers);
    let config = blob(folder, "application/vnd.oci.image.config.v1+json", &config);
    let layers: Vec<Value> = layers.iter().map(|layer| blob(folder, LAYER, layer)).collect();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers,
        "annotations": { "org.example.arch": architecture },
    });
    let mut descriptor = blob(folder, MANIFEST, manifest.to_string().as_bytes());
    descriptor["platform"] = json!({ "os": "linux", "architecture": architecture });
    descriptor
}

/// A layer of 3 MiB: more than fits in one request of a push.
pub fn large_layer() -> Vec<u8> {
    (0u32..3 << 18).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

/// A layout with the index `v1` of two platforms, and a signature of it. Returns the digests of both.
pub fn write_layout(folder: &Path) -> (String, String) {
    let images = [
        image(folder, "amd64", &[b"small", &large_layer()]),
        image(folder, "arm64", &[b"small", b"other"]),
    ];
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": images });
    let mut index = blob(folder, INDEX, index.to_string().as_bytes());
    let signature = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x.signature",
        "config": blob(folder, "application/vnd.oci.empty.v1+json", b"{}"),
        "layers": [blob(folder, "text/plain", b"signed")],
        "subject": index,
    });
    let signature = blob(folder, MANIFEST, signature.to_string().as_bytes());
    index["annotations"] = json!({ "org.opencontainers.image.ref.name": "v1" });
    let digest = |value: &Value| value["digest"].as_str().unwrap().to_owned();
    let digests = (digest(&index), digest(&signature));
    let entries = json!({ "schemaVersion": 2, "manifests": [index, signature] });
    fs::write(folder.join("index.json"), entries.to_string()).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    digests
}

/// What `docker save` of Docker 24 writes for `example/app:1.0` and `example/app:2.0`. Returns the configurations.
pub fn write_docker_save(path: &Path) -> [Vec<u8>; 2] {
    let mut tar = tar::Builder::new(Vec::new());
    let mut file = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).unwrap();
    };
    let configs = [config("amd64", &[b"base", b"one"]), config("amd64", &[b"base", b"two"])];
    let mut images = Vec::new();
    for (name, bytes) in [("base", b"base".as_slice()), ("one", b"one"), ("two", b"two")] {
        file(&format!("{name}/layer.tar"), bytes);
    }
    for (config, (tag, layer)) in configs.iter().zip([("1.0", "one"), ("2.0", "two")]) {
        let name = format!("{}.json", Hasher::digest(Algorithm::Sha256, config).hex());
        file(&name, config);
        images.push(json!({
            "Config": name,
            "RepoTags": [format!("example/app:{tag}")],
            "Layers": ["base/layer.tar", format!("{layer}/layer.tar")],
        }));
    }
    file("manifest.json", json!(images).to_string().as_bytes());
    fs::write(path, tar.into_inner().unwrap()).unwrap();
    configs
}

//! What `docker save` writes becomes OCI images.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use support::images::noise;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;
use wharf_client::Destination as _;
use wharf_client::{
    Error, LayoutFolder, LayoutFolderWriter, Progress, Root, Silent, Source, Transfer, choose,
    open_archive,
};
use wharf_oci::{Algorithm, Descriptor, Hasher, Kind, Manifest};

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn digest(bytes: &[u8]) -> String {
    Hasher::digest(Algorithm::Sha256, bytes).to_string()
}

fn hex(bytes: &[u8]) -> String {
    Hasher::digest(Algorithm::Sha256, bytes).hex()
}

/// A configuration of an image with these uncompressed layers. Its spaces must survive.
fn config(layers: &[&[u8]]) -> Vec<u8> {
    let ids: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
    let rootfs = json!({ "type": "layers", "diff_ids": ids });
    format!("{{ \"os\": \"linux\",  \"architecture\": \"amd64\", \"rootfs\": {rootfs} }}")
        .into_bytes()
}

/// A tar in a folder of its own.
struct Saved {
    folder: TempDir,
    tar: Builder<Vec<u8>>,
}

impl Saved {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), tar: Builder::new(Vec::new()) }
    }

    fn file(&mut self, name: &str, bytes: &[u8]) {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        self.tar.append_data(&mut header, name, bytes).unwrap();
    }

    fn json(&mut self, name: &str, value: &Value) {
        self.file(name, value.to_string().as_bytes());
    }

    fn finish(self) -> (TempDir, PathBuf) {
        let path = self.folder.path().join("saved.tar");
        fs::write(&path, self.tar.into_inner().unwrap()).unwrap();
        (self.folder, path)
    }
}

async fn open(path: &Path, wanted: Option<&str>) -> Result<Box<dyn Source>, Error> {
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    open_archive(path, wanted, &progress).await
}

/// Copies an image into a folder, which checks every digest. Returns that and the image's manifest.
async fn converted(source: &dyn Source, root: &Root) -> (TempDir, Descriptor, Vec<Descriptor>) {
    let folder = tempfile::tempdir().unwrap();
    let writer = LayoutFolderWriter::create(folder.path()).unwrap();
    Transfer::new(source, &writer).copy(&root.descriptor, &root.tags()).await.unwrap();
    writer.finish().await.unwrap();
    let layout = LayoutFolder::open(folder.path()).unwrap();
    let bytes = layout.manifest(&root.descriptor).await.unwrap();
    let Kind::Image { config, layers } = Manifest::parse(&bytes, None).unwrap().kind else {
        panic!("an image")
    };
    (folder, *config, layers)
}

fn blob(folder: &TempDir, descriptor: &Descriptor) -> Vec<u8> {
    fs::read(folder.path().join("blobs/sha256").join(descriptor.digest.hex())).unwrap()
}

/// What Docker up to 24 writes, with one layer that a link shares.
fn legacy(layers: [&[u8]; 2]) -> Saved {
    let config = config(&[layers[0], layers[1], layers[0]]);
    let mut saved = Saved::new();
    let name = format!("{}.json", hex(&config));
    saved.file("aaa/layer.tar", layers[0]);
    saved.file("bbb/layer.tar", layers[1]);
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Symlink);
    header.set_size(0);
    saved.tar.append_link(&mut header, "ccc/layer.tar", "../aaa/layer.tar").unwrap();
    saved.file(&name, &config);
    saved.json(
        "manifest.json",
        &json!([{
            "Config": name,
            "RepoTags": ["example/app:1.0", "registry.example:5000/app:latest"],
            "Layers": ["aaa/layer.tar", "bbb/layer.tar", "ccc/layer.tar"],
        }]),
    );
    saved
}

#[tokio::test]
async fn layers_are_compressed_and_the_configuration_is_kept() {
    let (small, large) = (b"small layer".as_slice(), noise(1, 3 << 20));
    let (_folder, path) = legacy([small, &large]).finish();
    let source = open(&path, None).await.unwrap();
    let root = choose(source.as_ref(), None).await.unwrap();
    assert_eq!(root.tags().iter().map(ToString::to_string).collect::<Vec<_>>(), ["1.0", "latest"]);
    let (folder, config_descriptor, layers) = converted(source.as_ref(), &root).await;
    assert_eq!(blob(&folder, &config_descriptor), config(&[small, &large, small]));
    assert_eq!(layers[0].digest, layers[2].digest, "a shared layer stays shared");
    for (layer, plain) in layers.iter().zip([small, &large, small]) {
        assert_eq!(layer.media_type, GZIP);
        let mut bytes = Vec::new();
        GzDecoder::new(blob(&folder, layer).as_slice()).read_to_end(&mut bytes).unwrap();
        assert!(bytes == plain);
    }
}

#[tokio::test]
async fn the_same_tar_gives_the_same_digests() {
    let large = noise(1, 1 << 20);
    let mut digests = Vec::new();
    for _ in 0..2 {
        let (_folder, path) = legacy([b"x", &large]).finish();
        let source = open(&path, None).await.unwrap();
        digests.push(choose(source.as_ref(), None).await.unwrap().descriptor.digest);
    }
    assert_eq!(digests[0], digests[1]);
}

#[tokio::test]
async fn what_docker_25_saves_gives_the_same_image_as_before() {
    let (_folder, path) = legacy([b"one", b"two"]).finish();
    let before = choose(open(&path, None).await.unwrap().as_ref(), None).await.unwrap();
    let layers: [&[u8]; 3] = [b"one", b"two", b"one"];
    let config = config(&layers);
    let mut saved = Saved::new();
    let path_of = |bytes: &[u8]| format!("blobs/sha256/{}", hex(bytes));
    saved.file(&path_of(b"one"), b"one");
    saved.file(&path_of(b"two"), b"two");
    saved.file(&path_of(&config), &config);
    let entry = |media_type: &str, bytes: &[u8]| json!({ "mediaType": media_type, "digest": digest(bytes), "size": bytes.len() });
    let plain = "application/vnd.oci.image.layer.v1.tar";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": entry("application/vnd.oci.image.config.v1+json", &config),
        "layers": layers.map(|layer| entry(plain, layer)),
    })
    .to_string();
    saved.file(&path_of(manifest.as_bytes()), manifest.as_bytes());
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    saved.json(
        "index.json",
        &json!({ "schemaVersion": 2, "manifests": [entry(media_type, manifest.as_bytes())] }),
    );
    saved.json("oci-layout", &json!({ "imageLayoutVersion": "1.0.0" }));
    saved.json("manifest.json", &json!([{
        "Config": path_of(&config), "RepoTags": ["example/app:1.0"], "Layers": layers.map(path_of),
    }]));
    let (_folder, path) = saved.finish();
    let source = open(&path, None).await.unwrap();
    let root = choose(source.as_ref(), None).await.unwrap();
    assert_eq!(root.descriptor, before.descriptor);
    assert_eq!(root.names, ["example/app:1.0"]);
}

#[tokio::test]
async fn a_layer_that_is_compressed_is_kept_as_it_is() {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(1));
    encoder.write_all(b"plain").unwrap();
    let compressed = encoder.finish().unwrap();
    let config = config(&[b"plain"]);
    let mut saved = Saved::new();
    saved.file("layer.tar.gz", &compressed);
    saved.file("config.json", &config);
    saved.json(
        "manifest.json",
        &json!([{ "Config": "config.json", "RepoTags": null, "Layers": ["layer.tar.gz"] }]),
    );
    let (_folder, path) = saved.finish();
    let source = open(&path, None).await.unwrap();
    let root = choose(source.as_ref(), None).await.unwrap();
    let (folder, _, layers) = converted(source.as_ref(), &root).await;
    assert_eq!(blob(&folder, &layers[0]), compressed);
    assert!(root.names.is_empty());
}

#[tokio::test]
async fn of_several_images_the_one_that_is_wanted_is_converted() {
    let mut saved = Saved::new();
    let mut images = Vec::new();
    for name in ["one", "two"] {
        let layer = name.as_bytes();
        saved.file(&format!("{name}.tar"), layer);
        saved.file(&format!("{name}.json"), &config(&[layer]));
        images.push(json!({
            "Config": format!("{name}.json"), "RepoTags": [format!("{name}:1")], "Layers": [format!("{name}.tar")],
        }));
    }
    saved.json("manifest.json", &json!(images));
    let (_folder, path) = saved.finish();
    let source = open(&path, Some("two:1")).await.unwrap();
    assert_eq!(source.roots().await.unwrap().len(), 1);
    let source = open(&path, None).await.unwrap();
    assert_eq!(choose(source.as_ref(), Some("one:1")).await.unwrap().names, ["one:1"]);
    let error = choose(source.as_ref(), Some("1")).await.unwrap_err().to_string();
    assert!(error.contains("several images called \"1\""), "{error}");
}

/// Why an archive with these layers, and a configuration for `plain`, is refused.
async fn refusal(layers: &[(&str, &[u8])], plain: &[&[u8]], names: &[&str]) -> String {
    let mut saved = Saved::new();
    for (name, bytes) in layers {
        saved.file(name, bytes);
    }
    saved.file("config.json", &config(plain));
    saved.json(
        "manifest.json",
        &json!([{ "Config": "config.json", "RepoTags": [], "Layers": names }]),
    );
    let (_folder, path) = saved.finish();
    open(&path, None).await.err().expect("it is refused").to_string()
}

#[tokio::test]
async fn damaged_archives_are_refused() {
    let error = refusal(&[("a.tar", b"other")], &[b"plain"], &["a.tar"]).await;
    assert!(error.contains("is damaged: layer a.tar"), "{error}");
    let error = refusal(&[], &[b"plain"], &["a.tar"]).await;
    assert!(error.contains("has no \"a.tar\""), "{error}");
    let error = refusal(&[("a.tar", b"plain")], &[b"plain", b"more"], &["a.tar"]).await;
    assert!(error.contains("1 layers, whose configuration names 2"), "{error}");
    let error = refusal(&[("a.tar", &[0x1f, 0x8b, 8, 0, 1])], &[b"plain"], &["a.tar"]).await;
    assert!(error.contains("saved.tar"), "{error}");
    let error = refusal(&[], &[b"plain"], &["../../etc/passwd"]).await;
    assert!(error.contains("has no \"../../etc/passwd\""), "{error}");
}

#[tokio::test]
async fn a_configuration_that_is_not_its_name_is_refused() {
    let mut saved = Saved::new();
    let name = format!("{}.json", "0".repeat(64));
    saved.file("a.tar", b"plain");
    saved.file(&name, &config(&[b"plain"]));
    saved.json("manifest.json", &json!([{ "Config": name, "Layers": ["a.tar"] }]));
    let (_folder, path) = saved.finish();
    let error = open(&path, None).await.err().unwrap().to_string();
    assert!(error.contains("is damaged"), "{error}");
}

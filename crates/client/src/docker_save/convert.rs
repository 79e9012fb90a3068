//! From `manifest.json` to OCI image manifests.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use wharf_oci::{Algorithm, Descriptor, Digest, Hasher, MediaType};

use super::layer::{Layer, layer};
use super::{DockerSave, MANIFEST, Stored};
use crate::archive::TarFile;
use crate::registry::plain_descriptor;
use crate::{Error, MAX_MANIFEST, Progress, Root};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// How many layers are compressed at once, at most.
const AT_ONCE: usize = 4;

/// One image in `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<Digest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageManifest<'a> {
    schema_version: u8,
    media_type: &'a str,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

pub(super) struct Conversion {
    tar: TarFile,
    progress: Arc<dyn Progress>,
    /// Layers done, by their names in the tar: images share them.
    done: HashMap<String, Descriptor>,
    manifests: HashMap<Digest, Bytes>,
    blobs: HashMap<Digest, Stored>,
}

impl Conversion {
    pub(super) fn new(tar: TarFile, progress: Arc<dyn Progress>) -> Self {
        let (done, manifests, blobs) = Default::default();
        Self { tar, progress, done, manifests, blobs }
    }

    pub(super) async fn run(mut self, wanted: Option<&str>) -> Result<DockerSave, Error> {
        let bytes = self.small(MANIFEST)?;
        let images: Vec<Image> = serde_json::from_slice(&bytes)
            .map_err(|error| self.bad(format!("has a {MANIFEST} that is not readable: {error}")))?;
        let mut roots: Vec<Root> = Vec::new();
        for image in images {
            let names = image.repo_tags.clone().unwrap_or_default();
            let is_wanted = wanted.is_none_or(|wanted| crate::names::has_name(&names, wanted));
            if !is_wanted {
                continue;
            }
            let descriptor = self.image(&image).await?;
            match roots.iter_mut().find(|root| root.descriptor == descriptor) {
                Some(root) => root.names.extend(names),
                None => roots.push(Root { descriptor, names }),
            }
        }
        let Self { tar, manifests, blobs, .. } = self;
        Ok(DockerSave { tar, roots, manifests, blobs })
    }

    /// Converts one image. Returns its manifest's descriptor.
    async fn image(&mut self, image: &Image) -> Result<Descriptor, Error> {
        let config_bytes = self.small(&image.config)?;
        let config: Config = serde_json::from_slice(&config_bytes).map_err(|error| {
            self.bad(format!("has a {} that is not readable: {error}", image.config))
        })?;
        let diff_ids = config.rootfs.diff_ids;
        if diff_ids.len() != image.layers.len() {
            return Err(self.bad(format!(
                "has an image with {} layers, whose configuration names {}",
                image.layers.len(),
                diff_ids.len()
            )));
        }
        self.convert_layers(&image.layers, &diff_ids).await?;
        let layers = image.layers.iter().filter_map(|name| self.done.get(name).cloned()).collect();
        let config = self.config(&image.config, &config_bytes)?;
        let media_type = MediaType::ImageManifest.as_str();
        let manifest = ImageManifest { schema_version: 2, media_type, config, layers };
        let bytes = serde_json::to_vec(&manifest).map_err(|error| {
            self.bad(format!("has an image whose manifest cannot be written: {error}"))
        })?;
        let digest = Hasher::digest(Algorithm::Sha256, &bytes);
        let descriptor = plain_descriptor(media_type, digest, bytes.len() as u64);
        self.manifests.insert(digest, bytes.into());
        Ok(descriptor)
    }

    async fn convert_layers(&mut self, names: &[String], diff_ids: &[Digest]) -> Result<(), Error> {
        let mut tasks = Vec::new();
        for (name, diff_id) in names.iter().zip(diff_ids) {
            let is_new = !self.done.contains_key(name)
                && !tasks.iter().any(|(known, ..): &(String, _, _)| known == name);
            if is_new {
                let missing = || self.bad(format!("has no {name:?}, which is a layer of an image"));
                let entry = self.tar.find(name)?.ok_or_else(missing)?;
                tasks.push((name.clone(), entry, *diff_id));
            }
        }
        let (tar, progress) = (&self.tar, &self.progress);
        let layers: Vec<(String, Layer)> = stream::iter(tasks)
            .map(|(name, entry, diff_id)| {
                let (tar, progress) = (tar.clone(), Arc::clone(progress));
                async move {
                    let path = tar.path().to_owned();
                    let work = move || {
                        let layer = layer(&tar, &name, entry, &diff_id, &progress)?;
                        Ok::<_, Error>((name, layer))
                    };
                    let done = tokio::task::spawn_blocking(work).await;
                    done.map_err(|error| Error::format(&path, format!("cannot be read: {error}")))?
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        for (name, layer) in layers {
            let size = layer.stored.size();
            self.done.insert(name, plain_descriptor(layer.media_type, layer.digest, size));
            self.blobs.insert(layer.digest, layer.stored);
        }
        Ok(())
    }

    /// The descriptor of a configuration, whose name in the tar is its digest.
    fn config(&mut self, name: &str, bytes: &Bytes) -> Result<Descriptor, Error> {
        let digest = Hasher::digest(Algorithm::Sha256, bytes);
        let stem = name.rsplit('/').next().unwrap_or(name).trim_end_matches(".json");
        let is_named_by_digest = stem.len() == 64 && stem.bytes().all(|b| b.is_ascii_hexdigit());
        if is_named_by_digest && stem != digest.hex() {
            return Err(self.bad(format!("is damaged: {name} has the digest {digest}")));
        }
        let missing = || self.bad(format!("has no {name:?}"));
        let entry = self.tar.find(name)?.ok_or_else(missing)?;
        self.blobs.insert(digest, Stored::Tar(entry));
        Ok(plain_descriptor(CONFIG, digest, bytes.len() as u64))
    }

    fn small(&self, name: &str) -> Result<Bytes, Error> {
        let missing = || self.bad(format!("has no {name:?}, which its {MANIFEST} names"));
        self.tar.small(name, MAX_MANIFEST)?.ok_or_else(missing)
    }

    fn bad(&self, reason: impl Into<String>) -> Error {
        Error::format(self.tar.path(), reason)
    }
}

//! The two JSON files of a layout: `oci-layout` and `index.json` (image-spec, image-layout.md).

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wharf_oci::{Descriptor, Tag};

use crate::names::{REF_NAME, names_of};
use crate::{Error, Root};

pub(crate) const LAYOUT: &str = "oci-layout";
pub(crate) const INDEX: &str = "index.json";
pub(crate) const LAYOUT_CONTENT: &str = "{\"imageLayoutVersion\":\"1.0.0\"}";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutFile {
    image_layout_version: String,
}

/// Whether the content of `oci-layout` is that of a layout as it is known here.
pub(crate) fn check_layout(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let parsed: LayoutFile = serde_json::from_slice(bytes).map_err(|error| {
        Error::format(path, format!("has an `oci-layout` that is not readable: {error}"))
    })?;
    if parsed.image_layout_version.starts_with("1.") {
        return Ok(());
    }
    let version = crate::error::printable(&parsed.image_layout_version);
    Err(Error::format(path, format!("is a layout of version {version:?}; only 1.x is known here")))
}

/// The index of a layout: the images in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LayoutIndex {
    schema_version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    pub(crate) manifests: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

impl Default for LayoutIndex {
    fn default() -> Self {
        Self {
            schema_version: 2,
            media_type: Some(wharf_oci::MediaType::ImageIndex.as_str().to_owned()),
            manifests: Vec::new(),
            annotations: BTreeMap::new(),
        }
    }
}

impl LayoutIndex {
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let index: Self = serde_json::from_slice(bytes).map_err(|error| {
            Error::format(path, format!("has an `index.json` that is not readable: {error}"))
        })?;
        if index.schema_version == 2 {
            Ok(index)
        } else {
            Err(Error::format(path, "has an `index.json` whose schemaVersion is not 2"))
        }
    }

    pub(crate) fn to_bytes(&self, path: &Path) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(|error| {
            Error::format(path, format!("cannot have its index.json written: {error}"))
        })
    }

    /// The images, each with all its names.
    pub(crate) fn roots(&self) -> Vec<Root> {
        let mut roots: Vec<Root> = Vec::new();
        for manifest in &self.manifests {
            let names = names_of(manifest);
            match roots.iter_mut().find(|root| root.descriptor.digest == manifest.digest) {
                Some(root) => root.names.extend(names),
                None => roots.push(Root { descriptor: manifest.clone(), names }),
            }
        }
        roots
    }

    /// Puts an image in under its tags, which name nothing else any more; without tags, only once.
    pub(crate) fn insert(&mut self, manifest: &Descriptor, tags: &[Tag]) {
        let has_name = |entry: &Descriptor, name: &str| {
            entry.annotations.as_ref().and_then(|a| a.get(REF_NAME)).is_some_and(|n| n == name)
        };
        self.manifests.retain(|entry| !tags.iter().any(|tag| has_name(entry, tag.as_str())));
        if tags.is_empty() {
            if !self.manifests.iter().any(|entry| entry.digest == manifest.digest) {
                self.manifests.push(bare(manifest));
            }
            return;
        }
        let is_nameless = |entry: &Descriptor| {
            entry.annotations.as_ref().is_none_or(|annotations| !annotations.contains_key(REF_NAME))
        };
        self.manifests.retain(|entry| entry.digest != manifest.digest || !is_nameless(entry));
        for tag in tags {
            let mut entry = bare(manifest);
            let annotations = entry.annotations.get_or_insert_default();
            annotations.insert(REF_NAME.to_owned(), tag.to_string());
            self.manifests.push(entry);
        }
    }
}

/// A descriptor without what it was called elsewhere.
fn bare(manifest: &Descriptor) -> Descriptor {
    let mut bare = manifest.clone();
    bare.data = None;
    bare.urls = None;
    bare.annotations = None;
    bare
}

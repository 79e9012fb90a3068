//! What a manifest says: read from its bytes, which are never written again.
//!
//! image-spec: manifest.md, image-index.md, descriptor.md; Docker's schema 2 and manifest list have the same shape.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};

use crate::json::Shape;
use crate::{Digest, Hasher, MediaType, json};

/// How many levels of objects and arrays a manifest may have.
pub const MAX_DEPTH: usize = 32;

/// How many blobs, or manifests of an index, a manifest may name.
pub const MAX_DESCRIPTORS: usize = 4096;

/// How many bytes a manifest's annotations may have: as many as the manifest (distribution-spec, "Pushing Manifests"), though they
/// come again with every list of referrers.
pub const MAX_ANNOTATIONS: usize = 4 << 20;

/// A reference to content: its type, digest and size (image-spec, descriptor.md).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type of the content.
    pub media_type: String,
    /// The digest of the content.
    pub digest: Digest,
    /// The size of the content in bytes, an `int64` of the specification: at most `i64::MAX`.
    #[serde(deserialize_with = "size")]
    pub size: u64,
    /// The type of the artifact, where the content is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What is said of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Where else the content may be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urls: Option<Vec<String>>,
    /// The content itself in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The platform that the content runs on, where it is an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

/// A platform that an image runs on (image-spec, image-index.md, "platform").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// The processor's architecture, in Go's words.
    pub architecture: String,
    /// The operating system, in Go's words.
    pub os: String,
    /// The variant of the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Descriptor {
    /// Whether the registry need not hold the content: a layer that its owner lets nobody distribute.
    pub fn is_non_distributable(&self) -> bool {
        MediaType::is_non_distributable(&self.media_type)
    }
}

/// What kind of manifest it is, with what only that kind has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An image or an artifact: a configuration and layers, which are blobs.
    Image {
        /// The configuration.
        config: Box<Descriptor>,
        /// The layers, lowest first.
        layers: Vec<Descriptor>,
    },
    /// An index or manifest list: other manifests.
    Index {
        /// The manifests named.
        manifests: Vec<Descriptor>,
    },
}

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The type that the bytes state or, where they state none, the one OCI type that their structure allows.
    pub media_type: MediaType,
    /// Whether the bytes state their type themselves, as they should.
    pub states_media_type: bool,
    /// Its kind.
    pub kind: Kind,
    /// `artifactType`, where it is there and not empty.
    pub artifact_type: Option<String>,
    /// The manifest that this one is about.
    pub subject: Option<Descriptor>,
    /// What is said of it.
    pub annotations: BTreeMap<String, String>,
}

/// Why bytes are no manifest that the registry accepts.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The bytes are no JSON object, or fields have the wrong types.
    #[error("the manifest is not valid: {0}")]
    Json(#[from] serde_json::Error),
    /// Docker's schema 1.
    #[error(
        "Docker image manifest version 2, schema 1 is not accepted; push the image with a client of the last \
         seven years, as schema 2 or as an OCI image"
    )]
    Schema1,
    /// `schemaVersion` is not 2.
    #[error("the manifest's schemaVersion must be 2")]
    SchemaVersion,
    /// The body's `mediaType` is none that is accepted here.
    #[error("the manifest's mediaType {0:?} is not one of an image manifest or an index")]
    UnknownMediaType(String),
    /// `Content-Type` is none that is accepted here.
    #[error("the Content-Type {0:?} is not one of an image manifest or an index")]
    UnknownContentType(String),
    /// `Content-Type` and the bytes disagree.
    #[error("the Content-Type is {content_type} but the manifest is {media_type}")]
    ContentType {
        /// What the request said.
        content_type: MediaType,
        /// What the bytes say.
        media_type: MediaType,
    },
    /// `layers` or `config` beside `manifests` (GHSA-qq97-vm5h-rrhg, GHSA-mc8v-mgrf-8f4m).
    #[error(
        "the manifest has both {0:?} and \"manifests\": it must be an image or an index, not both"
    )]
    ImageAndIndex(&'static str),
    /// A field that the kind needs is not there.
    #[error("the manifest has no {0:?}, which {1} needs")]
    Missing(&'static str, MediaType),
    /// A field differs from a known one in letter case alone.
    #[error("the manifest's key {0:?} must be written {1:?}")]
    Disguised(String, &'static str),
    /// More descriptors than [`MAX_DESCRIPTORS`].
    #[error(
        "the manifest names {0} blobs or manifests, more than the {MAX_DESCRIPTORS} that one may have"
    )]
    TooManyDescriptors(usize),
    /// Longer annotations than [`MAX_ANNOTATIONS`].
    #[error(
        "the manifest's annotations have {0} bytes, more than the {MAX_ANNOTATIONS} that they may have"
    )]
    AnnotationsTooLong(usize),
    /// A descriptor's embedded `data` is not the content of its digest and size.
    #[error("the data embedded for {0} is not that content")]
    Data(Digest),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

/// The keys that decide what a manifest is.
const KEYS: [(&str, Shape); 8] = [
    ("schemaVersion", Shape::Any),
    ("mediaType", Shape::Any),
    ("artifactType", Shape::Any),
    ("config", Shape::Object(&DESCRIPTOR_KEYS)),
    ("layers", Shape::Objects(&DESCRIPTOR_KEYS)),
    ("manifests", Shape::Objects(&DESCRIPTOR_KEYS)),
    ("subject", Shape::Object(&DESCRIPTOR_KEYS)),
    ("annotations", Shape::Any),
];

/// The keys of [`Descriptor`].
const DESCRIPTOR_KEYS: [(&str, Shape); 8] = [
    ("mediaType", Shape::Any),
    ("digest", Shape::Any),
    ("size", Shape::Any),
    ("artifactType", Shape::Any),
    ("annotations", Shape::Any),
    ("urls", Shape::Any),
    ("data", Shape::Any),
    ("platform", Shape::Object(&PLATFORM_KEYS)),
];

/// The keys of [`Platform`].
const PLATFORM_KEYS: [(&str, Shape); 3] =
    [("architecture", Shape::Any), ("os", Shape::Any), ("variant", Shape::Any)];

impl Manifest {
    /// Reads a manifest pushed under `content_type`, where the request named one.
    ///
    /// # Errors
    /// When the bytes are not one of the four kinds of manifest in [`MediaType`], or contradict
    /// themselves or the `Content-Type`.
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, ManifestError> {
        if content_type.is_some_and(MediaType::is_schema_1) {
            return Err(ManifestError::Schema1);
        }
        let keys = json::keys_of_object(bytes, MAX_DEPTH, &KEYS)?;
        if let Some((key, known)) = json::disguised(&keys, &KEYS) {
            return Err(ManifestError::Disguised(key.to_owned(), known));
        }
        let has = |name: &str| keys.iter().any(|key| key == name);
        if has("fsLayers") {
            return Err(ManifestError::Schema1);
        }
        for name in ["layers", "config"] {
            if has(name) && has("manifests") {
                return Err(ManifestError::ImageAndIndex(name));
            }
        }
        let document: Document = serde_json::from_slice(bytes)?;
        let media_type = document.media_type()?;
        agree(content_type, media_type)?;
        document.into_manifest(media_type)
    }

    /// What the referrers list shows as the type of this manifest (distribution-spec, "Listing Referrers"):
    /// `artifactType`, else an image's configuration type, else nothing.
    pub fn referrer_type(&self) -> Option<&str> {
        self.artifact_type.as_deref().or(match &self.kind {
            Kind::Image { config, .. } => Some(&config.media_type),
            Kind::Index { .. } => None,
        })
    }

    /// The blobs named, configuration first. A blob named twice comes twice.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        let (config, layers) = match &self.kind {
            Kind::Image { config, layers } => (Some(&**config), layers.as_slice()),
            Kind::Index { .. } => (None, [].as_slice()),
        };
        config.into_iter().chain(layers)
    }

    /// The manifests named by an index.
    pub fn children(&self) -> &[Descriptor] {
        match &self.kind {
            Kind::Image { .. } => &[],
            Kind::Index { manifests } => manifests,
        }
    }
}

impl Document {
    /// The type that the document states, or that its structure allows where it states none.
    fn media_type(&self) -> Result<MediaType, ManifestError> {
        if self.media_type.as_deref().is_some_and(MediaType::is_schema_1)
            || self.schema_version == Some(1)
        {
            return Err(ManifestError::Schema1);
        }
        if self.schema_version != Some(2) {
            return Err(ManifestError::SchemaVersion);
        }
        match &self.media_type {
            // In a document the type is exact: it is content, not a header.
            Some(text) => MediaType::ALL
                .into_iter()
                .find(|known| known.as_str() == text)
                .ok_or_else(|| ManifestError::UnknownMediaType(text.clone())),
            None if self.manifests.is_some() => Ok(MediaType::ImageIndex),
            None => Ok(MediaType::ImageManifest),
        }
    }

    fn into_manifest(self, media_type: MediaType) -> Result<Manifest, ManifestError> {
        let missing = |name| ManifestError::Missing(name, media_type);
        let kind = if media_type.is_index() {
            Kind::Index { manifests: self.manifests.ok_or_else(|| missing("manifests"))? }
        } else {
            let config = Box::new(self.config.ok_or_else(|| missing("config"))?);
            Kind::Image { config, layers: self.layers.ok_or_else(|| missing("layers"))? }
        };
        let manifest = Manifest {
            media_type,
            states_media_type: self.media_type.is_some(),
            kind,
            artifact_type: self.artifact_type.filter(|text| !text.is_empty()),
            subject: self.subject,
            annotations: self.annotations.unwrap_or_default(),
        };
        let named = manifest.blobs().count() + manifest.children().len();
        if named > MAX_DESCRIPTORS {
            return Err(ManifestError::TooManyDescriptors(named));
        }
        let bytes: usize =
            manifest.annotations.iter().map(|(key, text)| key.len() + text.len()).sum();
        if bytes > MAX_ANNOTATIONS {
            return Err(ManifestError::AnnotationsTooLong(bytes));
        }
        for descriptor in manifest.blobs().chain(manifest.children()).chain(&manifest.subject) {
            check_data(descriptor)?;
        }
        Ok(manifest)
    }
}

/// A size that every other reader takes, too.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let size = i64::deserialize(deserializer)?;
    size.try_into().map_err(|_| serde::de::Error::custom("a size must not be negative"))
}

/// `Content-Type` and the bytes must say the same.
fn agree(content_type: Option<&str>, media_type: MediaType) -> Result<(), ManifestError> {
    let Some(text) = content_type else { return Ok(()) };
    let content_type =
        MediaType::parse(text).ok_or_else(|| ManifestError::UnknownContentType(text.to_owned()))?;
    if content_type == media_type {
        Ok(())
    } else {
        Err(ManifestError::ContentType { content_type, media_type })
    }
}

/// Embedded data must be the content (image-spec, descriptor.md, "Embedded Content").
fn check_data(descriptor: &Descriptor) -> Result<(), ManifestError> {
    let Some(data) = &descriptor.data else { return Ok(()) };
    let is_content = STANDARD.decode(data).is_ok_and(|content| {
        content.len() as u64 == descriptor.size
            && Hasher::digest(descriptor.digest.algorithm(), &content) == descriptor.digest
    });
    if is_content { Ok(()) } else { Err(ManifestError::Data(descriptor.digest)) }
}

//! Media types of manifests and layers, of OCI and of Docker.

use std::fmt;

/// The media type of a manifest that the registry accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// An OCI image manifest, artifacts included.
    ImageManifest,
    /// An OCI image index.
    ImageIndex,
    /// A Docker image manifest, version 2, schema 2.
    DockerManifest,
    /// A Docker manifest list.
    DockerManifestList,
}

impl MediaType {
    /// Every media type of a manifest known here.
    pub const ALL: [Self; 4] =
        [Self::ImageManifest, Self::ImageIndex, Self::DockerManifest, Self::DockerManifestList];

    /// The text of the media type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ImageManifest => "application/vnd.oci.image.manifest.v1+json",
            Self::ImageIndex => "application/vnd.oci.image.index.v1+json",
            Self::DockerManifest => "application/vnd.docker.distribution.manifest.v2+json",
            Self::DockerManifestList => "application/vnd.docker.distribution.manifest.list.v2+json",
        }
    }

    /// The media type that `text` names, parameters and case ignored (RFC 9110, section 8.3.1).
    pub fn parse(text: &str) -> Option<Self> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(essence))
    }

    /// Whether it names other manifests instead of blobs.
    pub const fn is_index(self) -> bool {
        matches!(self, Self::ImageIndex | Self::DockerManifestList)
    }

    /// Whether `text` names Docker's schema 1, which pinned nothing by digest and is served by no one any more.
    pub fn is_schema_1(text: &str) -> bool {
        let essence = text.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/vnd.docker.distribution.manifest.v1+json")
            || essence
                .eq_ignore_ascii_case("application/vnd.docker.distribution.manifest.v1+prettyjws")
    }

    /// Whether a layer of this media type may be kept elsewhere, so that the registry need not hold it
    /// (image-spec, layer.md, "Non-Distributable Layers").
    pub fn is_non_distributable(text: &str) -> bool {
        text.starts_with("application/vnd.oci.image.layer.nondistributable.v1.")
            || text == "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
            || text == "application/vnd.docker.image.rootfs.foreign.diff.tar"
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

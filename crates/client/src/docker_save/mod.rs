//! What `docker save` writes, as the source of OCI images.

mod convert;
mod layer;

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use wharf_oci::{Descriptor, Digest};

use crate::archive::{Entry, TarFile};
use crate::layout::{Place, read_range};
use crate::source::{BlobSource, BlobStream, Root, Source};
use crate::{Error, Progress};

/// The file that says which images an archive has.
pub(crate) const MANIFEST: &str = "manifest.json";

/// The images of a tar from `docker save`, converted to OCI.
///
/// Such a tar has no manifests and its layers are not compressed. Each image becomes an OCI image manifest: its
/// configuration is kept byte by byte, so the image keeps its ID; its layers are compressed with gzip, without
/// time or name, so that the same tar gives the same digests with every run of the same version of this program, though not
/// the digests under which the image may have been pulled before. Layers found compressed are kept as they are.
/// Each layer is checked against the `diff_ids` of the configuration.
///
/// The compressed layers wait in unnamed files of the system's temporary folder (`TMPDIR`).
pub struct DockerSave {
    tar: TarFile,
    roots: Vec<Root>,
    manifests: HashMap<Digest, Bytes>,
    blobs: HashMap<Digest, Stored>,
}

/// Where a blob's bytes are.
#[derive(Clone)]
enum Stored {
    /// In the tar itself.
    Tar(Entry),
    /// In a file of its own.
    Temporary(Arc<File>, u64),
}

impl Stored {
    fn size(&self) -> u64 {
        match self {
            Self::Tar(entry) => entry.size,
            Self::Temporary(_, size) => *size,
        }
    }
}

impl DockerSave {
    /// Converts the images of a tar, those called `wanted` where that is given.
    pub(crate) async fn convert(
        tar: TarFile,
        wanted: Option<&str>,
        progress: &Arc<dyn Progress>,
    ) -> Result<Self, Error> {
        convert::Conversion::new(tar, Arc::clone(progress)).run(wanted).await
    }

    fn not_found(&self, digest: &Digest) -> Error {
        Error::NotFound { what: digest.to_string(), place: self.place() }
    }
}

#[async_trait]
impl BlobSource for DockerSave {
    async fn blob(&self, blob: &Descriptor, offset: u64) -> Result<BlobStream, Error> {
        let stored = self.blobs.get(&blob.digest).ok_or_else(|| self.not_found(&blob.digest))?;
        Ok(match stored {
            Stored::Tar(entry) => self.tar.stream(*entry, offset),
            Stored::Temporary(file, size) => {
                let path = std::env::temp_dir();
                let place = Place { file: Arc::clone(file), path, start: offset };
                read_range(place, size.saturating_sub(offset))
            }
        })
    }
}

#[async_trait]
impl Source for DockerSave {
    fn place(&self) -> String {
        self.tar.path().display().to_string()
    }

    async fn roots(&self) -> Result<Vec<Root>, Error> {
        Ok(self.roots.clone())
    }

    async fn manifest(&self, manifest: &Descriptor) -> Result<Bytes, Error> {
        let bytes = self.manifests.get(&manifest.digest).cloned();
        bytes.ok_or_else(|| self.not_found(&manifest.digest))
    }

    async fn referrers(&self, _: &Descriptor) -> Result<Vec<Descriptor>, Error> {
        Ok(Vec::new())
    }
}

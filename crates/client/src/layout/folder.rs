//! A layout in a folder as the source of images.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use wharf_oci::{Descriptor, Digest, Manifest};

use super::files::{Place, open_regular, read_range, read_small};
use super::{INDEX, LAYOUT, LayoutIndex, blob_path, check_layout};
use crate::source::{BlobSource, BlobStream, Root, Source};
use crate::{Error, MAX_MANIFEST};

/// An OCI image layout in a folder. Only regular files in it are read, and only those that digests name.
pub struct LayoutFolder {
    path: PathBuf,
    index: LayoutIndex,
}

impl LayoutFolder {
    /// Opens a layout.
    ///
    /// # Errors
    /// When the folder is none, or its index is not readable or past [`MAX_MANIFEST`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let layout = path.join(LAYOUT);
        if !layout.exists() && path.exists() {
            return Err(Error::format(
                path,
                "has no file `oci-layout`, so it is no OCI image layout",
            ));
        }
        check_layout(path, &read_small(&layout, MAX_MANIFEST)?)?;
        let index = LayoutIndex::parse(path, &read_small(&path.join(INDEX), MAX_MANIFEST)?)?;
        Ok(Self { path: path.to_owned(), index })
    }

    fn blob_file(&self, digest: &Digest) -> PathBuf {
        self.path.join(blob_path(digest))
    }

    fn not_found(&self, digest: &Digest) -> Error {
        Error::NotFound { what: digest.to_string(), place: self.path.display().to_string() }
    }
}

#[async_trait]
impl BlobSource for LayoutFolder {
    async fn blob(&self, blob: &Descriptor, offset: u64) -> Result<BlobStream, Error> {
        let path = self.blob_file(&blob.digest);
        let (file, size) = match open_regular(&path) {
            Err(Error::File { reason, .. }) if reason.kind() == std::io::ErrorKind::NotFound => {
                return Err(self.not_found(&blob.digest));
            }
            opened => opened?,
        };
        if size != blob.size {
            return Err(Error::Size { digest: blob.digest, expected: blob.size, found: size });
        }
        let length = size.saturating_sub(offset);
        Ok(read_range(Place { file: Arc::new(file), path, start: offset }, length))
    }
}

#[async_trait]
impl Source for LayoutFolder {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    async fn roots(&self) -> Result<Vec<Root>, Error> {
        Ok(self.index.roots())
    }

    async fn manifest(&self, manifest: &Descriptor) -> Result<Bytes, Error> {
        match read_small(&self.blob_file(&manifest.digest), MAX_MANIFEST) {
            Err(Error::File { reason, .. }) if reason.kind() == std::io::ErrorKind::NotFound => {
                Err(self.not_found(&manifest.digest))
            }
            result => result,
        }
    }

    async fn referrers(&self, subject: &Descriptor) -> Result<Vec<Descriptor>, Error> {
        referrers_in(self, &self.index, subject).await
    }
}

/// The images of a layout whose subject is `subject`. One that cannot be read is none.
pub(crate) async fn referrers_in(
    source: &dyn Source,
    index: &LayoutIndex,
    subject: &Descriptor,
) -> Result<Vec<Descriptor>, Error> {
    let mut found = Vec::new();
    for candidate in &index.manifests {
        let Ok(bytes) = source.manifest(candidate).await else { continue };
        let Ok(manifest) = Manifest::parse(&bytes, Some(&candidate.media_type)) else { continue };
        let is_about = manifest.subject.is_some_and(|of| of.digest == subject.digest);
        if is_about && !found.iter().any(|known: &Descriptor| known.digest == candidate.digest) {
            found.push(candidate.clone());
        }
    }
    Ok(found)
}

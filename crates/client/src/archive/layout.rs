//! A layout in a tar as the source of images.

use async_trait::async_trait;
use bytes::Bytes;
use wharf_oci::{Descriptor, Digest};

use super::TarFile;
use crate::layout::{INDEX, LAYOUT, LayoutIndex, blob_path, check_layout, referrers_in};
use crate::source::{BlobSource, BlobStream, Root, Source};
use crate::{Error, MAX_MANIFEST};

/// An OCI image layout in a tar, read where it lies: nothing is unpacked.
pub struct LayoutArchive {
    tar: TarFile,
    index: LayoutIndex,
}

impl LayoutArchive {
    pub(crate) fn new(tar: TarFile) -> Result<Self, Error> {
        let small = |name: &str| {
            let missing = || Error::format(tar.path(), format!("has no `{name}`"));
            tar.small(name, MAX_MANIFEST)?.ok_or_else(missing)
        };
        check_layout(tar.path(), &small(LAYOUT)?)?;
        let index = LayoutIndex::parse(tar.path(), &small(INDEX)?)?;
        Ok(Self { tar, index })
    }

    fn not_found(&self, digest: &Digest) -> Error {
        Error::NotFound { what: digest.to_string(), place: self.place() }
    }
}

#[async_trait]
impl BlobSource for LayoutArchive {
    async fn blob(&self, blob: &Descriptor, offset: u64) -> Result<BlobStream, Error> {
        let entry = self.tar.find(&blob_path(&blob.digest))?;
        let entry = entry.ok_or_else(|| self.not_found(&blob.digest))?;
        if entry.size != blob.size {
            let (expected, found) = (blob.size, entry.size);
            return Err(Error::Size { digest: blob.digest, expected, found });
        }
        Ok(self.tar.stream(entry, offset))
    }
}

#[async_trait]
impl Source for LayoutArchive {
    fn place(&self) -> String {
        self.tar.path().display().to_string()
    }

    async fn roots(&self) -> Result<Vec<Root>, Error> {
        Ok(self.index.roots())
    }

    async fn manifest(&self, manifest: &Descriptor) -> Result<Bytes, Error> {
        let bytes = self.tar.small(&blob_path(&manifest.digest), MAX_MANIFEST)?;
        bytes.ok_or_else(|| self.not_found(&manifest.digest))
    }

    async fn referrers(&self, subject: &Descriptor) -> Result<Vec<Descriptor>, Error> {
        referrers_in(self, &self.index, subject).await
    }
}

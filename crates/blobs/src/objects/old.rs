//! Another registry's bucket, as it lies there.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt as _};
use wharf_core::StoreError;
use wharf_core::blobs::{Content, ObjectKey, ReadError};
use wharf_core::delivery::{SignedUrl, SignedUrls};
use wharf_core::old_store::{OldEntry, OldKind, OldPath, OldStore};
use wharf_oci::{ByteRange, Digest};

use super::failure::{store_error, unless_missing};
use super::{Limits, ObjectBlobs, ObjectStoreError, ObjectStoreUrl};

/// Another registry's bucket. Nothing is written to it.
pub struct OldBucket(pub(super) ObjectBlobs);

impl OldBucket {
    /// Opens the bucket at `url`, whose prefix is the other registry's `rootdirectory`, as [`ObjectBlobs::open`] opens
    /// one of Wharf's own.
    ///
    /// # Errors
    /// When the environment names something that cannot be used.
    pub fn open(
        url: &ObjectStoreUrl,
        environment: impl IntoIterator<Item = (String, String)>,
        limits: Limits,
    ) -> Result<Self, ObjectStoreError> {
        ObjectBlobs::open(url, environment, limits).map(Self)
    }

    /// The key of what lies there, exactly as it is written.
    fn key(&self, path: &OldPath) -> Result<Path, StoreError> {
        let prefix = self.0.prefix.as_ref();
        let key = if prefix.is_empty() { path.to_string() } else { format!("{prefix}/{path}") };
        Path::parse(key).map_err(|_| StoreError::Corrupt(format!("{path}: no key is so called")))
    }
}

#[async_trait]
impl OldStore for OldBucket {
    async fn list(&self, folder: &OldPath) -> Result<Vec<OldEntry>, StoreError> {
        let (doing, key) = ("listing another registry's objects", self.key(folder)?);
        // Thousands of names take as many requests as there are pages.
        let listing = self.0.service.list_with_delimiter(Some(&key));
        let listed = self.0.within_long(doing, listing).await?;
        let listed = listed.map_err(|error| store_error(doing, &error))?;
        let named = |path: &Path, kind| {
            path.filename().map(|name| OldEntry { name: name.to_owned(), kind })
        };
        let folders = listed.common_prefixes.iter().filter_map(|it| named(it, OldKind::Folder));
        let files = listed.objects.iter().filter_map(|it| named(&it.location, OldKind::File));
        let mut entries: Vec<_> = folders.chain(files).collect();
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    async fn small_file(&self, path: &OldPath, limit: usize) -> Result<Option<Bytes>, StoreError> {
        let (doing, key) = ("reading another registry's object", self.key(path)?);
        let found = match self.0.within(doing, self.0.service.get(&key)).await? {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(store_error(doing, &error)),
        };
        if found.meta.size > limit as u64 {
            let text = format!("{path}: it is larger than such a file ever is");
            return Err(StoreError::Corrupt(text));
        }
        let bytes = self.0.within(doing, found.bytes()).await?;
        bytes.map(Some).map_err(|error| store_error(doing, &error))
    }

    async fn head(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        self.0.size(&self.key(&OldPath::of_blob(digest))?).await
    }

    async fn read(&self, digest: &Digest, range: Option<ByteRange>) -> Result<Content, ReadError> {
        self.0.read_object(self.key(&OldPath::of_blob(digest))?, *digest, range).await
    }

    async fn delete(&self, digest: &Digest) -> Result<(), StoreError> {
        let (doing, key) = ("deleting an object", self.key(&OldPath::of_blob(digest))?);
        let deleted = self.0.within(doing, self.0.service.delete(&key)).await?;
        unless_missing(doing, deleted)
    }
}

#[async_trait]
impl SignedUrls for OldBucket {
    async fn sign_get(&self, key: &ObjectKey, life: Duration) -> Result<SignedUrl, StoreError> {
        self.0.sign_path(&self.key(&OldPath::of_blob(&key.digest))?, life).await
    }
}

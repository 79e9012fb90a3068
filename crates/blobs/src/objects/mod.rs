//! Blobs in an object store: S3 and what speaks it, Google Cloud Storage, Azure Blob Storage.
//!
//! An object lies under its key, `<prefix>/sha256/ab/cd/abcd…`. What is staged lies under
//! `<prefix>/staging/<upload>/`: `content-…`, which the parts of an upload become, and `tail-…`, what was too short
//! for a part. Those names are random and used once, so no request ever finds what another one left for its own.

mod appending;
mod checking;
mod copying;
mod deleting;
mod direct;
mod failure;
mod finishing;
mod leftovers;
mod listing;
mod old;
mod part_url;
mod profile;
mod progress;
mod reading;
mod requests;
mod settings;
mod signed;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use object_store::ObjectStore;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};
use wharf_core::blobs::{
    Blobs, ByteStream, Chunks, Content, Deletion, ObjectKey, ReadError, StageError, Staged,
};
use wharf_core::clock::{Random, SystemRandom};
use wharf_core::delivery::{SignedUrl, SignedUrls};
use wharf_core::{StoreError, UploadId};
use wharf_oci::ByteRange;

use direct::Direct;
use failure::store_error;
pub use old::OldBucket;
use progress::Progress;
pub use requests::{Requests, StoreRequests};
pub use settings::{Limits, NoObjectStoreUrl, ObjectStoreError, ObjectStoreUrl};

/// What every service can do.
trait Service: ObjectStore + MultipartStore + Signer {}
impl<T: ObjectStore + MultipartStore + Signer> Service for T {}

/// What only S3 needs: requests that the library does not make.
struct S3 {
    store: Arc<object_store::aws::AmazonS3>,
    bucket: String,
    client: reqwest::Client,
}

/// Blobs in an object store.
pub struct ObjectBlobs {
    service: Arc<dyn Service>,
    s3: Option<S3>,
    /// For asking Azure about its copies.
    azure: Option<reqwest::Client>,
    /// Whether the store copies on no condition.
    plain_copies: AtomicBool,
    prefix: Path,
    limits: Limits,
    requests: Arc<StoreRequests>,
}

impl ObjectBlobs {
    /// Opens the store at `url`, with credentials and endpoints as its clouds' own tools find them: environment,
    /// profile, workload and instance identity. Asks the store for nothing yet; [`Blobs::check`] does.
    ///
    /// # Errors
    /// When the environment names something that cannot be used.
    pub fn open(
        url: &ObjectStoreUrl,
        environment: impl IntoIterator<Item = (String, String)>,
        limits: Limits,
    ) -> Result<Self, ObjectStoreError> {
        settings::open(url, environment.into_iter().collect(), limits)
    }

    /// The requests to the store.
    pub fn requests(&self) -> Arc<StoreRequests> {
        Arc::clone(&self.requests)
    }

    fn object_path(&self, key: &ObjectKey) -> Path {
        self.path(&key.to_string())
    }

    fn content_path(&self, upload: &UploadId, name: u128) -> Path {
        self.path(&format!("staging/{upload}/content-{name:032x}"))
    }

    fn tail_path(&self, upload: &UploadId, name: u128) -> Path {
        self.path(&format!("staging/{upload}/tail-{name:032x}"))
    }

    fn path(&self, below: &str) -> Path {
        if self.prefix.as_ref().is_empty() {
            return Path::from(below);
        }
        Path::from(format!("{}/{below}", self.prefix))
    }

    /// Signs a URL that reads what lies at `path`.
    async fn sign_path(&self, path: &Path, life: Duration) -> Result<SignedUrl, StoreError> {
        let options = SignedUrlOptions::new()
            .with_query([("response-content-type", "application/octet-stream")]);
        let signing = self.service.signed_url_opts(Method::GET, path, life, &options);
        let url = match self.within("signing a URL", signing).await? {
            // Azure serves what has no type as octets anyway.
            Err(object_store::Error::NotSupported { .. }) => {
                let signing = self.service.signed_url(Method::GET, path, life);
                self.within("signing a URL", signing).await?
            }
            other => other,
        };
        let url = url.map_err(|error| store_error("signing a URL", &error))?;
        Ok(SignedUrl::new(url.into()))
    }

    /// A name that nobody guesses and that is not zero.
    fn new_name(&self) -> u128 {
        let mut bytes = [0; 16];
        SystemRandom.fill(&mut bytes);
        u128::from_be_bytes(bytes) | 1
    }

    /// Waits for a request, its retries included, no longer than it may take.
    async fn within<T>(
        &self,
        doing: &'static str,
        request: impl Future<Output = T>,
    ) -> Result<T, StoreError> {
        self.requests.within(self.limits.request, doing, request).await
    }

    /// The same for requests in which the store moves all of an object's bytes.
    async fn within_long<T>(
        &self,
        doing: &'static str,
        request: impl Future<Output = T>,
    ) -> Result<T, StoreError> {
        self.requests.within(self.limits.long_request, doing, request).await
    }
}

#[async_trait]
impl Blobs for ObjectBlobs {
    async fn head(&self, key: &ObjectKey) -> Result<Option<u64>, StoreError> {
        self.size(&self.object_path(key)).await
    }

    async fn read(&self, key: &ObjectKey, range: Option<ByteRange>) -> Result<Content, ReadError> {
        self.read_object(self.object_path(key), key.digest, range).await
    }

    async fn stage(&self, _upload: &UploadId) -> Result<Staged, StageError> {
        // Nothing is there before the first bytes are.
        Ok(Progress::default().staged())
    }

    async fn append(
        &self,
        upload: &UploadId,
        staged: &Staged,
        chunks: Chunks<'_>,
    ) -> Result<Staged, StageError> {
        self.append_to(upload, staged, chunks).await
    }

    async fn read_staged(
        &self,
        upload: &UploadId,
        staged: &Staged,
    ) -> Result<ByteStream, StageError> {
        if let Some(direct) = Direct::of(staged) {
            let (path, version) = self.version(upload, &direct)?;
            return self.read_whole(path, Some(version)).await;
        }
        let progress = Progress::of(staged).ok_or(StageError::NotFound)?;
        match self.whole(upload, &progress).await? {
            Some(path) => self.read_whole(path, None).await,
            None => Ok(Box::pin(futures_util::stream::empty())),
        }
    }

    async fn finish(
        &self,
        upload: &UploadId,
        staged: &Staged,
        key: &ObjectKey,
    ) -> Result<(), StageError> {
        self.put_in_place(upload, staged, key).await
    }

    async fn roll_back(
        &self,
        upload: &UploadId,
        before: &Staged,
        after: &Staged,
    ) -> Result<(), StoreError> {
        self.forget_appended(upload, before, after).await
    }

    async fn discard(&self, upload: &UploadId, staged: &Staged) -> Result<(), StageError> {
        Ok(self.drop_staged(upload, staged).await?)
    }

    async fn delete_all(&self, keys: &[ObjectKey]) -> Deletion {
        self.delete_objects(keys).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.write_and_read().await
    }
}

#[async_trait]
impl SignedUrls for ObjectBlobs {
    async fn sign_get(&self, key: &ObjectKey, life: Duration) -> Result<SignedUrl, StoreError> {
        self.sign_path(&self.object_path(key), life).await
    }
}

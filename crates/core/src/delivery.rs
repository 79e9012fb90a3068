//! The seam to who carries an object's bytes in a node's place: a bucket or a CDN, by a signed URL.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::StoreError;
use crate::blobs::ObjectKey;

/// A URL by which anyone who has it may read one object, for a while. It does not print what it grants.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedUrl(String);

impl SignedUrl {
    /// The URL, whole.
    #[must_use]
    pub const fn new(url: String) -> Self {
        Self(url)
    }

    /// The URL, for the one reply that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SignedUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}?…", self.0.split('?').next().unwrap_or_default())
    }
}

/// A store, or a CDN before it, that serves its objects itself to whoever holds a signed URL.
#[async_trait]
pub trait SignedUrls: Send + Sync + 'static {
    /// Signs a URL that reads the object, by `GET` alone and with ranges, as `application/octet-stream`, until
    /// `life` has passed. It says nothing of whether the object is there.
    async fn sign_get(&self, key: &ObjectKey, life: Duration) -> Result<SignedUrl, StoreError>;
}

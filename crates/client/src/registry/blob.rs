//! Blobs: whether they are there, and their bytes (distribution-spec, "Pulling blobs").

use http::{Method, StatusCode};
use wharf_oci::Digest;

use super::Repository;
use super::download::Download;
use crate::{BlobStream, Error};

impl Repository {
    /// The size of a blob in bytes; `None` where the repository does not hold it.
    ///
    /// # Errors
    /// When the registry cannot say.
    pub async fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        let call = self.reading(Method::HEAD, &format!("blobs/{digest}"))?;
        let reply = self.client().call(call).await?;
        match reply.status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK => match reply.content_length() {
                Some(size) => Ok(Some(size)),
                None => Err(reply.unexpected("without Content-Length")),
            },
            _ => Err(reply.refusal().await),
        }
    }

    /// The bytes of a blob from `offset` to its end, and the size of the whole blob. A connection that breaks is
    /// made again, and the blob taken up where it ended. The bytes are not verified: see
    /// [`verified`](crate::verified).
    ///
    /// # Errors
    /// [`Error::NotFound`] where the repository does not hold it; [`Error::Size`] where it is not as
    /// large as `size` says.
    pub async fn blob(
        &self,
        digest: &Digest,
        size: Option<u64>,
        offset: u64,
    ) -> Result<(u64, BlobStream), Error> {
        let download = Download::open(self.clone(), *digest, size, offset).await?;
        Ok((download.size(), download.into_stream()))
    }
}

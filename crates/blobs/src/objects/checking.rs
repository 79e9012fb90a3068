//! Whether the store can be used: what a node asks at its start, and `/readyz` later.

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::{ObjectStoreExt, PutPayload};
use wharf_core::StoreError;
use wharf_core::blobs::StageError;

use super::ObjectBlobs;
use super::failure::{store_error, unless_missing};

impl ObjectBlobs {
    /// Whether the store allows all that is ever asked of it: what [`Blobs::check`] looks for, listing, and multipart
    /// uploads. For the start of a node; the fault says what was refused and what a person can do.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], as a rule.
    ///
    /// [`Blobs::check`]: wharf_core::blobs::Blobs::check
    pub async fn check_rights(&self) -> Result<(), StoreError> {
        self.write_and_read().await?;
        let (doing, staging) = ("listing objects", self.path("staging"));
        let mut listing = self.service.list(Some(&staging));
        let listed = self.within(doing, listing.try_next()).await?;
        listed.map_err(|error| store_error(doing, &error))?;
        let (doing, path) = ("beginning a multipart upload", self.probe_path());
        let id = self.within(doing, self.service.create_multipart(&path)).await?;
        let id = id.map_err(|error| store_error(doing, &error))?;
        let listed = self.list_multiparts(&staging).await;
        let parts = match &self.s3 {
            Some(s3) => self.list_parts(s3, &path, &id).await.map(drop),
            None => Ok(()),
        };
        let doing = "dropping a multipart upload";
        let aborted = self.within(doing, self.service.abort_multipart(&path, &id)).await?;
        unless_missing(doing, aborted)?;
        listed?;
        parts.map_err(|error| match error {
            StageError::Store(fault) => fault,
            StageError::NotFound => {
                let text = "the object store: a multipart upload is not known once it was begun";
                StoreError::Unavailable(text.into())
            }
        })
    }

    pub(super) async fn write_and_read(&self) -> Result<(), StoreError> {
        let path = self.probe_path();
        let doing = "writing an object";
        let written = PutPayload::from(Bytes::from_static(b"wharf"));
        let put = self.within(doing, self.service.put(&path, written)).await?;
        put.map_err(|error| store_error(doing, &error))?;
        let read = async { self.service.get(&path).await?.bytes().await };
        let read = self.within("reading an object", read).await;
        let doing = "deleting an object";
        let deleted = self.within(doing, self.service.delete(&path)).await?;
        unless_missing(doing, deleted)?;
        if read?.map_err(|error| store_error("reading an object", &error))? != b"wharf"[..] {
            let text = format!("{path} was read otherwise than it was written");
            return Err(StoreError::Corrupt(text));
        }
        Ok(())
    }

    /// A name that no other check has.
    fn probe_path(&self) -> object_store::path::Path {
        self.path(&format!("staging/check-{:032x}", self.new_name()))
    }
}

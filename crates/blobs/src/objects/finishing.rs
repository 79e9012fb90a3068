//! From staged bytes to an object under its key, by the store's own copy: the bytes do not pass this node again,
//! but for a tail, which is shorter than a part.
//!
//! Each step can be done again, on any node, at whichever point the one before stopped: the object is there; or
//! the staged content is one object; or it still is parts and a tail.

use std::time::Duration;

use bytes::Bytes;
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use wharf_core::blobs::{ObjectKey, StageError, Staged};
use wharf_core::{StoreError, UploadId};

use super::ObjectBlobs;
use super::direct::Direct;
use super::failure::{stage_error, store_error, unless_missing};
use super::progress::Progress;

/// How often a finish looks again for what another one may be making of the same upload: for 1.5 seconds in all.
const LOOKS: u32 = 5;

impl ObjectBlobs {
    pub(super) async fn put_in_place(
        &self,
        upload: &UploadId,
        staged: &Staged,
        key: &ObjectKey,
    ) -> Result<(), StageError> {
        let to = self.object_path(key);
        // Only parts can be at neither place.
        let has_parts = Progress::of(staged).is_some_and(|progress| progress.multipart.is_some());
        let mut looks = if has_parts { 0 } else { LOOKS - 1 };
        while !self.is_in_place(&to, staged).await? {
            match self.place(upload, staged, &to).await {
                // Another request of this upload may be faster: it has taken the parts and not made an object of them
                // yet, or has put that in place and dropped what was staged.
                Err(StageError::NotFound) if looks < LOOKS => {
                    tokio::time::sleep(Duration::from_millis(50 << looks)).await;
                    looks += 1;
                }
                other => {
                    other?;
                    break;
                }
            }
        }
        // It is done; what is left over here, the collector finds.
        if let Err(error) = self.drop_staged(upload, staged).await {
            tracing::warn!(%upload, %error, "staged bytes stay for the collector");
        }
        Ok(())
    }

    async fn place(&self, upload: &UploadId, staged: &Staged, to: &Path) -> Result<(), StageError> {
        let direct = Direct::of(staged);
        if let Some(direct) = &direct {
            let (from, version) = self.version(upload, direct)?;
            self.copy(&from, Some(version), to, staged.offset).await?;
        } else {
            let progress = Progress::of(staged).ok_or(StageError::NotFound)?;
            match self.whole(upload, &progress).await? {
                Some(from) => self.copy(&from, None, to, staged.offset).await?,
                None => self.put_empty(to).await?,
            }
        }
        if self.is_in_place(to, staged).await? {
            return Ok(());
        }
        if direct.is_some() {
            // The version that was verified is not there any more.
            return Err(StageError::NotFound);
        }
        let text = format!("the object store: {to} is not there right after it was put there");
        Err(StoreError::Unavailable(text).into())
    }

    /// Whether there is an object, which must have as many bytes as are staged.
    async fn is_in_place(&self, to: &Path, staged: &Staged) -> Result<bool, StoreError> {
        self.settle_copy(to).await?;
        match self.size(to).await? {
            Some(size) if size != staged.offset => {
                let text =
                    format!("{to} has {size} bytes, the upload of its digest {}", staged.offset);
                Err(StoreError::Corrupt(text))
            }
            found => Ok(found.is_some()),
        }
    }

    /// The object that holds all that is staged; `None` where that is nothing.
    pub(super) async fn whole(
        &self,
        upload: &UploadId,
        progress: &Progress,
    ) -> Result<Option<Path>, StageError> {
        let Some(id) = &progress.multipart else {
            return Ok(progress.tail.map(|tail| self.tail_path(upload, tail.name)));
        };
        let content = self.content_path(upload, progress.content);
        if self.size(&content).await? == Some(progress.offset()) {
            return Ok(Some(content));
        }
        let mut parts = progress.parts.clone();
        if let Some(tail) = progress.tail {
            let bytes = vec![self.read_tail(upload, tail).await?];
            let part = self.put_part(content.clone(), id.clone(), parts.len(), bytes).await?;
            parts.push(part.content_id);
        }
        let parts = parts.into_iter().map(|content_id| PartId { content_id }).collect();
        let completing = self.service.complete_multipart(&content, id, parts);
        if let Err(error) = self.within_long("completing an upload", completing).await? {
            // Another request, or this one before its reply was lost, may have done so.
            return match self.size(&content).await? {
                Some(size) if size == progress.offset() => Ok(Some(content)),
                _ => Err(stage_error("completing an upload", &error)),
            };
        }
        match self.size(&content).await? {
            Some(size) if size == progress.offset() => Ok(Some(content)),
            size => {
                let text = format!("{content} is {size:?} bytes, {} came", progress.offset());
                Err(StoreError::Corrupt(text).into())
            }
        }
    }

    /// Deletes all that is staged.
    pub(super) async fn drop_staged(
        &self,
        upload: &UploadId,
        staged: &Staged,
    ) -> Result<(), StoreError> {
        if let Some(direct) = Direct::of(staged) {
            return self.drop_direct(upload, &direct).await;
        }
        let Some(progress) = Progress::of(staged) else { return Ok(()) };
        let tails = progress.tail.map(|tail| tail.name).into_iter().chain(progress.replaced);
        for name in tails {
            let path = self.tail_path(upload, name);
            let deleted = self.within("deleting a tail", self.service.delete(&path)).await?;
            unless_missing("deleting a tail", deleted)?;
        }
        if let Some(id) = &progress.multipart {
            let path = self.content_path(upload, progress.content);
            let aborted = self.within("dropping parts", self.service.abort_multipart(&path, id));
            // A multipart upload that was completed is unknown, in whichever words.
            if let Err(error) = aborted.await? {
                tracing::debug!(%upload, %error, "there were no parts to drop");
            }
            let deleted = self.within("deleting staged bytes", self.service.delete(&path)).await?;
            unless_missing("deleting staged bytes", deleted)?;
        }
        Ok(())
    }

    async fn put_empty(&self, to: &Path) -> Result<(), StageError> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let put = self.service.put_opts(to, PutPayload::from(Bytes::new()), options);
        match self.within("putting an empty object", put).await? {
            Ok(_) | Err(Error::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(store_error("putting an empty object", &error).into()),
        }
    }

    /// The size of an object, if it is there.
    pub(super) async fn size(&self, path: &Path) -> Result<Option<u64>, StoreError> {
        match self.within("asking for an object", self.service.head(path)).await? {
            Ok(found) => Ok(Some(found.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(store_error("asking for an object", &error)),
        }
    }
}

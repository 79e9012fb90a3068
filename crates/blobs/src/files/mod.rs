//! Objects as local files.
//!
//! ```text
//! <folder>/objects/sha256/ab/cd/abcd…[.N]   an object: written once, never changed
//! <folder>/staging/<upload>                 what an upload has staged, maybe with a broken request's rest
//! <folder>/staging/<upload>.parts           which parts of a direct upload have come
//! ```
//!
//! An upload's file exists from its first byte on, that of a direct upload from its beginning. All waiting for the disk happens on blocking threads.

mod appending;
mod blocking;
mod direct;
mod faults;
mod finishing;
mod folders;
mod layout;
mod leftovers;
mod listing;
mod mapping;
mod old;
mod pace;
mod parts;
mod reading;
mod staging;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use wharf_core::blobs::{
    Blobs, ByteStream, Chunks, Content, Deletion, MappedReads, ObjectKey, ReadError, StageError,
    Staged,
};
use wharf_core::direct::{
    DirectStore, DirectUploads, NodeParts, PartCarrier, PartNumber, PartPlan, PartTag, ReceivedPart,
};
use wharf_core::{StoreError, UploadId};
use wharf_oci::ByteRange;

use blocking::{Abandonment, blocking};
use faults::store_error;
use layout::Layout;
pub use old::OldFolder;
use parts::PartsFiles;
use reading::Mode;

/// A store of local files.
///
/// One process at a time may work in a folder: whoever opens it holds a lock on it or on a folder around it,
/// as `wharf serve` does on its data folder. Needs a file system whose `rename` is atomic and whose folders
/// can be synced, as Linux' own have.
pub struct FileBlobs {
    layout: Arc<Layout>,
}

impl FileBlobs {
    /// Opens the store in `folder`, making what is missing. Folders get mode 0700, files 0600.
    ///
    /// # Errors
    /// [`StoreError::Full`] and [`StoreError::Unavailable`] when a folder cannot be made.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Ok(Self { layout: Arc::new(Layout::open(folder)?) })
    }

    /// Where a store in `folder` has its objects, each under its key: what a proxy in front serves them from.
    pub fn objects_folder(folder: &Path) -> PathBuf {
        Layout::objects_folder(folder)
    }

    /// The store for direct uploads, whose parts go through this process.
    pub fn direct_uploads(self: &Arc<Self>) -> DirectStore {
        let carrier = PartCarrier::Node(Arc::clone(self) as _);
        DirectStore { store: Arc::clone(self) as _, carrier }
    }

    /// Drops what is staged for an upload.
    async fn drop_files(&self, upload: &UploadId) -> Result<(), StoreError> {
        let layout = Arc::clone(&self.layout);
        // The parts first: without these nobody writes to the other any more.
        let files = [layout.parts(upload), layout.staged(upload)];
        blocking(move || {
            let mut removals = files.iter().map(|path| folders::remove(path, layout.staging()));
            let removed = removals.try_for_each(|removed| removed);
            removed.map_err(|error| store_error("dropping an upload", &error))
        })
        .await
    }

    async fn read_as(
        &self,
        key: &ObjectKey,
        range: Option<ByteRange>,
        mode: Mode,
    ) -> Result<Content, ReadError> {
        let path = self.layout.object(key);
        blocking(move || reading::open(&path, range, mode)).await
    }
}

#[async_trait]
impl Blobs for FileBlobs {
    async fn head(&self, key: &ObjectKey) -> Result<Option<u64>, StoreError> {
        let path = self.layout.object(key);
        blocking(move || match std::fs::metadata(&path) {
            Ok(found) => Ok(Some(found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(store_error("looking an object up", &error)),
        })
        .await
    }

    async fn read(&self, key: &ObjectKey, range: Option<ByteRange>) -> Result<Content, ReadError> {
        self.read_as(key, range, Mode::Copied).await
    }

    /// Gives the upload its name and nothing else: its file is made by its first bytes.
    async fn stage(&self, _upload: &UploadId) -> Result<Staged, StageError> {
        Ok(Staged::default())
    }

    async fn append(
        &self,
        upload: &UploadId,
        staged: &Staged,
        chunks: Chunks<'_>,
    ) -> Result<Staged, StageError> {
        if !staged.parts.is_empty() {
            // A direct upload takes parts and no chunks.
            return Err(StageError::NotFound);
        }
        let abandonment = Abandonment::new();
        let place = staging::Place::new(&self.layout, upload, staged.offset, &abandonment);
        let offset = appending::append(place, chunks).await?;
        Ok(Staged { offset, parts: Vec::new() })
    }

    async fn read_staged(
        &self,
        upload: &UploadId,
        staged: &Staged,
    ) -> Result<ByteStream, StageError> {
        let (path, length) = (self.layout.staged(upload), staged.offset);
        blocking(move || reading::open_staged(&path, length)).await
    }

    async fn finish(
        &self,
        upload: &UploadId,
        staged: &Staged,
        key: &ObjectKey,
    ) -> Result<(), StageError> {
        let abandonment = Abandonment::new();
        let place = staging::Place::new(&self.layout, upload, staged.offset, &abandonment);
        let key = *key;
        blocking(move || finishing::finish(&place, &key)).await
    }

    /// The next append cuts it off, and the end of the upload takes all of it: a file may be written to by who appends already.
    async fn roll_back(
        &self,
        _upload: &UploadId,
        _before: &Staged,
        _after: &Staged,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    async fn discard(&self, upload: &UploadId, _staged: &Staged) -> Result<(), StageError> {
        Ok(self.drop_files(upload).await?)
    }

    async fn delete_all(&self, keys: &[ObjectKey]) -> Deletion {
        let (layout, keys) = (Arc::clone(&self.layout), keys.to_vec());
        let deleted = blocking(move || {
            let mut deletion = Deletion::default();
            for key in keys {
                let removed = match std::fs::remove_file(layout.object(&key)) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        Err(store_error("deleting an object", &error))
                    }
                    _ => Ok(()),
                };
                deletion.add(key, removed);
            }
            Ok(deletion)
        });
        match deleted.await {
            Ok(deletion) => deletion,
            Err(fault) => Deletion { gone: Vec::new(), fault: Some(fault) },
        }
    }

    async fn check(&self) -> Result<(), StoreError> {
        let layout = Arc::clone(&self.layout);
        blocking(move || layout.check().map_err(|error| store_error("checking the store", &error)))
            .await
    }
}

#[async_trait]
impl DirectUploads for FileBlobs {
    async fn begin(&self, upload: &UploadId, size: u64) -> Result<Staged, StageError> {
        let staged = parts::staged(size);
        let files = PartsFiles::of(&self.layout, upload, &staged)?;
        blocking(move || files.make()).await?;
        Ok(staged)
    }

    fn plan(&self, staged: &Staged) -> Option<PartPlan> {
        parts::plan(staged)
    }

    fn seal(&self, staged: &Staged) -> Staged {
        parts::seal(staged)
    }

    fn is_sealed(&self, staged: &Staged) -> bool {
        parts::is_sealed(staged)
    }

    async fn received(
        &self,
        upload: &UploadId,
        staged: &Staged,
    ) -> Result<Vec<ReceivedPart>, StageError> {
        let files = PartsFiles::of(&self.layout, upload, staged)?;
        blocking(move || files.received()).await
    }

    async fn assemble(
        &self,
        upload: &UploadId,
        staged: &Staged,
        parts: &[(PartNumber, PartTag)],
    ) -> Result<(), StageError> {
        let files = PartsFiles::of(&self.layout, upload, staged)?;
        let named = parts.to_vec();
        blocking(move || files.assemble(&named)).await
    }

    async fn assembled(
        &self,
        upload: &UploadId,
        staged: &Staged,
    ) -> Result<Option<Staged>, StageError> {
        let Some(plan) = parts::plan(staged) else { return Ok(None) };
        let files = PartsFiles::of(&self.layout, upload, staged)?;
        let assembled = blocking(move || files.are_assembled()).await?;
        Ok(assembled.then(|| Staged { offset: plan.size, parts: staged.parts.clone() }))
    }
}

#[async_trait]
impl NodeParts for FileBlobs {
    async fn put_part(
        &self,
        upload: &UploadId,
        staged: &Staged,
        number: PartNumber,
        chunks: Chunks<'_>,
    ) -> Result<Option<PartTag>, StageError> {
        PartsFiles::of(&self.layout, upload, staged)?.put(number, chunks).await
    }
}

#[async_trait]
impl MappedReads for FileBlobs {
    async fn read_mapped(
        &self,
        key: &ObjectKey,
        range: Option<ByteRange>,
    ) -> Result<Content, ReadError> {
        self.read_as(key, range, Mode::Mapped).await
    }
}

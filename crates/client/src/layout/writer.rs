//! A layout in a folder as the destination of images.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use tempfile::NamedTempFile;
use wharf_oci::{Descriptor, Digest};

use super::files::{Place, open_regular, read_range, read_small, write_blob};
use super::{INDEX, LAYOUT, LAYOUT_CONTENT, LayoutIndex, blob_path, check_layout};
use crate::source::{BlobSource, Destination, Role};
use crate::{Error, MAX_MANIFEST, Placed, Progress, verified};

/// An OCI image layout in a folder that images are written to. What is in it stays; a tag moves to the image
/// written last. Files appear under their names only when they are whole.
pub struct LayoutFolderWriter {
    path: PathBuf,
    index: Mutex<LayoutIndex>,
    /// Whether the folder is a layout yet.
    is_there: Mutex<bool>,
}

impl LayoutFolderWriter {
    /// Opens a layout or, once the first file comes, makes one of a folder that is empty or not there.
    ///
    /// # Errors
    /// When the folder has something else in it, or cannot be written.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let layout = path.join(LAYOUT);
        let is_there = layout.exists();
        let index = if is_there {
            check_layout(path, &read_small(&layout, MAX_MANIFEST)?)?;
            LayoutIndex::parse(path, &read_small(&path.join(INDEX), MAX_MANIFEST)?)?
        } else {
            refuse_other_things(path)?;
            LayoutIndex::default()
        };
        let (path, index) = (path.to_owned(), Mutex::new(index));
        Ok(Self { path, index, is_there: Mutex::new(is_there) })
    }

    /// Makes the folder an empty layout before the first file comes into it, so that a pull that was broken off
    /// can be taken up again there.
    fn make_layout(&self) -> Result<(), Error> {
        let mut is_there = self.is_there.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_there {
            let index = LayoutIndex::default().to_bytes(&self.path)?;
            self.write_file(&self.path.join(INDEX), &index)?;
            self.write_file(&self.path.join(LAYOUT), LAYOUT_CONTENT.as_bytes())?;
            *is_there = true;
        }
        Ok(())
    }

    /// A file that is there as a whole or not at all.
    fn write_file(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let mut file = self.new_file(path)?;
        file.write_all(bytes).map_err(Error::file(path))?;
        file.as_file().sync_all().map_err(Error::file(path))?;
        self.keep(file, path)
    }

    /// A file without its name yet, beside where it will be.
    fn new_file(&self, path: &Path) -> Result<NamedTempFile, Error> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(folder).map_err(Error::file(folder))?;
        tempfile::Builder::new()
            .prefix(".wharf-")
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(folder)
            .map_err(Error::file(folder))
    }

    fn keep(&self, file: NamedTempFile, path: &Path) -> Result<(), Error> {
        file.persist(path)
            .map_err(|error| Error::File { path: path.to_owned(), reason: error.error })?;
        let folder = path.parent().unwrap_or(&self.path);
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::file(folder))
    }

    /// Whether the blob is there, and is that blob.
    async fn holds(&self, blob: &Descriptor) -> Result<bool, Error> {
        let path = self.path.join(blob_path(&blob.digest));
        let (file, size) = match open_regular(&path) {
            Err(Error::File { reason, .. }) if reason.kind() == io::ErrorKind::NotFound => {
                return Ok(false);
            }
            opened => opened?,
        };
        if size != blob.size {
            return Ok(false);
        }
        let bytes = read_range(Place { file: Arc::new(file), path, start: 0 }, size);
        let mut bytes = verified(bytes, blob);
        while let Some(piece) = bytes.next().await {
            if piece.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn blob_file(&self, digest: &Digest) -> PathBuf {
        self.path.join(blob_path(digest))
    }
}

/// A folder with something else in it is left alone.
fn refuse_other_things(path: &Path) -> Result<(), Error> {
    let mut entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::file(path)(error)),
    };
    match entries.next() {
        None => Ok(()),
        Some(_) => {
            Err(Error::format(path, "is not empty and no OCI image layout; name a new folder"))
        }
    }
}

#[async_trait]
impl Destination for LayoutFolderWriter {
    async fn put_blob(
        &self,
        blob: &Descriptor,
        from: &dyn BlobSource,
        progress: &Arc<dyn Progress>,
    ) -> Result<Placed, Error> {
        if self.holds(blob).await? {
            return Ok(Placed::Held);
        }
        let bytes = from.blob(blob, 0).await?;
        self.make_layout()?;
        let path = self.blob_file(&blob.digest);
        let file = self.new_file(&path)?;
        let handle = file.as_file().try_clone().map_err(Error::file(&path))?;
        let place = Place { file: Arc::new(handle), path: path.clone(), start: 0 };
        write_blob(place, blob, bytes, progress).await?;
        self.keep(file, &path)?;
        Ok(Placed::Copied)
    }

    async fn put_manifest(
        &self,
        manifest: &Descriptor,
        bytes: Bytes,
        role: Role<'_>,
    ) -> Result<(), Error> {
        self.make_layout()?;
        self.write_file(&self.blob_file(&manifest.digest), &bytes)?;
        if let Role::Root(tags) = role {
            let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
            index.insert(manifest, tags);
        }
        Ok(())
    }

    async fn finish(&self) -> Result<(), Error> {
        self.make_layout()?;
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.write_file(&self.path.join(INDEX), &index.to_bytes(&self.path)?)
    }
}

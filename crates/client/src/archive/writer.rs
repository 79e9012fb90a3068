//! A layout in a tar as the destination of images.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tar::{EntryType, Header};
use tempfile::NamedTempFile;
use wharf_oci::{Descriptor, Digest};

use crate::layout::{INDEX, LAYOUT, LAYOUT_CONTENT, LayoutIndex, Place, blob_path, write_blob};
use crate::source::{BlobSource, Destination, Role};
use crate::{Error, Placed, Progress};

const BLOCK: u64 = 512;

/// A new tar with an OCI image layout. As sizes are known before, every blob has its place in the file and
/// several are written at once. The file has its name when all is in it.
pub struct LayoutArchiveWriter {
    path: PathBuf,
    file: Arc<File>,
    state: Mutex<State>,
}

struct State {
    /// The file, until it gets its name.
    unnamed: Option<NamedTempFile>,
    index: LayoutIndex,
    /// Where blobs and manifests begin.
    places: HashMap<Digest, u64>,
    /// Where the next header goes.
    end: u64,
}

impl LayoutArchiveWriter {
    /// Begins a tar that will be at `path`.
    ///
    /// # Errors
    /// When there is something, or its folder cannot be written.
    pub fn create(path: &Path) -> Result<Self, Error> {
        if path.exists() {
            return Err(Error::format(path, "is there already; remove it or name another file"));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let unnamed = tempfile::Builder::new()
            .prefix(".wharf-")
            .permissions(std::fs::Permissions::from_mode(0o644))
            .tempfile_in(folder)
            .map_err(Error::file(folder))?;
        let file = Arc::new(unnamed.as_file().try_clone().map_err(Error::file(path))?);
        let state = State {
            unnamed: Some(unnamed),
            index: LayoutIndex::default(),
            places: HashMap::new(),
            end: 0,
        };
        Ok(Self { path: path.to_owned(), file, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of a blob or manifest, whose header is written when it is first asked for.
    fn place(&self, digest: &Digest, size: u64) -> Result<Place, Error> {
        let mut state = self.state();
        let start = match state.places.get(digest) {
            Some(start) => *start,
            None => {
                let start = self.begin(&mut state, &blob_path(digest), size)?;
                state.places.insert(*digest, start);
                start
            }
        };
        Ok(Place { file: Arc::clone(&self.file), path: self.path.clone(), start })
    }

    /// Writes the header of an entry and leaves room for its content. Returns where that begins.
    fn begin(&self, state: &mut State, name: &str, size: u64) -> Result<u64, Error> {
        let mut header = Header::new_gnu();
        header.set_path(name).map_err(Error::file(&self.path))?;
        header.set_entry_type(EntryType::Regular);
        header.set_size(size);
        header.set_mode(0o644);
        // Equal images make equal files, whoever writes them and when.
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        self.write_at(header.as_bytes(), state.end)?;
        let start = state.end + BLOCK;
        let end = start.checked_add(size).and_then(|end| end.checked_next_multiple_of(BLOCK));
        let too_large = || Error::format(&self.path, "would be too large for any file");
        state.end = end.ok_or_else(too_large)?;
        Ok(start)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> Result<(), Error> {
        self.file.write_all_at(bytes, at).map_err(Error::file(&self.path))
    }
}

#[async_trait]
impl Destination for LayoutArchiveWriter {
    async fn put_blob(
        &self,
        blob: &Descriptor,
        from: &dyn BlobSource,
        progress: &Arc<dyn Progress>,
    ) -> Result<Placed, Error> {
        let place = self.place(&blob.digest, blob.size)?;
        let bytes = from.blob(blob, 0).await?;
        write_blob(place, blob, bytes, progress).await?;
        Ok(Placed::Copied)
    }

    async fn put_manifest(
        &self,
        manifest: &Descriptor,
        bytes: Bytes,
        role: Role<'_>,
    ) -> Result<(), Error> {
        let place = self.place(&manifest.digest, manifest.size)?;
        self.write_at(&bytes, place.start)?;
        if let Role::Root(tags) = role {
            self.state().index.insert(manifest, tags);
        }
        Ok(())
    }

    async fn finish(&self) -> Result<(), Error> {
        let mut state = self.state();
        let Some(unnamed) = state.unnamed.take() else { return Ok(()) };
        let index = state.index.to_bytes(&self.path)?;
        for (name, bytes) in [(LAYOUT, LAYOUT_CONTENT.as_bytes()), (INDEX, index.as_slice())] {
            let start = self.begin(&mut state, name, bytes.len() as u64)?;
            self.write_at(bytes, start)?;
        }
        // Padding and the two blocks that end an archive are zeros.
        let length = state.end + 2 * BLOCK;
        self.file
            .set_len(length)
            .and_then(|()| self.file.sync_all())
            .map_err(Error::file(&self.path))?;
        let kept = unnamed.persist_noclobber(&self.path);
        kept.map(|_| ()).map_err(|error| Error::file(&self.path)(error.error))
    }
}

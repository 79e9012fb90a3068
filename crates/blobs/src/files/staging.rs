//! An upload's staged file, opened by one piece of work at a time.
//!
//! A request can be dropped at any moment while its work on a blocking thread goes on. So the file is
//! locked by whoever changes it (`flock`, gone with the file's last handle), and whoever comes to the lock
//! late sees that its request is gone and does nothing.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_core::blobs::StageError;
use wharf_core::{StoreError, UploadId};

use super::blocking::{Abandoned, Abandonment};
use super::faults::store_error;
use super::folders;
use super::layout::Layout;

/// What a piece of work knows of the upload it is for.
pub(super) struct Place {
    pub(super) layout: Arc<Layout>,
    pub(super) path: PathBuf,
    /// How many bytes are durably staged.
    pub(super) offset: u64,
    abandoned: Abandoned,
}

impl Place {
    pub(super) fn new(
        layout: &Arc<Layout>,
        upload: &UploadId,
        offset: u64,
        abandonment: &Abandonment,
    ) -> Self {
        let path = layout.staged(upload);
        Self { layout: Arc::clone(layout), path, offset, abandoned: abandonment.watch() }
    }

    /// The staged file, this work's alone, and how many bytes it has: the offset or more. `None` when there
    /// is none. An upload without bytes has its file made.
    pub(super) fn open(&self) -> Result<Option<(File, u64)>, StageError> {
        let opened = self.open_locked()?;
        let Some((_, length)) = opened.as_ref().filter(|(_, length)| *length < self.offset) else {
            return Ok(opened);
        };
        let offset = self.offset;
        let text = format!("an upload's file has {length} of the {offset} bytes it should have");
        Err(StoreError::Corrupt(text).into())
    }

    fn open_locked(&self) -> Result<Option<(File, u64)>, StageError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600).create(self.offset == 0);
        loop {
            self.still_wanted()?;
            let file = match options.open(&self.path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(failed("opening an upload", &error)),
            };
            file.lock().map_err(|error| failed("locking an upload", &error))?;
            self.still_wanted()?;
            let length = self.length_of(&file);
            if let Some(length) = length.map_err(|error| failed("looking at an upload", &error))? {
                return Ok(Some((file, length)));
            }
        }
    }

    /// The file's length; `None` when it is not the upload's any more: finished or dropped while this
    /// work waited for the lock. What was finished is an object, which nothing may change.
    fn length_of(&self, file: &File) -> io::Result<Option<u64>> {
        let (held, named) = (file.metadata()?, std::fs::metadata(&self.path));
        match named {
            Ok(named) if (named.dev(), named.ino()) == (held.dev(), held.ino()) => {
                Ok(Some(held.len()))
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn still_wanted(&self) -> Result<(), StageError> {
        if self.abandoned.is() {
            return Err(StoreError::Unavailable("the request is gone".into()).into());
        }
        Ok(())
    }

    /// Undoes a broken append as far as the disk lets it; what stays is forgotten by the next one.
    pub(super) fn cut_back(&self, file: &File) {
        if self.offset == 0 {
            let _ = folders::remove(&self.path, self.staging());
        } else {
            let _ = file.set_len(self.offset);
        }
    }

    pub(super) fn staging(&self) -> &Path {
        self.layout.staging()
    }
}

/// The fault that `error` is.
pub(super) fn failed(doing: &str, error: &io::Error) -> StageError {
    store_error(doing, error).into()
}

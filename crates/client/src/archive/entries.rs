//! Where what lies in a tar. Nothing is ever unpacked; an entry's name is only compared, its content only read.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::scan::Scan;
use crate::layout::{Place, read_range};
use crate::{BlobStream, Error};
use bytes::Bytes;

/// How many links are followed from one to the next.
const MAX_LINKS: usize = 8;

/// A file in a tar: its bytes are those of the archive from `start` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) start: u64,
    pub(crate) size: u64,
}

pub(super) enum Named {
    File(Entry),
    /// Another name of the entry with this name.
    Link(String),
}

/// A tar and what lies where in it.
#[derive(Clone)]
pub(crate) struct TarFile {
    path: PathBuf,
    file: Arc<File>,
    names: Arc<HashMap<String, Named>>,
}

impl TarFile {
    /// Reads the headers of all entries.
    ///
    /// # Errors
    /// When it is no tar, is cut off, or has an entry that leads out of it or a name twice.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::file(path))?;
        let metadata = file.metadata().map_err(Error::file(path))?;
        if !metadata.is_file() {
            return Err(Error::format(path, "is no regular file"));
        }
        let scan = Scan { path, file: &file, length: metadata.len() };
        let names = Arc::new(scan.names()?);
        Ok(Self { path: path.to_owned(), file: Arc::new(file), names })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The file called `name`, links followed.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Entry>, Error> {
        let mut name = name;
        for _ in 0..=MAX_LINKS {
            match self.names.get(name) {
                None => return Ok(None),
                Some(Named::File(entry)) => return Ok(Some(*entry)),
                Some(Named::Link(target)) => name = target,
            }
        }
        Err(Error::format(&self.path, format!("has links from {name:?} on that do not end")))
    }

    /// A small file as a whole.
    pub(crate) fn small(&self, name: &str, limit: usize) -> Result<Option<Bytes>, Error> {
        let Some(entry) = self.find(name)? else { return Ok(None) };
        if entry.size > limit as u64 {
            let what = format!("{name} in {}", self.path.display());
            return Err(Error::TooLarge { what, limit: limit as u64 });
        }
        let mut bytes = vec![0; usize::try_from(entry.size).unwrap_or(limit)];
        self.file.read_exact_at(&mut bytes, entry.start).map_err(Error::file(&self.path))?;
        Ok(Some(bytes.into()))
    }

    /// The bytes of a file from `offset` on.
    pub(crate) fn stream(&self, entry: Entry, offset: u64) -> BlobStream {
        let start = entry.start.saturating_add(offset);
        let place = Place { file: Arc::clone(&self.file), path: self.path.clone(), start };
        read_range(place, entry.size.saturating_sub(offset))
    }
}

//! Another registry's folder, as it lies there: nothing in it is followed, and nothing outside it is opened.
//!
//! Each part of a path is opened in the folder before it, and none may be a link. Its blobs are never mapped: their
//! files are not this program's own, and somebody else might cut one.

use std::ffi::CStr;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use wharf_core::StoreError;
use wharf_core::blobs::{Content, ReadError};
use wharf_core::old_store::{OldEntry, OldKind, OldPath, OldStore};
use wharf_oci::{ByteRange, Digest};

use super::blocking::blocking;
use super::faults::store_error;
use super::reading;

/// The most entries of a folder that are read: more tags or manifests than that have no repository.
const MOST_ENTRIES: usize = 2_000_000;

/// How a folder on the way is opened.
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Another registry's folder.
pub struct OldFolder {
    root: Arc<OwnedFd>,
}

impl OldFolder {
    /// Opens the folder that holds `docker/registry/v2`. It may be given by a link; below it none is followed.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let root = rustix::fs::openat(CWD, folder, FOLDER, Mode::empty());
        let root = root.map_err(|error| fault("opening", &folder.display().to_string(), error))?;
        Ok(Self { root: Arc::new(root) })
    }

    /// Does something with what lies at `path`; nothing where it is not there.
    async fn at<T: Send + 'static>(
        &self,
        doing: &'static str,
        path: &OldPath,
        how: OFlags,
        work: impl FnOnce(OwnedFd) -> Result<T, Errno> + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        let (root, path) = (Arc::clone(&self.root), path.clone());
        blocking(move || {
            let found = open(&root, path.as_str(), how).and_then(work);
            present(found).map_err(|error| fault(doing, path.as_str(), error))
        })
        .await
    }
}

/// Opens what lies at `path` below `root`.
fn open(root: &OwnedFd, path: &str, how: OFlags) -> Result<OwnedFd, Errno> {
    let how = how | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut at = None;
    for part in folders.split('/').filter(|part| !part.is_empty()) {
        let inside = at.as_ref().unwrap_or(root);
        at = Some(rustix::fs::openat(inside, part, FOLDER | OFlags::NOFOLLOW, Mode::empty())?);
    }
    rustix::fs::openat(at.as_ref().unwrap_or(root), name, how, Mode::empty())
}

fn present<T>(found: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What lies there is no good, or the system fails.
fn fault(doing: &str, path: &str, error: Errno) -> StoreError {
    let reason = match error {
        Errno::ACCESS | Errno::PERM => "there is no right to read it",
        Errno::LOOP => "it is a link: not followed",
        Errno::NOTDIR => "a part of its path is a link or no folder: not followed",
        Errno::ISDIR | Errno::INVAL => "it is no file",
        Errno::NAMETOOLONG => "its name is too long",
        Errno::FBIG => "it is larger than such a file ever is",
        error => return store_error(&format!("{doing} {path}"), &error.into()),
    };
    StoreError::Corrupt(format!("{path}: {reason}"))
}

/// The size of a file.
fn size(file: &OwnedFd) -> Result<u64, Errno> {
    let found: Stat = rustix::fs::fstat(file)?;
    match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => Ok(u64::try_from(found.st_size).unwrap_or_default()),
        FileType::Symlink => Err(Errno::LOOP),
        _ => Err(Errno::INVAL),
    }
}

fn entries(folder: OwnedFd) -> Result<Vec<OldEntry>, Errno> {
    let mut found = Vec::new();
    // A descriptor of its own for looking at entries whose type the file system does not tell.
    let at = folder.try_clone().map_err(|_| Errno::MFILE)?;
    for entry in Dir::new(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if [c".", c".."].contains(&name) {
            continue;
        }
        if found.len() >= MOST_ENTRIES {
            return Err(Errno::FBIG);
        }
        let kind = kind(&at, name, entry.file_type())?;
        let name = name.to_str();
        let kind = if name.is_ok() { kind } else { OldKind::Other("of a name that is no text") };
        let name = name.map_or_else(|_| entry.file_name().to_string_lossy().into(), str::to_owned);
        found.push(OldEntry { name, kind });
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

fn kind(folder: &OwnedFd, name: &CStr, told: FileType) -> Result<OldKind, Errno> {
    let told = match told {
        FileType::Unknown => {
            let found = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
            FileType::from_raw_mode(found.st_mode)
        }
        told => told,
    };
    Ok(match told {
        FileType::Directory => OldKind::Folder,
        FileType::RegularFile => OldKind::File,
        FileType::Symlink => OldKind::Other("a link"),
        _ => OldKind::Other("no file and no folder"),
    })
}

#[async_trait]
impl OldStore for OldFolder {
    async fn list(&self, folder: &OldPath) -> Result<Vec<OldEntry>, StoreError> {
        let how = OFlags::RDONLY | OFlags::DIRECTORY;
        Ok(self.at("listing", folder, how, entries).await?.unwrap_or_default())
    }

    async fn small_file(&self, path: &OldPath, limit: usize) -> Result<Option<Bytes>, StoreError> {
        let read = move |file: OwnedFd| {
            if size(&file)? > limit as u64 {
                return Err(Errno::FBIG);
            }
            let mut bytes = Vec::new();
            let mut file = File::from(file).take(limit as u64 + 1);
            let read = file.read_to_end(&mut bytes);
            read.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
            if bytes.len() > limit { Err(Errno::FBIG) } else { Ok(Bytes::from(bytes)) }
        };
        self.at("reading", path, OFlags::RDONLY, read).await
    }

    async fn head(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let path = OldPath::of_blob(digest);
        self.at("looking up", &path, OFlags::PATH, |file| size(&file)).await
    }

    async fn read(&self, digest: &Digest, range: Option<ByteRange>) -> Result<Content, ReadError> {
        let path = OldPath::of_blob(digest);
        let opened = |file: OwnedFd| size(&file).map(|_| File::from(file));
        let file = self.at("opening", &path, OFlags::RDONLY, opened).await?;
        let file = file.ok_or(ReadError::NotFound)?;
        blocking(move || reading::of_file(file, range, reading::Mode::Copied)).await
    }

    async fn delete(&self, digest: &Digest) -> Result<(), StoreError> {
        let path = OldPath::of_blob(digest);
        let Some((folder, name)) = path.as_str().rsplit_once('/') else { return Ok(()) };
        let (root, folder, name) = (Arc::clone(&self.root), folder.to_owned(), name.to_owned());
        blocking(move || {
            let deleted = (|| {
                let inside = open(&root, &folder, OFlags::RDONLY | OFlags::DIRECTORY)?;
                rustix::fs::unlinkat(&inside, &name, AtFlags::empty())?;
                rustix::fs::fsync(&inside)
            })();
            present(deleted).map(drop).map_err(|error| fault("deleting", &folder, error))
        })
        .await
    }
}

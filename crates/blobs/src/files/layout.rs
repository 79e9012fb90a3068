//! Where things lie in the store's folder.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use wharf_core::blobs::ObjectKey;
use wharf_core::{StoreError, UploadId};
use wharf_oci::{Algorithm, Digest};

use super::faults::store_error;
use super::folders::{self, Shards};

/// The folders of a store. Every path comes from a digest or an upload's number, never from a client's text.
pub(super) struct Layout {
    objects: PathBuf,
    staging: PathBuf,
    sha256: Shards,
    sha512: Shards,
}

impl Layout {
    pub(super) fn objects_folder(folder: &Path) -> PathBuf {
        folder.join("objects")
    }

    /// Finds the folders, and makes those that are missing.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let layout = Self {
            objects: Self::objects_folder(folder),
            staging: folder.join("staging"),
            sha256: Shards::new(),
            sha512: Shards::new(),
        };
        layout.make(folder).map_err(|error| {
            store_error(&format!("opening the blob store in {}", folder.display()), &error)
        })?;
        Ok(layout)
    }

    fn make(&self, folder: &Path) -> io::Result<()> {
        let mut missing: Vec<&Path> =
            folder.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
        // The innermost of a relative path's ancestors is empty: the current folder.
        missing.retain(|ancestor| !ancestor.as_os_str().is_empty());
        for ancestor in missing.iter().rev() {
            folders::make(ancestor)?;
        }
        folders::make(&self.objects)?;
        folders::make(&self.staging)?;
        for algorithm in Algorithm::ALL {
            folders::make(&self.objects.join(algorithm.name()))?;
        }
        folders::sync(&self.objects)?;
        folders::sync(folder)?;
        for parent in missing.iter().filter_map(|ancestor| ancestor.parent()) {
            folders::sync(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
        }
        Ok(())
    }

    /// Where an object lies.
    pub(super) fn object(&self, key: &ObjectKey) -> PathBuf {
        self.objects.join(key.to_string())
    }

    /// Sees to it that the folder of `object`, which is the path of an object with that digest, is there for good.
    pub(super) fn ensure_shard(&self, digest: &Digest, object: &Path) -> io::Result<()> {
        self.shard(digest, object, Shards::ensure)
    }

    /// As [`Layout::ensure_shard`], after the folder turned out to be missing.
    pub(super) fn make_shard(&self, digest: &Digest, object: &Path) -> io::Result<()> {
        self.shard(digest, object, Shards::make)
    }

    fn shard(
        &self,
        digest: &Digest,
        object: &Path,
        work: fn(&Shards, &Digest, &Path, &Path) -> io::Result<()>,
    ) -> io::Result<()> {
        let shards = match digest.algorithm() {
            Algorithm::Sha256 => &self.sha256,
            Algorithm::Sha512 => &self.sha512,
        };
        let root = self.objects.join(digest.algorithm().name());
        object.parent().map_or(Ok(()), |folder| work(shards, digest, folder, &root))
    }

    /// The folder of objects.
    pub(super) fn objects(&self) -> &Path {
        &self.objects
    }

    /// The folder of what uploads have staged.
    pub(super) fn staging(&self) -> &Path {
        &self.staging
    }

    /// Where an upload's bytes are staged.
    pub(super) fn staged(&self, upload: &UploadId) -> PathBuf {
        self.staging.join(upload.to_string())
    }

    /// Where it is kept which parts of a direct upload have come.
    pub(super) fn parts(&self, upload: &UploadId) -> PathBuf {
        self.staging.join(format!("{upload}.parts"))
    }

    /// Finds out whether the store can be read, written and synced.
    pub(super) fn check(&self) -> io::Result<()> {
        self.objects.metadata()?;
        // A name that no upload has. Checks at once may share it: what one removes, another need not.
        let path = self.staging.join("check");
        let written = write_synced(&path);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => written.and(Err(error)),
            _ => written,
        }
    }
}

fn write_synced(path: &Path) -> io::Result<()> {
    let mut file: File =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.write_all(b"wharf")?;
    file.sync_data()
}

//! Folders that last: made, synced, and rid of files so that a crash does not undo it.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use wharf_oci::Digest;

/// How many innermost folders an algorithm has: one for each value of a hash's first two bytes.
const SHARDS: usize = 1 << 16;

/// Makes a folder's entries durable.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::fsync(File::open(folder)?)?)
}

/// Makes a folder, for its owner alone, if it is missing. Not yet durable.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Removes a file of `folder`, if it is there, durably.
pub(super) fn remove(path: &Path, folder: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => sync(folder),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Which of one algorithm's folders are known to be there for good.
///
/// That a folder exists says nothing: whoever made it may not have come to syncing its parent. So the first
/// use of each since the start syncs both levels, whoever made them.
pub(super) struct Shards {
    known: Box<[AtomicU64]>,
}

impl Shards {
    pub(super) fn new() -> Self {
        Self { known: (0..SHARDS / 64).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Sees to it that the folder of the objects that begin like `digest`, two levels below `root`, is
    /// there for good.
    pub(super) fn ensure(&self, digest: &Digest, shard: &Path, root: &Path) -> io::Result<()> {
        let (word, bit) = Self::place(digest);
        if self.known[word].load(Ordering::Acquire) & bit != 0 {
            return Ok(());
        }
        self.make(digest, shard, root)
    }

    /// As [`Shards::ensure`], without trusting what is known: the folder turned out to be missing.
    pub(super) fn make(&self, digest: &Digest, shard: &Path, root: &Path) -> io::Result<()> {
        let (word, bit) = Self::place(digest);
        if let Some(outer) = shard.parent() {
            make(outer)?;
            make(shard)?;
            sync(root)?;
            sync(outer)?;
        }
        self.known[word].fetch_or(bit, Ordering::Release);
        Ok(())
    }

    fn place(digest: &Digest) -> (usize, u64) {
        let index = match digest.hash() {
            [first, second, ..] => usize::from(*first) << 8 | usize::from(*second),
            _ => 0,
        };
        (index / 64, 1 << (index % 64))
    }
}

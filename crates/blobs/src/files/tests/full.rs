//! A disk that is full: a real one, of 4 MiB, mounted for the test.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use wharf_core::StoreError;
use wharf_core::blobs::{Blobs, StageError};

use super::{FileBlobs, chunks, files, key_of, pushed, staged, upload};

/// A small file system, unmounted when it is dropped.
struct TinyDisk(TempDir);

impl TinyDisk {
    /// `None` for who may not mount: other users than root, most containers.
    fn mount(options: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("skipped: this process may not mount a tmpfs");
        }
        mounted.then(|| Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        // Lazily, as a failed test may still hold files open.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_says_so_and_keeps_what_was_staged() {
    let Some(disk) = TinyDisk::mount("size=4m") else { return };
    let blobs = FileBlobs::open(disk.path()).unwrap();
    let upload = upload();
    let first = staged(&blobs, &upload, &[1; 100_000]).await;
    for pieces in [vec![vec![2; 8 << 20]], vec![vec![2; 1 << 20]; 8]] {
        let appended = blobs.append(&upload, &first, chunks(pieces)).await;
        assert!(matches!(appended, Err(StageError::Store(StoreError::Full(_)))), "{appended:?}");
        let path = disk.path().join(format!("staging/{upload}"));
        assert_eq!(path.metadata().unwrap().len(), 100_000);
    }
    blobs.check().await.unwrap();
    blobs.finish(&upload, &first, &key_of(&[1; 100_000])).await.unwrap();
    assert_eq!(files(disk.path()).len(), 1);
}

#[tokio::test]
async fn a_first_append_to_a_full_disk_leaves_nothing_behind() {
    let Some(disk) = TinyDisk::mount("size=4m") else { return };
    let blobs = FileBlobs::open(disk.path()).unwrap();
    let upload = upload();
    let start = blobs.stage(&upload).await.unwrap();
    let appended = blobs.append(&upload, &start, chunks(vec![vec![2; 1 << 20]; 8])).await;
    assert!(matches!(appended, Err(StageError::Store(StoreError::Full(_)))), "{appended:?}");
    assert_eq!(files(disk.path()).len(), 0);
    pushed(&blobs, b"content").await;
}

#[tokio::test]
async fn a_disk_without_room_for_a_file_says_so() {
    let Some(disk) = TinyDisk::mount("size=4m,nr_inodes=8") else { return };
    // The root, objects, staging and both algorithms are five; the sixth is the upload.
    let blobs = FileBlobs::open(disk.path()).unwrap();
    let upload = upload();
    let staged = staged(&blobs, &upload, b"content").await;
    std::fs::write(disk.path().join("last"), b"").unwrap();
    let finished = blobs.finish(&upload, &staged, &key_of(b"content")).await;
    assert!(matches!(finished, Err(StageError::Store(StoreError::Full(_)))), "{finished:?}");
    let checked = blobs.check().await;
    assert!(matches!(checked, Err(StoreError::Full(_))), "{checked:?}");
    assert_eq!(files(&disk.path().join("objects")).len(), 0);
    std::fs::remove_file(disk.path().join("last")).unwrap();
    blobs.finish(&upload, &staged, &key_of(b"content")).await.unwrap();
    assert_eq!(files(&disk.path().join("staging")).len(), 0);
}

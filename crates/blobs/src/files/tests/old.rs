//! Another registry's folder, good and bad: nothing leads out of it, nothing makes it wait, all is told.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use futures_util::StreamExt as _;
use rustix::fs::{CWD, FileType, Mode};
use tempfile::TempDir;
use wharf_core::StoreError;
use wharf_core::blobs::ReadError;
use wharf_core::old_store::{OldKind, OldPath, OldStore};
use wharf_oci::{Algorithm, ByteRange, Digest, Hasher};

use crate::OldFolder;

struct Tree {
    folder: TempDir,
    store: OldFolder,
}

impl Tree {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("docker/registry/v2/repositories")).unwrap();
        let store = OldFolder::open(folder.path()).unwrap();
        Self { folder, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("docker/registry/v2").join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    async fn list(&self, name: &str) -> Vec<(String, OldKind)> {
        let listed = self.store.list(&at(name)).await.unwrap();
        listed.into_iter().map(|entry| (entry.name, entry.kind)).collect()
    }

    async fn refusal(&self, name: &str) -> String {
        match self.store.small_file(&at(name), 10).await {
            Err(StoreError::Corrupt(reason)) => reason,
            other => panic!("{name}: {other:?}"),
        }
    }
}

fn at(name: &str) -> OldPath {
    OldPath::root().join(name).unwrap()
}

fn digest_of(bytes: &[u8]) -> Digest {
    Hasher::digest(Algorithm::Sha256, bytes)
}

#[tokio::test]
async fn folders_are_listed_in_byte_order_and_links_are_told() {
    let tree = Tree::new();
    tree.write("repositories/b/file", b"");
    tree.write("repositories/a", b"");
    symlink("b", tree.path("repositories/c")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"d\xff");
    fs::create_dir(tree.path("repositories").join(odd)).unwrap();
    let listed = tree.list("repositories").await;
    assert_eq!(
        listed[..3],
        [
            ("a".to_owned(), OldKind::File),
            ("b".to_owned(), OldKind::Folder),
            ("c".to_owned(), OldKind::Other("a link")),
        ]
    );
    assert!(matches!(listed[3].1, OldKind::Other(_)) && listed.len() == 4, "{listed:?}");
    assert!(tree.list("nowhere").await.is_empty());
}

#[tokio::test]
async fn small_files_are_read_and_large_ones_are_not() {
    let tree = Tree::new();
    for (name, bytes) in [("ten", &b"0123456789"[..]), ("none", b"")] {
        tree.write(name, bytes);
        assert_eq!(tree.store.small_file(&at(name), 10).await.unwrap().unwrap(), bytes);
    }
    tree.write("eleven", b"0123456789a");
    assert!(tree.refusal("eleven").await.contains("larger"));
    // A file that says it has nothing and never ends is not read to its end.
    fs::File::create(tree.path("huge")).unwrap().set_len(1 << 40).unwrap();
    assert!(tree.refusal("huge").await.contains("larger"));
    assert_eq!(tree.store.small_file(&at("missing"), 10).await.unwrap(), None);
    assert_eq!(tree.store.small_file(&at("nowhere/missing"), 10).await.unwrap(), None);
}

#[tokio::test]
async fn no_link_is_followed_and_nothing_else_is_waited_for() {
    let tree = Tree::new();
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("link"), b"secret").unwrap();
    symlink(outside.path().join("link"), tree.path("link")).unwrap();
    symlink(outside.path(), tree.path("folder")).unwrap();
    symlink("loop", tree.path("loop")).unwrap();
    rustix::fs::mknodat(CWD, tree.path("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
        .unwrap();
    fs::create_dir(tree.path("inner")).unwrap();
    for name in ["link", "loop"] {
        assert!(tree.refusal(name).await.contains("is a link"), "{name}");
    }
    for name in ["folder/link", "loop/link"] {
        assert!(tree.refusal(name).await.contains("a link or no folder"), "{name}");
    }
    for name in ["pipe", "inner"] {
        assert!(tree.refusal(name).await.contains("no file"), "{name}");
    }
    let listed = tree.store.list(&at("folder")).await;
    assert!(matches!(listed, Err(StoreError::Corrupt(_))), "{listed:?}");
}

#[tokio::test]
async fn the_folder_itself_may_be_given_by_a_link() {
    let tree = Tree::new();
    tree.write("file", b"x");
    let given = TempDir::new().unwrap();
    symlink(tree.folder.path(), given.path().join("registry")).unwrap();
    let store = OldFolder::open(&given.path().join("registry")).unwrap();
    assert_eq!(store.small_file(&at("file"), 10).await.unwrap().unwrap(), "x");
    assert!(OldFolder::open(&given.path().join("nowhere")).is_err());
}

#[tokio::test]
async fn blobs_are_read_and_deleted_where_they_lie() {
    let tree = Tree::new();
    let bytes = vec![9; 1 << 20];
    let digest = digest_of(&bytes);
    let name = OldPath::of_blob(&digest);
    let name = name.as_str().strip_prefix("docker/registry/v2/").unwrap();
    tree.write(name, &bytes);
    assert_eq!(tree.store.head(&digest).await.unwrap(), Some(1 << 20));
    let content = tree.store.read(&digest, Some(ByteRange::From(5))).await.unwrap();
    let pieces: Vec<_> = content.stream.map(Result::unwrap).collect().await;
    assert_eq!(pieces.concat().len(), (1 << 20) - 5);
    for _ in 0..2 {
        tree.store.delete(&digest).await.unwrap();
        assert_eq!(tree.store.head(&digest).await.unwrap(), None);
        assert!(matches!(tree.store.read(&digest, None).await, Err(ReadError::NotFound)));
    }
    symlink("/etc/hostname", tree.path(name)).unwrap();
    assert!(matches!(tree.store.head(&digest).await, Err(StoreError::Corrupt(_))));
    let read = tree.store.read(&digest, None).await;
    assert!(matches!(read, Err(ReadError::Store(StoreError::Corrupt(_)))));
}

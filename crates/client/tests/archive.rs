//! Tars from strangers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::sync::Arc;

use proptest::prelude::*;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;
use wharf_client::{Error, Progress, Silent, Source, open_archive};

const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const INDEX: &[u8] = br#"{"schemaVersion":2,"manifests":[]}"#;

struct Tar(Builder<Vec<u8>>);

impl Tar {
    /// A tar with an empty layout.
    fn new() -> Self {
        let mut tar = Self(Builder::new(Vec::new()));
        tar.file("oci-layout", LAYOUT);
        tar.file("index.json", INDEX);
        tar
    }

    fn file(&mut self, name: &str, bytes: &[u8]) {
        let mut header = header(name, EntryType::Regular);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        self.0.append(&header, bytes).unwrap();
    }

    fn link(&mut self, kind: EntryType, name: &str, target: &str) {
        let mut header = header(name, kind);
        header.as_gnu_mut().unwrap().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        self.0.append(&header, &[][..]).unwrap();
    }

    async fn open(self) -> Result<Box<dyn Source>, Error> {
        open(&self.0.into_inner().unwrap()).await
    }
}

/// A header with a name that the `tar` crate itself would not write.
fn header(name: &str, kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(0);
    header
}

async fn open(bytes: &[u8]) -> Result<Box<dyn Source>, Error> {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.tar");
    fs::write(&path, bytes).unwrap();
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    open_archive(&path, None, &progress).await
}

async fn refusal(tar: Tar) -> String {
    tar.open().await.err().expect("it is refused").to_string()
}

#[tokio::test]
async fn a_tar_with_a_layout_is_opened() {
    let mut tar = Tar::new();
    tar.file("some/other/file", b"x");
    let source = tar.open().await.unwrap();
    assert!(source.roots().await.unwrap().is_empty());
}

#[tokio::test]
async fn names_may_begin_with_a_dot_and_a_slash() {
    let mut tar = Tar(Builder::new(Vec::new()));
    tar.file("./oci-layout", LAYOUT);
    tar.file("./index.json", INDEX);
    assert!(tar.open().await.is_ok());
}

#[tokio::test]
async fn an_entry_that_leads_out_is_refused() {
    for name in ["/etc/passwd", "../outside", "a/../../outside", "a\\b"] {
        let mut tar = Tar::new();
        tar.file(name, b"x");
        let refusal = refusal(tar).await;
        assert!(refusal.contains("leads out"), "{name}: {refusal}");
    }
}

#[tokio::test]
async fn a_link_that_leads_out_is_refused() {
    for (kind, target) in [
        (EntryType::Symlink, "/etc/passwd"),
        (EntryType::Symlink, "../x"),
        (EntryType::Link, "../x"),
    ] {
        let mut tar = Tar::new();
        tar.link(kind, "link", target);
        let refusal = refusal(tar).await;
        assert!(refusal.contains("leads out"), "{target}: {refusal}");
    }
}

#[tokio::test]
async fn links_in_circles_end() {
    let mut tar = Tar(Builder::new(Vec::new()));
    tar.file("oci-layout", LAYOUT);
    tar.link(EntryType::Symlink, "index.json", "a");
    tar.link(EntryType::Symlink, "a", "index.json");
    let refusal = refusal(tar).await;
    assert!(refusal.contains("do not end"), "{refusal}");
}

#[tokio::test]
async fn a_link_inside_is_followed() {
    let mut tar = Tar(Builder::new(Vec::new()));
    tar.file("oci-layout", LAYOUT);
    tar.file("deep/er/real", INDEX);
    tar.link(EntryType::Symlink, "deep/link", "er/real");
    tar.link(EntryType::Link, "index.json", "deep/link");
    assert!(tar.open().await.is_ok());
}

#[tokio::test]
async fn a_name_that_stands_twice_is_refused() {
    let mut tar = Tar::new();
    tar.file("./index.json", INDEX);
    let refusal = refusal(tar).await;
    assert!(refusal.contains("\"index.json\" twice"), "{refusal}");
}

#[tokio::test]
async fn a_size_that_lies_is_refused() {
    for size in [513, 1 << 40, u64::MAX] {
        let mut tar = Tar::new();
        let mut header = header("blob", EntryType::Regular);
        header.set_size(size);
        header.set_cksum();
        tar.0.get_mut().extend_from_slice(header.as_bytes());
        let bytes = std::mem::take(tar.0.get_mut());
        let refusal = open(&bytes).await.err().unwrap().to_string();
        assert!(refusal.contains("ends in the middle"), "{size}: {refusal}");
    }
}

#[tokio::test]
async fn a_record_that_is_huge_is_not_read() {
    let mut tar = Tar::new();
    let mut long = header("././@LongLink", EntryType::GNULongName);
    let bytes = vec![b'a'; 100_000];
    long.set_size(bytes.len() as u64);
    long.set_cksum();
    tar.0.append(&long, bytes.as_slice()).unwrap();
    let refusal = refusal(tar).await;
    assert!(refusal.contains("record of 100000 bytes"), "{refusal}");
}

#[tokio::test]
async fn what_is_compressed_or_no_tar_says_so() {
    let gzip = [&[0x1f, 0x8b, 8, 0][..], &[7; 2000]].concat();
    assert!(open(&gzip).await.err().unwrap().to_string().contains("gunzip"));
    assert!(open(&[7; 2000]).await.err().unwrap().to_string().contains("is no tar"));
    assert!(open(b"short").await.err().unwrap().to_string().contains("is no tar"));
    let error = open(b"").await.err().unwrap().to_string();
    assert!(error.contains("no OCI layout and not from `docker save`"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is done to a tar, opening it ends, without panic.
    #[test]
    fn a_damaged_tar_is_opened_or_refused(
        damage in proptest::collection::vec((0usize..4096, any::<u8>()), 0..12),
        length in 0usize..4096,
    ) {
        let mut tar = Tar::new();
        tar.link(EntryType::Symlink, "a/b", "../index.json");
        tar.file("blobs/sha256/x", &[1; 600]);
        let mut bytes = tar.0.into_inner().unwrap();
        for (at, byte) in damage {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        bytes.truncate(length);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _ = runtime.block_on(open(&bytes));
    }
}

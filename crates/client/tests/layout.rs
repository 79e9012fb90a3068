//! OCI layouts in folders and tars, well-made and hostile.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use support::Layout;
use support::images::{descriptor, noise};
use wharf_client::{
    Destination, Error, LayoutArchiveWriter, LayoutFolder, LayoutFolderWriter, MAX_MANIFEST,
    Progress, Silent, Source, Summary, Transfer, choose, open_archive,
};
use wharf_oci::Tag;

const MIB: usize = 1 << 20;

fn tags(names: &[&str]) -> Vec<Tag> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

async fn open_tar(path: &Path) -> Result<Box<dyn Source>, Error> {
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    open_archive(path, None, &progress).await
}

async fn copy(
    from: &dyn Source,
    to: &dyn Destination,
    root: &Value,
    names: &[&str],
) -> Result<Summary, Error> {
    let summary =
        Transfer::new(from, to).referrers(true).copy(&descriptor(root), &tags(names)).await?;
    to.finish().await?;
    Ok(summary)
}

/// A layout with an index of two images and a signature, called `v1`.
fn full_layout() -> (Layout, Value) {
    let mut layout = Layout::new();
    let (first, second) = (layout.image(1, &[10, 2 * MIB, 0]), layout.image(2, &[700]));
    let index = layout.index(&[&first, &second]);
    let signature = layout.referrer(&index);
    layout.add(&index, Some("v1"));
    layout.add(&signature.descriptor, None);
    (layout, index)
}

/// Every file under `folder`, with its bytes.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder.join("blobs/sha256")).unwrap() {
        let entry = entry.unwrap();
        found.push((entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()));
    }
    found.sort();
    found
}

#[tokio::test]
async fn an_image_goes_from_folder_to_tar_to_folder_and_is_the_same() {
    let (layout, index) = full_layout();
    let work = tempfile::tempdir().unwrap();
    let (tar, folder) = (work.path().join("image.tar"), work.path().join("new/folder"));
    let source = LayoutFolder::open(layout.path()).unwrap();
    copy(&source, &LayoutArchiveWriter::create(&tar).unwrap(), &index, &["v1"]).await.unwrap();
    let source = open_tar(&tar).await.unwrap();
    let root = choose(source.as_ref(), None).await.unwrap();
    assert_eq!(root.names, ["v1"]);
    let writer = LayoutFolderWriter::create(&folder).unwrap();
    let summary = copy(source.as_ref(), &writer, &index, &["v1", "v2"]).await.unwrap();
    assert_eq!(summary.manifests, 4);
    assert_eq!(files(&folder), files(layout.path()));
    let again = LayoutFolder::open(&folder).unwrap();
    let mut names = choose(&again, Some("v1")).await.unwrap().names;
    names.sort();
    assert_eq!(names, ["v1", "v2"]);
}

#[tokio::test]
async fn equal_images_make_equal_tars() {
    let (layout, index) = full_layout();
    let work = tempfile::tempdir().unwrap();
    let source = LayoutFolder::open(layout.path()).unwrap();
    let mut tars = Vec::new();
    for name in ["a.tar", "b.tar"] {
        let path = work.path().join(name);
        copy(&source, &LayoutArchiveWriter::create(&path).unwrap(), &index, &["v1"]).await.unwrap();
        tars.push(fs::read(path).unwrap());
    }
    assert!(tars[0] == tars[1]);
}

#[tokio::test]
async fn a_tag_moves_and_the_rest_of_a_layout_stays() {
    let layout = Layout::new();
    let (first, second) = (layout.image(1, &[10]), layout.image(2, &[20]));
    let work = tempfile::tempdir().unwrap();
    let source = LayoutFolder::open(layout.path()).unwrap();
    for (image, names) in [(&first, &["v1", "old"][..]), (&second, &["v1"])] {
        let writer = LayoutFolderWriter::create(work.path()).unwrap();
        copy(&source, &writer, &image.descriptor, names).await.unwrap();
    }
    let folder = LayoutFolder::open(work.path()).unwrap();
    let digest = |root: wharf_client::Root| root.descriptor.digest.to_string();
    assert_eq!(digest(choose(&folder, Some("v1")).await.unwrap()), second.digest());
    assert_eq!(digest(choose(&folder, Some("old")).await.unwrap()), first.digest());
    let error = choose(&folder, None).await.unwrap_err().to_string();
    assert!(error.contains("old, v1"), "{error}");
    let error = choose(&folder, Some("v9")).await.unwrap_err().to_string();
    assert!(error.contains("no image called \"v9\""), "{error}");
}

#[tokio::test]
async fn a_second_pull_keeps_what_is_whole_and_replaces_what_is_damaged() {
    let (layout, index) = full_layout();
    let work = tempfile::tempdir().unwrap();
    let source = LayoutFolder::open(layout.path()).unwrap();
    copy(&source, &LayoutFolderWriter::create(work.path()).unwrap(), &index, &["v1"])
        .await
        .unwrap();
    let large = files(work.path()).into_iter().find(|(_, bytes)| bytes.len() == 2 * MIB).unwrap();
    fs::write(work.path().join("blobs/sha256").join(&large.0), noise(9, 2 * MIB)).unwrap();
    let writer = LayoutFolderWriter::create(work.path()).unwrap();
    let summary = copy(&source, &writer, &index, &["v1"]).await.unwrap();
    assert_eq!(summary.copied, 1);
    assert_eq!(files(work.path()), files(layout.path()));
}

#[tokio::test]
async fn one_platform_can_be_chosen() {
    let (layout, index) = full_layout();
    let work = tempfile::tempdir().unwrap();
    let source = LayoutFolder::open(layout.path()).unwrap();
    let writer = LayoutFolderWriter::create(work.path()).unwrap();
    let root = descriptor(&index);
    let copy = |platform: &str| {
        let transfer = Transfer::new(&source, &writer).platform(Some(platform.parse().unwrap()));
        let root = root.clone();
        async move { transfer.copy(&root, &[]).await }
    };
    let summary = copy("linux/arch1").await.unwrap();
    assert_eq!((summary.manifests, summary.copied), (1, 2));
    let error = copy("linux/s390x").await.unwrap_err().to_string();
    assert!(
        error.contains("no image for linux/s390x; its platforms are: linux/arch0, linux/arch1"),
        "{error}"
    );
}

/// What comes of copying a layout with one image that was made worse by `change`.
async fn copied(change: impl FnOnce(&Layout, &support::Image)) -> Error {
    let layout = Layout::new();
    let image = layout.image(1, &[1000]);
    change(&layout, &image);
    let work = tempfile::tempdir().unwrap();
    let source = LayoutFolder::open(layout.path()).unwrap();
    let writer = LayoutFolderWriter::create(work.path()).unwrap();
    let error = copy(&source, &writer, &image.descriptor, &["v1"]).await.unwrap_err();
    let held = LayoutFolder::open(work.path()).map(|folder| folder.place());
    if held.is_ok() {
        let digest = image.blobs[0].digest.hex();
        assert!(
            files(work.path()).iter().all(|(name, _)| *name != digest),
            "nothing unverified is kept"
        );
    }
    error
}

#[tokio::test]
async fn a_layer_that_is_missing_is_named() {
    let error = copied(|layout, image| {
        fs::remove_file(layout.file(&image.blobs[0].digest.to_string())).unwrap();
    })
    .await;
    assert!(
        matches!(&error, Error::NotFound { what, .. } if what.starts_with("sha256:")),
        "{error}"
    );
}

#[tokio::test]
async fn a_layer_with_other_bytes_is_refused() {
    let error = copied(|layout, image| {
        fs::write(layout.file(&image.blobs[0].digest.to_string()), noise(5, 1000)).unwrap();
    })
    .await;
    assert!(matches!(error, Error::Digest { .. }), "{error}");
}

#[tokio::test]
async fn a_layer_of_another_size_is_refused() {
    for size in [999, 1001] {
        let error = copied(|layout, image| {
            fs::write(layout.file(&image.blobs[0].digest.to_string()), noise(1, size)).unwrap();
        })
        .await;
        assert!(matches!(error, Error::Size { expected: 1000, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_link_or_a_folder_in_place_of_a_layer_is_refused() {
    let error = copied(|layout, image| {
        let file = layout.file(&image.blobs[0].digest.to_string());
        fs::rename(&file, layout.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("../../elsewhere", &file).unwrap();
    })
    .await;
    assert!(error.to_string().contains("symbolic link"), "{error}");
    let error = copied(|layout, image| {
        let file = layout.file(&image.blobs[0].digest.to_string());
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
    })
    .await;
    assert!(error.to_string().contains("no regular file"), "{error}");
}

#[tokio::test]
async fn a_manifest_with_other_bytes_is_refused() {
    let error = copied(|layout, image| {
        let other = layout.image(2, &[1]);
        fs::copy(layout.file(&other.digest()), layout.file(&image.digest())).unwrap();
    })
    .await;
    assert!(matches!(error, Error::Digest { .. } | Error::Size { .. }), "{error}");
}

#[tokio::test]
async fn a_manifest_past_the_limit_is_not_read() {
    let mut layout = Layout::new();
    let config = layout.blob("application/vnd.oci.empty.v1+json", b"{}");
    let image = layout.manifest(config, &[], |manifest| {
        manifest["annotations"] = json!({ "long": "x".repeat(MAX_MANIFEST) });
    });
    layout.add(&image.descriptor, Some("v1"));
    let work = tempfile::tempdir().unwrap();
    let source = LayoutFolder::open(layout.path()).unwrap();
    let writer = LayoutFolderWriter::create(work.path()).unwrap();
    let error = copy(&source, &writer, &image.descriptor, &["v1"]).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    fs::write(layout.path().join("index.json"), " ".repeat(MAX_MANIFEST + 1)).unwrap();
    assert!(matches!(LayoutFolder::open(layout.path()).err(), Some(Error::TooLarge { .. })));
}

#[tokio::test]
async fn indexes_nested_without_end_are_refused() {
    let layout = Layout::new();
    let mut image = layout.image(1, &[1]);
    for _ in 0..20 {
        image.descriptor = layout.index(&[&image]);
    }
    let work = tempfile::tempdir().unwrap();
    let source = LayoutFolder::open(layout.path()).unwrap();
    let writer = LayoutFolderWriter::create(work.path()).unwrap();
    let error = copy(&source, &writer, &image.descriptor, &["v1"]).await.unwrap_err();
    assert!(error.to_string().contains("nested"), "{error}");
}

#[tokio::test]
async fn one_blob_with_two_sizes_is_refused() {
    let layout = Layout::new();
    let layer = layout.blob("x/y", b"12345");
    let mut other = layer.clone();
    other["size"] = 6.into();
    let config = layout.blob("application/vnd.oci.empty.v1+json", b"{}");
    let image = layout.manifest(config, &[layer, other], |_| {});
    let work = tempfile::tempdir().unwrap();
    let source = LayoutFolder::open(layout.path()).unwrap();
    let writer = LayoutFolderWriter::create(work.path()).unwrap();
    let error = copy(&source, &writer, &image.descriptor, &["v1"]).await.unwrap_err();
    assert!(error.to_string().contains("5 bytes in one place and 6 in another"), "{error}");
}

#[test]
fn a_folder_with_other_things_is_left_alone() {
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("thesis.txt"), "years of work").unwrap();
    let error = LayoutFolderWriter::create(work.path()).err().unwrap();
    assert!(error.to_string().contains("not empty"), "{error}");
    let error = LayoutFolder::open(work.path()).err().unwrap();
    assert!(error.to_string().contains("no OCI image layout"), "{error}");
    let error = LayoutArchiveWriter::create(&work.path().join("thesis.txt")).err().unwrap();
    assert!(error.to_string().contains("is there already"), "{error}");
}

#[tokio::test]
async fn a_copy_that_fails_leaves_no_tar() {
    let layout = Layout::new();
    let image = layout.image(1, &[1000]);
    fs::remove_file(layout.file(&image.blobs[0].digest.to_string())).unwrap();
    let work = tempfile::tempdir().unwrap();
    let source = LayoutFolder::open(layout.path()).unwrap();
    let writer = LayoutArchiveWriter::create(&work.path().join("image.tar")).unwrap();
    copy(&source, &writer, &image.descriptor, &["v1"]).await.unwrap_err();
    drop(writer);
    assert_eq!(fs::read_dir(work.path()).unwrap().count(), 0);
}

//! What is broken, foreign or hostile in the other registry's folder is left out and told, and stops nothing else.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::stand::Stand;
use crate::tree::{Tree, digest_of, image, index};

/// Adopts, and returns what was left out; what is sound must be there all the same.
async fn left_out(stand: &Stand) -> Vec<String> {
    let sound = stand.tree.image("zz/sound", "sound");
    stand.tree.tag("zz/sound", "v1", &sound);
    stand.adopt().await;
    stand.serves("zz/sound", &sound, &["v1"]).await;
    let found = stand.left_out().await;
    assert_eq!(stand.last().await.progress.left_out, found.len() as u64, "{found:?}");
    // Whoever tries again is told the same.
    stand.adopt().await;
    assert_eq!(stand.left_out().await, found);
    found
}

fn in_order(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[tokio::test]
async fn damaged_and_missing_blobs_take_along_what_needs_them() {
    let stand = Stand::new();
    let damaged = stand.tree.image_on("a", "one", b"damaged");
    let missing = stand.tree.image_on("a", "two", b"missing");
    let unlinked = stand.tree.image_on("a", "three", b"unlinked");
    let sound = stand.tree.image("a", "four");
    let of_damaged = stand.tree.manifest("a", &index(&[sound, damaged]));
    for (tag, digest) in [("damaged", &damaged), ("all", &of_damaged), ("sound", &sound)] {
        stand.tree.tag("a", tag, digest);
    }
    let [damage, miss, unlink] = [b"damaged".as_slice(), b"missing", b"unlinked"].map(digest_of);
    stand.tree.write(&Tree::blob_name(&damage), b"DAMAGED");
    stand.tree.remove(&Tree::blob_name(&miss));
    stand.tree.remove(&Tree::link_name("a", "_layers", &unlink));
    let is = digest_of(b"DAMAGED");
    let found = left_out(&stand).await;
    let expected = vec![
        format!("a: manifest {damaged}: its blob {damage}: it is damaged: its bytes are {is}"),
        format!("a: manifest {missing}: its blob {miss}: its bytes are not in the store"),
        format!("a: manifest {unlinked}: its blob {unlink}: the repository does not hold it"),
        format!("a: manifest {of_damaged}: the manifest {damaged} that it names is not here"),
        format!("a: tag all: its manifest {of_damaged} is not here"),
        format!("a: tag damaged: its manifest {damaged} is not here"),
    ];
    assert_eq!(found, in_order(expected));
    stand.serves("a", &sound, &["sound"]).await;
    assert!(stand.blob("a", damage).await.is_err());
}

/// What another repository holds opens nothing, and what lies outside the folder neither.
#[tokio::test]
async fn links_lead_nowhere_else() {
    let stand = Stand::new();
    let secret = stand.tree.image_on("b", "secret", b"secret layer");
    let taken = stand.tree.manifest("a", &image(b"secret", b"secret layer"));
    assert_eq!(taken, secret);
    let other = stand.tree.image("a", "other");
    // A link of one name that leads to another digest.
    let name = Tree::link_name("a", "_manifests/revisions", &other);
    stand.tree.write(&name, secret.to_string().as_bytes());
    let found = left_out(&stand).await;
    let config = digest_of(b"secret");
    let expected = vec![
        format!("a: manifest {other}: its link in _manifests/revisions leads to {secret}"),
        format!("a: manifest {taken}: its blob {config}: the repository does not hold it"),
    ];
    assert_eq!(found, in_order(expected));
}

#[tokio::test]
async fn manifests_that_wharf_would_refuse_are_left_out() {
    let stand = Stand::new();
    let schema1 =
        json!({ "schemaVersion": 1, "name": "a", "tag": "v1", "fsLayers": [], "signatures": [] });
    let schema1 = stand.tree.manifest("a", &schema1);
    let text = stand.tree.manifest_bytes("a", b"no manifest");
    let large = stand.tree.manifest_bytes("a", &vec![b' '; (64 << 10) + 1]);
    let damaged = stand.tree.image("a", "damaged");
    stand.tree.write(&Tree::blob_name(&damaged), b"{}");
    let gone = stand.tree.image("a", "gone");
    stand.tree.remove(&Tree::blob_name(&gone));
    let lonely = stand.tree.manifest("a", &index(&[digest_of(b"nowhere")]));
    let found = left_out(&stand).await;
    let of = |digest: &wharf_oci::Digest| {
        let before = format!("a: manifest {digest}: ");
        found.iter().find_map(|line| line.strip_prefix(&before)).unwrap_or_default()
    };
    assert!(of(&schema1).contains("schema 1 is not accepted"), "{found:?}");
    assert!(of(&text).starts_with("the manifest is not valid"), "{found:?}");
    assert!(of(&large).contains("more than the 65536"), "{found:?}");
    assert_eq!(of(&damaged), format!("it is damaged: its bytes are {}", digest_of(b"{}")));
    assert_eq!(of(&gone), "its bytes are not in the store");
    let nowhere = digest_of(b"nowhere");
    assert_eq!(of(&lonely), format!("the manifest {nowhere} that it names is not here"));
    assert_eq!(found.len(), 6);
}

#[tokio::test]
async fn links_that_hold_rubbish_are_left_out() {
    let stand = Stand::new();
    let one = stand.tree.image("a", "one");
    stand.tree.tag("a", "good", &one);
    let tags = "repositories/a/_manifests/tags";
    stand.tree.write(&format!("{tags}/rubbish/current/link"), b"\x1b[31mrubbish\xff\0");
    stand.tree.write(&format!("{tags}/empty/current/link"), b"");
    stand.tree.write(&format!("{tags}/huge/current/link"), b"");
    let huge =
        fs::File::options().write(true).open(stand.tree.path(&format!("{tags}/huge/current/link")));
    huge.unwrap().set_len(1 << 40).unwrap();
    stand.tree.write(&format!("{tags}/-bad/current/link"), one.to_string().as_bytes());
    stand.tree.write(&format!("{tags}/file"), b"");
    stand.tree.write(&format!("{tags}/folder/current/link/link"), b"");
    // Deleted there.
    fs::create_dir_all(stand.tree.path(&format!("{tags}/deleted/current"))).unwrap();
    let revisions = "repositories/a/_manifests/revisions";
    stand.tree.write(&format!("{revisions}/sha256/short/link"), b"");
    stand.tree.write(&format!("{revisions}/md5/aa/link"), b"");
    let found = left_out(&stand).await;
    let of = |subject: &str| {
        let before = format!("a: {subject}: ");
        found.iter().find_map(|line| line.strip_prefix(&before)).unwrap_or_default()
    };
    assert!(of("tag rubbish").starts_with("its link holds \"[31mrubbish"), "{found:?}");
    assert!(of("tag empty").starts_with("its link holds \"\" and no digest"), "{found:?}");
    assert!(of("tag huge").contains("larger than such a file ever is"), "{found:?}");
    assert!(of("tag -bad").contains("tag"), "{found:?}");
    assert_eq!(of("tag file"), "it is no folder");
    assert!(of("tag folder").contains("it is no file"), "{found:?}");
    assert!(of("manifest sha256:short").contains("hex digits"), "{found:?}");
    assert!(of("manifest md5").contains("no folder of an algorithm"), "{found:?}");
    assert_eq!(found.len(), 8, "{found:?}");
    assert_eq!(stand.tags("a").await, ["good"]);
}

#[tokio::test]
async fn folders_that_are_no_repositories_are_left_out() {
    let stand = Stand::new();
    let outside = stand.tree.path("outside");
    stand.tree.image("Upper/case", "one");
    stand.tree.image("a..b", "two");
    stand.tree.image(&"long/".repeat(60), "three");
    stand.tree.write("repositories/file", b"");
    fs::create_dir_all(outside.join("_manifests")).unwrap();
    symlink(&outside, stand.tree.path("repositories/link")).unwrap();
    symlink(".", stand.tree.path("repositories/loop")).unwrap();
    let deep = "d/".repeat(600);
    fs::create_dir_all(stand.tree.path(&format!("repositories/{deep}"))).unwrap();
    // Nothing was ever pushed to it but blobs.
    stand.tree.blob("unfinished", b"blob");
    let found = left_out(&stand).await;
    let expected = [
        ("Upper/case", "repository", "lower-case letters"),
        ("a..b", "repository", "lower-case letters"),
        ("d/d/d/", "folder", "too long"),
        ("file", "folder", "it is a file"),
        ("link", "folder", "it is a link: not followed"),
        ("long/long/", "repository", "at most 255 characters"),
        ("loop", "folder", "it is a link: not followed"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (line, (name, subject, reason)) in found.iter().zip(expected) {
        assert!(
            line.starts_with(name) && line.contains(subject) && line.contains(reason),
            "{line}"
        );
    }
}

/// Links in place of each folder and file of the layout.
#[tokio::test]
async fn no_link_is_followed_inside_a_repository() {
    for (name, subject) in [
        ("_manifests/revisions", "manifests"),
        ("_manifests/tags", "tags"),
        ("_manifests/tags/v1", "tag v1"),
        ("_manifests/tags/v1/current", "tag v1"),
        ("_manifests/tags/v1/current/link", "tag v1"),
        ("_layers", "manifest"),
    ] {
        let stand = Stand::new();
        let one = stand.tree.image("a", "one");
        stand.tree.tag("a", "v1", &one);
        let (path, moved) =
            (stand.tree.path(&format!("repositories/a/{name}")), stand.tree.path("moved"));
        fs::rename(&path, &moved).unwrap();
        symlink(&moved, &path).unwrap();
        let found = left_out(&stand).await;
        let before = format!("a: {subject}");
        let line = found.iter().find(|line| line.starts_with(&before)).unwrap();
        assert!(line.contains("not followed") || line.contains("link"), "{name}: {line}");
        assert_eq!(stand.stands("a", "v1").await, None, "{name}");
    }
}

/// An index may lie in another one, but not for ever.
#[tokio::test]
async fn indexes_lie_only_so_deep_in_each_other() {
    let stand = Stand::new();
    let mut inner = stand.tree.image("a", "one");
    for _ in 0..100 {
        inner = stand.tree.manifest("a", &index(&[inner]));
    }
    stand.tree.tag("a", "deep", &inner);
    stand.adopt().await;
    let found = stand.left_out().await;
    assert!(found.last().unwrap().contains("tag deep"), "{found:?}");
    let here = stand.last().await.progress.manifests;
    assert_eq!(here as usize + found.len(), 1 + 100 + 1);
    assert!(here > 16, "{here}");
    // What is here by now is no depth any more.
    for _ in 0..100 / 16 {
        stand.adopt().await;
    }
    assert_eq!(stand.left_out().await, Vec::<String>::new());
    assert_eq!(stand.stands("a", "deep").await, Some(inner));
}

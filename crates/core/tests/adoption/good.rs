//! What is sound is adopted as it was, once and again.

use wharf_core::metadata::{AdoptionProgress, DeleteTag, Precondition, Tags as _};
use wharf_core::{Error, Missing};

use crate::stand::Stand;
use crate::tree::{digest_of, image, index};

/// The same names, the same bytes; a blob of several repositories is hashed once.
#[tokio::test]
async fn everything_is_served_as_it_was() {
    let stand = Stand::new();
    let tree = &stand.tree;
    let one = tree.image_on("library/app", "one", b"a base");
    let two = tree.image_on("library/app", "two", b"a base");
    let other = tree.image_on("team/deep/er/app", "other", b"a base");
    // A repository within another one.
    let inner = tree.image("team/deep", "inner");
    let both = tree.manifest("library/app", &index(&[one, two]));
    let nested = tree.manifest("library/app", &index(&[both]));
    for (tag, digest) in [("v1", &one), ("latest", &two), ("all", &both), ("nested", &nested)] {
        tree.tag("library/app", tag, digest);
    }
    tree.tag("team/deep/er/app", "v1", &other);
    // What has no bytes is a blob too.
    let empty = tree.image_on("empty", "nothing", b"");
    let before = tree.everything();

    let progress = stand.adopt().await;
    assert_eq!(stand.left_out().await, Vec::<String>::new());
    stand.serves("library/app", &one, &["v1"]).await;
    stand.serves("library/app", &two, &["latest"]).await;
    stand.serves("library/app", &both, &["all"]).await;
    stand.serves("library/app", &nested, &["nested"]).await;
    stand.serves("team/deep/er/app", &other, &["v1"]).await;
    stand.serves("team/deep", &inner, &[]).await;
    stand.serves("empty", &empty, &[]).await;
    assert_eq!(stand.tags("library/app").await, ["all", "latest", "nested", "v1"]);
    assert_eq!((progress.repositories_total, progress.repositories), (Some(4), 4));
    assert_eq!((progress.manifests, progress.tags, progress.left_out), (7, 5, 0));
    let bytes = ["one", "two", "other", "inner", "nothing", "a base", "the layer of inner"];
    let bytes: usize = bytes.iter().map(|text| text.len()).sum();
    assert_eq!((progress.blobs, progress.bytes), (8, bytes as u64));
    assert!(tree.everything() == before, "the other registry's folder was changed");
}

/// Nobody can know a digest and have what lies there without a repository that holds it.
#[tokio::test]
async fn only_what_a_manifest_needs_is_held_and_only_there() {
    let stand = Stand::new();
    stand.tree.image("a", "one");
    let (two, loose) = (stand.tree.image("b", "two"), stand.tree.blob("a", b"loose"));
    // Deleted there: the folder is left, and no link.
    let deleted = stand.tree.image("a", "deleted");
    stand.tree.remove(&crate::tree::Tree::link_name("a", "_manifests/revisions", &deleted));
    stand.adopt().await;
    assert_eq!(stand.left_out().await, Vec::<String>::new());
    let absent = |found| matches!(found, Err(Error::NotFound(Missing::Blob(..))));
    assert!(absent(stand.blob("a", loose).await));
    assert!(absent(stand.blob("a", digest_of(b"two")).await));
    assert!(absent(stand.blob("a", digest_of(b"deleted")).await));
    assert!(stand.manifest("a", &two.to_string()).await.is_err());
    assert!(stand.manifest("a", &deleted.to_string()).await.is_err());
}

/// A layer that only its owner distributes, and an image about another one.
#[tokio::test]
async fn foreign_layers_and_referrers_are_adopted() {
    let stand = Stand::new();
    let subject = stand.tree.image("a", "one");
    let mut manifest = image(b"two", b"the layer of two");
    stand.tree.image("a", "two");
    let layers = manifest["layers"].as_array_mut().unwrap();
    layers.push(serde_json::json!({
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": digest_of(b"elsewhere"), "size": 9, "urls": ["https://example.com/layer"],
    }));
    let foreign = stand.tree.manifest("a", &manifest);
    let mut about = image(b"two", b"the layer of two");
    about["mediaType"] = "application/vnd.oci.image.manifest.v1+json".into();
    about["subject"] = serde_json::json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": subject, "size": 3 });
    let referrer = stand.tree.manifest("a", &about);
    stand.adopt().await;
    assert_eq!(stand.left_out().await, Vec::<String>::new());
    stand.serves("a", &foreign, &[]).await;
    stand.serves("a", &referrer, &[]).await;
}

/// The other registry goes on meanwhile: what came since is adopted, and what is here already is not hashed again.
#[tokio::test]
async fn a_second_adoption_adopts_what_is_new() {
    let stand = Stand::new();
    let one = stand.tree.image("a", "one");
    stand.tree.tag("a", "latest", &one);
    stand.tree.tag("a", "v1", &one);
    stand.adopt().await;
    let two = stand.tree.image("a", "two");
    stand.tree.tag("a", "latest", &two);
    stand.tree.tag("a", "v2", &two);
    let progress = stand.adopt().await;
    stand.serves("a", &two, &["latest", "v2"]).await;
    stand.serves("a", &one, &["v1"]).await;
    assert_eq!((progress.manifests, progress.tags, progress.blobs), (2, 3, 2));
    let again = stand.adopt().await;
    assert_eq!((again.manifests, again.tags, again.blobs, again.bytes), (2, 3, 0, 0));
}

/// Whatever the other registry says, what people did here since is theirs.
#[tokio::test]
async fn what_was_changed_here_stays() {
    let stand = Stand::new();
    let (one, two) = (stand.tree.image("a", "one"), stand.tree.image("a", "two"));
    for tag in ["moved", "deleted", "followed"] {
        stand.tree.tag("a", tag, &one);
    }
    stand.adopt().await;
    let deletion = |tag: &str| DeleteTag {
        repository: "a".parse().unwrap(),
        tag: tag.parse().unwrap(),
        precondition: Precondition::None,
        by: "user:ada".into(),
        dropped_by: None,
    };
    stand.database.delete_tag(deletion("deleted")).await.unwrap();
    let push = wharf_core::metadata::CommitManifest {
        repository: "a".parse().unwrap(),
        digest: two,
        payload: stand.manifest("a", &two.to_string()).await.unwrap().payload,
        manifest: wharf_oci::Manifest::parse(
            &stand.manifest("a", &two.to_string()).await.unwrap().payload,
            None,
        )
        .unwrap(),
        tags: vec!["moved".parse().unwrap()],
        precondition: Precondition::None,
        by: "user:ada".into(),
    };
    use wharf_core::metadata::ManifestMetadata as _;
    stand.database.commit_manifest(push).await.unwrap();
    for tag in ["moved", "deleted", "followed"] {
        stand.tree.tag("a", tag, &one);
    }
    stand.tree.tag("a", "followed", &two);
    stand.adopt().await;
    assert_eq!(
        stand.left_out().await,
        [
            "a: tag deleted: it was deleted here, and stays away".to_owned(),
            format!("a: tag moved: it was moved here, to {two}, and stays"),
        ]
    );
    assert_eq!(stand.tags("a").await, ["followed", "moved"]);
    assert_eq!(stand.stands("a", "followed").await, Some(two));
}

#[tokio::test]
async fn only_the_repositories_asked_for_are_adopted() {
    let stand = Stand::new();
    let (one, two) = (stand.tree.image("team/a", "one"), stand.tree.image("other/a", "two"));
    stand.tree.image("team/BAD", "three");
    let progress = stand.adopt_only(Some("team/*")).await;
    assert_eq!((progress.repositories_total, progress.repositories), (Some(1), 1));
    stand.serves("team/a", &one, &[]).await;
    assert!(stand.manifest("other/a", &two.to_string()).await.is_err());
    assert_eq!(stand.left_out().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_rehearsal_tells_the_same_and_changes_nothing() {
    let stand = Stand::new();
    let one = stand.tree.image_on("a", "one", b"a base");
    stand.tree.image_on("b", "two", b"a base");
    stand.tree.tag("a", "v1", &one);
    stand.tree.tag("a", "lost", &digest_of(b"lost"));
    let before = stand.tree.everything();
    let (sum, left_out) = stand.rehearse().await;
    assert!(stand.manifest("a", "v1").await.is_err());
    let adopted = stand.adopt().await;
    assert_eq!(left_out, stand.left_out().await);
    assert_eq!(AdoptionProgress { done_up_to: None, ..adopted }, sum);
    assert_eq!((sum.blobs, sum.bytes, sum.left_out), (3, 12, 1));
    assert!(stand.tree.everything() == before);
}

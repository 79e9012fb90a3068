//! Pushing images to a registry.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;

use serde_json::{Value, json};
use support::images::descriptor;
use support::{FakeRegistry, Layout, client, repository};
use wharf_client::{
    Destination as _, Error, LayoutFolder, Placed, Progress, RegistryDestination, RegistrySource,
    Silent, Summary, Transfer,
};
use wharf_oci::{Algorithm, Reference, Tag};

const MIB: usize = 1 << 20;

fn tags(names: &[&str]) -> Vec<Tag> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

async fn push(
    layout: &Layout,
    root: &Value,
    registry: &FakeRegistry,
    names: &[&str],
) -> Result<Summary, Error> {
    let source = LayoutFolder::open(layout.path())?;
    let destination = RegistryDestination::new(repository(&client(), registry, "team/app"));
    let transfer = Transfer::new(&source, &destination).referrers(true);
    transfer.copy(&descriptor(root), &tags(names)).await
}

#[tokio::test]
async fn an_image_arrives_with_all_its_parts() {
    let (registry, layout) = (FakeRegistry::start().await, Layout::new());
    let image = layout.image(1, &[10, 3 * MIB, 0]);
    let summary = push(&layout, &image.descriptor, &registry, &["v1"]).await.unwrap();
    for blob in &image.blobs {
        let bytes = registry.blob("team/app", &blob.digest.to_string()).unwrap();
        assert_eq!(bytes, std::fs::read(layout.file(&blob.digest.to_string())).unwrap());
    }
    assert_eq!(registry.tag("team/app", "v1"), Some(image.digest()));
    assert_eq!((summary.copied, summary.held, summary.manifests), (4, 0, 1));
    assert!(summary.copied_bytes > 3 * MIB as u64);
}

#[tokio::test]
async fn a_second_push_sends_no_blob() {
    let (registry, layout) = (FakeRegistry::start().await, Layout::new());
    let image = layout.image(1, &[10, 20]);
    push(&layout, &image.descriptor, &registry, &["v1"]).await.unwrap();
    let before = registry.count("POST");
    let summary = push(&layout, &image.descriptor, &registry, &["v1"]).await.unwrap();
    assert_eq!((summary.copied, summary.held), (0, 3));
    assert_eq!(registry.count("POST"), before);
}

#[tokio::test]
async fn a_blob_that_two_images_share_is_sent_once_and_an_index_comes_last() {
    let (registry, layout) = (FakeRegistry::start().await, Layout::new());
    let shared = layout.blob("application/vnd.oci.image.layer.v1.tar", b"shared");
    let config = |n| {
        layout.blob("application/vnd.oci.image.config.v1+json", format!("{{\"n\":{n}}}").as_bytes())
    };
    let first = layout.manifest(config(1), std::slice::from_ref(&shared), |_| {});
    let second = layout.manifest(config(2), std::slice::from_ref(&shared), |_| {});
    let index = layout.index(&[&first, &second]);
    let summary = push(&layout, &index, &registry, &["v1"]).await.unwrap();
    assert_eq!((summary.copied, summary.manifests), (3, 3));
    assert_eq!(registry.count("POST"), 3);
    let requests = registry.requests();
    assert_eq!(requests.last().unwrap(), "PUT /v2/team/app/manifests/v1");
    assert_eq!(registry.tag("team/app", "v1").unwrap(), index["digest"].as_str().unwrap());
}

#[tokio::test]
async fn an_index_within_an_index_is_pushed_bottom_up() {
    let (registry, layout) = (FakeRegistry::start().await, Layout::new());
    let image = layout.image(1, &[10]);
    let inner = support::Image { descriptor: layout.index(&[&image]), blobs: Vec::new() };
    let outer = layout.index(&[&inner]);
    push(&layout, &outer, &registry, &["v1"]).await.unwrap();
    let puts: Vec<String> = registry
        .requests()
        .into_iter()
        .filter(|line| line.starts_with("PUT") && line.contains("manifests"))
        .collect();
    let path = |name: &str| format!("PUT /v2/team/app/manifests/{name}");
    assert_eq!(puts, [path(&image.digest()), path(&inner.digest()), path("v1")]);
}

#[tokio::test]
async fn several_tags_go_in_one_request() {
    let (registry, layout) = (FakeRegistry::start().await, Layout::new());
    let image = layout.image(1, &[10]);
    push(&layout, &image.descriptor, &registry, &["1", "1.2", "latest"]).await.unwrap();
    for tag in ["1", "1.2", "latest"] {
        assert_eq!(registry.tag("team/app", tag), Some(image.digest()), "{tag}");
    }
    assert_eq!(registry.count("PUT /v2/team/app/manifests/"), 1);
}

#[tokio::test]
async fn a_registry_that_takes_no_several_tags_gets_them_one_by_one() {
    let (registry, layout) = (FakeRegistry::start().await, Layout::new());
    registry.fault(|fault| fault.takes_many_tags = false);
    let image = layout.image(1, &[10]);
    push(&layout, &image.descriptor, &registry, &["1", "1.2", "latest"]).await.unwrap();
    for tag in ["1", "1.2", "latest"] {
        assert_eq!(registry.tag("team/app", tag), Some(image.digest()), "{tag}");
    }
}

#[tokio::test]
async fn a_blob_is_mounted_from_another_repository_of_the_registry() {
    let (registry, layout) = (FakeRegistry::start().await, Layout::new());
    let image = layout.image(1, &[10, 2 * MIB]);
    push(&layout, &image.descriptor, &registry, &["v1"]).await.unwrap();
    let client = client();
    let from = repository(&client, &registry, "team/app");
    let reference = Reference::Tag("v1".parse().unwrap());
    let source = RegistrySource::new(from, reference);
    let to = RegistryDestination::new(repository(&client, &registry, "other/app"))
        .mounting_from("team/app".parse().unwrap());
    let summary = Transfer::new(&source, &to)
        .copy(&descriptor(&image.descriptor), &tags(&["v2"]))
        .await
        .unwrap();
    assert_eq!((summary.mounted, summary.copied), (3, 0));
    assert_eq!(registry.count("GET /v2/team/app/blobs/"), 0);
    assert_eq!(registry.tag("other/app", "v2"), Some(image.digest()));
}

#[tokio::test]
async fn a_mount_that_is_refused_becomes_an_upload() {
    let (registry, layout) = (FakeRegistry::start().await, Layout::new());
    let image = layout.image(1, &[10, 2 * MIB]);
    push(&layout, &image.descriptor, &registry, &["v1"]).await.unwrap();
    registry.fault(|fault| fault.mounts = false);
    let client = client();
    let reference = Reference::Tag("v1".parse().unwrap());
    let source = RegistrySource::new(repository(&client, &registry, "team/app"), reference);
    let to = RegistryDestination::new(repository(&client, &registry, "other/app"))
        .mounting_from("team/app".parse().unwrap());
    let summary = Transfer::new(&source, &to)
        .copy(&descriptor(&image.descriptor), &tags(&["v2"]))
        .await
        .unwrap();
    assert_eq!((summary.mounted, summary.copied), (0, 3));
    let large = image.blobs[1].digest.to_string();
    assert_eq!(registry.blob("other/app", &large).unwrap().len(), 2 * MIB);
}

#[tokio::test]
async fn a_blob_can_go_by_sha512() {
    let (registry, layout) = (FakeRegistry::start().await, Layout::new());
    let bytes = support::images::noise(7, 2 * MIB);
    let layer = layout.blob_by(Algorithm::Sha512, "application/octet-stream", &bytes);
    let config = layout.blob("application/vnd.oci.empty.v1+json", b"{}");
    let image = layout.manifest(config, std::slice::from_ref(&layer), |_| {});
    push(&layout, &image.descriptor, &registry, &["v1"]).await.unwrap();
    assert_eq!(registry.blob("team/app", layer["digest"].as_str().unwrap()).unwrap(), bytes);
    assert_eq!(registry.count("digest-algorithm=sha512"), 1);
}

#[tokio::test]
async fn referrers_go_along_before_the_image() {
    let (registry, mut layout) = (FakeRegistry::start().await, Layout::new());
    let image = layout.image(1, &[10]);
    let signature = layout.referrer(&image.descriptor);
    layout.add(&image.descriptor, Some("v1"));
    layout.add(&signature.descriptor, None);
    let summary = push(&layout, &image.descriptor, &registry, &["v1"]).await.unwrap();
    assert_eq!(summary.manifests, 2);
    assert_eq!(registry.requests().last().unwrap(), "PUT /v2/team/app/manifests/v1");
    let found = repository(&client(), &registry, "team/app")
        .referrers(&image.digest().parse().unwrap(), Some("application/x.signature"))
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].digest.to_string(), signature.digest());
}

#[tokio::test]
async fn a_registry_without_referrers_gets_a_tag_that_lists_them() {
    let (registry, mut layout) = (FakeRegistry::start().await, Layout::new());
    registry.fault(|fault| fault.lists_referrers = false);
    let image = layout.image(1, &[10]);
    let signature = layout.referrer(&image.descriptor);
    layout.add(&signature.descriptor, None);
    push(&layout, &image.descriptor, &registry, &["v1"]).await.unwrap();
    push(&layout, &image.descriptor, &registry, &["v1"]).await.unwrap();
    assert!(registry.tag("team/app", &image.digest().replace(':', "-")).is_some());
    let found = repository(&client(), &registry, "team/app")
        .referrers(&image.digest().parse().unwrap(), None)
        .await
        .unwrap();
    assert_eq!(found.len(), 1, "it is listed once");
    assert_eq!(found[0].artifact_type.as_deref(), Some("application/x.signature"));
    assert_eq!(found[0].annotations.as_ref().unwrap()["by"], "ann");
}

#[tokio::test]
async fn a_layer_that_nobody_may_distribute_is_left_out() {
    let (registry, layout) = (FakeRegistry::start().await, Layout::new());
    let media_type = "application/vnd.oci.image.layer.nondistributable.v1.tar";
    let foreign = json!({
        "mediaType": media_type, "size": 5, "digest": format!("sha256:{}", "a".repeat(64)),
        "urls": ["https://owner.example/layer"],
    });
    let config = layout.blob("application/vnd.oci.image.config.v1+json", b"{}");
    let image = layout.manifest(config, &[foreign], |_| {});
    // The fake registry wants every layer, so only what comes before the manifest is looked at.
    let error = push(&layout, &image.descriptor, &registry, &["v1"]).await.unwrap_err();
    assert!(error.to_string().contains("MANIFEST_BLOB_UNKNOWN"), "{error}");
    assert_eq!(registry.count("blobs/sha256:aaaa"), 0);
}

#[tokio::test]
async fn a_refusal_says_what_was_asked_and_what_was_answered() {
    let (registry, layout) = (FakeRegistry::start().await, Layout::new());
    let image = layout.image(1, &[10]);
    let client = client();
    let destination = RegistryDestination::new(repository(&client, &registry, "team/app"));
    let bytes = std::fs::read(layout.file(&image.digest())).unwrap();
    let manifest = descriptor(&image.descriptor);
    let tags = tags(&["v1"]);
    let role = wharf_client::Role::Root(&tags);
    let error = destination.put_manifest(&manifest, bytes.into(), role).await.unwrap_err();
    let expected = format!(
        "{} answered 404 Not Found to PUT /v2/team/app/manifests/v1: MANIFEST_BLOB_UNKNOWN (said the test)",
        registry.host()
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_push_tells_how_a_blob_came_there() {
    let (registry, layout) = (FakeRegistry::start().await, Layout::new());
    let image = layout.image(1, &[2 * MIB]);
    let source = LayoutFolder::open(layout.path()).unwrap();
    let repository = repository(&client(), &registry, "team/app");
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    let push = || repository.push_blob(&image.blobs[0], &source, None, &progress);
    assert_eq!(push().await.unwrap(), Placed::Copied);
    assert_eq!(push().await.unwrap(), Placed::Held);
}

//! Skopeo copies, lists and deletes: image layouts go through the registry bit for bit.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::{Value, json};
use support::container_tools::{ContainerTools, layout};
use support::layout::{verified_blobs, write_image_of_layers};
use support::registry::{OCI_MANIFEST, digest};
use support::server::Server;

/// The OCI type and bytes of the empty config of an artifact.
const EMPTY: (&str, &[u8]) = ("application/vnd.oci.empty.v1+json", b"{}");

#[test]
fn an_image_layout_comes_back_with_the_same_blobs() {
    comes_back_the_same(3);
}

#[test]
fn an_image_of_a_hundred_layers_comes_back_with_the_same_blobs() {
    comes_back_the_same(100);
}

fn comes_back_the_same(layers: usize) {
    let server = Server::start();
    let tools = ContainerTools::new();
    let place = format!("docker://{}/some/deeper/name:1", server.address());
    let (sent, received) = (tools.path("sent"), tools.path("received"));
    write_image_of_layers(&sent, layers);

    tools.copy(&[], &layout(&sent), &place);
    tools.copy(&["--dest-oci-accept-uncompressed-layers"], &place, &layout(&received));

    let blobs = verified_blobs(&received);
    assert_eq!(blobs.len(), layers + 2, "layers, config and manifest");
    assert_eq!(blobs, verified_blobs(&sent));
}

#[test]
fn an_index_of_several_platforms_goes_from_repository_to_repository_whole() {
    let server = Server::start();
    let tools = ContainerTools::new();
    let place = |name: &str| format!("docker://{}/{name}:1", server.address());
    tools.buildah(&["manifest", "create", "localhost/all:1"]);
    for architecture in ["amd64", "arm64"] {
        let image = format!("localhost/{architecture}:1");
        tools.make_image(&image, architecture);
        tools.buildah(&["manifest", "add", "localhost/all:1", &image]);
    }
    let first = place("one/app");
    tools.buildah(&["manifest", "push", "--all", "--tls-verify=false", "localhost/all:1", &first]);

    tools.copy(&["--all"], &first, &place("two/app"));
    let (from_one, from_two) = (tools.path("from-one"), tools.path("from-two"));
    tools.copy(&["--all"], &first, &layout(&from_one));
    tools.copy(&["--all"], &place("two/app"), &layout(&from_two));

    assert_eq!(tools.manifest_digest(&first), tools.manifest_digest(&place("two/app")));
    let blobs = verified_blobs(&from_two);
    assert_eq!(blobs, verified_blobs(&from_one));
    assert!(blobs.contains_key(&tools.manifest_digest(&first)));
}

#[test]
fn tags_are_listed_in_order_and_a_deleted_one_is_gone() {
    let server = Server::start();
    let tools = ContainerTools::new();
    let repository = format!("docker://{}/team/app", server.address());
    for layers in 1..=3 {
        let folder = tools.path(&format!("image-{layers}"));
        write_image_of_layers(&folder, layers);
        tools.copy(&[], &layout(&folder), &format!("{repository}:v{layers}"));
    }
    assert_eq!(tools.tags(&repository), ["v1", "v2", "v3"]);

    tools.skopeo(&["delete", "--tls-verify=false", &format!("{repository}:v2")]);

    assert_eq!(tools.tags(&repository), ["v1", "v3"]);
    let said = tools.skopeo_fails(&["inspect", "--tls-verify=false", &format!("{repository}:v2")]);
    assert!(said.contains("manifest unknown"), "{said}");
    let received = tools.path("received");
    let third = format!("{repository}:v3");
    tools.copy(&["--dest-oci-accept-uncompressed-layers"], &third, &layout(&received));
    assert_eq!(verified_blobs(&received), verified_blobs(&tools.path("image-3")));
}

#[test]
fn an_artifact_with_a_subject_is_listed_as_its_referrer() {
    let server = Server::start();
    let tools = ContainerTools::new();
    let image = format!("docker://{}/team/app:1", server.address());
    let folder = tools.path("image");
    write_image_of_layers(&folder, 2);
    tools.copy(&[], &layout(&folder), &image);
    let subject = tools.manifest_digest(&image);
    let subject_size = tools.raw_manifest(&image).len();

    // No client in Debian 12 writes artifacts, so this one is pushed by hand.
    let registry = server.registry();
    let note = b"signed, a friend\n";
    for blob in [EMPTY.1, note] {
        assert_eq!(registry.push_blob("team/app", blob).unwrap().status, 201);
    }
    let artifact = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.example.note",
        "config": { "mediaType": EMPTY.0, "digest": digest(EMPTY.1), "size": EMPTY.1.len() },
        "layers": [{ "mediaType": "text/plain", "digest": digest(note), "size": note.len() }],
        "subject": { "mediaType": OCI_MANIFEST, "digest": subject, "size": subject_size },
    })
    .to_string();
    let name = digest(artifact.as_bytes());
    let reply = registry.push_manifest("team/app", &name, &[], artifact.as_bytes()).unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(reply.header("OCI-Subject"), Some(subject.as_str()));

    let referrers = registry.get(&format!("/v2/team/app/referrers/{subject}")).unwrap();
    let listed: Value = referrers.json();
    assert_eq!(listed["manifests"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["manifests"][0]["digest"], name);
    assert_eq!(listed["manifests"][0]["artifactType"], "application/vnd.example.note");
    let place = format!("docker://{}/team/app@{name}", server.address());
    assert_eq!(tools.raw_manifest(&place), artifact);
}

//! Podman and Buildah push and pull: plain images, zstd layers, several platforms, builds on top.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::Value;
use support::container_tools::ContainerTools;
use support::server::Server;

const MADE: &str = "localhost/made:1";

#[test]
fn podman_pulls_back_the_image_that_it_pushed_and_runs_it() {
    let server = Server::start();
    let tools = ContainerTools::new();
    let name = format!("{}/team/app:1", server.address());
    tools.make_image(MADE, "amd64");
    let made = tools.image_id(MADE);

    tools.podman(&["push", "--quiet", "--tls-verify=false", MADE, &name]);
    tools.forget_all();
    tools.podman(&["pull", "--quiet", "--tls-verify=false", &name]);

    assert_eq!(tools.image_id(&name), made);
    assert_eq!(tools.run_in(&name, &["busybox", "cat", "/note"]), "made for amd64");
}

#[test]
fn podman_pulls_by_digest_and_a_moved_tag_gives_the_new_image() {
    let server = Server::start();
    let tools = ContainerTools::new();
    let name = format!("{}/team/app:latest", server.address());
    tools.make_image("localhost/old:1", "amd64");
    tools.make_image("localhost/new:1", "arm64");
    let [old, new] = ["localhost/old:1", "localhost/new:1"].map(|image| tools.image_id(image));
    tools.podman(&["push", "--quiet", "--tls-verify=false", "localhost/old:1", &name]);
    let old_digest = tools.manifest_digest(&format!("docker://{name}"));
    tools.podman(&["push", "--quiet", "--tls-verify=false", "localhost/new:1", &name]);
    tools.forget_all();

    let by_digest = format!("{}/team/app@{old_digest}", server.address());
    tools.podman(&["pull", "--quiet", "--tls-verify=false", &by_digest]);
    tools.podman(&["pull", "--quiet", "--tls-verify=false", "--arch=arm64", &name]);

    assert_eq!(tools.image_id(&by_digest), old);
    assert_eq!(tools.image_id(&name), new);
}

#[test]
fn layers_compressed_with_zstd_come_back_as_the_same_image() {
    let server = Server::start();
    let tools = ContainerTools::new();
    tools.make_image(MADE, "amd64");
    let made = tools.image_id(MADE);
    let [first, second] =
        ["z/buildah:1", "z/podman:1"].map(|n| format!("{}/{n}", server.address()));
    let zstd = ["push", "--quiet", "--tls-verify=false", "--compression-format=zstd", MADE];

    tools.buildah(&[&zstd[..], &[&format!("docker://{first}")]].concat());
    tools.podman(&[&zstd[..], &[&second]].concat());
    tools.forget_all();

    for name in [first, second] {
        let manifest = tools.raw_manifest(&format!("docker://{name}"));
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        for layer in manifest["layers"].as_array().unwrap() {
            assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+zstd");
        }
        tools.podman(&["pull", "--quiet", "--tls-verify=false", &name]);
        assert_eq!(tools.image_id(&name), made);
        tools.forget_all();
    }
}

#[test]
fn an_index_pushed_by_buildah_gives_each_platform_its_image() {
    let server = Server::start();
    let tools = ContainerTools::new();
    let name = format!("{}/multi/app:1", server.address());
    let mut made = Vec::new();
    tools.buildah(&["manifest", "create", "localhost/all:1"]);
    for architecture in ["amd64", "arm64", "riscv64"] {
        let image = format!("localhost/{architecture}:1");
        tools.make_image(&image, architecture);
        tools.buildah(&["manifest", "add", "localhost/all:1", &image]);
        made.push((architecture, tools.image_id(&image)));
    }

    let place = format!("docker://{name}");
    tools.buildah(&["manifest", "push", "--all", "--tls-verify=false", "localhost/all:1", &place]);
    tools.forget_all();

    let index: Value = serde_json::from_str(&tools.raw_manifest(&place)).unwrap();
    assert_eq!(index["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(index["manifests"].as_array().unwrap().len(), 3);
    for (architecture, id) in made {
        tools.podman(&["pull", "--quiet", "--tls-verify=false", "--arch", architecture, &name]);
        assert_eq!(tools.image_id(&name), id, "for {architecture}");
        tools.forget_all();
    }
}

#[test]
fn buildah_builds_upon_a_pulled_image_and_pushes_the_result() {
    let server = Server::start();
    let tools = ContainerTools::new();
    let [base, app] = ["base/os:1", "team/app:1"].map(|n| format!("{}/{n}", server.address()));
    tools.make_image(MADE, "amd64");
    tools.podman(&["push", "--quiet", "--tls-verify=false", MADE, &base]);
    tools.forget_all();

    let container = tools.buildah(&["from", "--quiet", "--tls-verify=false", &base]);
    tools.buildah(&["config", "--label", "built=yes", &container]);
    tools.buildah(&["commit", "--quiet", "--rm", &container, "localhost/app:1"]);
    let built = tools.image_id("localhost/app:1");
    let place = format!("docker://{app}");
    tools.buildah(&["push", "--quiet", "--tls-verify=false", "localhost/app:1", &place]);
    tools.forget_all();
    tools.podman(&["pull", "--quiet", "--tls-verify=false", &app]);

    assert_eq!(tools.image_id(&app), built);
    let label = tools.podman(&["image", "inspect", "--format", "{{.Labels.built}}", &app]);
    assert_eq!(label, "yes");
}

//! Docker pushes and pulls: every client version on this machine, through a daemon of its own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::container_tools::{ContainerTools, layout};
use support::docker::Docker;
use support::layout::{digest_of_file, write_image_of_layers};
use support::program::run;
use support::server::{Server, program};
use tempfile::TempDir;

#[test]
fn every_docker_client_pulls_back_the_image_that_it_pushed_and_runs_it() {
    let server = Server::start();
    let mut docker = Docker::start();
    for (number, client) in Docker::clients().iter().enumerate() {
        docker.use_client(client);
        let name = format!("{}/client-{number}/app:1", server.address());
        docker.build_layered(&name);
        docker.push_and_pull_back(&name);
        let said = docker.run(&["run", "--rm", "--network=none", &name]);
        assert_eq!(said, "hello from a layer");
        docker.run(&[
            "run",
            "--rm",
            "--network=none",
            &name,
            "busybox",
            "sha256sum",
            "-c",
            "/sums",
        ]);
        docker.forget_all();
    }
}

#[test]
fn docker_pulls_by_digest_what_it_pushed_by_tag() {
    let server = Server::start();
    let docker = Docker::start();
    let name = format!("{}/library/app:1", server.address());
    docker.build_layered(&name);
    let built = docker.image_id(&name);
    docker.run(&["push", &name]);
    let by_digest = format!("{}/library/app@{}", server.address(), docker.registry_digest(&name));
    docker.forget_all();

    docker.run(&["pull", &by_digest]);

    assert_eq!(docker.image_id(&by_digest), built);
}

#[test]
fn a_layer_that_the_registry_holds_is_not_sent_again() {
    let server = Server::start();
    let docker = Docker::start();
    let [first, second] =
        ["one/app:1", "two/deeper/app:1"].map(|n| format!("{}/{n}", server.address()));
    docker.build_layered(&first);
    docker.run(&["tag", &first, &second]);

    let sent = docker.run(&["push", &first]);
    let sent_again = docker.run(&["push", &first]);
    let sent_elsewhere = docker.run(&["push", &second]);

    let layers = sent.matches(": Pushed").count();
    assert_eq!(layers, 4, "{sent}");
    assert_eq!(sent_again.matches(": Layer already exists").count(), layers, "{sent_again}");
    let spared = sent_elsewhere.matches(": Mounted from").count()
        + sent_elsewhere.matches(": Layer already exists").count();
    assert_eq!(spared, layers, "{sent_elsewhere}");
    docker.forget_all();
    docker.run(&["pull", &second]);
}

/// At once, without trying again, and pulls go on.
#[test]
fn docker_says_why_it_cannot_push_to_what_is_read_only() {
    let server = Server::start();
    let docker = Docker::start();
    let name = format!("{}/library/app:1", server.address());
    docker.build_layered(&name);
    docker.run(&["push", &name]);
    let read_only = |wish: &[&str]| {
        let mut command = Command::new(program());
        let words = ["admin", "--data", server.data().to_str().unwrap(), "read-only"];
        run(command.args(words).args(wish))
    };
    read_only(&["on", "--repository", "library/app", "--reason", "moving to another site"]);
    let other = format!("{}/library/app:2", server.address());
    docker.run(&["tag", &name, &other]);
    let said = docker.attempt(&["push", &other]).unwrap_err();
    let why = "the repository library/app is read-only for now: moving to another site";
    assert!(said.contains(why), "{said}");
    assert!(!said.contains("Retrying"), "{said}");
    docker.forget_all();
    docker.run(&["pull", &name]);
    read_only(&["off", "--repository", "library/app"]);
    docker.run(&["tag", &name, &other]);
    docker.run(&["push", &other]);
}

#[test]
fn docker_pulls_and_pushes_an_image_of_a_hundred_layers() {
    let server = Server::start();
    let docker = Docker::start();
    let tools = ContainerTools::new();
    let [first, second] = ["a/many:1", "b/many:1"].map(|n| format!("{}/{n}", server.address()));
    let folder = tools.path("many");
    let id = write_image_of_layers(&folder, 100);
    tools.copy(&[], &layout(&folder), &format!("docker://{first}"));

    docker.run(&["pull", "--quiet", &first]);
    docker.run(&["tag", &first, &second]);
    docker.run(&["push", "--quiet", &second]);
    docker.forget_all();
    docker.run(&["pull", "--quiet", &second]);

    assert_eq!(docker.image_id(&second), id);
    let layers = docker.run(&["image", "inspect", "--format", "{{len .RootFS.Layers}}", &second]);
    assert_eq!(layers, "100");
}

#[test]
fn docker_finds_its_own_platform_in_an_index() {
    let server = Server::start();
    let docker = Docker::start();
    let at = |tag: &str| format!("{}/multi/app:{tag}", server.address());
    docker.build_layered(&at("amd64"));
    docker.import_base(&at("arm64"));
    let native = docker.image_id(&at("amd64"));
    docker.run(&["push", "--quiet", &at("amd64")]);
    docker.run(&["push", "--quiet", &at("arm64")]);
    let [amd64, arm64, all] = ["amd64", "arm64", "all"].map(at);

    docker.run(&["manifest", "create", "--insecure", &all, &amd64, &arm64]);
    docker.run(&["manifest", "annotate", "--arch", "arm64", &all, &arm64]);
    let digest = docker.run(&["manifest", "push", "--insecure", &all]);
    docker.forget_all();
    docker.run(&["pull", &all]);

    assert_eq!(docker.image_id(&all), native);
    assert_eq!(docker.registry_digest(&all), digest);
}

#[test]
fn what_docker_pushed_podman_and_skopeo_pull_bit_for_bit() {
    let server = Server::start();
    let docker = Docker::start();
    let tools = ContainerTools::new();
    let name = format!("{}/shared/app:1", server.address());
    docker.build_layered(&name);
    docker.run(&["push", &name]);

    tools.podman(&["pull", "--quiet", "--tls-verify=false", &name]);
    let folder = TempDir::new().unwrap();
    let copied = format!("dir:{}", folder.path().display());
    tools.copy(&[], &format!("docker://{name}"), &copied);

    assert_eq!(format!("sha256:{}", tools.image_id(&name)), docker.image_id(&name));
    assert_eq!(tools.run_in(&name, &["busybox", "cat", "/greeting"]), "hello from a layer");
    let manifest = digest_of_file(&folder.path().join("manifest.json")).0;
    assert_eq!(manifest, docker.registry_digest(&name));
    assert_eq!(count_verified_blobs(folder.path()), 5);
}

#[test]
fn what_buildah_and_podman_pushed_docker_pulls() {
    let server = Server::start();
    let docker = Docker::start();
    let tools = ContainerTools::new();
    let [first, second] = ["b/app:1", "p/app:1"].map(|n| format!("{}/{n}", server.address()));
    tools.make_image("localhost/made:1", "amd64");
    tools.buildah(&[
        "push",
        "--quiet",
        "--tls-verify=false",
        "localhost/made:1",
        &format!("docker://{first}"),
    ]);
    tools.podman(&["push", "--quiet", "--tls-verify=false", "localhost/made:1", &second]);

    docker.run(&["pull", &first]);
    docker.run(&["pull", &second]);

    let made = format!("sha256:{}", tools.image_id("localhost/made:1"));
    assert_eq!(docker.image_id(&first), made);
    assert_eq!(docker.image_id(&second), made);
    let note = docker.run(&["run", "--rm", "--network=none", &first, "busybox", "cat", "/note"]);
    assert_eq!(note, "made for amd64");
}

/// Checks each blob in a `dir:` copy against its name, and counts them.
fn count_verified_blobs(folder: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.len() == 64 {
            assert_eq!(digest_of_file(&path).0, format!("sha256:{name}"));
            count += 1;
        }
    }
    count
}

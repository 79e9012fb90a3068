//! Real clients against three nodes behind nginx that share everything: blobs through the nodes, and by redirects.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use serde_json::Value;
use support::container_tools::{ContainerTools, layout};
use support::docker::Docker;
use support::engines::Shared;
use support::layout::{verified_blobs, write_image_of_layers};
use support::nodes::Nodes;
use support::program::wait_until;

const NODES: usize = 3;

/// Who carries blobs to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The nodes.
    Stream,
    /// The bucket, by signed URLs.
    Redirect,
}

/// Three nodes, and how they were told to deliver blobs.
struct Cluster {
    mode: Mode,
    nodes: Nodes,
}

/// The same test in both modes.
fn in_both_modes(test: impl Fn(&Cluster)) {
    for mode in [Mode::Stream, Mode::Redirect] {
        println!("{mode:?}");
        let name = if mode == Mode::Stream { "stream" } else { "redirect" };
        let shared = Shared::new()
            .with("WHARF_DELIVERY_MODE", name)
            .with("WHARF_DELIVERY_LEAST_SIZE", "0")
            .with("WHARF_LOG_ACCESS", "json");
        let cluster = Cluster { mode, nodes: Nodes::start(NODES, &shared.settings()) };
        test(&cluster);
        cluster.blobs_were_carried_as_told();
    }
}

impl Cluster {
    /// A name of an image behind nginx.
    fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.nodes.address())
    }

    /// The access logs of all nodes.
    fn asked(&self) -> Vec<Value> {
        let logs = (0..NODES).map(|index| self.nodes.node(index).log());
        let lines: Vec<String> = logs.flat_map(|log| lines_of(&log)).collect();
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Every node has answered pulls of blobs, and sent their bytes or none of them.
    fn blobs_were_carried_as_told(&self) {
        let pulls = |asked: &[Value]| -> Vec<(i64, i64)> {
            let of_blobs = asked.iter().filter(|line| {
                line["method"] == "GET" && line["path"].as_str().unwrap().contains("/blobs/sha256:")
            });
            of_blobs
                .map(|line| (line["status"].as_i64().unwrap(), line["bytes"].as_i64().unwrap()))
                .collect()
        };
        // A line is written after its reply has ended.
        wait_until("pulls of blobs are in the logs", Duration::from_secs(10), || {
            !pulls(&self.asked()).is_empty()
        });
        for (status, bytes) in pulls(&self.asked()) {
            match self.mode {
                Mode::Stream => assert!([200, 206].contains(&status) && bytes > 0, "{status}"),
                Mode::Redirect => assert_eq!((status, bytes), (307, 0)),
            }
        }
        for index in 0..NODES {
            let worked = !lines_of(&self.nodes.node(index).log()).is_empty();
            assert!(worked, "node {index} had its turn");
        }
    }
}

fn lines_of(log: &str) -> Vec<String> {
    log.lines()
        .filter(|line| line.starts_with("{\"time\"") && line.ends_with('}'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_docker_client_pulls_back_and_runs_what_it_pushed() {
    let mut docker = Docker::start();
    let clients = Docker::clients();
    let docker = std::cell::RefCell::new(&mut docker);
    in_both_modes(|cluster| {
        let mut docker = docker.borrow_mut();
        for (number, client) in clients.iter().enumerate() {
            docker.use_client(client);
            let name = cluster.at(&format!("client-{number}/app:1"));
            docker.build_layered(&name);
            docker.push_and_pull_back(&name);
            let check = ["busybox", "sha256sum", "-c", "/sums"];
            docker.run(&[&["run", "--rm", "--network=none", &name][..], &check].concat());
            docker.forget_all();
        }
    });
}

#[test]
fn docker_finds_its_platform_in_an_index_and_what_another_repository_holds_is_not_sent_again() {
    let docker = Docker::start();
    in_both_modes(|cluster| {
        let [amd64, arm64, all] =
            ["amd64", "arm64", "all"].map(|tag| cluster.at(&format!("multi/app:{tag}")));
        docker.build_layered(&amd64);
        docker.import_base(&arm64);
        let native = docker.image_id(&amd64);
        docker.run(&["push", "--quiet", &amd64]);
        docker.run(&["push", "--quiet", &arm64]);
        docker.run(&["manifest", "create", "--insecure", &all, &amd64, &arm64]);
        docker.run(&["manifest", "annotate", "--arch", "arm64", &all, &arm64]);
        let digest = docker.run(&["manifest", "push", "--insecure", "--purge", &all]);
        let elsewhere = cluster.at("other/app:1");
        docker.run(&["tag", &amd64, &elsewhere]);
        let sent = docker.run(&["push", &elsewhere]);
        assert_eq!(sent.matches(": Pushed").count(), 0, "{sent}");
        docker.forget_all();

        docker.run(&["pull", &all]);
        assert_eq!(docker.image_id(&all), native);
        assert_eq!(docker.registry_digest(&all), digest);
        docker.forget_all();
        docker.run(&["pull", &elsewhere]);
        assert_eq!(docker.image_id(&elsewhere), native);
        docker.forget_all();
    });
}

#[test]
fn podman_and_buildah_pull_back_images_and_each_platform_of_an_index() {
    in_both_modes(|cluster| {
        let tools = ContainerTools::new();
        let name = cluster.at("multi/app:1");
        let mut made = Vec::new();
        tools.buildah(&["manifest", "create", "localhost/all:1"]);
        for architecture in ["amd64", "arm64"] {
            let image = format!("localhost/{architecture}:1");
            tools.make_image(&image, architecture);
            tools.buildah(&["manifest", "add", "localhost/all:1", &image]);
            made.push((architecture, tools.image_id(&image)));
        }
        let single = cluster.at("team/app:1");
        tools.podman(&["push", "--quiet", "--tls-verify=false", "localhost/amd64:1", &single]);
        let place = format!("docker://{name}");
        let push = ["manifest", "push", "--all", "--tls-verify=false", "localhost/all:1", &place];
        tools.buildah(&push);
        tools.forget_all();

        for (architecture, id) in &made {
            tools.podman(&["pull", "--quiet", "--tls-verify=false", "--arch", architecture, &name]);
            assert_eq!(&tools.image_id(&name), id, "for {architecture}");
            tools.forget_all();
        }
        tools.buildah(&["pull", "--quiet", "--tls-verify=false", &single]);
        assert_eq!(tools.image_id(&single), made[0].1);
        assert_eq!(tools.run_in(&single, &["busybox", "cat", "/note"]), "made for amd64");
    });
}

#[test]
fn skopeo_gets_many_layers_bit_for_bit_and_a_deleted_tag_is_gone_on_every_node() {
    in_both_modes(|cluster| {
        let tools = ContainerTools::new();
        let repository = format!("docker://{}", cluster.at("some/deeper/name"));
        for (tag, layers) in [("many", 30), ("few", 3)] {
            let (sent, received) = (tools.path(tag), tools.path(&format!("{tag}-received")));
            write_image_of_layers(&sent, layers);
            let place = format!("{repository}:{tag}");
            tools.copy(&[], &layout(&sent), &place);
            tools.copy(&["--dest-oci-accept-uncompressed-layers"], &place, &layout(&received));
            let blobs = verified_blobs(&received);
            assert_eq!(blobs.len(), layers + 2, "layers, config and manifest");
            assert_eq!(blobs, verified_blobs(&sent));
        }
        assert_eq!(tools.tags(&repository), ["few", "many"]);

        let few = format!("{repository}:few");
        tools.skopeo(&["delete", "--tls-verify=false", &few]);

        for _ in 0..NODES {
            let said = tools.skopeo_fails(&["inspect", "--tls-verify=false", &few]);
            assert!(said.contains("manifest unknown"), "{said}");
            assert_eq!(tools.tags(&repository), ["many"]);
        }
    });
}

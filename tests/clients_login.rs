//! Real clients log in, and push and pull what is private: on one node with SQLite, and on three that share everything.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "identity/browser.rs"]
mod browser;
#[path = "access/cluster.rs"]
mod cluster;
#[path = "access/forging.rs"]
mod forging;
#[path = "access/house.rs"]
mod house;
#[path = "identity/provider.rs"]
mod provider;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use cluster::Cluster;
use house::{House, PASSWORD};
use provider::{device_token, providers};
use support::container_tools::{ContainerTools, layout};
use support::docker::Docker;
use support::program::wait_until;
use support::server::program;

/// A registry with people in it, of whatever kind.
struct Site<'a> {
    address: String,
    admin: &'a dyn Fn(&[&str]) -> String,
}

impl Site<'_> {
    fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// Everyone who may push to `team/…`: by a password, as a robot, by a personal token, and by the token of a device
    /// that somebody let in who logged in at an identity provider, whose group fills a team.
    fn logins(&self) -> [(&'static str, String); 4] {
        let robot = (self.admin)(&["robot", "team+ci"]);
        (self.admin)(&["grant", "team", "write", "--to", "robot:ci"]);
        let personal = (self.admin)(&["token", "ada", "--role", "write", "--on", "team/*"]);
        let registry = format!("http://{}", self.address);
        let (eve, device) = device_token(&registry, "basic", "eve:/devs");
        assert_eq!(eve, "eve");
        [("writer", PASSWORD.into()), ("team+ci", robot), ("ada", personal), ("eve", device)]
    }
}

/// The same test on both.
fn on_both(test: impl Fn(&Site<'_>)) {
    println!("alone");
    let providers = providers();
    let settings: Vec<_> = providers.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let house = House::start_with(&settings);
    devs(&|arguments| house.admin(arguments));
    test(&Site { address: house.server.address(), admin: &|arguments| house.admin(arguments) });
    drop(house);
    println!("three nodes");
    let cluster = Cluster::start(&settings);
    devs(&|arguments| cluster.admin(arguments));
    let address = cluster.nodes.address();
    test(&Site { address, admin: &|arguments| cluster.admin(arguments) });
}

/// A team of `team` that a group of the identity provider fills, and that may push.
fn devs(admin: &dyn Fn(&[&str]) -> String) {
    admin(&["team", "team", "devs"]);
    admin(&["groups", "team", "devs", "--add", "basic=/devs"]);
    admin(&["grant", "team", "write", "--to", "team:devs"]);
}

#[test]
fn every_docker_client_logs_in_and_finds_what_is_private() {
    let docker = std::cell::RefCell::new(Docker::start());
    on_both(|site| {
        for client in Docker::clients() {
            docker.borrow_mut().use_client(&client);
            docker_logs_in(site, &docker.borrow());
        }
    });
}

fn docker_logs_in(site: &Site<'_>, docker: &Docker) {
    let (address, other) = (site.address.as_str(), site.at("team/other:1"));
    for (number, (user, secret)) in site.logins().iter().enumerate() {
        let name = site.at(&format!("team/docker-{number}:1"));
        docker.import_base(&name);
        docker.login(address, user, secret).unwrap();
        docker.push_and_pull_back(&name);
        docker.run(&["logout", address]);

        // Without a login it is not there, as what never was.
        let said = docker.attempt(&["pull", &name]).unwrap_err();
        let absent = docker.attempt(&["pull", &other]).unwrap_err();
        assert_eq!(of(&said, &name), of(&absent, &other));
        docker.forget_all();
    }
    for (user, secret) in [("writer", "wrong"), ("nobody", PASSWORD), ("team+ci", PASSWORD)] {
        let said = docker.login(address, user, secret).unwrap_err();
        assert!(said.contains("unauthorized") || said.contains("401"), "{user}: {said}");
    }
    // Somebody else is logged in, and finds as little.
    let private = site.at("team/docker-0:1");
    docker.login(address, "bob", PASSWORD).unwrap();
    let said = docker.attempt(&["pull", &private]).unwrap_err();
    let absent = docker.attempt(&["pull", &other]).unwrap_err();
    assert_eq!(of(&said, &private), of(&absent, &other));
    docker.import_base(&private);
    docker.attempt(&["push", &private]).unwrap_err();
    let own = site.at("bob/app:1");
    docker.run(&["tag", &private, &own]);
    docker.push_and_pull_back(&own);
    docker.run(&["logout", address]);
    docker.forget_all();
}

#[test]
fn docker_and_wharf_find_each_others_logins() {
    let house = House::start();
    let mut docker = Docker::start();
    let (address, name) =
        (house.server.address(), format!("{}/team/app:1", house.server.address()));
    for client in Docker::clients() {
        docker.use_client(&client);
        let wharf = |words: &[&str], input: &str| {
            let mut command = Command::new(program());
            command.args(words).env("DOCKER_CONFIG", docker.config());
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            (output.status.success(), String::from_utf8(output.stdout).unwrap())
        };
        docker.login(&address, "writer", PASSWORD).unwrap();
        let listing = ["ls", &format!("{address}/team/private")];
        assert_eq!(wharf(&listing, ""), (true, "v1\n".to_owned()));
        docker.run(&["logout", &address]);
        assert!(!wharf(&listing, "").0, "docker has forgotten the login");

        assert!(wharf(&["login", &address, "-u", "writer", "--password-stdin"], PASSWORD).0);
        docker.import_base(&name);
        docker.push_and_pull_back(&name);
        assert!(wharf(&["logout"], "").0);
        docker.attempt(&["pull", &name]).unwrap_err();
        docker.forget_all();
    }
}

/// Each shows what the registry says, once, and gives up.
#[test]
fn every_client_tells_which_policy_keeps_a_tag() {
    let house = House::start_with(&[("WHARF_LOG_ACCESS", "json")]);
    let policy = r#"{"name":"releases","patterns":["v*"]}"#;
    let path = "/namespaces/team/immutability";
    let made = house.manage("ada", ureq::http::Method::POST, path, Some(policy));
    assert_eq!(made.status, 201, "{}", made.text());
    let (address, name) =
        (house.server.address(), format!("{}/team/private:v1", house.server.address()));
    let why = r#"by policy "releases" of namespace team"#;
    let mut docker = Docker::start();
    let clients = Docker::clients();
    for client in &clients {
        docker.use_client(client);
        docker.import_base(&name);
        docker.login(&address, "writer", PASSWORD).unwrap();
        let said = docker.attempt(&["push", &name]).unwrap_err();
        assert!(said.contains(why), "{}: {said}", client.display());
        docker.run(&["logout", &address]);
        docker.forget_all();
    }
    let tools = ContainerTools::new();
    tools.make_image("localhost/made:1", "amd64");
    tools.login("skopeo", &address, "writer", PASSWORD).unwrap();
    let made = tools.path("made");
    tools.buildah(&["push", "--quiet", "localhost/made:1", &layout(&made)]);
    let place = format!("docker://{name}");
    let said = tools.skopeo_fails(&["copy", "--dest-tls-verify=false", &layout(&made), &place]);
    assert!(said.contains(why) || said.contains(&why.replace('"', "\\\"")), "{said}");
    // The log is written a little later.
    let refused = || house.server.log().matches(r#""status":409"#).count();
    let all = clients.len() + 1;
    wait_until("each refusal is logged", Duration::from_secs(30), || refused() >= all);
    assert_eq!(refused(), all, "{}", house.server.log());
}

/// What a client said of an image, without what names it: the command, the image, the tag.
fn of(said: &str, name: &str) -> String {
    let (repository, _) = name.rsplit_once(':').unwrap();
    let path = repository.split_once('/').unwrap().1;
    said.replace(name, "NAME").replace(repository, "NAME").replace(path, "NAME")
}

#[test]
fn podman_buildah_and_skopeo_log_in_and_find_what_is_private() {
    on_both(|site| {
        let tools = ContainerTools::new();
        let address = site.address.as_str();
        let made = "localhost/made:1";
        tools.make_image(made, "amd64");
        let id = tools.image_id(made);
        let other = site.at("team/other:1");
        let all = ["podman", "buildah", "skopeo", "skopeo"];
        for (tool, (user, secret)) in all.iter().zip(site.logins()) {
            let repository = format!("team/{tool}-{}", user.replace('+', "-"));
            let name = site.at(&format!("{repository}:1"));
            let place = format!("docker://{name}");
            assert!(!tools.skopeo_fails(&["inspect", "--tls-verify=false", &place]).is_empty());

            tools.login(tool, address, user, &secret).unwrap();
            match *tool {
                "podman" => tools.podman(&["push", "--quiet", "--tls-verify=false", made, &name]),
                "buildah" => {
                    tools.buildah(&["push", "--quiet", "--tls-verify=false", made, &place])
                }
                _ => {
                    let from = format!("docker://{}", site.at("team/podman-writer:1"));
                    tools.copy(&[], &from, &place);
                    String::new()
                }
            };
            assert_eq!(tools.tags(&format!("docker://{}", site.at(&repository))), ["1"]);
            tools.podman(&["pull", "--quiet", "--tls-verify=false", &name]);
            assert_eq!(tools.image_id(&name), id, "{tool}");
            tools.podman(&["rmi", &name]);
            tools.logout(tool, address);

            assert_eq!(of(&tools.pull_fails(&name), &name), of(&tools.pull_fails(&other), &other));
            for (user, secret) in [(user, "wrong"), ("nobody", PASSWORD)] {
                let said = tools.login(tool, address, user, secret).unwrap_err();
                assert!(said.contains("invalid username/password"), "{tool} {user}: {said}");
            }
            tools.login(tool, address, "bob", PASSWORD).unwrap();
            assert_eq!(of(&tools.pull_fails(&name), &name), of(&tools.pull_fails(&other), &other));
            tools.logout(tool, address);
        }
    });
}

//! A Docker engine for one test: its own daemon, folders, socket and mounts, ended on drop.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::images;
use super::program::{self, all_on_path, attempt, missing, run};

/// A running `dockerd` (which runs its own containerd) and one client that speaks to it.
pub struct Docker {
    daemon: Child,
    folder: TempDir,
    client: PathBuf,
}

impl Docker {
    /// Starts a daemon without bridge and firewall, and waits until it answers.
    pub fn start() -> Docker {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        let log = File::create(at("log")).unwrap();
        let daemon = Command::new("dockerd")
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
            .arg("--data-root")
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("pid"))
            .arg("--host")
            .arg(format!("unix://{}", at("socket").display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}", missing("dockerd", &error)));
        let client = Docker::clients().remove(0);
        let mut docker = Docker { daemon, folder, client };
        program::wait_until("dockerd answers", Duration::from_secs(60), || {
            if let Some(status) = docker.daemon.try_wait().unwrap() {
                panic!("dockerd ended ({status}):\n{}", docker.log());
            }
            docker.attempt(&["version"]).is_ok()
        });
        docker
    }

    /// Every Docker client on this machine; versions differ in how they push and pull.
    pub fn clients() -> Vec<PathBuf> {
        let found = all_on_path("docker");
        assert!(!found.is_empty(), "no docker client; ./test installs what is missing");
        found
    }

    /// Speaks through this client from now on.
    pub fn use_client(&mut self, client: &Path) {
        self.client = client.to_owned();
    }

    /// Where the client keeps its logins.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.client);
        command
            .env("DOCKER_HOST", format!("unix://{}", self.folder.path().join("socket").display()))
            .env("DOCKER_CONFIG", self.config())
            // The builder that the daemon brings; the other one is a plugin that Debian lacks.
            .env("DOCKER_BUILDKIT", "0")
            .args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> String {
        run(&mut self.command(arguments))
    }

    pub fn attempt(&self, arguments: &[&str]) -> Result<String, String> {
        attempt(&mut self.command(arguments))
    }

    /// Logs in at a registry; what the client says if it is refused.
    pub fn login(&self, registry: &str, user: &str, secret: &str) -> Result<String, String> {
        self.attempt(&["login", "--username", user, "--password", secret, registry])
    }

    /// Imports the root file system under this name.
    pub fn import_base(&self, name: &str) -> String {
        self.run(&["import", images::root_file_system().to_str().unwrap(), name])
    }

    /// Builds the layered image under this name over an imported base.
    pub fn build_layered(&self, name: &str) -> String {
        self.import_base("base:1");
        let context = self.folder.path().join("context");
        images::layered_context(&context, "base:1");
        self.run(&["build", "--quiet", "--network=none", "-t", name, context.to_str().unwrap()])
    }

    /// The image id: the digest of the config, and through it of every layer's content.
    pub fn image_id(&self, name: &str) -> String {
        self.run(&["image", "inspect", "--format", "{{.Id}}", name])
    }

    /// The digest under which the registry knows the image.
    pub fn registry_digest(&self, name: &str) -> String {
        let known = self.run(&["image", "inspect", "--format", "{{index .RepoDigests 0}}", name]);
        known.split_once('@').unwrap().1.to_owned()
    }

    /// Pushes an image, forgets it with all others and pulls it back: it is the same.
    pub fn push_and_pull_back(&self, name: &str) {
        let built = self.image_id(name);
        self.run(&["push", name]);
        let pushed = self.registry_digest(name);
        self.forget_all();
        self.run(&["pull", name]);
        assert_eq!(self.image_id(name), built);
        assert_eq!(self.registry_digest(name), pushed);
    }

    /// Removes every image, so that the next pull fetches everything.
    pub fn forget_all(&self) {
        self.run(&["image", "prune", "--all", "--force"]);
        assert_eq!(self.run(&["images", "--all", "--quiet"]), "");
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        program::end(&mut self.daemon, Duration::from_secs(30));
        unmount_below(self.folder.path());
        if std::thread::panicking() {
            let log = self.log();
            let errors = log.lines().filter(|line| line.contains("level=error"));
            eprintln!("dockerd's errors:\n{}", errors.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// Unmounts whatever is still mounted below a folder that is about to be removed.
pub fn unmount_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(Path::new);
    let mut below: Vec<&Path> = points.filter(|point| point.starts_with(folder)).collect();
    below.sort_by_key(|point| std::cmp::Reverse(point.components().count()));
    for point in below {
        let _ = Command::new("umount").arg("--lazy").arg(point).status();
    }
}

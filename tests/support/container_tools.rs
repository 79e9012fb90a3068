//! Podman, Buildah and Skopeo with a storage of their own, cleaned on drop.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::docker::unmount_below;
use super::images;
use super::program::{attempt, run};

/// The three tools over one fresh image storage that nobody else sees.
pub struct ContainerTools {
    folder: TempDir,
}

impl ContainerTools {
    pub fn new() -> ContainerTools {
        let tools = ContainerTools { folder: TempDir::new().unwrap() };
        std::fs::write(tools.path("auth.json"), "{}").unwrap();
        tools
    }

    /// A path of this name in the tools' own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// One of the tools, which keeps logins in a file of its own here.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("REGISTRY_AUTH_FILE", self.path("auth.json"));
        command
    }

    fn over_storage(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.command(program);
        command
            .arg("--root")
            .arg(self.path("root"))
            .arg("--runroot")
            .arg(self.path("run"))
            // The one driver that works on every file system.
            .args(["--storage-driver", "vfs"])
            .args(arguments);
        command
    }

    pub fn podman(&self, arguments: &[&str]) -> String {
        run(&mut self.over_storage("podman", arguments))
    }

    pub fn buildah(&self, arguments: &[&str]) -> String {
        run(&mut self.over_storage("buildah", arguments))
    }

    pub fn skopeo(&self, arguments: &[&str]) -> String {
        run(self.command("skopeo").args(arguments))
    }

    pub fn skopeo_fails(&self, arguments: &[&str]) -> String {
        attempt(self.command("skopeo").args(arguments)).expect_err("this skopeo call must fail")
    }

    /// Logs one of the tools in at a registry, for all of them; what it says if it is refused.
    pub fn login(
        &self,
        tool: &str,
        registry: &str,
        user: &str,
        secret: &str,
    ) -> Result<String, String> {
        let login = ["login", "--tls-verify=false", "-u", user, "-p", secret, registry];
        attempt(self.command(tool).args(login))
    }

    pub fn logout(&self, tool: &str, registry: &str) {
        run(self.command(tool).args(["logout", registry]));
    }

    /// What Podman says when it cannot pull.
    pub fn pull_fails(&self, name: &str) -> String {
        let pull = ["pull", "--quiet", "--tls-verify=false", name];
        attempt(&mut self.over_storage("podman", &pull)).expect_err("this pull must fail")
    }

    /// `skopeo copy` between plain-HTTP registries and folders, every digest kept.
    pub fn copy(&self, options: &[&str], from: &str, to: &str) {
        let always = [
            "copy",
            "--quiet",
            "--preserve-digests",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
        ];
        self.skopeo(&[&always, options, &[from, to]].concat());
    }

    /// The manifest's exact bytes as Skopeo sees them.
    pub fn raw_manifest(&self, reference: &str) -> String {
        self.skopeo(&["inspect", "--raw", "--tls-verify=false", reference])
    }

    /// The digest of what a reference names, as Skopeo computes it.
    pub fn manifest_digest(&self, reference: &str) -> String {
        let file = self.path("manifest");
        std::fs::write(&file, self.raw_manifest(reference)).unwrap();
        self.skopeo(&["manifest-digest", file.to_str().unwrap()])
    }

    pub fn tags(&self, repository: &str) -> Vec<String> {
        let listed = self.skopeo(&["list-tags", "--tls-verify=false", repository]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let tags = listed["Tags"].as_array().unwrap().iter();
        tags.map(|tag| tag.as_str().unwrap().to_owned()).collect()
    }

    /// Makes an image of two layers for this architecture; the base can run a shell.
    pub fn make_image(&self, name: &str, architecture: &str) {
        let container = self.buildah(&["from", "--arch", architecture, "scratch"]);
        let base = images::root_file_system().to_str().unwrap();
        self.buildah(&["add", "--quiet", &container, base, "/"]);
        self.buildah(&["config", "--arch", architecture, "--cmd", "/bin/sh", &container]);
        self.buildah(&["commit", "--quiet", &container, "localhost/first:1"]);
        self.buildah(&["rm", &container]);
        let container = self.buildah(&["from", "--arch", architecture, "localhost/first:1"]);
        let note = self.path("note");
        std::fs::write(&note, format!("made for {architecture}\n")).unwrap();
        self.buildah(&["add", "--quiet", &container, note.to_str().unwrap(), "/note"]);
        self.buildah(&["commit", "--quiet", "--rm", &container, name]);
    }

    pub fn image_id(&self, name: &str) -> String {
        self.podman(&["image", "inspect", "--format", "{{.Id}}", name])
    }

    /// Removes every image, so that the next pull fetches everything.
    pub fn forget_all(&self) {
        self.podman(&["rmi", "--all", "--force"]);
        assert_eq!(self.podman(&["images", "--all", "--quiet"]), "");
    }

    /// Runs a command in a container of this image, without a network.
    pub fn run_in(&self, image: &str, command: &[&str]) -> String {
        // Limits are stated because the default ones may exceed what this process may grant.
        let options =
            ["--rm", "--network=none", "--ulimit=nofile=1000:1000", "--ulimit=nproc=1000:1000"];
        let start = ["--log-level=error", "--runtime=runc", "--cgroup-manager=cgroupfs", "run"];
        self.podman(&[&start, &options[..], &[image], command].concat())
    }
}

impl Drop for ContainerTools {
    fn drop(&mut self) {
        unmount_below(self.folder.path());
    }
}

/// `oci:` and the folder, as Skopeo names an image layout.
pub fn layout(folder: &Path) -> String {
    format!("oci:{}:latest", folder.display())
}

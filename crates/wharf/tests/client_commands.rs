//! `wharf push`, `pull`, `copy`, `ls` and `inspect` against `wharf serve`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod client_images;
mod config_process;

use std::fs;
use std::path::Path;

use client_images::{write_docker_save, write_layout};
use config_process::{Server, run, wharf};
use serde_json::Value;
use tempfile::TempDir;
use wharf_oci::{Algorithm, Hasher};

/// A server, a folder to work in, and the address of the one from the other.
struct Work {
    folder: TempDir,
    host: String,
    _server: Server,
}

impl Work {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let serve = ["serve", "--open", "--listen", "127.0.0.1:0", "--data", "data"];
        let server = Server::start(&mut wharf(folder.path(), &serve));
        let (_, rest) = server.greeting.split_once("http://").unwrap();
        let host = rest.lines().next().unwrap().to_owned();
        Self { folder, host, _server: server }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `wharf` with these words, `HOST` replaced. Returns the exit code, stdout and stderr, `HOST` put back.
    fn wharf(&self, line: &str) -> (i32, String, String) {
        let words: Vec<String> =
            line.split(' ').map(|word| word.replace("HOST", &self.host)).collect();
        let mut command = wharf(self.path(), &words);
        command.env("DOCKER_CONFIG", self.path().join("no-docker"));
        let (code, out, err) = run(&mut command);
        (code, out.replace(&self.host, "HOST"), err.replace(&self.host, "HOST"))
    }

    /// The same, for what must succeed. Returns stdout.
    fn done(&self, line: &str) -> String {
        let (code, out, err) = self.wharf(line);
        assert_eq!(code, 0, "{line}: {err}");
        out
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.done(line)).unwrap()
    }

    /// The same, for what must fail. Returns the exit code and stderr's last line.
    fn failed(&self, line: &str) -> (i32, String) {
        let (code, _, err) = self.wharf(line);
        let lines: Vec<&str> = err
            .lines()
            .filter(|line| line.starts_with("wharf: ") || line.starts_with("error: "))
            .collect();
        (code, lines.last().unwrap().to_string())
    }

    fn layout(&self) -> (String, String) {
        fs::create_dir(self.path().join("layout")).unwrap();
        write_layout(&self.path().join("layout"))
    }
}

/// The names of the blobs in a layout, all of which have the digest that they are called by.
fn blobs(layout: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
        let (name, bytes) =
            (entry.as_ref().unwrap().file_name(), fs::read(entry.unwrap().path()).unwrap());
        assert_eq!(name.to_str().unwrap(), Hasher::digest(Algorithm::Sha256, &bytes).hex());
        names.push(name.into_string().unwrap());
    }
    names.sort();
    names
}

#[test]
fn a_layout_is_pushed_listed_and_pulled_again() {
    let work = Work::new();
    let (index, _) = work.layout();
    let pushed = work.done("push layout HOST/team/app:v1 --tag latest --referrers");
    assert_eq!(pushed, format!("HOST/team/app:v1@{index}\nHOST/team/app:latest@{index}\n"));
    assert_eq!(work.done("ls HOST"), "team/app\n");
    assert_eq!(work.done("ls HOST/team/app"), "latest\nv1\n");
    assert_eq!(work.done("ls HOST/team/app --json"), "[\"latest\",\"v1\"]\n");
    let pulled = work.done("pull HOST/team/app:v1 --referrers");
    assert_eq!(pulled, format!("./app:v1@{index}\n"));
    assert_eq!(blobs(&work.path().join("app")), blobs(&work.path().join("layout")));
    work.done("pull HOST/team/app:v1 image.tar --referrers");
    assert_eq!(work.done("push image.tar HOST/other/app"), format!("HOST/other/app:v1@{index}\n"));
    let (_, _, err) = work.wharf("push image.tar HOST/other/app");
    assert!(err.contains("already there") && !err.contains("copied"), "{err}");
}

#[test]
fn a_copy_within_a_registry_moves_no_bytes() {
    let work = Work::new();
    let (index, signature) = work.layout();
    work.done("push layout HOST/team/app --referrers");
    let copied = work.json("copy HOST/team/app:v1 HOST/team/copy:v2 --referrers --json");
    assert_eq!(copied["digest"], index.as_str());
    assert_eq!(copied["tags"], serde_json::json!(["v2"]));
    assert_eq!(copied["blobs"]["copied"], 0);
    let inspected = work.json("inspect HOST/team/copy:v2 --json");
    assert_eq!(inspected["referrers"][0]["digest"], signature.as_str());
    assert_eq!(inspected["manifests"][1]["platform"]["architecture"], "arm64");
}

#[test]
fn one_platform_is_pulled_and_inspected() {
    let work = Work::new();
    work.layout();
    work.done("push layout HOST/team/app");
    let pulled = work.json("pull HOST/team/app:v1 one --platform linux/arm64 --json");
    assert_eq!(pulled["manifests"], 1);
    work.done("push one HOST/team/one:arm");
    let text = work.done("inspect HOST/team/one:arm");
    for part in ["platform     linux/arm64", "10 B in all", "org.example.arch = arm64"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (code, error) = work.failed("pull HOST/team/app:v1 two --platform linux/s390x");
    assert_eq!(code, 1);
    let expected = "wharf: HOST/team/app has no image for linux/s390x; its platforms are: linux/amd64, linux/arm64";
    assert_eq!(error, expected);
    assert!(!work.path().join("two").exists());
}

#[test]
fn what_docker_saves_is_pushed_with_its_configuration() {
    let work = Work::new();
    let configs = write_docker_save(&work.path().join("saved.tar"));
    let (code, error) = work.failed("push saved.tar HOST/team/app");
    let expected = "wharf: saved.tar has several images; name one of them: example/app:1.0, example/app:2.0; \
                    say which with --image NAME, or push all with --all-tags";
    assert_eq!((code, error.as_str()), (1, expected));
    work.done("push saved.tar HOST/team/app --image example/app:2.0");
    assert_eq!(work.done("ls HOST/team/app"), "2.0\n");
    work.done("push saved.tar HOST/team/app --all-tags");
    assert_eq!(work.done("ls HOST/team/app"), "1.0\n2.0\n");
    for (tag, config) in ["1.0", "2.0"].iter().zip(configs) {
        let inspected = work.json(&format!("inspect HOST/team/app:{tag} --json"));
        let digest = Hasher::digest(Algorithm::Sha256, &config).to_string();
        assert_eq!(inspected["config"]["digest"], digest.as_str());
        assert_eq!(
            inspected["layers"][0]["mediaType"],
            "application/vnd.oci.image.layer.v1.tar+gzip"
        );
    }
}

#[test]
fn what_cannot_be_done_is_an_error_of_one_line() {
    let work = Work::new();
    work.layout();
    let cases = [
        ("pull HOST/team/app:v9 x", 1, "wharf: v9 is not in HOST/team/app"),
        (
            "ls HOST/team/none",
            1,
            "wharf: the list of tags is not in HOST/team/none; check the repository's name",
        ),
        (
            "push nothing.tar HOST/a/b",
            1,
            "wharf: nothing.tar: No such file or directory (os error 2)",
        ),
        (
            "push data HOST/a/b",
            1,
            "wharf: data has no file `oci-layout`, so it is no OCI image layout",
        ),
        (
            "ls HOST/team/app:v1",
            1,
            "wharf: HOST/team/app:v1 is one image; look at it with `wharf inspect HOST/team/app:v1`",
        ),
    ];
    for (line, code, expected) in cases {
        assert_eq!(work.failed(line), (code, expected.to_owned()), "{line}");
    }
    for line in [
        "push layout team/app",
        "pull HOST x",
        "push layout HOST/Team/App",
        "ls",
        "copy HOST/a/b:c",
    ] {
        assert_eq!(work.wharf(line).0, 2, "{line}");
    }
    let (code, error) = work.failed("ls 127.0.0.1:1");
    assert_eq!(code, 1);
    assert!(error.ends_with("check the host, its port, and that the registry runs"), "{error}");
    let (code, error) = work.failed("ls HOST --username ann --password-stdin");
    assert_eq!(
        (code, error.as_str()),
        (1, "wharf: the password cannot be read: the standard input is empty")
    );
}

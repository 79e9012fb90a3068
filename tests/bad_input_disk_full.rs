//! A full disk: what does not fit is refused with 507, leaves nothing behind, and what fits is taken afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::program::{attempt, wait_until};
use support::random::Random;
use support::registry::digest;
use support::server::Server;
use tempfile::TempDir;

/// Room for the database and a few small blobs, in MiB.
const ROOM: usize = 12;

/// A file system of its own with this much room, unmounted on drop.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// `None` where this process may not mount, which in CI is a failure.
    fn mount() -> Option<SmallDisk> {
        let folder = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={ROOM}m"), "wharf-test"])
            .arg(folder.path());
        match attempt(&mut mount) {
            Ok(_) => Some(SmallDisk { folder }),
            Err(said) if std::env::var("CI").is_ok_and(|value| value == "true") => panic!("{said}"),
            Err(said) => {
                eprintln!("not tested, because nothing can be mounted here: {said}");
                None
            }
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}

#[test]
fn a_blob_that_does_not_fit_is_refused_leaves_nothing_and_a_small_one_is_taken_later() {
    let Some(disk) = SmallDisk::mount() else { return };
    let server = Server::start_in(&disk.data());
    let registry = server.registry();
    assert_eq!(registry.push_blob("app", b"before").unwrap().status, 201);
    let before = files(server.data());
    let large = Random::seeded(1).bytes(ROOM << 20);

    for push in [Push::Whole, Push::InOne, Push::InChunks] {
        let reply = push.send(&server, &large);
        assert_eq!((reply.0, reply.1.as_str()), (507, "UNAVAILABLE"), "{push:?}: {}", reply.2);
        assert_eq!(reply.2, "the registry has no room left", "{push:?}");
        wait_until("nothing is left of it", Duration::from_secs(30), || {
            files(server.data()) == before
        });
    }

    assert_eq!(registry.push_blob("app", b"after").unwrap().status, 201);
    for small in [&b"before"[..], b"after"] {
        assert_eq!(registry.blob("app", &digest(small)).unwrap().body, small);
    }
    assert_eq!(registry.get("/readyz").unwrap().status, 200);
}

/// How the blob that does not fit is sent.
#[derive(Clone, Copy, Debug)]
enum Push {
    /// With `POST` and `PUT`.
    Whole,
    /// With one `POST`.
    InOne,
    /// With `PATCH` after `PATCH`.
    InChunks,
}

impl Push {
    /// Status, code and message of the reply that says that it does not fit.
    fn send(self, server: &Server, bytes: &[u8]) -> (u16, String, String) {
        use ureq::http::Method;
        let registry = server.registry();
        let reply = match self {
            Push::Whole => registry.push_blob("app", bytes).unwrap(),
            Push::InOne => {
                let target = format!("/v2/app/blobs/uploads/?digest={}", digest(bytes));
                registry.send(Method::POST, &target, &[], Some(bytes)).unwrap()
            }
            Push::InChunks => {
                let place = registry.open_upload("app").unwrap();
                let mut chunks = bytes.chunks(1 << 20);
                loop {
                    let chunk = chunks.next().expect("not all of it fits");
                    let reply = registry.send(Method::PATCH, &place, &[], Some(chunk)).unwrap();
                    if reply.status != 202 {
                        break reply;
                    }
                }
            }
        };
        let error = &reply.json()["errors"][0];
        let text = |name: &str| error[name].as_str().unwrap().to_owned();
        (reply.status, text("code"), text("message"))
    }
}

/// The files of the blobs, with their sizes.
fn files(data: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut folders = vec![data.join("blobs/objects"), data.join("blobs/staging")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            // A file may go away while it is looked at.
            match entry.metadata() {
                Ok(about) if about.is_dir() => folders.push(entry.path()),
                Ok(about) => all.push(format!("{} {}", entry.path().display(), about.len())),
                Err(_) => {}
            }
        }
    }
    all.sort();
    all
}

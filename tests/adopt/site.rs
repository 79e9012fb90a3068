//! Two registries beside each other: the one that is taken over, and Wharf, with its command.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::docker_registry::{DockerRegistry, Storage};
use crate::support::engines::Shared;
use crate::support::program::{attempt, run};
use crate::support::registry::Registry;
use crate::support::server::{Process, Server, program};

/// The bucket of the registries that are taken over, which the service makes by itself.
const BUCKET: &str = "wharf-adopt";

/// Where the registry that is taken over has its store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Old {
    Files,
    Bucket,
}

/// What Wharf stands on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// SQLite and files.
    Embedded,
    /// PostgreSQL, a bucket and Redis; blobs are delivered by redirects where the other store is a bucket too.
    Shared,
}

pub struct Site {
    pub old: DockerRegistry,
    pub wharf: Option<Server>,
    /// The other registry's folder, where it has one.
    pub old_folder: PathBuf,
    settings: Vec<(String, String)>,
    folder: TempDir,
}

impl Site {
    /// Starts the other registry, and nothing of Wharf yet.
    pub fn new(old: Old, own: Own) -> Site {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = TempDir::new().unwrap();
        let old_folder = folder.path().join("old");
        fs::create_dir(&old_folder).unwrap();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("old-{}-{number}", std::process::id());
        let shared = (old == Old::Bucket || own == Own::Shared).then(Shared::new);
        let storage = match (&shared, old) {
            (Some(shared), Old::Bucket) => Storage::bucket(shared, BUCKET, &prefix),
            _ => Storage::folder(&old_folder),
        };
        let adopted = match old {
            Old::Files => format!("file://{}", old_folder.display()),
            Old::Bucket => format!("s3://{BUCKET}/{prefix}"),
        };
        let mut settings = vec![("WHARF_BLOBS_ADOPTED".to_owned(), adopted)];
        for (name, text) in shared.iter().flat_map(Shared::settings) {
            if own == Own::Shared || name.starts_with("AWS_") {
                settings.push((name.to_owned(), text.to_owned()));
            }
        }
        if own == Own::Shared && old == Old::Bucket {
            settings.push(("WHARF_DELIVERY_MODE".to_owned(), "redirect".to_owned()));
        }
        let old = DockerRegistry::start(&folder.path().join("registry"), &storage);
        Site { old, wharf: None, old_folder, settings, folder }
    }

    /// With another setting of Wharf.
    pub fn set(&mut self, name: &str, text: &str) {
        self.settings.push((name.to_owned(), text.to_owned()));
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn settings(&self) -> Vec<(&str, &str)> {
        self.settings.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
    }

    /// Starts Wharf.
    pub fn start(&mut self) {
        self.wharf = Some(Process::launch(&self.data(), &self.settings()).ready());
    }

    /// SIGKILL to Wharf.
    pub fn kill(&mut self) {
        self.wharf.take().unwrap().kill();
    }

    /// A client of Wharf.
    pub fn registry(&self) -> Registry {
        self.wharf.as_ref().unwrap().registry()
    }

    /// `wharf adopt`, with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("adopt").arg("--data").arg(self.data()).args(arguments);
        command.envs(self.settings());
        command
    }

    /// Runs it, and returns what it says: the objects of its lines.
    pub fn adopt(&self, arguments: &[&str]) -> Vec<Value> {
        lines(&run(self.command(arguments).arg("--json")))
    }

    /// Runs it where it is refused, and returns what it says.
    pub fn refused(&self, arguments: &[&str]) -> String {
        attempt(&mut self.command(arguments)).unwrap_err()
    }
}

pub fn lines(said: &str) -> Vec<Value> {
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// All files below a folder.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

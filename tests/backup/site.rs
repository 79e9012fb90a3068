//! A registry to back up or to restore into, and images that are compared byte by byte.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use crate::support::engines::Shared;
use crate::support::program::{attempt, run};
use crate::support::random::Random;
use crate::support::registry::{Registry, digest, image_manifest};
use crate::support::server::{Process, Server, program};

/// Where a registry keeps what it has.
pub struct Site {
    folder: TempDir,
    shared: Option<Shared>,
}

impl Site {
    /// SQLite and files, in a data folder that is not there yet.
    pub fn on_one_machine() -> Site {
        Site { folder: TempDir::new().unwrap(), shared: None }
    }

    /// A new database of PostgreSQL, an empty prefix of a bucket, and a Redis.
    pub fn in_a_cluster() -> Site {
        let shared = Shared::new().with("WHARF_DATABASE_MIGRATE", "true");
        Site { folder: TempDir::new().unwrap(), shared: Some(shared) }
    }

    /// The same with the bucket of another one.
    pub fn with_blobs_of(mut self, other: &Site) -> Site {
        let url = other.shared.as_ref().unwrap().get("WHARF_BLOBS_URL").to_owned();
        self.shared = self.shared.map(|shared| shared.with("WHARF_BLOBS_URL", &url));
        self
    }

    /// The same with this database of PostgreSQL's.
    pub fn with_database(mut self, url: &str) -> Site {
        let direct = "WHARF_DATABASE_DIRECT_URL";
        self.shared =
            self.shared.map(|shared| shared.with("WHARF_DATABASE_URL", url).with(direct, url));
        self
    }

    /// What the database answers.
    pub fn ask(&self, sql: &str) -> String {
        let url = self.shared.as_ref().unwrap().get("WHARF_DATABASE_DIRECT_URL");
        run(Command::new("psql").args(["--no-psqlrc", "--tuples-only", "-A", "-c", sql, url]))
    }

    /// The same with blobs in a folder.
    pub fn with_blobs_in(mut self, folder: &Path) -> Site {
        let url = format!("file://{}", folder.display());
        self.shared = self.shared.map(|shared| shared.with("WHARF_BLOBS_URL", &url));
        self
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn settings(&self) -> Vec<(&str, &str)> {
        self.shared.as_ref().map(Shared::settings).unwrap_or_default()
    }

    pub fn serve(&self) -> Server {
        Process::launch(&self.data(), &self.settings()).ready()
    }

    /// Runs `wharf admin` with these words: what it printed, or all that it said.
    pub fn admin(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(program());
        command.args(["admin", "--data"]).arg(self.data()).args(words).envs(self.settings());
        attempt(&mut command)
    }

    /// Loses all that is on the machine.
    pub fn wipe(&self) {
        let _ = std::fs::remove_dir_all(self.data());
    }

    /// The file of a blob in the data folder.
    pub fn blob_file(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let objects = self.data().join("blobs/objects/sha256");
        objects.join(&hex[..2]).join(&hex[2..4]).join(hex)
    }
}

/// An image that was acknowledged.
#[derive(Clone)]
pub struct Image {
    pub repository: String,
    pub tag: String,
    pub manifest: Vec<u8>,
    pub blobs: Vec<Vec<u8>>,
}

/// Pushes an image of a configuration and a layer that no other has.
pub fn push(registry: &Registry, repository: &str, tag: &str) -> Image {
    static SEED: AtomicU64 = AtomicU64::new(1);
    let mut random = Random::seeded(SEED.fetch_add(1, Ordering::Relaxed));
    let blobs = vec![random.bytes(300), random.bytes(70_000)];
    for blob in &blobs {
        let pushed = registry.push_blob(repository, blob).unwrap();
        assert_eq!(pushed.status, 201, "{}", pushed.text());
    }
    let named: Vec<_> = blobs.iter().map(|blob| (digest(blob), blob.len())).collect();
    let manifest = image_manifest(&named, tag);
    let pushed = registry.push_manifest(repository, tag, &[], &manifest).unwrap();
    assert_eq!(pushed.status, 201, "{}", pushed.text());
    Image { repository: repository.to_owned(), tag: tag.to_owned(), manifest, blobs }
}

/// That the registry gives exactly this image.
pub fn check(registry: &Registry, image: &Image) {
    let Image { repository, tag, manifest, blobs } = image;
    let found = registry.manifest(repository, tag).unwrap();
    assert_eq!(found.status, 200, "{repository}:{tag}: {}", found.text());
    assert!(found.body == *manifest, "{repository}:{tag} has another manifest");
    for blob in blobs {
        let found = registry.blob(repository, &digest(blob)).unwrap();
        assert!(found.status == 200 && found.body == *blob, "{repository}:{tag}");
    }
}

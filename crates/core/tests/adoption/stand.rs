//! A registry with another one's folder behind its own.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tempfile::TempDir;
use wharf_blobs::{AdoptedBlobs, FileBlobs, OldFolder};
use wharf_cache::MemoryCache;
use wharf_core::adoption::{Adopter, SliceEnd, rehearse};
use wharf_core::clock::SystemClock;
use wharf_core::metadata::{
    Adoption, AdoptionProgress, AdoptionState, Adoptions, Finding, StartAdoption, StartedAdoption,
};
use wharf_core::operation::{ListTags, Operation, PullBlob, PullManifest};
use wharf_core::permissions::{Caller, Everyone, Permitted, Principal};
use wharf_core::{Parts, PulledManifest, Registry, Result, Rules};
use wharf_metadata::{Database, Sqlite};
use wharf_oci::{Digest, NamePattern, Reference};

use crate::tree::Tree;

pub const SOURCE: &str = "file:///old";

pub struct Stand {
    pub tree: Tree,
    pub registry: Arc<Registry>,
    pub database: Arc<Database<Sqlite>>,
    old: Arc<OldFolder>,
    _folder: TempDir,
}

impl Stand {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let tree = Tree::new(&folder.path().join("old"));
        let old = Arc::new(OldFolder::open(&folder.path().join("old")).unwrap());
        let file = folder.path().join("metadata.db");
        let sqlite = Sqlite::open(&file, Arc::new(SystemClock)).unwrap();
        let database = Arc::new(Database::on_sqlite(sqlite));
        let own = Arc::new(FileBlobs::open(&folder.path().join("own")).unwrap());
        let parts = Parts::new(
            database.clone(),
            Arc::new(AdoptedBlobs::new(own, None, old.clone())),
            Arc::new(MemoryCache::new(16 << 20)),
            Arc::new(Everyone),
        );
        let rules = Rules { max_manifest_size: 64 << 10, ..Rules::default() };
        let registry = Arc::new(Registry::new(parts, rules));
        Self { tree, registry, database, old, _folder: folder }
    }

    /// What works on adoptions, in slices of that length.
    pub fn adopter(&self, slice: Duration) -> Adopter {
        Adopter {
            registry: self.registry.clone(),
            adoptions: self.database.clone(),
            store: self.old.clone(),
            source: SOURCE.to_owned(),
            bytes_per_second: 1 << 40,
            slice,
        }
    }

    pub async fn begin(&self, only: Option<&str>) -> Adoption {
        let repositories = only.map(|only| only.parse::<NamePattern>().unwrap());
        let start = StartAdoption { source: SOURCE.into(), repositories, by: "user:ada".into() };
        match self.database.start_adoption(start).await.unwrap() {
            StartedAdoption::Started(adoption) => adoption,
            StartedAdoption::Running(other) => panic!("{other:?} runs"),
        }
    }

    pub async fn last(&self) -> Adoption {
        self.database.last_adoption().await.unwrap().unwrap()
    }

    /// Adopts all, or only some, in one go.
    pub async fn adopt_only(&self, only: Option<&str>) -> AdoptionProgress {
        self.begin(only).await;
        let ended = self.adopter(Duration::from_secs(600)).work().await.unwrap();
        assert_eq!(ended, SliceEnd::Done);
        let last = self.last().await;
        assert_eq!(last.state, AdoptionState::Finished);
        last.progress
    }

    pub async fn adopt(&self) -> AdoptionProgress {
        self.adopt_only(None).await
    }

    /// What was left out, a line each.
    pub async fn left_out(&self) -> Vec<String> {
        let id = self.last().await.id;
        lines(self.database.list_findings(id, None, 1000).await.unwrap())
    }

    /// What a rehearsal tells.
    pub async fn rehearse(&self) -> (AdoptionProgress, Vec<String>) {
        let mut found = Vec::new();
        let limit = self.registry.rules().max_manifest_size;
        let rehearsed = rehearse(&*self.old, None, limit, |finding| found.push(finding)).await;
        found.sort();
        (rehearsed.unwrap(), lines(found))
    }

    async fn allowed<O: Operation>(&self, operation: O) -> Permitted<O> {
        self.registry.permit(Caller::new(Principal::Anonymous), operation).await.unwrap()
    }

    pub async fn manifest(&self, repository: &str, reference: &str) -> Result<PulledManifest> {
        let (repository, reference) =
            (repository.parse().unwrap(), reference.parse::<Reference>().unwrap());
        let operation = self.allowed(PullManifest { repository, reference }).await;
        self.registry.pull_manifest(&operation).await
    }

    pub async fn stands(&self, repository: &str, tag: &str) -> Option<Digest> {
        self.manifest(repository, tag).await.ok().map(|manifest| manifest.digest)
    }

    pub async fn blob(&self, repository: &str, digest: Digest) -> Result<Vec<u8>> {
        let repository = repository.parse().unwrap();
        let operation = self.allowed(PullBlob { repository, digest }).await;
        let held = self.registry.find_blob(&operation).await?;
        let content = self.registry.read_blob(&held, None, true).await?.unwrap();
        let pieces: Vec<_> = content.stream.map(std::result::Result::unwrap).collect().await;
        Ok(pieces.concat())
    }

    pub async fn tags(&self, repository: &str) -> Vec<String> {
        let repository = repository.parse().unwrap();
        let operation = self.allowed(ListTags { repository }).await;
        let listed = self.registry.list_tags(&operation, None, None).await;
        listed.map_or(Vec::new(), |tags| tags.items.iter().map(ToString::to_string).collect())
    }

    /// That the repository serves this image with its blobs, under each of the names.
    pub async fn serves(&self, repository: &str, digest: &Digest, tags: &[&str]) {
        let by_digest = self.manifest(repository, &digest.to_string()).await.unwrap();
        let written = std::fs::read(self.tree.path(&Tree::blob_name(digest))).unwrap();
        assert_eq!(by_digest.payload, written);
        for tag in tags {
            assert_eq!(self.manifest(repository, tag).await.unwrap(), by_digest, "{tag}");
        }
        let manifest = wharf_oci::Manifest::parse(&by_digest.payload, None).unwrap();
        for blob in manifest.blobs().filter(|blob| !blob.is_non_distributable()) {
            let written = std::fs::read(self.tree.path(&Tree::blob_name(&blob.digest))).unwrap();
            assert!(self.blob(repository, blob.digest).await.unwrap() == written);
        }
    }
}

fn lines(findings: Vec<Finding>) -> Vec<String> {
    let line = |it: Finding| format!("{}: {}: {}", it.repository, it.subject, it.reason);
    findings.into_iter().map(line).collect()
}

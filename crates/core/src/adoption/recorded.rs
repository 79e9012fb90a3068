//! The registry as a target: what is found becomes its own, and how far it came is recorded.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use wharf_oci::{Digest, Reference, RepositoryName, Tag};

use super::fault::{Fault, Piece, Stop, piece};
use super::hashing::{BlobHash, Pace};
use super::target::{Read, Tallied, Target};
use crate::StoreError;
use crate::actor::Actor;
use crate::blobs::ObjectKey;
use crate::cache::Kind;
use crate::clock::Timestamp;
use crate::metadata::{
    AdoptBlob, AdoptTag, Adoptable, AdoptedBlob, AdoptedTag, Adoption, Adoptions, CommitManifest,
    CommitOutcome, Finding, Precondition, RecordAdoption,
};
use crate::registry::Registry;

/// How often it is recorded how far it is, at least.
const INTERVAL: Duration = Duration::from_secs(2);

/// How many findings are recorded at once.
const BATCH: usize = 200;

/// How many blobs are remembered that are no good, so that none is hashed twice in a slice.
const MOST_BAD: usize = 100_000;

/// What works on an adoption for a while.
pub(super) struct Recorded<'a> {
    pub(super) registry: &'a Registry,
    adoptions: &'a Arc<dyn Adoptions>,
    adoption: Adoption,
    pace: Pace,
    /// When to let others go on, at a good place.
    until: Instant,
    recorded: Instant,
    /// Whether this slice came further than the one before.
    has_worked: bool,
    findings: Vec<Finding>,
    bad: HashSet<Digest>,
}

impl<'a> Recorded<'a> {
    pub(super) fn new(
        registry: &'a Registry,
        adoptions: &'a Arc<dyn Adoptions>,
        adoption: Adoption,
        bytes_per_second: u64,
        slice: Duration,
    ) -> Self {
        let (now, pace) = (Instant::now(), Pace::new(bytes_per_second));
        let (findings, bad) = (Vec::new(), HashSet::new());
        let until = now + slice;
        let has_worked = false;
        Self {
            registry,
            adoptions,
            adoption,
            pace,
            until,
            recorded: now,
            has_worked,
            findings,
            bad,
        }
    }

    /// How many repositories there are is known now.
    pub(super) async fn counted(&mut self, total: u64) -> Result<(), Stop> {
        self.adoption.progress.repositories_total = Some(total);
        self.record(false).await
    }

    /// Records how far it is, and whether that is all.
    pub(super) async fn record(&mut self, finished: bool) -> Result<(), Stop> {
        let Adoption { id, version, .. } = self.adoption;
        let progress = self.adoption.progress.clone();
        let findings = std::mem::take(&mut self.findings);
        let record = RecordAdoption { id, version, progress, findings, finished };
        let version = self.adoptions.record_adoption(record).await?;
        self.adoption.version = version.ok_or(Stop::Lost)?;
        self.recorded = Instant::now();
        Ok(())
    }

    async fn record_in_time(&mut self) -> Result<(), Stop> {
        if self.recorded.elapsed() >= INTERVAL || self.findings.len() >= BATCH {
            self.record(false).await?;
        }
        Ok(())
    }

    /// Records, and ends the slice where its time is over; not before it has come further, however long it took to
    /// find what is left to do.
    async fn rest(&mut self) -> Result<(), Stop> {
        if self.has_worked && Instant::now() >= self.until {
            self.record(false).await?;
            return Err(Stop::Slice);
        }
        self.record_in_time().await
    }

    /// Hashes the object and, where its bytes are the digest's, makes the repository hold it.
    async fn hash_and_hold(
        &mut self,
        repository: &RepositoryName,
        key: ObjectKey,
        now: Timestamp,
    ) -> Result<Piece<()>, Stop> {
        let left = self.adoption.progress.hashing.take();
        let blobs = &*self.registry.stores().blobs;
        let mut hash = match piece(BlobHash::begin(blobs, key, now, left).await)? {
            Ok(Some(hash)) => hash,
            Ok(None) => return Ok(Err("its bytes are not in the store".into())),
            Err(reason) => return Ok(Err(reason)),
        };
        loop {
            match piece(hash.step(&mut self.pace).await)? {
                Ok(Some(length)) => {
                    self.adoption.progress.bytes += length;
                    self.has_worked = true;
                }
                Ok(None) => break,
                Err(reason) => return Ok(Err(reason)),
            }
            self.adoption.progress.hashing = Some(hash.left());
            self.rest().await?;
        }
        self.adoption.progress.hashing = None;
        self.adoption.progress.blobs += 1;
        let (begun, size) = (hash.begun(), hash.size());
        let is = match hash.finish() {
            Ok(is) => is,
            Err(Fault::Bad(reason)) => return Ok(Err(reason)),
            Err(Fault::Store(error)) => return Err(error.into()),
        };
        if is != key.digest {
            return Ok(Err(format!("it is damaged: its bytes are {is}")));
        }
        let within = self.registry.rules().upload_lifetime;
        let adopt = AdoptBlob { repository: repository.clone(), key, size, begun, within };
        match self.adoptions.adopt_blob(adopt).await? {
            AdoptedBlob::Held => self.invalidate(repository, Kind::Blob).await.map(Ok),
            AdoptedBlob::Lost => {
                let text = format!("the blob {} was taken by a collector meanwhile", key.digest);
                Err(StoreError::Unavailable(text).into())
            }
        }
    }

    /// Has no cache answer with what was before.
    async fn invalidate(&self, repository: &RepositoryName, kind: Kind) -> Result<(), Stop> {
        Ok(self.registry.invalidated(repository, kind, Ok(())).await?)
    }
}

#[async_trait]
impl Target for Recorded<'_> {
    async fn begin(&mut self, path: &str) -> Result<HashSet<String>, Stop> {
        let (mut subjects, mut last) = (HashSet::new(), String::new());
        loop {
            let (id, after) = (self.adoption.id, (path.to_owned(), last));
            let page = self.adoptions.list_findings(id, Some(after), BATCH).await?;
            let is_last = page.len() < BATCH;
            last = page.last().map(|finding| finding.subject.clone()).unwrap_or_default();
            let before = subjects.len() + page.len();
            let of_path = page.into_iter().filter(|finding| finding.repository == path);
            subjects.extend(of_path.map(|finding| finding.subject));
            if is_last || subjects.len() < before {
                return Ok(subjects);
            }
        }
    }

    async fn held(
        &mut self,
        repository: &RepositoryName,
        digests: &[Digest],
    ) -> Result<HashSet<Digest>, Stop> {
        let held = self.adoptions.held_manifests(repository.clone(), digests.to_vec()).await?;
        Ok(held.into_iter().collect())
    }

    async fn blob(
        &mut self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Piece<()>, Stop> {
        self.rest().await?;
        if self.bad.contains(digest) {
            return Ok(Err("it is missing or damaged, as was found before".into()));
        }
        match self.adoptions.find_adoptable(repository.clone(), *digest).await? {
            Adoptable::Held => Ok(Ok(())),
            Adoptable::Shared => self.invalidate(repository, Kind::Blob).await.map(Ok),
            Adoptable::BeingDeleted => {
                Ok(Err("it is being deleted here; it can be pushed again".into()))
            }
            Adoptable::Unhashed { key, now } => {
                let taken = self.hash_and_hold(repository, key, now).await?;
                if taken.is_err() && self.bad.len() < MOST_BAD {
                    self.bad.insert(*digest);
                }
                Ok(taken)
            }
        }
    }

    async fn manifest(
        &mut self,
        repository: &RepositoryName,
        read: Read,
    ) -> Result<Piece<()>, Stop> {
        let Read { digest, payload, manifest } = read;
        let commit = CommitManifest {
            repository: repository.clone(),
            digest,
            payload,
            manifest,
            tags: Vec::new(),
            precondition: Precondition::None,
            by: Actor::system(),
        };
        let outcome = self.registry.stores().metadata.commit_manifest(commit).await;
        if let Err(StoreError::TooMuch(too_much)) = &outcome {
            return Ok(Err(too_much.to_string()));
        }
        match self.registry.invalidated(repository, Kind::Manifest, outcome).await? {
            CommitOutcome::Committed => {
                self.has_worked = true;
                self.record_in_time().await?;
                Ok(Ok(()))
            }
            // It was there a moment ago.
            CommitOutcome::Missing(gone) => {
                let gone: Vec<_> = gone.iter().map(ToString::to_string).collect();
                Ok(Err(format!("{} was deleted here meanwhile", gone.join(", "))))
            }
            CommitOutcome::Precondition(..) => Ok(Err("it was changed here meanwhile".into())),
            CommitOutcome::Frozen(frozen) => Ok(Err(frozen.to_string())),
        }
    }

    async fn tag(
        &mut self,
        repository: &RepositoryName,
        tag: Tag,
        digest: &Digest,
    ) -> Result<Piece<()>, Stop> {
        let reference = Reference::Tag(tag.clone());
        // What stands there already, as a rule, needs no transaction that writes.
        let metadata = &self.registry.stores().metadata;
        let found = metadata.find_manifest(repository.clone(), reference).await?;
        if found.is_some_and(|found| found.digest == *digest) {
            return Ok(Ok(()));
        }
        let (repository, by) = (repository.clone(), Actor::system());
        let adopt = AdoptTag { repository: repository.clone(), tag, digest: *digest, by };
        let outcome = self.adoptions.adopt_tag(adopt).await;
        Ok(match self.registry.invalidated(&repository, Kind::Manifest, outcome).await? {
            AdoptedTag::Stands => Ok(()),
            AdoptedTag::MovedHere(to) => Err(format!("it was moved here, to {to}, and stays")),
            AdoptedTag::DeletedHere => Err("it was deleted here, and stays away".into()),
            AdoptedTag::Frozen(frozen) => Err(frozen.to_string()),
            AdoptedTag::NoManifest => Err("its manifest was deleted here meanwhile".into()),
        })
    }

    async fn found(&mut self, finding: Finding) -> Result<(), Stop> {
        tracing::warn!(
            repository = finding.repository,
            "left out: {}: {}",
            finding.subject,
            finding.reason
        );
        self.findings.push(finding);
        self.has_worked = true;
        self.record_in_time().await
    }

    async fn done(&mut self, path: &str, tallied: Tallied) -> Result<(), Stop> {
        let progress = &mut self.adoption.progress;
        progress.repositories += 1;
        progress.manifests += tallied.manifests;
        progress.tags += tallied.tags;
        progress.left_out += tallied.left_out;
        progress.done_up_to = Some(path.to_owned());
        self.has_worked = true;
        self.rest().await
    }
}

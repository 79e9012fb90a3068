//! Manifests that are committed, with all that they need and their tags: pushed, or brought back.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::immutability::Frozen;
use wharf_core::metadata::{CommitManifest, CommitOutcome, Reason};
use wharf_oci::{Digest, Tag};

use super::held;
use super::storing::{charge_all, charge_blobs, store, touch};
use super::touching::touch_manifests;
use crate::engine::{Result, Statements, Transaction, arguments};
use crate::transactions::audit;
use crate::transactions::events::{self, Event};
use crate::transactions::holding::{Below, below};
use crate::transactions::repositories;
use crate::transactions::tags::{self, Allowed, Change, Guard, Standing};
use crate::transactions::usage::{self, Charged, Limits, charge};
use crate::transactions::writes::{self, Work};

#[async_trait]
impl Transaction for CommitManifest {
    type Output = CommitOutcome;

    async fn run(&self, on: &mut dyn Statements) -> Result<CommitOutcome> {
        self.commit(on, Reason::Pushed).await
    }
}

/// A commit and its parts.
pub(crate) trait Commit {
    /// Commits the manifest; the history of its tags says why.
    async fn commit(&self, on: &mut dyn Statements, reason: Reason) -> Result<CommitOutcome>;

    /// Where each tag stands, or why the precondition refuses the commit.
    async fn standings(
        &self,
        on: &mut dyn Statements,
        repository: Option<i64>,
    ) -> Result<std::result::Result<Vec<Option<Standing>>, CommitOutcome>>;

    /// The tags that move, each once however often a client names it; or what keeps one of them.
    async fn moves(
        &self,
        on: &mut dyn Statements,
        repository: Option<i64>,
        standings: Vec<Option<Standing>>,
        now: Timestamp,
    ) -> Result<std::result::Result<BTreeMap<&str, Allowed>, Box<Frozen>>>;

    /// The blobs of the manifest that the repository holds, as they are charged.
    async fn held_blobs(
        &self,
        on: &mut dyn Statements,
        repository: Option<i64>,
    ) -> Result<Vec<Charged>>;

    /// The manifests that the manifest needs, at any depth.
    async fn below(&self, on: &mut dyn Statements, repository: Option<i64>) -> Result<Below>;

    /// What the manifest needs and the repository does not hold, whose blobs are `held`.
    fn missing(&self, held: &[Charged], below: &Below) -> Vec<Digest>;
}

impl Commit for CommitManifest {
    async fn commit(&self, on: &mut dyn Statements, reason: Reason) -> Result<CommitOutcome> {
        let now = on.now().await?;
        let found = writes::enter(on, &self.repository, Work::PushBy(&self.by.by)).await?;
        let standings = match self.standings(on, found).await? {
            Ok(standings) => standings,
            Err(refused) => return Ok(refused),
        };
        let moves = match self.moves(on, found, standings, now).await? {
            Ok(moves) => moves,
            Err(frozen) => return Ok(CommitOutcome::Frozen(frozen)),
        };
        let before = self.held_blobs(on, found).await?;
        // All of it is only looked at until it is known to be there: who is refused changes nothing.
        let below = self.below(on, found).await?;
        let missing = self.missing(&before, &below);
        if !missing.is_empty() {
            return Ok(CommitOutcome::Missing(missing));
        }
        let repository = repositories::or_create(on, found, &self.repository, now).await?;
        touch(on, self, repository, below, now).await?;
        store(on, self, repository, now).await?;
        // Before the charges: it locks the repository's row, which a deletion of it locks first.
        let held = on
            .execute(
                "INSERT INTO repository_manifests (repository_id, digest, pushed_by, pushed_at, touched_at)
                 VALUES ($1, $2, $3, $4, $4) ON CONFLICT (repository_id, digest) DO NOTHING",
                arguments![repository, self.digest, self.by.by.as_str(), now],
            )
            .await?;
        let charged = charge_blobs(on, repository, &before).await?;
        if held > 0 {
            charge_all(on, self, repository, &before, charged).await?;
            let event = Event::ManifestPushed(&self.digest);
            events::record(on, repository, event, &self.by.by, now).await?;
        } else {
            charge(on, repository, charged, Limits::All).await?;
            touch_manifests(on, repository, &BTreeSet::from([self.digest]), now).await?;
        }
        let change = Change { repository, by: &self.by.by, now, reason };
        change.make_all(on, moves.values()).await?;
        // What is pushed again changes nothing.
        if held > 0 || !moves.is_empty() {
            let tags = audit::tags_of(moves.into_keys());
            let detail = if tags.is_empty() { tags } else { format!("tags={tags}") };
            let target = format!("repository:{}@{}", self.repository, self.digest);
            let namespace = self.repository.namespace();
            audit::record(on, &self.by, "manifest.push", target, namespace, detail).await?;
        }
        Ok(CommitOutcome::Committed)
    }

    async fn standings(
        &self,
        on: &mut dyn Statements,
        repository: Option<i64>,
    ) -> Result<std::result::Result<Vec<Option<Standing>>, CommitOutcome>> {
        let refused = |tag: Option<&Tag>, current: Option<Digest>| {
            (!self.precondition.holds(current))
                .then(|| CommitOutcome::Precondition(tag.cloned(), current))
        };
        if self.tags.is_empty() {
            let current = match repository {
                Some(repository) => held(on, repository, &self.digest).await?,
                None => false,
            };
            return Ok(refused(None, current.then_some(self.digest)).map_or(Ok(Vec::new()), Err));
        }
        let found = match repository {
            Some(repository) => tags::standings(on, repository, &self.tags).await?,
            None => BTreeMap::new(),
        };
        let mut standings = Vec::with_capacity(self.tags.len());
        for tag in &self.tags {
            let standing = found.get(tag.as_str()).cloned();
            let current = standing.as_ref().map(|standing: &Standing| standing.digest);
            if let Some(refused) = refused(Some(tag), current) {
                return Ok(Err(refused));
            }
            standings.push(standing);
        }
        Ok(Ok(standings))
    }

    async fn moves(
        &self,
        on: &mut dyn Statements,
        repository: Option<i64>,
        standings: Vec<Option<Standing>>,
        now: Timestamp,
    ) -> Result<std::result::Result<BTreeMap<&str, Allowed>, Box<Frozen>>> {
        let mut guard = Guard::new(repository, &self.repository, now);
        let mut moves = BTreeMap::new();
        for (tag, standing) in self.tags.iter().zip(standings) {
            match guard.allow(on, tag, standing, Some(self.digest)).await? {
                Ok(Some(allowed)) => drop(moves.insert(tag.as_str(), allowed)),
                Ok(None) => {}
                Err(frozen) => return Ok(Err(frozen)),
            }
        }
        Ok(Ok(moves))
    }

    async fn held_blobs(
        &self,
        on: &mut dyn Statements,
        repository: Option<i64>,
    ) -> Result<Vec<Charged>> {
        let Some(repository) = repository else { return Ok(Vec::new()) };
        let blobs: BTreeSet<_> = self.manifest.blobs().map(|blob| blob.digest).collect();
        usage::charged(on, repository, blobs.iter()).await
    }

    async fn below(&self, on: &mut dyn Statements, repository: Option<i64>) -> Result<Below> {
        let children = self.manifest.children().iter().map(|child| child.digest).collect();
        match repository {
            Some(repository) => below(on, repository, children, &self.digest).await,
            None => Ok(Below::default()),
        }
    }

    fn missing(&self, held: &[Charged], below: &Below) -> Vec<Digest> {
        let mut known: BTreeSet<_> = held.iter().map(|blob| blob.digest).collect();
        known.extend(&below.held);
        let blobs = self.manifest.blobs().filter(|blob| !blob.is_non_distributable());
        let needed = blobs.chain(self.manifest.children()).map(|descriptor| descriptor.digest);
        // Each is named once, in the order of the manifest, and behind them what is missing further down.
        let all = needed.chain(below.missing.iter().copied());
        all.filter(|digest| known.insert(*digest)).collect()
    }
}

//! Manifests: found, committed with all that they need, deleted, listed by subject.

mod deleting;

pub(crate) use self::deleting::Delete;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use bytes::Bytes;
use wharf_core::clock::Timestamp;
use wharf_core::immutability::Frozen;
use wharf_core::metadata::{
    CommitManifest, CommitOutcome, ListReferrers, Reason, Referrer, StoredManifest,
};
use wharf_oci::{Digest, MediaType, Reference, RepositoryName, Tag};

use crate::engine::{Json, Reads, Result, Row, Statements, Transaction, Value, arguments};
use crate::transactions::audit;
use crate::transactions::events::{self, Event};
use crate::transactions::holding::{Below, below};
use crate::transactions::integrity::manifests::mend;
use crate::transactions::integrity::repair::Mending;
use crate::transactions::memberships::is_served;
use crate::transactions::repositories;
use crate::transactions::tags::{self, Allowed, Change, Guard, Standing};
use crate::transactions::usage::{self, Charge, Charged, Limits, State, charge};
use crate::transactions::writes::{self, Work};

/// `ManifestMetadata::find_manifest`
pub(crate) struct Find {
    pub(crate) repository: RepositoryName,
    pub(crate) reference: Reference,
}

#[async_trait]
impl Transaction for Find {
    type Output = Option<StoredManifest>;

    const READS: Reads = Reads::Replica;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let repository = self.repository.as_str();
        let rows = match &self.reference {
            Reference::Tag(tag) => {
                on.query(
                    "SELECT m.digest, m.media_type, m.payload
                     FROM repositories r
                     JOIN tags t ON t.repository_id = r.id
                     JOIN manifests m ON m.digest = t.manifest_digest
                     WHERE r.name = $1 AND t.name = $2",
                    arguments![repository, tag.as_str()],
                )
                .await?
            }
            Reference::Digest(digest) => {
                on.query(
                    "SELECT m.digest, m.media_type, m.payload
                     FROM repositories r
                     JOIN repository_manifests h ON h.repository_id = r.id
                     JOIN manifests m ON m.digest = h.digest
                     WHERE r.name = $1 AND h.digest = $2",
                    arguments![repository, digest],
                )
                .await?
            }
        };
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(StoredManifest {
            digest: row.digest(0)?,
            media_type: media_type(row, 1)?,
            payload: Bytes::copy_from_slice(row.bytes(2)?),
        }))
    }
}

fn media_type(row: &Row, column: usize) -> Result<MediaType> {
    let text = row.text(column)?;
    MediaType::parse(text).ok_or_else(|| {
        wharf_core::StoreError::Corrupt(format!(
            "a manifest is stored with the media type {text:?}"
        ))
    })
}

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

    /// Updates each row that the manifest needs, so that a sweep of it cannot come between: the later of the two begins again.
    async fn touch(
        &self,
        on: &mut dyn Statements,
        repository: i64,
        below: Below,
        now: Timestamp,
    ) -> Result<()>;

    /// Stores what follows from the bytes, unless it is stored.
    async fn store(&self, on: &mut dyn Statements, repository: i64, now: Timestamp) -> Result<()>;

    /// What the blobs of the manifest come to, which were charged as they were `before`.
    async fn charge_blobs(
        &self,
        on: &mut dyn Statements,
        repository: i64,
        before: &[Charged],
    ) -> Result<Charge>;

    /// Charges a manifest that the repository did not hold, with what its blobs come to.
    async fn charge_all(
        &self,
        on: &mut dyn Statements,
        repository: i64,
        before: &[Charged],
        blobs: Charge,
    ) -> Result<()>;
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
        self.touch(on, repository, below, now).await?;
        self.store(on, repository, now).await?;
        let charged = self.charge_blobs(on, repository, &before).await?;
        let held = on
            .execute(
                "INSERT INTO repository_manifests (repository_id, digest, pushed_by, pushed_at, touched_at)
                 VALUES ($1, $2, $3, $4, $4) ON CONFLICT (repository_id, digest) DO NOTHING",
                arguments![repository, self.digest, self.by.by.as_str(), now],
            )
            .await?;
        if held > 0 {
            self.charge_all(on, repository, &before, charged).await?;
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

    async fn touch(
        &self,
        on: &mut dyn Statements,
        repository: i64,
        below: Below,
        now: Timestamp,
    ) -> Result<()> {
        let blobs = self.manifest.blobs().map(|blob| blob.digest).collect();
        touch_blobs(on, repository, &blobs, now).await?;
        let mut manifests = below.held;
        manifests.extend(self.manifest.subject.as_ref().map(|subject| subject.digest));
        touch_manifests(on, repository, &manifests, now).await.map(drop)
    }

    async fn store(&self, on: &mut dyn Statements, repository: i64, now: Timestamp) -> Result<()> {
        let manifest = &self.manifest;
        let annotations =
            serde_json::to_string(&manifest.annotations).unwrap_or_else(|_| "{}".into());
        let stored = on
            .execute(
                "INSERT INTO manifests
                     (digest, media_type, artifact_type, subject, annotations, size, payload, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (digest) DO NOTHING",
                arguments![
                    self.digest,
                    manifest.media_type.as_str(),
                    manifest.referrer_type(),
                    manifest.subject.as_ref().map(|subject| subject.digest),
                    Json(annotations),
                    self.payload.len(),
                    &*self.payload,
                    now,
                ],
            )
            .await?;
        if stored == 0 {
            // What is stored may be damaged: who pushes the same again is not told that it was taken for nothing.
            let how = Mending { source: Mending::PUSH, by: &self.by, at: Some(repository) };
            return mend(on, &self.digest, &self.payload, &how, now).await.map(drop);
        }
        let blobs: Vec<_> = manifest.blobs().map(|blob| pair(&self.digest, &blob.digest)).collect();
        on.execute_each(
            "INSERT INTO blob_references (manifest_digest, blob_digest) VALUES ($1, $2)
             ON CONFLICT (manifest_digest, blob_digest) DO NOTHING",
            &blobs,
        )
        .await?;
        let children = manifest.children().iter().map(|child| pair(&self.digest, &child.digest));
        on.execute_each(
            "INSERT INTO manifest_references (parent, child) VALUES ($1, $2)
             ON CONFLICT (parent, child) DO NOTHING",
            &children.collect::<Vec<_>>(),
        )
        .await?;
        Ok(())
    }

    async fn charge_blobs(
        &self,
        on: &mut dyn Statements,
        repository: i64,
        before: &[Charged],
    ) -> Result<Charge> {
        let changes: Vec<_> = before.iter().filter_map(|blob| blob.becomes(State::Used)).collect();
        usage::of_blobs(on, repository, &changes).await
    }

    async fn charge_all(
        &self,
        on: &mut dyn Statements,
        repository: i64,
        before: &[Charged],
        blobs: Charge,
    ) -> Result<()> {
        let own = i64::try_from(self.payload.len()).unwrap_or(i64::MAX);
        let named: i64 = before.iter().filter_map(|blob| blob.size).sum();
        let manifest = usage::Change {
            referenced: named + own,
            bytes: own,
            manifests: 1,
            ..usage::Change::default()
        };
        // What had room reserved is not kept out by the uploads of others; what had not, as it was deleted before, is.
        let is_reserved =
            before.iter().all(|blob| blob.state != State::Free || blob.size.is_none());
        let limits = if is_reserved { Limits::Reserved } else { Limits::All };
        charge(on, repository, blobs + Charge::of(manifest), limits).await
    }
}

fn pair(one: &Digest, other: &Digest) -> Vec<Value> {
    vec![one.into(), other.into()]
}

/// Touches memberships, in the order of their digests so that two commits never wait for each other. The update is what stops a
/// sweep or removal of one of them: the later of the two finds a row that was changed since it began, where a row that was only read or locked would let it go on.
async fn touch_blobs(
    on: &mut dyn Statements,
    repository: i64,
    digests: &BTreeSet<Digest>,
    now: Timestamp,
) -> Result<()> {
    let arguments = digests.iter().map(|digest| arguments![now, repository, digest].to_vec());
    on.execute_each(
        concat!(
            "UPDATE repository_blobs AS b SET touched_at = $1, needed = 1, removed = 0,
                 charge = CASE WHEN size IS NULL THEN charge ELSE 2 END
             WHERE repository_id = $2 AND blob_digest = $3 AND ",
            is_served!("b")
        ),
        &arguments.collect::<Vec<_>>(),
    )
    .await
    .map(drop)
}

/// Touches manifests, and returns those that are there. It stops a manifest from being collected for want of a parent or a referrer while
/// that is committed, by the same reasoning as [`touch_blobs`].
pub(crate) async fn touch_manifests(
    on: &mut dyn Statements,
    repository: i64,
    digests: &BTreeSet<Digest>,
    now: Timestamp,
) -> Result<BTreeSet<Digest>> {
    let arguments = digests.iter().map(|digest| arguments![now, repository, digest].to_vec());
    let changed = on
        .execute_each(
            "UPDATE repository_manifests SET touched_at = $1
             WHERE repository_id = $2 AND digest = $3",
            &arguments.collect::<Vec<_>>(),
        )
        .await?;
    Ok(there(digests, &changed))
}

/// The same for one manifest that is to be tagged: it cannot be deleted with its tags meanwhile. `false` where it is
/// not there.
pub(crate) async fn touch(
    on: &mut dyn Statements,
    repository: i64,
    digest: &Digest,
) -> Result<bool> {
    let now = on.now().await?;
    Ok(!touch_manifests(on, repository, &BTreeSet::from([*digest]), now).await?.is_empty())
}

fn there(digests: &BTreeSet<Digest>, changed: &[u64]) -> BTreeSet<Digest> {
    digests.iter().zip(changed).filter(|(_, rows)| **rows > 0).map(|(digest, _)| *digest).collect()
}

/// Whether the repository holds a manifest.
pub(crate) async fn is_held(
    on: &mut dyn Statements,
    repository: i64,
    digest: &Digest,
) -> Result<bool> {
    let sql = "SELECT 1 FROM repository_manifests WHERE repository_id = $1 AND digest = $2";
    Ok(!on.query(sql, arguments![repository, digest]).await?.is_empty())
}

/// The same in a transaction that writes. The row is locked: a push by digest
/// with a precondition answers for a row that it does not write, and that may be deleted meanwhile.
async fn held(on: &mut dyn Statements, repository: i64, digest: &Digest) -> Result<bool> {
    let rows = on
        .query_locked(
            "SELECT 1 FROM repository_manifests WHERE repository_id = $1 AND digest = $2",
            arguments![repository, digest],
        )
        .await?;
    Ok(!rows.is_empty())
}

#[async_trait]
impl Transaction for ListReferrers {
    type Output = Vec<Referrer>;

    const READS: Reads = Reads::Replica;

    /// Reads a few at a time, so that no more than one such batch lies past `max_bytes`.
    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        const BATCH: usize = 16;
        let mut found: Vec<Referrer> = Vec::new();
        let mut bytes = 0;
        while found.len() < self.limit && bytes <= self.max_bytes {
            let after = found.last().map(|referrer| referrer.digest).or(self.after);
            let most = BATCH.min(self.limit - found.len());
            // The membership is asked for row by row, by a subquery that a planner leaves where it is: as a join,
            // PostgreSQL reads every manifest of the repository first.
            let rows = on
                .query(
                    "SELECT m.digest, m.media_type, m.size, m.artifact_type, m.annotations
                     FROM manifests m
                     WHERE m.subject = $1
                       AND ($2 IS NULL OR m.artifact_type = $2)
                       AND ($3 IS NULL OR m.digest > $3)
                       AND (SELECT true FROM repositories r
                            JOIN repository_manifests h ON h.repository_id = r.id
                            WHERE r.name = $4 AND h.digest = m.digest)
                     ORDER BY m.digest LIMIT $5",
                    arguments![
                        self.subject,
                        self.artifact_type.as_deref(),
                        after,
                        self.repository.as_str(),
                        most,
                    ],
                )
                .await?;
            for row in &rows {
                bytes += row.text(4)?.len();
                found.push(referrer(row)?);
            }
            if rows.len() < most {
                break;
            }
        }
        Ok(found)
    }
}

fn referrer(row: &Row) -> Result<Referrer> {
    Ok(Referrer {
        digest: row.digest(0)?,
        media_type: media_type(row, 1)?,
        size: row.size(2)?,
        artifact_type: row.optional_text(3)?,
        annotations: row.text(4)?.to_owned(),
    })
}

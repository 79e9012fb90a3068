//! Manifests: found, committed with all that they need, deleted with all tags on them, listed by subject.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    CommitManifest, CommitOutcome, DeleteManifest, DeleteOutcome, ListReferrers, Referrer,
    StoredManifest,
};
use wharf_oci::{Digest, MediaType, Reference, RepositoryName, Tag};

use crate::engine::{Result, Row, Statements, Transaction, arguments};
use crate::transactions::events::{self, Event};
use crate::transactions::repositories;
use crate::transactions::tags::{self, Change, Standing};

/// `ManifestMetadata::find_manifest`
pub(crate) struct Find {
    pub(crate) repository: RepositoryName,
    pub(crate) reference: Reference,
}

#[async_trait]
impl Transaction for Find {
    type Output = Option<StoredManifest>;

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
        let now = on.now().await?;
        let found = repositories::find(on, &self.repository).await?;
        let standings = match self.standings(on, found).await? {
            Ok(standings) => standings,
            Err(refused) => return Ok(refused),
        };
        let missing = self.missing(on, found, now).await?;
        if !missing.is_empty() {
            return Ok(CommitOutcome::Missing(missing));
        }
        let repository = match found {
            Some(repository) => repository,
            None => repositories::find_or_create(on, &self.repository, now).await?,
        };
        self.store(on, now).await?;
        let held = on
            .execute(
                "INSERT INTO repository_manifests (repository_id, digest, pushed_by, pushed_at)
                 VALUES ($1, $2, $3, $4) ON CONFLICT (repository_id, digest) DO NOTHING",
                arguments![repository, self.digest, self.by.as_str(), now],
            )
            .await?;
        if held > 0 {
            let event = Event::ManifestPushed(&self.digest);
            events::record(on, repository, event, &self.by, now).await?;
        }
        let change = Change { repository, by: &self.by, now };
        let mut moved = BTreeSet::new();
        for (tag, standing) in self.tags.iter().zip(&standings) {
            // A client may name a tag twice; it moves once.
            if moved.insert(tag.as_str()) {
                change.move_tag(on, tag, standing.as_ref(), &self.digest).await?;
            }
        }
        Ok(CommitOutcome::Committed)
    }
}

/// Parts of a commit; see [`Transaction::run`] for their order.
trait Commit {
    /// Where each tag stands, or why the precondition refuses the commit.
    async fn standings(
        &self,
        on: &mut dyn Statements,
        repository: Option<i64>,
    ) -> Result<std::result::Result<Vec<Option<Standing>>, CommitOutcome>>;

    /// What the manifest needs and the repository does not hold. Each membership needed is updated, so
    /// that a sweep of it cannot come between.
    async fn missing(
        &self,
        on: &mut dyn Statements,
        repository: Option<i64>,
        now: Timestamp,
    ) -> Result<Vec<Digest>>;

    /// Stores what follows from the bytes, unless it is stored.
    async fn store(&self, on: &mut dyn Statements, now: Timestamp) -> Result<()>;
}

impl Commit for CommitManifest {
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
        let mut standings = Vec::with_capacity(self.tags.len());
        for tag in &self.tags {
            let standing = match repository {
                Some(repository) => tags::standing(on, repository, tag).await?,
                None => None,
            };
            let current = standing.as_ref().map(|standing| standing.digest);
            if let Some(refused) = refused(Some(tag), current) {
                return Ok(Err(refused));
            }
            standings.push(standing);
        }
        Ok(Ok(standings))
    }

    async fn missing(
        &self,
        on: &mut dyn Statements,
        repository: Option<i64>,
        now: Timestamp,
    ) -> Result<Vec<Digest>> {
        let mut missing = Vec::new();
        let mut seen = BTreeSet::new();
        for blob in self.manifest.blobs().filter(|blob| seen.insert(blob.digest)) {
            let touched = match repository {
                Some(repository) => {
                    on.execute(
                        "UPDATE repository_blobs SET touched_at = $1
                         WHERE repository_id = $2 AND blob_digest = $3",
                        arguments![now, repository, blob.digest],
                    )
                    .await?
                }
                None => 0,
            };
            if touched == 0 && !blob.is_non_distributable() {
                missing.push(blob.digest);
            }
        }
        for child in self.manifest.children() {
            if !seen.insert(child.digest) {
                continue;
            }
            let held = match repository {
                Some(repository) => held(on, repository, &child.digest).await?,
                None => false,
            };
            if !held {
                missing.push(child.digest);
            }
        }
        Ok(missing)
    }

    async fn store(&self, on: &mut dyn Statements, now: Timestamp) -> Result<()> {
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
                    annotations,
                    self.payload.len(),
                    &*self.payload,
                    now,
                ],
            )
            .await?;
        if stored == 0 {
            return Ok(());
        }
        for blob in manifest.blobs() {
            on.execute(
                "INSERT INTO blob_references (manifest_digest, blob_digest) VALUES ($1, $2)
                 ON CONFLICT (manifest_digest, blob_digest) DO NOTHING",
                arguments![self.digest, blob.digest],
            )
            .await?;
        }
        for child in manifest.children() {
            on.execute(
                "INSERT INTO manifest_references (parent, child) VALUES ($1, $2)
                 ON CONFLICT (parent, child) DO NOTHING",
                arguments![self.digest, child.digest],
            )
            .await?;
        }
        Ok(())
    }
}

async fn held(on: &mut dyn Statements, repository: i64, digest: &Digest) -> Result<bool> {
    let rows = on
        .query(
            "SELECT 1 FROM repository_manifests WHERE repository_id = $1 AND digest = $2",
            arguments![repository, digest],
        )
        .await?;
    Ok(!rows.is_empty())
}

#[async_trait]
impl Transaction for DeleteManifest {
    type Output = DeleteOutcome;

    async fn run(&self, on: &mut dyn Statements) -> Result<DeleteOutcome> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(DeleteOutcome::NoRepository);
        };
        let current = held(on, repository, &self.digest).await?.then_some(self.digest);
        if !self.precondition.holds(current) {
            return Ok(DeleteOutcome::Precondition(current));
        }
        if current.is_none() {
            return Ok(DeleteOutcome::NotFound);
        }
        let now = on.now().await?;
        let change = Change { repository, by: &self.by, now };
        let on_it = on
            .query(
                "SELECT name FROM tags WHERE repository_id = $1 AND manifest_digest = $2 ORDER BY name",
                arguments![repository, self.digest],
            )
            .await?;
        for row in &on_it {
            let tag: Tag = row.parsed(0)?;
            if let Some(standing) = tags::standing(on, repository, &tag).await? {
                change.delete_tag(on, &tag, &standing).await?;
            }
        }
        on.execute(
            "DELETE FROM repository_manifests WHERE repository_id = $1 AND digest = $2",
            arguments![repository, self.digest],
        )
        .await?;
        let event = Event::ManifestDeleted(&self.digest);
        events::record(on, repository, event, &self.by, now).await?;
        Ok(DeleteOutcome::Deleted)
    }
}

#[async_trait]
impl Transaction for ListReferrers {
    type Output = Vec<Referrer>;

    /// Reads a few at a time, so that no more than one such batch lies past `max_bytes`.
    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        const BATCH: usize = 16;
        let mut found: Vec<Referrer> = Vec::new();
        let mut bytes = 0;
        while found.len() < self.limit && bytes <= self.max_bytes {
            let after = found.last().map(|referrer| referrer.digest).or(self.after);
            let rows = on
                .query(
                    "SELECT m.digest, m.media_type, m.size, m.artifact_type, m.annotations
                     FROM repositories r
                     JOIN repository_manifests h ON h.repository_id = r.id
                     JOIN manifests m ON m.digest = h.digest
                     WHERE r.name = $1 AND m.subject = $2
                       AND ($3 IS NULL OR m.artifact_type = $3)
                       AND ($4 IS NULL OR m.digest > $4)
                     ORDER BY m.digest LIMIT $5",
                    arguments![
                        self.repository.as_str(),
                        self.subject,
                        self.artifact_type.as_deref(),
                        after,
                        BATCH.min(self.limit - found.len()),
                    ],
                )
                .await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                bytes += row.text(4)?.len();
                found.push(referrer(row)?);
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
